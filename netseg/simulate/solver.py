"""The run: heat content, damage and generator, step by step.

One step is half a step of perfusion, one of conduction with heating, half a step of perfusion
(Strang), then damage with the temperature taken as linear over the step. Perfusion stops where
the leading damage model says that tissue dies, and where its water is steam or ice. Energy is
booked where it passes, not as a remainder, so that the balance is a check.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import torch

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.simulate.active import Windowed
from netseg.simulate.course import State
from netseg.simulate.drive import Drive, Timing
from netseg.simulate.fused import worth_compiling
from netseg.simulate.growing import WORTH_CELLS, GrowingWindow
from netseg.simulate.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jaxtyping import Float
    from torch import Tensor

    from netseg.simulate.applicator import Applicator
    from netseg.simulate.control import Controller
    from netseg.simulate.coolant import Coolant
    from netseg.simulate.damage import DamageModel
    from netseg.simulate.stepping import Conduction
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
        updates: Evaluations of the conduction operator,
        cell_updates: and the cells it was evaluated for, summed.
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
    cell_updates: int = 0
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
    window: bool | None = None,
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
        window: Whether only a window around the heat is computed cell by cell (`growing`), where
            that can be; if not given, on grids from `growing.WORTH_CELLS` on.

    Raises:
        StudyRejectedError: If the step is unstable or the field becomes NaN.
        EnvironmentFaultError: If compilation is asked for and there is no compiler.
    """
    total = timing.duration_s + timing.cooling_s
    steps = math.ceil(total / timing.step_s - 1e-9)
    cells = problem.capacity_j_m3k.numel()
    wanted = cells >= WORTH_CELLS if window is None else window
    growing = GrowingWindow.open(problem, applicator) if wanted else None
    energy, trace = Ledger(), {}
    drive = Drive(
        applicator=applicator, controller=controller, timing=timing, energy=energy, trace=trace
    )
    if engine == "auto":  # by the whole grid's size, so that a window's growth changes nothing
        auto = worth_compiling(cells, steps, problem.capacity_j_m3k.device)
        engine = "compiled" if auto else "eager"
    state = State.start(problem if growing is None else growing.part(), models, engine)
    if growing is not None:
        drive.look(growing.applicator, growing.far.gained_j, None)
    outcome = Outcome(
        excess_k=state.excess_k, hottest_k=state.hottest_k, damage={}, energy=energy, trace=trace,
        engine=state.engine.name,
    )  # fmt: skip
    for step in range(steps):
        now = step * timing.step_s
        dt = min(timing.step_s, total - now)
        source = drive.heating(state.problem, state.heat_k, state.excess_k, now, dt)
        stages = state.advance(source, dt, energy, growing)
        outcome.updates += stages
        outcome.cell_updates += stages * state.heat_k.numel()
        outcome.steps += 1
        if not math.isfinite(state.highest_k):
            raise StudyRejectedError(
                Code.SIMULATION_REFUSED,
                f"the temperature became NaN or infinite after {now + dt:.1f} s.",
                hint="Check the plan's numbers.",
            )
        state.remember_hottest(every_cell=step % 10 == 9)
        if growing is not None:
            sides = growing.sides_to_move(state.excess_k, state.law.box)
            growing.carry(
                now + dt, state.excess_k, energy, at_once=bool(sides) or step == steps - 1
            )
            if sides:
                before = growing.widen(sides)
                state.widen(growing, before)
                relay = partial(growing.state_laid_out, before=before)
                drive.look(growing.applicator, growing.far.gained_j, relay)
        if progress is not None:
            shown = state.excess_k if growing is None else growing.shown(state.excess_k)
            progress(now + dt, shown)
    state.remember_hottest(every_cell=True)
    outcome.pauses = drive.memory.pauses
    _close(outcome, state, growing)
    if isinstance(applicator, Windowed):
        applicator.within(None)
    return outcome


def _close(outcome: Outcome, state: State, growing: GrowingWindow | None) -> None:
    """Bring back whole fields, and book what is still in the tissue at the end."""
    problem, heat, energy = state.problem, state.heat_k, outcome.energy
    law, capacity = problem.conduction.law, problem.capacity_j_m3k
    latent = law.vapour(heat) * law.latent_k
    stored = ((heat - latent) * capacity).sum(dtype=torch.float64)
    energy.stored = float(stored) * problem.cell_m3
    energy.latent = float((latent * capacity).sum(dtype=torch.float64)) * problem.cell_m3
    outcome.excess_k, outcome.hottest_k = state.excess_k, state.hottest_k
    if growing is None:
        outcome.damage = state.dying.whole()
        return
    far = growing.far
    energy.stored += far.stored_j()
    outcome.damage = state.dying.whole(growing.window)
    outcome.excess_k = growing.whole(state.excess_k, far.excess_k)
    outcome.hottest_k = growing.whole(state.hottest_k, far.hottest_k)
