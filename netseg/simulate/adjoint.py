"""A heat run that remembers enough to be gone through backwards.

Forward it is the solver's run with one damage model: the same perfusion, conduction, damage and
patterns. Backward, each step's derivative is passed through by hand: the conduction operator is its
own transpose, and everything else is local to a cell. Only cells that have taken damage bend the
equations (boiling, closing vessels, damage itself), a few in a hundred; their numbers alone are kept
by step, and elsewhere a step is linear with a factor known beforehand.

Where even that is too much, whole stretches of steps are forgotten and run again from a checkpoint:
sqrt(n) checkpoints for n steps (Griewank & Walther, Evaluating Derivatives, 2008, chapter 12).

What a run decides stays decided (`Schedule`): when the pattern is renewed, how many stages a step
takes, what share of its power a generator gives. Between decisions the run is differentiable almost everywhere; the kinks (start of boiling)
are corners of measure zero.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.simulate.adjoint_records import Live, Renewal, Schedule, StepRecord
from netseg.simulate.control import Memory, Reading
from netseg.simulate.hot import BoxedLaw, HotBox
from netseg.simulate.stage_weights import stage_weights
from netseg.simulate.stepping import stages_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from netseg.simulate.adjoint_records import CooledNeedle
    from netseg.simulate.control import Controller
    from netseg.simulate.damage import DamageModel
    from netseg.simulate.drive import Timing
    from netseg.simulate.pattern import Pattern
    from netseg.simulate.solver import Problem


@dataclass(slots=True, kw_only=True, eq=False)
class HeatRun:
    """One run, forward; the way back is `adjoint_sweep.Sweep`.

    Attributes:
        problem: Tissue; its own coolants are not used.
        pattern: Where a unit of drive goes.
        cooled: Cooled needles.
        model: The damage model.
        timing: Durations and steps.
        drive: Watts, or squared volts, as the pattern takes it.
        controller: A generator that decides by what it reads; None for a constant drive.
        given: Decisions of an earlier run to be kept; None to decide.
        keep_bytes: How much may be remembered by step; zero keeps nothing but checkpoints.
        updates: Evaluations of the conduction operator so far.
    """

    problem: Problem
    pattern: Pattern
    cooled: Sequence[CooledNeedle]
    model: DamageModel
    timing: Timing
    drive: float
    controller: Controller | None = None
    given: Schedule | None = None
    keep_bytes: int = 2 << 30
    updates: int = 0
    saved: dict[int, Live] = field(default_factory=dict)
    _kept: dict[int, list[StepRecord]] = field(default_factory=dict)
    _renewals: list[Renewal] = field(default_factory=list)
    _renewed: list[bool] = field(default_factory=list)
    _stages: list[int] = field(default_factory=list)
    _powers: list[float] = field(default_factory=list)
    _memory: Memory = field(default_factory=Memory)

    @property
    def steps(self) -> int:
        """Control steps, heating and cooling down."""
        if self.given is not None:
            return len(self.given.stages)
        total = self.timing.duration_s + self.timing.cooling_s
        return math.ceil(total / self.timing.step_s - 1e-9)

    @property
    def stretch(self) -> int:
        """Steps between two checkpoints."""
        return max(1, round(math.sqrt(self.steps)))

    @property
    def schedule(self) -> Schedule:
        """What the run decided."""
        return Schedule(
            renewed=tuple(self._renewed), stages=tuple(self._stages), powers=tuple(self._powers)
        )

    def share_on(self, step: int) -> float:
        """Share of a step in which energy is on; the last one may be cut."""
        left = (self.timing.duration_s - step * self.timing.step_s) / self.timing.step_s
        return min(1.0, max(0.0, left)) if left > 1e-9 else 0.0

    def drive_at(self, step: int) -> float:
        """The drive of a step, as the mean over it."""
        return self.drive * self._powers[step] * self.share_on(step)

    def renewal(self, step: int) -> Renewal | None:
        """The pattern in use in a step; None where energy is off."""
        if self.share_on(step) == 0:
            return None
        return next(r for r in reversed(self._renewals) if r.step <= step)

    def recorded(self, first: int) -> list[StepRecord]:
        """The steps after a checkpoint, run again if they were forgotten."""
        if first not in self._kept:
            live = self.saved[first].copy()
            steps = range(first, min(first + self.stretch, self.steps))
            self._kept[first] = [r for s in steps if (r := self._step(s, live, keep=True))]
        return self._kept[first]

    def forget(self, first: int) -> None:
        """Free what was remembered of a stretch."""
        self._kept.pop(first, None)

    @torch.no_grad()
    def forward(self) -> Tensor:
        """Run; the damage model's state at the end.

        Raises:
            StudyRejectedError: If the step is unstable or the field becomes NaN.
        """
        live = self._start()
        for remembered in (self.saved, self._kept, self._renewals, self._renewed, self._stages):
            remembered.clear()
        self._powers.clear()
        self._memory = Memory()
        limit_s = self.problem.conduction.explicit_limit_s()
        left, highest = self.keep_bytes, 0.0
        for step in range(self.steps):
            first = step - step % self.stretch
            if step == first:
                self.saved[first] = live.copy()
                if left > 0:
                    self._kept[first] = []
            self._decide(step, live, limit_s / self.problem.conduction.law.steepest(highest))
            record = self._step(step, live, keep=first in self._kept)
            if record is not None:
                self._kept[first].append(record)
                left -= record.size
                if left <= 0:
                    self.forget(first)
            highest = float(live.heat.max())
            if not math.isfinite(highest):
                raise StudyRejectedError(
                    Code.SIMULATION_REFUSED,
                    f"the temperature became NaN or infinite in step {step + 1}.",
                    hint="Check the plan's numbers.",
                )
        return live.damage

    def _start(self) -> Live:
        heat = torch.zeros_like(self.problem.capacity_j_m3k)
        return Live(
            heat=heat,
            excess=heat,
            damage=self.model.start(heat),
            factor=torch.expm1(-0.5 * self.timing.step_s * self.problem.perfusion_1_s),
            box=HotBox(shape=(heat.shape[0], heat.shape[1], heat.shape[2])),
        )

    def _decide(self, step: int, live: Live, limit_s: float) -> None:
        """Whether the pattern is renewed, and how many stages; by the solver's rules."""
        given = self.given
        renew = self._is_due(step, live) if given is None else given.renewed[step]
        stages = stages_for(self.timing.step_s, limit_s) if given is None else given.stages[step]
        self._renewed.append(renew)
        self._stages.append(stages)
        if renew:
            vapour = self._law(live).vapour(live.heat)
            made = self.pattern.make(live.excess, vapour)
            self._renewals.append(Renewal(step=step, made=made, heat=live.heat))
        self._powers.append(self._power(step, live) if given is None else given.powers[step])

    def _power(self, step: int, live: Live) -> float:
        """What the generator gives now, over the drive."""
        renewal = self.renewal(step)
        if renewal is None or self.controller is None:
            return 1.0
        load = renewal.made.impedance_ohm
        seen = Reading(
            time_s=step * self.timing.step_s,
            hottest_c=self.problem.baseline_c + float(live.excess.max()),
            impedance_ohm=load,
            loads_ohm=() if load is None else (load,),
        )
        power, self._memory = self.controller.power_w(seen, self._memory)
        return power / self.drive

    def _is_due(self, step: int, live: Live) -> bool:
        """By time, by temperature, by lost water."""
        if self.share_on(step) == 0:
            return False
        if not self._renewals:
            return True
        last, timing = self._renewals[-1], self.timing
        if step * timing.step_s < self._memory.off_until_s or self._memory.ended:
            return False
        if (step - last.step) * timing.step_s >= timing.refresh_s - 1e-9:
            return True
        law, box = self.problem.conduction.law, live.box
        if box.is_empty:
            return False
        old, new = box.of(last.heat), box.of(live.heat)
        return (
            float((law.excess(new) - law.excess(old)).abs().max()) >= timing.refresh_k
            or float((law.vapour(new) - law.vapour(old)).abs().max()) >= timing.refresh_vapour
        )

    def _law(self, live: Live) -> BoxedLaw:
        return BoxedLaw(law=self.problem.conduction.law, box=live.box)

    def _source(self, step: int, excess: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Heat in W/m3, and the temperature under each cooled needle."""
        renewal = self.renewal(step)
        if renewal is None:
            source = torch.zeros_like(excess)
        else:
            source = renewal.made.unit_w_m3 * self.drive_at(step)
        for sink in self.problem.sinks:
            sink.draw(source, excess, self.problem.cell_m3)
        if renewal is None:
            return source, []
        shape = (excess.shape[0], excess.shape[1], excess.shape[2])
        near = []
        for needle in self.cooled:
            kernel = needle.posed.kernel
            felt = excess.reshape(-1)[kernel.cells]
            drawn = needle.link_w_k * ((felt * kernel.weights).sum(1) - needle.excess_k)
            source.sub_(kernel.spread(drawn, shape), alpha=1.0 / self.problem.cell_m3)
            near.append(felt)
        return source, near

    def _step(self, step: int, live: Live, *, keep: bool) -> StepRecord | None:
        """One Strang step as in the solver; what the way back needs of it, if wanted."""
        law, dt, box = self._law(live), self.timing.step_s, live.box
        heat, before = live.heat, live.excess
        source, felt = self._source(step, before)
        perfused = torch.addcmul(heat, before, live.factor)
        states = self._conduct(perfused, source, law, self._stages[step])
        live.heat = torch.addcmul(states[-1], law.excess(states[-1]), live.factor)
        box.cover(live.heat)
        live.excess = law.excess(live.heat)
        self.updates += self._stages[step]
        base = self.problem.baseline_c
        damage = box.of(live.damage)
        new = self.model.advance(damage, box.of(before) + base, box.of(live.excess) + base, dt)
        record = None
        if keep:
            cells = self._bent(new, box)
            record = StepRecord(
                cells=cells,
                heat=heat.reshape(-1)[cells],
                stages=[s.reshape(-1)[cells] for s in states[:-1]],
                conducted=states[-1].reshape(-1)[cells],
                damage=live.damage.reshape(-1, heat.numel())[:, cells],
                felt=felt,
            )
        damage.copy_(new)
        flowing = self.model.perfused(new) * (1.0 - law.law.vapour(box.of(live.heat)))
        rate = box.of(self.problem.perfusion_1_s) * flowing
        box.of(live.factor).copy_(torch.expm1(-0.5 * dt * rate))
        return record

    def _bent(self, damage: Tensor, box: HotBox) -> Tensor:
        """Cells whose damage is no longer that of the start, as flat indices of the grid."""
        fresh = self.model.start(damage.new_zeros(1, 1, 1))
        changed = damage != fresh
        if changed.ndim > 3:
            changed = changed.any(0)
        i, j, k = (changed.nonzero() + torch.tensor(box.low, device=damage.device)).unbind(1)
        return (i * box.shape[1] + j) * box.shape[2] + k

    def _conduct(self, heat: Tensor, source: Tensor, law: BoxedLaw, stages: int) -> list[Tensor]:
        """RKL2: the states at which the operator is evaluated, and the last one."""
        conduction = self.problem.conduction
        states = [heat]
        start = heat
        for stage in range(1, stages + 1):
            now, before, first, rate, start_rate = stage_weights(stage, stages, self.timing.step_s)
            change = conduction.diffusion.apply(law.excess(states[-1])).add_(source)
            change.mul_(conduction.inverse_capacity)
            if stage == 1:
                start = change
                states.append(torch.add(heat, change, alpha=rate))
                continue
            new = now * states[-1]
            new.add_(states[-2], alpha=before).add_(heat, alpha=first)
            states.append(new.add_(change, alpha=rate).add_(start, alpha=start_rate))
        return states
