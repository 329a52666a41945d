"""First-order protein denaturation.

dOmega/dt = A exp(-Ea / (R T)); Omega = 1 leaves exp(-1) = 37 % and counts as dead. Defaults are
the widely used liver set of Jacques et al. (1996). Taken literally that set kills at body
temperature within 42 minutes; like the thermal dose, it is not counted below 39 C.

The step's integral is exact for a rate that grows exponentially; that 1/T is curved over the step
enters as a small correction, right to its square: 1e-4 of the step's damage where temperature
rises by 15 K in the step, and a millionth at 3 K.
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
SMALL = 0.02  # below this half change of ln rate two terms of the series are right to fp64


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrhenius:
    """Damage integral; its state is Omega.

    Numbers may be tensors that broadcast over the field: one value per member of an ensemble.

    Attributes:
        frequency_1_s: Frequency factor A.
        energy_j_mol: Activation energy Ea.
        lowest_c: Nothing is counted below this temperature.
        name: Its name in plans and reports.
        source: Where the numbers are from; "recalled" where nobody has read them there.
    """

    frequency_1_s: float | Tensor = 7.39e39
    energy_j_mol: float | Tensor = 2.577e5
    lowest_c: float = 39.0
    name: str = "arrhenius"
    source: str = "liver, Jacques et al. 1996; numbers recalled, not read there"

    @property
    def counts_from_c(self) -> float:
        """Nothing is counted below this temperature."""
        return self.lowest_c

    def start(self, like: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """No damage."""
        return torch.zeros_like(like)

    def rate_1_s(self, temperature_c: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """dOmega/dt at a temperature."""
        power = self._log_rate(1.0 / (temperature_c + ZERO_C))
        return torch.where(temperature_c < self.lowest_c, 0.0, torch.exp(power))

    def advance(
        self,
        state: Float[Tensor, "*n"],
        before_c: Float[Tensor, "*n"],
        after_c: Float[Tensor, "*n"],
        step_s: float,
    ) -> Float[Tensor, "*n"]:
        """Add one step's damage, from where temperature crosses `lowest_c`."""
        first, last = before_c.clamp_min(self.lowest_c), after_c.clamp_min(self.lowest_c)
        level = after_c == before_c
        time_above = (last - first) / torch.where(level, 1.0, after_c - before_c)
        time_above = torch.where(level, (before_c >= self.lowest_c).to(first.dtype), time_above)
        cold, warm = 1.0 / (first + ZERO_C), 1.0 / (last + ZERO_C)
        mean = 0.5 * (cold + warm)
        steepness = self.energy_j_mol / GAS_CONSTANT
        half = 0.5 * steepness * (cold - warm)  # half the change of ln rate
        bulge = steepness * (mean - 2.0 / (first + last + 2.0 * ZERO_C))
        growth, weight = _means(half)
        amount = torch.exp(self._log_rate(mean) + weight * bulge) * growth
        return state + step_s * time_above * amount

    def depth(self, state: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Natural logarithm of Omega, not below that of `LEAST`: linear through the surface."""
        return torch.log(state.clamp_min(LEAST))

    def perfused(self, state: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Vessels close as tissue dies: exp(-Omega^4), still 94 % at half the lethal damage."""
        return torch.exp(-state.clamp_max(3.0).square().square())

    def _log_rate(self, inverse_k: Tensor) -> Tensor:
        frequency, energy = self.frequency_1_s, self.energy_j_mol
        log = math.log(frequency) if isinstance(frequency, (int, float)) else torch.log(frequency)
        return log - (energy / GAS_CONSTANT) * inverse_k


def _means(half: Tensor) -> tuple[Tensor, Tensor]:
    """Means over a step in which ln rate changes by 2 x, steadily.

    Of the rate over its geometric mean: sinh(x)/x. Of the parabola 4 s (1 - s), weighted by the
    rate: 2 (x coth x - 1)/x^2.
    """
    square = half * half
    small = half.abs() < SMALL
    x = torch.where(small, 1.0, half).clamp(-80.0, 80.0)
    growth = torch.where(small, 1.0 + square / 6.0 + square * square / 120.0, torch.sinh(x) / x)
    parabola = torch.where(
        small,
        2.0 / 3.0 - square * (2.0 / 45.0 - square * (4.0 / 945.0)),
        2.0 * (x / torch.tanh(x) - 1.0) / (x * x),
    )
    return growth, parabola


ARRHENIUS_SETS = {
    "arrhenius": Arrhenius(),
    "arrhenius_henriques": Arrhenius(
        frequency_1_s=3.1e98,
        energy_j_mol=6.28e5,
        name="arrhenius_henriques",
        source="skin, Henriques 1947; numbers recalled, not read there",
    ),
    "arrhenius_506": Arrhenius(
        frequency_1_s=2.984e80,
        energy_j_mol=5.064e5,
        name="arrhenius_506",
        source="named by its energy in kJ/mol; numbers recalled, tissue and author not read",
    ),
    "arrhenius_667": Arrhenius(
        frequency_1_s=1.98e106,
        energy_j_mol=6.67e5,
        name="arrhenius_667",
        source="named by its energy in kJ/mol; numbers recalled, tissue and author not read",
    ),
}
"""Sets by name. None of their numbers was read in its paper: A14 checks the arithmetic alone."""
