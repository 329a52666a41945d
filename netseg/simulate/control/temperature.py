"""Generators that hold a temperature."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netseg.simulate.control.reading import Memory, Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class TemperatureHeld:
    """Full power until near the target, then in proportion to what is missing (PID).

    share of `most_w` = (missing + integral / integral_s - derivative_s x rise per second) / band_k,
    between 0 and 1; the integral rests while the share is at its bounds.

    Attributes:
        most_w: Power while cold.
        target_c: Hottest tissue temperature to hold (105 C for expandable electrodes).
        band_k: Without integral power falls linearly to zero over this span below the target.
        integral_s: Time in which the integral doubles the proportional answer; without end for
            a proportional controller, which stays a little below its target.
        derivative_s: Time by which a rise is anticipated.
    """

    most_w: float
    target_c: float = 95.0
    band_k: float = 5.0
    integral_s: float = math.inf
    derivative_s: float = 0.0

    def power_w(self, reading: Reading, memory: Memory) -> tuple[float, Memory]:
        """Power for what is missing."""
        missing = self.target_c - reading.hottest_c
        step = reading.time_s - memory.last_s  # nan at first
        rise = (reading.hottest_c - memory.last_c) / step if step > 0 else 0.0
        integral = memory.missing_ks + (missing * step if step > 0 else 0.0)
        share = self._share(missing, integral, rise)
        if not 0.0 < share < 1.0:
            integral = memory.missing_ks
            share = min(1.0, max(0.0, self._share(missing, integral, rise)))
        return self.most_w * share, replace(
            memory, missing_ks=integral, last_c=reading.hottest_c, last_s=reading.time_s
        )

    def reached(self, reading: Reading) -> bool:
        """Whether the target is met: for a proportional controller within its band."""
        slack = self.band_k if math.isinf(self.integral_s) else 0.2 * self.band_k
        return reading.hottest_c >= self.target_c - slack

    def _share(self, missing: float, integral: float, rise: float) -> float:
        return (missing + integral / self.integral_s - self.derivative_s * rise) / self.band_k
