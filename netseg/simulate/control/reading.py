"""What a generator knows, and what it remembers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a generator knows.

    Attributes:
        time_s: Since the start.
        hottest_c: Highest tissue temperature.
        impedance_ohm: Load of the connection in use; None for microwaves.
        loads_ohm: Load of every connection that the generator may choose.
    """

    time_s: float
    hottest_c: float
    impedance_ohm: float | None
    loads_ohm: tuple[float, ...] = ()

    def load_ohm(self, controller: str) -> float:
        """The load, where there must be one.

        Raises:
            StudyRejectedError: If the applicator has no impedance.
        """
        if self.impedance_ohm is None:
            raise StudyRejectedError(
                Code.SIMULATION_REFUSED,
                f"{controller} needs an electrode; a microwave antenna has none, it is driven by "
                "power_w.",
                hint="Use `controller: constant` with `power_w`.",
            )
        return self.impedance_ohm


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What a generator remembers. Each controller uses the fields that it needs.

    Attributes:
        off_until_s: No power before this time.
        lowest_ohm: Smallest impedance so far.
        pauses: How often power was cut.
        way: Number of the connection in use.
        way_from_s: Since when.
        ways: Per connection, the smallest impedance so far and until when it rests.
        ended: The generator has switched itself off for good.
        phase: Number of the phase of the schedule,
        phase_from_s: and since when it runs.
        reached_s: When the temperature aimed at was first met; infinite before.
        stage: Of a roll-off generator: 0 first ramp, 1 at half power, 2 second ramp.
        stage_w: Power at the begin of the stage.
        missing_ks: Integral of the missing temperature over time.
        last_c: Temperature at the last step,
        last_s: and its time.
    """

    off_until_s: float = 0.0
    lowest_ohm: float = math.inf
    pauses: int = 0
    way: int = 0
    way_from_s: float = 0.0
    ways: tuple[tuple[float, float], ...] = ()
    ended: bool = False
    phase: int = 0
    phase_from_s: float = 0.0
    reached_s: float = math.inf
    stage: int = 0
    stage_w: float = 0.0
    missing_ks: float = 0.0
    last_c: float = math.nan
    last_s: float = math.nan


class Controller(Protocol):
    """A generator."""

    def power_w(self, reading: Reading, memory: Memory) -> tuple[float, Memory]:
        """Power for the next step, and what to remember; `Memory.way` says through what."""
        ...


def within_limits(target_w: float, load_ohm: float, limit_v: float, limit_a: float) -> float:
    """Power into a load by a generator of limited voltage and current, both effective values."""
    return min(target_w, limit_v**2 / load_ohm, limit_a**2 * load_ohm)
