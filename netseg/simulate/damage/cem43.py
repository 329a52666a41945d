"""Cumulative equivalent minutes at 43 C.

dCEM/dt = R^(43 - T), R = 0.5 from 43 C on, 0.25 from 39 to 43 C, nothing below 39 C. 240 minutes
stand for ablation. The integral over a step is exact for a temperature that changes linearly.
Source: Sapareto & Dewey, Int J Radiat Oncol Biol Phys 10:787 (1984).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

LN2 = math.log(2.0)
LEAST = 0.01  # share of the lethal dose below which depth tells no more
FLAT_K = 0.01  # below this change the midpoint's rate is right to a millionth, in fp32 too
LOWEST_C = 39.0
HOTTEST_C = 110.0  # the dose is long since lethal; keeps 2^(T - 43) within fp32


@dataclass(frozen=True, slots=True, kw_only=True)
class Cem43:
    """Thermal dose; its state is the dose in minutes.

    Attributes:
        lethal_min: Dose that counts as dead; may be a tensor that broadcasts over the field.
        name: Its name in plans and reports.
    """

    lethal_min: float | Tensor = 240.0
    name: str = "cem43"

    @property
    def counts_from_c(self) -> float:
        """No dose is counted below 39 C."""
        return LOWEST_C

    def start(self, like: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """No dose."""
        return torch.zeros_like(like)

    def advance(
        self,
        state: Float[Tensor, "*n"],
        before_c: Float[Tensor, "*n"],
        after_c: Float[Tensor, "*n"],
        step_s: float,
    ) -> Float[Tensor, "*n"]:
        """Add the dose of one step, in minutes."""
        before_c, after_c = before_c.clamp_max(HOTTEST_C), after_c.clamp_max(HOTTEST_C)
        change = after_c - before_c
        flat = change.abs() < FLAT_K
        middle = 0.5 * (before_c + after_c)
        rate = (_dose(after_c) - _dose(before_c)) / torch.where(flat, 1.0, change)
        return state + torch.where(flat, _rate(middle), rate) * (step_s / 60.0)

    def depth(self, state: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Natural logarithm of dose over lethal dose, not below that of `LEAST`."""
        return torch.log((state / self.lethal_min).clamp_min(LEAST))

    def perfused(self, state: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Falls to 37 % at the lethal dose."""
        return torch.exp(-state / self.lethal_min)


def _rate(temperature_c: Tensor) -> Tensor:
    above = temperature_c - 43.0
    rate = torch.exp(above * torch.where(above >= 0, LN2, 2 * LN2))
    return torch.where(temperature_c < LOWEST_C, 0.0, rate)


def _dose(temperature_c: Tensor) -> Tensor:
    """Antiderivative of the rate over temperature, continuous at 39 and 43 C."""
    above = temperature_c - 43.0
    hot = (torch.exp(above.clamp_min(0) * LN2) - 1.0) / LN2
    warm = (torch.exp(above.clamp(-4.0, 0.0) * (2 * LN2)) - 1.0) / (2 * LN2)
    return hot + warm
