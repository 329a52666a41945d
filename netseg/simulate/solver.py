"""The run: heat content, damage and generator, step by step.

One step is half a step of perfusion, one of conduction with heating, half a step of perfusion
(Strang), then damage with the temperature taken as linear over the step. Perfusion stops where
the leading damage model says that tissue dies, and where its water is steam or ice. Energy is
booked where it passes, not as a remainder, so that the balance is a check.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.simulate.drive import Drive, Timing
from netseg.simulate.ledger import Ledger
from netseg.simulate.stepping import Conduction, conduct, perfuse, stages_for

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jaxtyping import Float
    from torch import Tensor

    from netseg.simulate.applicator import Applicator
    from netseg.simulate.control import Controller
    from netseg.simulate.coolant import Coolant
    from netseg.simulate.damage import DamageModel


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
    progress: Callable[[float, Tensor], None] | None = None,
) -> Outcome:
    """Heat tissue and see what dies.

    Args:
        problem: Tissue.
        applicator: Where the power goes.
        controller: How much power.
        models: Damage models; the first stops perfusion.
        timing: Durations and steps.
        progress: Called after each control step with the simulated time in seconds and the excess
            temperature then, which it must not change: a progress bar, a recorder of pictures.

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
    drive = Drive(
        applicator=applicator,
        controller=controller,
        timing=timing,
        energy=outcome.energy,
        trace=outcome.trace,
    )
    now_conducting, highest = Renewing(conduction=problem.conduction), 0.0
    total = timing.duration_s + timing.cooling_s
    for step in range(math.ceil(total / timing.step_s - 1e-9)):
        now = step * timing.step_s
        dt = min(timing.step_s, total - now)
        source = drive.heating(problem, heat, excess, now, dt)
        alive = models[0].perfused(outcome.damage[models[0].name])
        conduction = now_conducting.at(heat, excess)
        stages = stages_for(dt, now_conducting.limit_s / law.steepest(highest))
        heat = _step(problem, conduction, heat, source, alive, dt, stages, outcome.energy)
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
        if progress is not None:
            progress(now + dt, excess)
    outcome.excess_k, outcome.pauses = excess, drive.memory.pauses
    _close(problem, heat, outcome.energy)
    return outcome


@dataclass(slots=True, kw_only=True, eq=False)
class Renewing:
    """The conduction equation of the moment, made anew as conductivity follows temperature.

    Attributes:
        conduction: The equation last made.
        made_for: The excess temperature it was made for; None before the first time.
        limit_s: Longest stable explicit step where dT/dheat is one.
    """

    conduction: Conduction
    made_for: Tensor | None = None
    limit_s: float = field(init=False)

    def __post_init__(self) -> None:
        """Know the stable step from the start."""
        self.limit_s = self.conduction.explicit_limit_s()

    def at(self, heat: Tensor, excess: Tensor) -> Conduction:
        """The equation for tissue of this heat content and temperature."""
        varying = self.conduction.varying
        if varying is None:
            return self.conduction
        if self.made_for is None or self._moved_k(excess) > varying.refresh_k:
            self.conduction = self.conduction.renewed(heat)
            self.limit_s = self.conduction.explicit_limit_s()
            self.made_for = excess
        return self.conduction

    def _moved_k(self, excess: Tensor) -> float:
        return math.inf if self.made_for is None else float((excess - self.made_for).abs().max())


def _step(
    problem: Problem,
    conduction: Conduction,
    heat: Tensor,
    source: Tensor,
    alive: Tensor,
    dt: float,
    stages: int,
    energy: Ledger,
) -> Tensor:
    """One Strang step; books what perfusion and the border take."""
    law = conduction.law
    rate = problem.perfusion_1_s * alive * (1.0 - law.vapour(heat))
    perfused = perfuse(heat, rate, law, step_s=0.5 * dt)
    conducted, lost = conduct(perfused, conduction, source, step_s=dt, stages=stages)
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
