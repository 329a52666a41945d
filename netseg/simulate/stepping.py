"""One step in time: explicit Euler, or RKL2 super-time-stepping where that is unstable.

RKL2 reaches (s^2 + s - 2)/4 explicit steps with s evaluations and is second order in time.
Source: Meyer, Balsara & Aslam, J Comput Phys 257:594 (2014), equations 16-17. Perfusion is split
off (Strang) and integrated exactly, so that it never limits the step.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from torch import Tensor

    from netseg.simulate.conductivity import VaryingConductivity
    from netseg.simulate.diffusion import Diffusion
    from netseg.simulate.enthalpy import HeatLaw

MOST_STAGES = 61
"""More stages per step cost accuracy; a longer step is refused."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Conduction:
    """capacity dheat/dt = div(k grad T(heat)) + source.

    Attributes:
        diffusion: The conduction operator, W/(m3 K).
        inverse_capacity: 1/(rho c) per cell in m3 K/J; zero holds a cell at its temperature
            (flowing blood, an isothermal electrode).
        law: Temperature from heat content.
        held: Flat indices of the cells held at their temperature; what they take up has left the
            tissue. None where there are none.
        varying: How conductivity follows the tissue's state; None where it is constant. The
            operator is then right for the state it was made for: see `renewed`.
    """

    diffusion: Diffusion
    inverse_capacity: Float[Tensor, "i j k"]
    law: HeatLaw
    held: Int[Tensor, "m"] | None = None
    varying: VaryingConductivity | None = None

    def renewed(self, heat_k: Float[Tensor, "i j k"]) -> Conduction:
        """The equation with the conductivity of tissue of this heat content."""
        if self.varying is None:
            return self
        diffusion = self.varying.at(self.law.excess(heat_k), self.law.vapour(heat_k))
        return replace(self, diffusion=diffusion)

    def rate(
        self, heat_k: Float[Tensor, "i j k"], source: Float[Tensor, "i j k"]
    ) -> tuple[Float[Tensor, "i j k"], float]:
        """dheat/dt in K/s, and what leaves per second in W/m3 summed over cells."""
        excess = self.law.excess(heat_k)
        flow = self.diffusion.apply(excess).add_(source)
        out = self.diffusion.outflow(excess)
        if self.held is not None:
            out += float(flow.reshape(-1)[self.held].sum(dtype=torch.float64))
        return flow.mul_(self.inverse_capacity), out

    def explicit_limit_s(self, highest_heat_k: float = 0.0) -> float:
        """Longest stable explicit step: h^2/(6 D) in homogeneous tissue.

        Args:
            highest_heat_k: Largest heat content in the field; dried tissue needs shorter steps.
        """
        diagonal = self.diffusion.diagonal()
        neighbours = diagonal if self.diffusion.outer is None else diagonal - self.diffusion.outer
        fastest = float(((diagonal + neighbours) * self.inverse_capacity).max())  # Gershgorin
        return math.inf if fastest == 0 else 2.0 / (fastest * self.law.steepest(highest_heat_k))


def stages_for(step_s: float, limit_s: float) -> int:
    """Fewest odd RKL2 stages that keep a step stable; 1 is explicit Euler.

    Raises:
        StudyRejectedError: If no allowed number of stages is stable.
    """
    if not (math.isfinite(step_s) and step_s > 0):
        raise StudyRejectedError(
            Code.SIMULATION_REFUSED,
            f"a time step must be a positive number of seconds; got {step_s}.",
        )
    if step_s <= limit_s:
        return 1
    stages = 3
    while step_s > limit_s * (stages * stages + stages - 2) / 4:
        stages += 2
        if stages > MOST_STAGES:
            raise StudyRejectedError(
                Code.SIMULATION_REFUSED,
                f"unstable step: {step_s:.3g} s is more than {MOST_STAGES} stages can carry where "
                f"explicit stepping is stable up to {limit_s:.3g} s.",
                detail={"step_s": step_s, "explicit_limit_s": limit_s},
                hint="Shorten the step or use a coarser grid.",
            )
    return stages


def conduct(
    heat_k: Float[Tensor, "i j k"],
    conduction: Conduction,
    source: Float[Tensor, "i j k"],
    *,
    step_s: float,
    stages: int = 1,
) -> tuple[Float[Tensor, "i j k"], float]:
    """Carry the field over one step.

    Args:
        heat_k: Heat content in kelvin (excess temperature below boiling).
        conduction: The equation.
        source: Heating in W/m3, held over the step.
        step_s: Step length.
        stages: 1 for explicit Euler, else an odd number from 3 for RKL2.

    Returns:
        The new field, and the energy that left through fixed sides and into held cells in J/m3
        summed over cells (times the cell volume: joules), integrated like the field.
    """
    start, out_start = conduction.rate(heat_k, source)
    if stages == 1:
        return heat_k + step_s * start, step_s * out_start
    before, now, lost_before, lost = heat_k, heat_k, 0.0, 0.0
    for stage in range(1, stages + 1):
        mu, nu, mu_rate, gamma_rate = rkl2_coefficients(stage, stages)
        if stage == 1:
            new = heat_k + (mu_rate * step_s) * start
            lost_new = mu_rate * step_s * out_start
        else:
            rate, out = conduction.rate(now, source)
            new = mu * now
            new.add_(before, alpha=nu).add_(heat_k, alpha=1 - mu - nu)
            new.add_(rate, alpha=mu_rate * step_s).add_(start, alpha=gamma_rate * step_s)
            lost_new = mu * lost + nu * lost_before
            lost_new += mu_rate * step_s * out + gamma_rate * step_s * out_start
        before, now, lost_before, lost = now, new, lost, lost_new
    return now, lost


def perfuse(
    heat_k: Float[Tensor, "i j k"],
    rate_1_s: Float[Tensor, "i j k"] | float,
    law: HeatLaw,
    *,
    step_s: float,
) -> Float[Tensor, "i j k"]:
    """Blood carries heat away: d heat/dt = -rate T, exact over any step below boiling.

    Args:
        heat_k: Heat content in kelvin.
        rate_1_s: w rho_b c_b / (rho c) per cell; zero where no blood flows.
        law: Temperature from heat content.
        step_s: Step length.
    """
    factor = torch.expm1(-torch.as_tensor(rate_1_s, dtype=heat_k.dtype) * step_s)
    return torch.addcmul(heat_k, law.excess(heat_k), factor.to(heat_k.device))


def rkl2_coefficients(stage: int, stages: int) -> tuple[float, float, float, float]:
    """Coefficients mu, nu, mu~ and gamma~ of one stage (Meyer et al., equation 17)."""
    w1 = 4.0 / (stages * stages + stages - 2)
    if stage == 1:
        return 0.0, 0.0, w1 / 3.0, 0.0
    mu = (2 * stage - 1) / stage * _b(stage) / _b(stage - 1)
    nu = -(stage - 1) / stage * _b(stage) / _b(stage - 2)
    return mu, nu, mu * w1, -(1 - _b(stage - 1)) * mu * w1


def _b(stage: int) -> float:
    return 1.0 / 3.0 if stage < 3 else (stage * stage + stage - 2) / (2.0 * stage * (stage + 1))
