"""Generators that hold one quantity."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netseg.simulate.control.reading import within_limits

if TYPE_CHECKING:
    from netseg.simulate.control.reading import Memory, Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstantPower:
    """The same power throughout.

    Attributes:
        target_w: That power.
        limit_v: Largest voltage of an electrode's generator; without bound if not given.
        limit_a: Largest current.
    """

    target_w: float
    limit_v: float = math.inf
    limit_a: float = math.inf

    def power_w(self, reading: Reading, memory: Memory) -> tuple[float, Memory]:
        """The same power, as far as voltage and current allow."""
        if reading.impedance_ohm is None:
            return self.target_w, memory
        power = within_limits(self.target_w, reading.impedance_ohm, self.limit_v, self.limit_a)
        return power, memory


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstantVoltage:
    """The same voltage throughout.

    Attributes:
        target_v: That voltage (effective).
        limit_a: Largest current.
    """

    target_v: float
    limit_a: float = math.inf

    def power_w(self, reading: Reading, memory: Memory) -> tuple[float, Memory]:
        """V^2 / R.

        Raises:
            StudyRejectedError: If the applicator has no impedance.
        """
        load = reading.load_ohm("voltage_v")
        return within_limits(math.inf, load, self.target_v, self.limit_a), memory
