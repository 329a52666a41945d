"""The run: heat content, damage and generator, step by step.

One step is half a step of perfusion, one of conduction with heating, half a step of perfusion
(Strang), then damage with the temperature taken as linear over the step. Perfusion stops where
the leading damage model says that tissue dies. Energy is booked where it passes, not as a
remainder, so that the balance is a check.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.simulate.control import Memory, Reading
from netseg.simulate.stepping import Conduction, conduct, perfuse, stages_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float
    from torch import Tensor

    from netseg.simulate.applicator import Applicator, Deposit
    from netseg.simulate.control import Controller
    from netseg.simulate.damage import DamageModel
    from netseg.simulate.needle import LineKernel


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Coolant:
    """A needle that carries heat away (or brings cold).

    Attributes:
        kernel: How it meets the grid.
        link_w_k: Conductance of each node to its surroundings.
        excess_k: The coolant's temperature above tissue baseline.
    """

    kernel: LineKernel
    link_w_k: Float[Tensor, "n"]
    excess_k: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Problem:
    """Tissue on a grid.

    Attributes:
        conduction: Heat conduction and boiling.
        capacity_j_m3k: rho c per cell.
        perfusion_1_s: Rate at which blood equalises temperature, per cell.
        cell_m3: Volume of a cell.
        baseline_c: Temperature of unheated tissue.
        coolants: Cooled needles.
    """

    conduction: Conduction
    capacity_j_m3k: Float[Tensor, "i j k"]
    perfusion_1_s: Float[Tensor, "i j k"]
    cell_m3: float
    baseline_c: float = 37.0
    coolants: tuple[Coolant, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """When things happen.

    Attributes:
        duration_s: Time with energy on.
        cooling_s: Simulated time after it, in which damage goes on.
        step_s: Step of control and damage.
        refresh_s: The heating pattern is renewed at least this often while power is on,
        refresh_k: and when a cell's temperature has changed by this much,
        refresh_vapour: or this share of its water has left.
        record_s: Interval of the trace.
    """

    duration_s: float
    cooling_s: float = 60.0
    step_s: float = 1.0
    refresh_s: float = 5.0
    refresh_k: float = 8.0
    refresh_vapour: float = 0.04
    record_s: float = 10.0


@dataclass(slots=True, kw_only=True)
class Ledger:
    """Energy that passed, in joules (fp64)."""

    delivered: float = 0.0
    stored: float = 0.0
    latent: float = 0.0
    perfusion: float = 0.0
    coolant: float = 0.0
    boundary: float = 0.0

    @property
    def balance_error(self) -> float:
        """What is missing, over the larger of delivered energy and energy that left."""
        out = self.stored + self.latent + self.perfusion + self.coolant + self.boundary
        scale = max(abs(self.delivered), abs(self.coolant), 1e-30)
        return abs(self.delivered - out) / scale


@dataclass(slots=True, kw_only=True, eq=False)
class Outcome:
    """What a run ends with.

    Attributes:
        excess_k: Temperature above baseline at the end.
        hottest_k: Highest excess temperature of each cell.
        damage: State by damage model name.
        energy: Energy balance.
        trace: Time series.
        steps: Control steps.
        updates: Evaluations of the conduction operator.
        pauses: How often the generator cut power.
    """

    excess_k: Float[Tensor, "i j k"]
    hottest_k: Float[Tensor, "i j k"]
    damage: dict[str, Tensor]
    energy: Ledger = field(default_factory=Ledger)
    trace: dict[str, list[float]] = field(default_factory=dict)
    steps: int = 0
    updates: int = 0
    pauses: int = 0


@torch.no_grad()
def run(
    problem: Problem,
    applicator: Applicator,
    controller: Controller,
    models: Sequence[DamageModel],
    timing: Timing,
) -> Outcome:
    """Heat tissue and see what dies.

    Args:
        problem: Tissue.
        applicator: Where the power goes.
        controller: How much power.
        models: Damage models; the first stops perfusion.
        timing: Durations and steps.

    Raises:
        StudyRejectedError: If the step is unstable or the field becomes NaN.
    """
    law = problem.conduction.law
    heat = torch.zeros_like(problem.capacity_j_m3k)
    excess = law.excess(heat)
    outcome = Outcome(
        excess_k=excess,
        hottest_k=excess.clone(),
        damage={m.name: m.start(heat) for m in models},
    )
    drive = _Drive(applicator=applicator, controller=controller, timing=timing, outcome=outcome)
    limit_s, highest = problem.conduction.explicit_limit_s(), 0.0
    total = timing.duration_s + timing.cooling_s
    for step in range(math.ceil(total / timing.step_s - 1e-9)):
        now = step * timing.step_s
        dt = min(timing.step_s, total - now)
        source = drive.heating(problem, heat, excess, now, dt)
        alive = models[0].perfused(outcome.damage[models[0].name])
        stages = stages_for(dt, limit_s / law.steepest(highest))
        heat = _step(problem, heat, source, alive, dt, stages, outcome.energy)
        before, excess = excess, law.excess(heat)
        _advance(outcome, models, before, excess, problem.baseline_c, dt)
        highest = float(heat.max())
        if not math.isfinite(highest):
            raise StudyRejectedError(
                Code.SIMULATION_REFUSED,
                f"the temperature became NaN or infinite after {now:.1f} s.",
                hint="Check the plan's numbers.",
            )
        outcome.steps += 1
        outcome.updates += stages
    outcome.excess_k, outcome.pauses = excess, drive.memory.pauses
    _close(problem, heat, outcome.energy)
    return outcome


@dataclass(slots=True, kw_only=True, eq=False)
class _Drive:
    """Generator and applicator with what they remember."""

    applicator: Applicator
    controller: Controller
    timing: Timing
    outcome: Outcome
    memory: Memory = field(default_factory=Memory)
    deposit: Deposit | None = None
    made_at_s: float = 0.0
    made_for: tuple[Tensor, Tensor] | None = None

    def heating(
        self, problem: Problem, heat: Tensor, excess: Tensor, now: float, dt: float
    ) -> Tensor:
        """Heat in W/m3 for one step: the generator's and the coolant's."""
        energy = self.outcome.energy
        shape = (excess.shape[0], excess.shape[1], excess.shape[2])
        power = self._power_w(problem, heat, excess, now, dt)
        source = torch.zeros_like(excess)
        if power and self.deposit is not None:
            source.add_(self.deposit.per_watt_m3, alpha=power)
            absorbed = float(self.deposit.per_watt_m3.sum(dtype=torch.float64))
            energy.delivered += absorbed * power * dt * problem.cell_m3
        if now < self.timing.duration_s - 1e-9:
            for coolant in problem.coolants:
                drawn = coolant.link_w_k * (coolant.kernel.feel(excess) - coolant.excess_k)
                source.sub_(coolant.kernel.spread(drawn, shape), alpha=1.0 / problem.cell_m3)
                energy.coolant += float(drawn.sum(dtype=torch.float64)) * dt
        return source

    def _power_w(
        self, problem: Problem, heat: Tensor, excess: Tensor, now: float, dt: float
    ) -> float:
        if now >= self.timing.duration_s - 1e-9:
            return 0.0
        deposit = self._fresh(excess, problem.conduction.law.vapour(heat), now)
        hottest_c = problem.baseline_c + float(excess.max())
        load = deposit.impedance_ohm
        power, self.memory = self.controller.power_w(
            Reading(time_s=now, hottest_c=hottest_c, impedance_ohm=load), self.memory
        )
        power *= min(dt, self.timing.duration_s - now) / dt
        if now % self.timing.record_s < 1e-6:
            trace = {"time_s": now, "power_w": power, "temperature_c": hottest_c}
            if load is not None:
                trace["impedance_ohm"] = load
            for name, value in trace.items():
                self.outcome.trace.setdefault(name, []).append(value)
        return power

    def _fresh(self, excess: Tensor, vapour: Tensor, now: float) -> Deposit:
        """The heating pattern, renewed if the tissue has changed since it was made."""
        if now < self.memory.off_until_s and self.deposit is not None:
            return self.deposit
        if self.deposit is not None and self.made_for is not None:
            old_excess, old_vapour = self.made_for
            if (
                now - self.made_at_s < self.timing.refresh_s - 1e-9
                and float((excess - old_excess).abs().max()) < self.timing.refresh_k
                and float((vapour - old_vapour).abs().max()) < self.timing.refresh_vapour
            ):
                return self.deposit
        self.deposit = self.applicator.deposit(excess, vapour)
        self.made_at_s, self.made_for = now, (excess, vapour)
        return self.deposit


def _step(
    problem: Problem,
    heat: Tensor,
    source: Tensor,
    alive: Tensor,
    dt: float,
    stages: int,
    energy: Ledger,
) -> Tensor:
    """One Strang step; books what perfusion and the border take."""
    law, rate = problem.conduction.law, problem.perfusion_1_s * alive
    perfused = perfuse(heat, rate, law, step_s=0.5 * dt)
    conducted, lost = conduct(perfused, problem.conduction, source, step_s=dt, stages=stages)
    last = perfuse(conducted, rate, law, step_s=0.5 * dt)
    taken = (heat - perfused).add_(conducted).sub_(last).mul_(problem.capacity_j_m3k)
    energy.perfusion += float(taken.sum(dtype=torch.float64)) * problem.cell_m3
    energy.boundary += lost * problem.cell_m3
    return last


def _advance(
    outcome: Outcome,
    models: Sequence[DamageModel],
    before: Tensor,
    excess: Tensor,
    baseline_c: float,
    dt: float,
) -> None:
    before_c, after_c = before + baseline_c, excess + baseline_c
    for model in models:
        state = outcome.damage[model.name]
        outcome.damage[model.name] = model.advance(state, before_c, after_c, dt)
    torch.maximum(outcome.hottest_k, excess, out=outcome.hottest_k)


def _close(problem: Problem, heat: Tensor, energy: Ledger) -> None:
    """Book what is still in the tissue at the end."""
    law = problem.conduction.law
    latent = law.vapour(heat) * law.latent_k
    capacity = problem.capacity_j_m3k
    stored = ((heat - latent) * capacity).sum(dtype=torch.float64)
    energy.stored = float(stored) * problem.cell_m3
    energy.latent = float((latent * capacity).sum(dtype=torch.float64)) * problem.cell_m3
