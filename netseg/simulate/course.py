"""Tissue in the course of a heating run: its fields, and one step of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import torch

from netseg.simulate.dying import Dying
from netseg.simulate.engine import engine_for
from netseg.simulate.fused import FusedStep
from netseg.simulate.hot import BoxedLaw, HotBox
from netseg.simulate.renewing import Blood, Renewing
from netseg.simulate.stepping import stages_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float
    from torch import Tensor

    from netseg.simulate.active import Window
    from netseg.simulate.damage import DamageModel
    from netseg.simulate.engine import Engine
    from netseg.simulate.growing import GrowingWindow
    from netseg.simulate.ledger import Ledger
    from netseg.simulate.solver import Problem


@dataclass(slots=True, kw_only=True, eq=False)
class State:
    """Tissue in the course of a run: of the whole grid, or of a window.

    Attributes:
        problem: Its numbers; the operator is the engine's own.
        engine: What carries the field over a step.
        heat_k: Heat content.
        excess_k: Temperature above baseline.
        hottest_k: The highest so far.
        equation: Conduction with the conductivity of the moment.
        blood: Perfusion of the moment.
        dying: Damage.
        law: Temperature over heat content, in the box of changed tissue.
        highest_k: Largest heat content.
    """

    problem: Problem
    engine: Engine
    heat_k: Float[Tensor, "i j k"]
    excess_k: Float[Tensor, "i j k"]
    hottest_k: Float[Tensor, "i j k"]
    equation: Renewing
    blood: Blood
    dying: Dying
    law: BoxedLaw
    highest_k: float = 0.0

    @classmethod
    def start(cls, problem: Problem, models: Sequence[DamageModel], engine: str) -> Self:
        """Everything at baseline, carried by the engine of a name."""
        heat = torch.zeros_like(problem.capacity_j_m3k)
        box = HotBox(shape=(heat.shape[0], heat.shape[1], heat.shape[2]))
        dying = Dying.start(models, box, problem.baseline_c, heat)
        given = problem.conduction.law
        warm = dying.box if dying.holds_all_changes(given) else None
        law = BoxedLaw(law=given, box=box, warm=warm)
        own = replace(problem.conduction, law=law, diffusion=problem.conduction.diffusion.copy())
        carrier, own = engine_for(engine, own, law, steps=1)
        dying.compiled = isinstance(carrier, FusedStep)
        return cls(
            problem=replace(problem, conduction=own),
            engine=carrier,
            heat_k=heat,
            excess_k=heat.clone(),
            hottest_k=heat.clone(),
            equation=Renewing(conduction=own, box=box),
            blood=Blood(rate_1_s=problem.perfusion_1_s, box=dying.box),
            dying=dying,
            law=law,
        )

    def advance(
        self,
        source: Float[Tensor, "i j k"],
        dt: float,
        energy: Ledger,
        growing: GrowingWindow | None,
    ) -> int:
        """One Strang step and the damage of it.

        Args:
            source: Heating in W/m3; changed.
            dt: Length of the step.
            energy: Where heat is booked.
            growing: What lies around a window.

        Returns:
            How often conduction was evaluated.
        """
        box, cell_m3 = self.law.box, self.problem.cell_m3
        conduction = self.equation.at(self.heat_k, self.excess_k)
        stages = stages_for(dt, self.equation.limit_s / self.law.steepest(self.highest_k))
        for sink in self.problem.sinks:
            energy.boundary += sink.draw(source, self.excess_k, cell_m3) * dt
        pushed = None if growing is None else growing.push(source)
        before = self.excess_k
        self.heat_k, self.excess_k, taken, lost = self.engine.step(
            self.heat_k, self.blood.factor(0.5 * dt), conduction, source, step_s=dt, stages=stages
        )
        energy.perfusion += taken * cell_m3
        if growing is None or pushed is None:
            energy.boundary += lost * cell_m3
        else:
            energy.boundary += growing.far.take(before, self.excess_k, pushed, lost, dt)
        box.cover(self.excess_k)
        self.highest_k = float(box.of(self.heat_k).max()) if not box.is_empty else 0.0
        if not math.isfinite(taken + lost):
            self.highest_k = math.nan
        flowing = self.dying.advance(before, self.excess_k, self.heat_k, self.law.law, dt)
        if flowing is not None:
            self.blood.stop(flowing)
        return stages

    def remember_hottest(self, *, every_cell: bool) -> None:
        """Keep each cell's highest temperature: at once in the box, now and then outside it."""
        box = self.law.box
        if every_cell:
            torch.maximum(self.hottest_k, self.excess_k, out=self.hottest_k)
        elif not box.is_empty:
            hottest = box.of(self.hottest_k)
            torch.maximum(hottest, box.of(self.excess_k), out=hottest)

    def widen(self, growing: GrowingWindow, before: Window) -> None:
        """Go on in a larger window.

        Args:
            growing: It, and what lies around.
            before: The window so far.
        """
        heat = growing.laid_out(self.heat_k, before)
        excess = growing.laid_out(self.excess_k, before)
        hottest = growing.laid_out(self.hottest_k, before, growing.far.hottest_k)
        compiled = isinstance(self.engine, FusedStep)
        fresh = State.start(growing.part(), self.dying.models, "compiled" if compiled else "eager")
        at = before.within(growing.window)
        fresh.dying.resume(self.dying, at)
        fresh.blood.flowing = self.blood.flowing
        fresh.equation.resume(self.equation, at, lambda field: growing.laid_out(field, before))
        self.problem, self.engine, self.law = fresh.problem, fresh.engine, fresh.law
        self.equation, self.blood, self.dying = fresh.equation, fresh.blood, fresh.dying
        self.heat_k, self.excess_k, self.hottest_k = heat, excess, hottest
