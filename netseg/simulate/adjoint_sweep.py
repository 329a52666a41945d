"""The way back through a heat run: from d score/d damage to poses, drive and duration."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from netseg.simulate.stage_weights import stage_weights

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from netseg.simulate.adjoint import HeatRun
    from netseg.simulate.adjoint_records import CooledNeedle, StepRecord


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Slopes:
    """Derivatives of a score, in grid coordinates.

    Attributes:
        tips: Per mm of each needle's tip.
        directions: Per unit of each needle's direction.
        drive: Per unit of drive (watt, or squared volt).
        duration_s: Per second of energy.
    """

    tips: tuple[Float[Tensor, "3"], ...]
    directions: tuple[Float[Tensor, "3"], ...]
    drive: float
    duration_s: float


class Sweep:
    """One pass backwards through a run that has been run forward.

    Args:
        run: The run.
        damage_bar: d score/d damage state at the end.
    """

    def __init__(self, run: HeatRun, damage_bar: Tensor) -> None:
        problem = run.problem
        self.run, self.law, self.dt = run, problem.conduction.law, run.timing.step_s
        self.damage_bar = damage_bar.reshape(-1, problem.capacity_j_m3k.numel()).clone()
        self.heat_bar = torch.zeros_like(problem.capacity_j_m3k)
        fresh = run.model.perfused(run.model.start(problem.capacity_j_m3k.new_zeros(1)))
        rate = problem.perfusion_1_s * fresh
        self.decay = torch.exp(-0.5 * self.dt * rate)  # of cells that have taken no damage
        self.boils_k = float(getattr(self.law, "starts_k", -math.inf))
        self.drive_bar, self.duration_bar = 0.0, 0.0
        self.weights_bar = [torch.zeros_like(c.posed.kernel.weights) for c in run.cooled]
        self.link_bar = [torch.zeros_like(c.link_w_k) for c in run.cooled]

    @torch.no_grad()
    def back(self) -> Slopes:
        """Go back to the start."""
        run = self.run
        renewed = run.schedule.renewed
        for first in sorted(run.saved, reverse=True):
            records = run.recorded(first)
            for step in range(first + len(records) - 1, first - 1, -1):
                self._step(step, records[step - first])
                if renewed[step]:
                    self._renewal(step)
            run.forget(first)
        poses = run.pattern.pose_bars()
        for n, needle in enumerate(run.cooled):
            tip, direction = self._cooled(n)
            poses[needle.number] = (
                poses[needle.number][0] + tip,
                poses[needle.number][1] + direction,
            )
        return Slopes(
            tips=tuple(p[0] for p in poses),
            directions=tuple(p[1] for p in poses),
            drive=self.drive_bar,
            duration_s=self.duration_bar,
        )

    def _step(self, step: int, record: StepRecord) -> None:
        """Through damage and the second half of perfusion, conduction, the first half, source."""
        cells = record.cells
        heat, conducted, damage = (
            x.clone().requires_grad_() for x in (record.heat, record.conducted, record.damage)
        )
        with torch.enable_grad():
            perfused, after, new = self._local(cells, heat, conducted, damage)
        bars = torch.autograd.grad(
            [after, new],
            [heat, conducted, damage],
            [self.heat_bar.reshape(-1)[cells], self.damage_bar[:, cells].reshape(new.shape)],
            retain_graph=True,
            allow_unused=True,
            materialize_grads=True,
        )
        bar = self.heat_bar.mul_(self.decay)
        bar.reshape(-1)[cells] = bars[1]
        bar, source_bar = self._conduct(bar, cells, record.stages)
        local = torch.autograd.grad(
            perfused,
            [heat, damage],
            bar.reshape(-1)[cells],
            allow_unused=True,
            materialize_grads=True,
        )
        bar.mul_(self.decay)
        bar.reshape(-1)[cells] = bars[0] + local[0]
        excess_bar = self._source(step, source_bar, record.felt)
        if excess_bar is not None:
            self._bend(excess_bar, cells, record.heat)
            bar.add_(excess_bar)
        self.heat_bar = bar
        self.damage_bar[:, cells] = bars[2] + local[1]

    def _local(
        self, cells: Tensor, heat: Tensor, conducted: Tensor, damage: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """A step without conduction, in the cells that bend the equations."""
        run, law = self.run, self.law
        state = damage[0] if len(damage) == 1 else damage
        rate = run.problem.perfusion_1_s.reshape(-1)[cells] * run.model.perfused(state)
        factor = torch.expm1(-0.5 * self.dt * rate * (1.0 - law.vapour(heat)))
        before = law.excess(heat)
        after = conducted + law.excess(conducted) * factor
        base = run.problem.baseline_c
        new = run.model.advance(state, before + base, law.excess(after) + base, self.dt)
        return heat + before * factor, after, new

    def _conduct(self, bar: Tensor, cells: Tensor, states: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Back through the stages: d score/d field before and d score/d source."""
        conduction = self.run.problem.conduction
        if len(states) == 1:
            source_bar = (bar * self.dt).mul_(conduction.inverse_capacity)
            through = conduction.diffusion.apply(source_bar)
            self._bend(through, cells, states[0])
            return bar + through, source_bar
        source_bar, first_bar = torch.zeros_like(bar), torch.zeros_like(bar)
        first_rate_bar, earlier = torch.zeros_like(bar), torch.zeros_like(bar)
        stages = len(states)
        for stage in range(stages, 0, -1):
            now, before, first, rate, start_rate = stage_weights(stage, stages, self.dt)
            rate_bar = bar * rate
            if stage == 1:
                rate_bar.add_(first_rate_bar)
            else:
                first_bar.add_(bar, alpha=first)
                first_rate_bar.add_(bar, alpha=start_rate)
            rate_bar.mul_(conduction.inverse_capacity)
            source_bar.add_(rate_bar)
            through = conduction.diffusion.apply(rate_bar)
            self._bend(through, cells, states[stage - 1])
            through.add_(earlier).add_(bar, alpha=now)
            earlier, bar = bar.mul_(before), through
        return bar.add_(first_bar), source_bar

    def _bend(self, bar: Tensor, cells: Tensor, heat: Tensor) -> None:
        """Turn d score/d temperature into d score/d heat content, in place."""
        if not self.law.latent_k or not heat.numel() or float(heat.max()) <= self.boils_k:
            return
        leaf = heat.clone().requires_grad_()
        with torch.enable_grad():
            excess = self.law.excess(leaf).sum()
        bar.reshape(-1)[cells] *= torch.autograd.grad(excess, leaf)[0]

    def _renewal(self, step: int) -> None:
        """Through the pattern to the tissue that it was made for."""
        run = self.run
        renewal = run.renewal(step)
        if renewal is None or renewal.bar is None:
            return
        heat = renewal.heat.clone().requires_grad_()
        with torch.enable_grad():
            excess, vapour = self.law.excess(heat * 1.0), self.law.vapour(heat)
        self.drive_bar += _dot(renewal.bar, renewal.made.unit_w_m3) / run.drive
        bars = run.pattern.pull(renewal.bar, renewal.made, excess.detach(), vapour.detach())
        through = torch.autograd.grad([excess, vapour], heat, bars) if self.law.latent_k else bars
        self.heat_bar += through[0]
        renewal.bar = None

    def _source(self, step: int, source_bar: Tensor, felt: list[Tensor]) -> Tensor | None:
        """To pattern and duration; d score/d excess temperature by coolant and vessels."""
        run = self.run
        renewal, excess_bar = run.renewal(step), None
        for sink in run.problem.sinks:
            shape = (source_bar.shape[0], source_bar.shape[1], source_bar.shape[2])
            drawn_bar = sink.kernel.feel(source_bar) * (-sink.link_w_k / run.problem.cell_m3)
            part = sink.kernel.spread(drawn_bar, shape)
            excess_bar = part if excess_bar is None else excess_bar.add_(part)
        if renewal is None:
            return excess_bar
        unit = run.drive_at(step)
        if renewal.bar is None:
            renewal.bar = source_bar * unit
        else:
            renewal.bar.add_(source_bar, alpha=unit)
        if run.share_on(step + 1) == 0:  # the step in which energy ends
            ending = _dot(source_bar, renewal.made.unit_w_m3)
            self.duration_bar += ending * unit / run.share_on(step) / self.dt
        for n, needle in enumerate(run.cooled):
            part = self._coolant(n, needle, source_bar, felt[n])
            excess_bar = part if excess_bar is None else excess_bar.add_(part)
        return excess_bar

    def _coolant(self, n: int, needle: CooledNeedle, source_bar: Tensor, felt: Tensor) -> Tensor:
        """Heat drawn = link (feel T - T_c), spread over the kernel with a minus."""
        kernel, cell = needle.posed.kernel, self.run.problem.cell_m3
        there = source_bar.reshape(-1)[kernel.cells]
        warmer = (felt * kernel.weights).sum(1) - needle.excess_k
        drawn_bar = -(there * kernel.weights).sum(1) / cell
        linked = drawn_bar * needle.link_w_k
        self.weights_bar[n] += there * (-needle.link_w_k * warmer / cell)[:, None]
        self.weights_bar[n] += felt * linked[:, None]
        self.link_bar[n] += drawn_bar * warmer
        shape = (source_bar.shape[0], source_bar.shape[1], source_bar.shape[2])
        return kernel.spread(linked, shape)

    def _cooled(self, n: int) -> tuple[Tensor, Tensor]:
        """Pose of a cooled needle: through the weights, and the link's dependence on them."""
        needle = self.run.cooled[n]
        posed = needle.posed
        weights = posed.kernel.weights.detach().clone().requires_grad_()
        width = posed.width_m.detach().clone().requires_grad_()
        with torch.enable_grad():
            link = needle.link_of(posed.with_leaves(weights, width))
        by_link = torch.autograd.grad(link, [weights, width], self.link_bar[n])
        return posed.pull(self.weights_bar[n] + by_link[0], float(by_link[1]))


def _dot(first: Tensor, second: Tensor) -> float:
    return float((first * second).sum(dtype=torch.float64))
