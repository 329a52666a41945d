"""Who carries the field over a step: torch operation by operation, or one compiled sweep."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import torch

from netseg.domain.codes import Code
from netseg.domain.errors import EnvironmentFaultError, UsageError
from netseg.simulate.fused import FusedStep, has_compiler, total, worth_compiling
from netseg.simulate.stepping import conduct

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from netseg.simulate.hot import BoxedLaw
    from netseg.simulate.stepping import Conduction

ENGINES = ("auto", "eager", "compiled")


class Engine(Protocol):
    """Half a step of perfusion, one of conduction with heating, half a step of perfusion."""

    @property
    def name(self) -> str:
        """What `run` says about it."""
        ...

    def step(
        self,
        heat_k: Float[Tensor, "i j k"],
        factor: Float[Tensor, "i j k"],
        conduction: Conduction,
        source: Float[Tensor, "i j k"],
        *,
        step_s: float,
        stages: int,
    ) -> tuple[Tensor, Tensor, float, float]:
        """Carry the field over one step.

        Args:
            heat_k: Heat content.
            factor: Relative change of excess temperature by blood over half a step, 0 to -1.
            conduction: The equation of the moment.
            source: Heating in W/m3.
            step_s: Length of the step.
            stages: Evaluations of conduction.

        Returns:
            Heat content and excess temperature afterwards; what blood took, and what left through
            fixed sides and into held cells, both in J/m3 summed over cells.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EagerStep:
    """One torch operation after the other; the law is asked in a box only."""

    law: BoxedLaw
    name: str = "torch eager"

    def step(
        self,
        heat_k: Float[Tensor, "i j k"],
        factor: Float[Tensor, "i j k"],
        conduction: Conduction,
        source: Float[Tensor, "i j k"],
        *,
        step_s: float,
        stages: int,
    ) -> tuple[Tensor, Tensor, float, float]:
        """See `Engine`."""
        law = self.law
        perfused = torch.addcmul(heat_k, law.excess(heat_k), factor)
        conducted, lost = conduct(perfused, conduction, source, step_s=step_s, stages=stages)
        last = torch.addcmul(conducted, law.excess(conducted), factor)
        taken = (heat_k - perfused).add_(conducted).sub_(last)
        inverse = conduction.inverse_capacity
        taken = torch.where(inverse > 0, taken / inverse, 0.0)
        law.box.cover(last)
        return last, law.excess(last), total(taken), lost


def engine_for(
    name: str, conduction: Conduction, law: BoxedLaw, *, steps: int
) -> tuple[Engine, Conduction]:
    """The engine of a name, and the equation laid out as it needs it.

    "auto" compiles on the CPU where a C++ compiler is there and the run is long enough
    (`fused.WORTH_UPDATES`); it is eager otherwise.

    Args:
        name: "auto", "eager" or "compiled".
        conduction: The equation.
        law: Temperature over heat content.
        steps: Control steps to come.

    Raises:
        UsageError: If there is no engine of this name.
        EnvironmentFaultError: If compilation is asked for and there is no compiler.
    """
    if name not in ENGINES:
        raise UsageError(
            Code.CONFIG_RANGE, f"no engine is called {name!r}; there are {', '.join(ENGINES)}."
        )
    field = conduction.inverse_capacity
    if name == "auto":
        name = "compiled" if worth_compiling(field.numel(), steps, field.device) else "eager"
    if name == "eager":
        return EagerStep(law=law), conduction
    if field.device.type == "cpu" and not has_compiler():
        raise EnvironmentFaultError(
            Code.SIMULATION_REFUSED,
            "compiled heat steps were asked for, but no C++ compiler is on the path.",
            hint="Install g++ or clang++, or use engine=eager.",
        )
    fused = FusedStep.of(conduction, law.law, law.box)
    return fused, replace(conduction, diffusion=fused.diffusion)
