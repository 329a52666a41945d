"""The run: heat content, damage and generator, step by step.

One step is half a step of perfusion, one of conduction with heating, half a step of perfusion
(Strang), then damage with the temperature taken as linear over the step. Perfusion stops where
the leading damage model says that tissue dies, and where its water is steam or ice. Energy is
booked where it passes, not as a remainder, so that the balance is a check.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.simulate.drive import Drive, Timing
from netseg.simulate.engine import engine_for
from netseg.simulate.fused import FusedStep
from netseg.simulate.hot import BoxedLaw, Dying, HotBox
from netseg.simulate.ledger import Ledger
from netseg.simulate.renewing import Blood, Renewing
from netseg.simulate.stepping import Conduction, stages_for

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jaxtyping import Float
    from torch import Tensor

    from netseg.simulate.applicator import Applicator
    from netseg.simulate.control import Controller
    from netseg.simulate.coolant import Coolant
    from netseg.simulate.damage import DamageModel
    from netseg.simulate.engine import Engine
    from netseg.simulate.vessel_line import BloodLine


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
        sinks: Vessels thinner than a cell.
    """

    conduction: Conduction
    capacity_j_m3k: Float[Tensor, "i j k"]
    perfusion_1_s: Float[Tensor, "i j k"]
    cell_m3: float
    baseline_c: float = 37.0
    coolants: tuple[Coolant, ...] = ()
    sinks: tuple[BloodLine, ...] = ()


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
        engine: What computed it.
    """

    excess_k: Float[Tensor, "i j k"]
    hottest_k: Float[Tensor, "i j k"]
    damage: dict[str, Tensor]
    energy: Ledger = field(default_factory=Ledger)
    trace: dict[str, list[float]] = field(default_factory=dict)
    steps: int = 0
    updates: int = 0
    pauses: int = 0
    engine: str = ""


@torch.no_grad()
def run(
    problem: Problem,
    applicator: Applicator,
    controller: Controller,
    models: Sequence[DamageModel],
    timing: Timing,
    progress: Callable[[float, Tensor], None] | None = None,
    *,
    engine: str = "auto",
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
        engine: "eager", "compiled", or "auto": compiled where it pays (`engine.engine_for`).

    Raises:
        StudyRejectedError: If the step is unstable or the field becomes NaN.
        EnvironmentFaultError: If compilation is asked for and there is no compiler.
    """
    heat = torch.zeros_like(problem.capacity_j_m3k)
    box = HotBox(shape=(heat.shape[0], heat.shape[1], heat.shape[2]))
    outcome = Outcome(excess_k=heat, hottest_k=heat.clone(), damage={})
    drive = Drive(
        applicator=applicator,
        controller=controller,
        timing=timing,
        energy=outcome.energy,
        trace=outcome.trace,
    )
    total = timing.duration_s + timing.cooling_s
    steps = math.ceil(total / timing.step_s - 1e-9)
    law = BoxedLaw(law=problem.conduction.law, box=box)
    own = replace(problem.conduction, law=law, diffusion=problem.conduction.diffusion.copy())
    carrier, own = engine_for(engine, own, law, steps=steps)
    problem, outcome.engine = replace(problem, conduction=own), carrier.name
    state = State(
        engine=carrier,
        heat_k=heat,
        excess_k=heat.clone(),
        equation=Renewing(conduction=own, box=box),
        blood=Blood(rate_1_s=problem.perfusion_1_s, box=box),
        dying=Dying.start(
            models, box, problem.baseline_c, heat, compiled=isinstance(carrier, FusedStep)
        ),
        law=law,
    )
    for step in range(steps):
        now = step * timing.step_s
        dt = min(timing.step_s, total - now)
        source = drive.heating(problem, state.heat_k, state.excess_k, now, dt)
        outcome.updates += _advance(problem, state, source, dt, outcome.energy)
        outcome.steps += 1
        if not math.isfinite(state.highest_k):
            raise StudyRejectedError(
                Code.SIMULATION_REFUSED,
                f"the temperature became NaN or infinite after {now + dt:.1f} s.",
                hint="Check the plan's numbers.",
            )
        _remember_hottest(outcome, state.excess_k, box, every_cell=step % 10 == 9)
        if progress is not None:
            progress(now + dt, state.excess_k)
    _remember_hottest(outcome, state.excess_k, box, every_cell=True)
    outcome.excess_k, outcome.pauses = state.excess_k, drive.memory.pauses
    outcome.damage = state.dying.whole()
    _close(problem, state.heat_k, outcome.energy)
    return outcome


@dataclass(slots=True, kw_only=True, eq=False)
class State:
    """Tissue in the course of a run.

    Attributes:
        engine: What carries the field over a step.
        heat_k: Heat content.
        excess_k: Temperature above baseline.
        equation: Conduction with the conductivity of the moment.
        blood: Perfusion of the moment.
        dying: Damage.
        law: Temperature over heat content, in the box.
        highest_k: Largest heat content.
    """

    engine: Engine
    heat_k: Tensor
    excess_k: Tensor
    equation: Renewing
    blood: Blood
    dying: Dying
    law: BoxedLaw
    highest_k: float = 0.0


def _advance(problem: Problem, state: State, source: Tensor, dt: float, energy: Ledger) -> int:
    """One Strang step and the damage of it; returns how often conduction was evaluated."""
    box = state.dying.box
    conduction = state.equation.at(state.heat_k, state.excess_k)
    law = state.law
    stages = stages_for(dt, state.equation.limit_s / law.steepest(state.highest_k))
    for sink in problem.sinks:
        energy.boundary += sink.draw(source, state.excess_k, problem.cell_m3) * dt
    before = state.excess_k
    state.heat_k, state.excess_k, taken, lost = state.engine.step(
        state.heat_k, state.blood.factor(0.5 * dt), conduction, source, step_s=dt, stages=stages
    )
    energy.perfusion += taken * problem.cell_m3
    energy.boundary += lost * problem.cell_m3
    box.cover(state.excess_k)
    state.highest_k = float(box.of(state.heat_k).max()) if not box.is_empty else 0.0
    if not math.isfinite(taken + lost):
        state.highest_k = math.nan
    state.dying.advance(before, state.excess_k, dt)
    if not box.is_empty:
        changed = law.law.vapour(box.of(state.heat_k))
        state.blood.stop(state.dying.perfused() * (1.0 - changed))
    return stages


def _remember_hottest(outcome: Outcome, excess: Tensor, box: HotBox, *, every_cell: bool) -> None:
    """Keep each cell's highest temperature: at once in the box, now and then outside it."""
    if every_cell:
        torch.maximum(outcome.hottest_k, excess, out=outcome.hottest_k)
    elif not box.is_empty:
        hottest = box.of(outcome.hottest_k)
        torch.maximum(hottest, box.of(excess), out=hottest)


def _close(problem: Problem, heat: Tensor, energy: Ledger) -> None:
    """Book what is still in the tissue at the end."""
    law = problem.conduction.law
    latent = law.vapour(heat) * law.latent_k
    capacity = problem.capacity_j_m3k
    stored = ((heat - latent) * capacity).sum(dtype=torch.float64)
    energy.stored = float(stored) * problem.cell_m3
    energy.latent = float((latent * capacity).sum(dtype=torch.float64)) * problem.cell_m3
