"""First-order protein denaturation.

dOmega/dt = A exp(-Ea / (R T)); Omega = 1 leaves exp(-1) = 37 % and counts as dead. Defaults are
the widely used liver set 7.39e39 1/s and 2.577e5 J/mol (Jacques et al. 1996). Taken literally that
set kills at body temperature within 42 minutes; like the thermal dose, it is not counted below 39 C.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

GAS_CONSTANT = 8.31446261815324  # J/(mol K), exact since 2019
ZERO_C = 273.15
LEAST = 0.01  # share of the lethal damage below which depth tells no more


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrhenius:
    """Damage integral; its state is Omega.

    Attributes:
        frequency_1_s: Frequency factor A.
        energy_j_mol: Activation energy Ea.
        lowest_c: Nothing is counted below this temperature.
        name: Its name in plans and reports.
    """

    frequency_1_s: float = 7.39e39
    energy_j_mol: float = 2.577e5
    lowest_c: float = 39.0
    name: str = "arrhenius"

    def start(self, like: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """No damage."""
        return torch.zeros_like(like)

    def rate_1_s(self, temperature_c: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """dOmega/dt at a temperature."""
        kelvin = temperature_c + ZERO_C
        power = math.log(self.frequency_1_s) - (self.energy_j_mol / GAS_CONSTANT) / kelvin
        return torch.where(temperature_c < self.lowest_c, 0.0, torch.exp(power))

    def advance(
        self,
        state: Float[Tensor, "*n"],
        before_c: Float[Tensor, "*n"],
        after_c: Float[Tensor, "*n"],
        step_s: float,
    ) -> Float[Tensor, "*n"]:
        """Add one step's damage: Simpson's rule with the geometric mean as its middle value.

        The rate is very nearly exponential in time when temperature is linear; Simpson's rule is
        then right to (change of ln rate)^4/2880.
        """
        first, last = self.rate_1_s(before_c), self.rate_1_s(after_c)
        middle = torch.sqrt(first) * torch.sqrt(last)
        return state + (step_s / 6.0) * (first + 4.0 * middle + last)

    def depth(self, state: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Natural logarithm of Omega, not below that of `LEAST`: linear through the surface."""
        return torch.log(state.clamp_min(LEAST))

    def perfused(self, state: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Vessels close as tissue dies: exp(-Omega^4), still 94 % at half the lethal damage."""
        return torch.exp(-state.clamp_max(3.0).square().square())
