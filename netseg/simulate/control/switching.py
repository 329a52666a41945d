"""One generator, several electrodes or pairs in turn."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.simulate.control.reading import within_limits

if TYPE_CHECKING:
    from netseg.simulate.control.reading import Memory, Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Switching:
    """Full power through one connection; the next one's turn when its load rises or time is up.

    The electrodes that are not in use float. A connection whose load rose rests for `rest_s`; when
    every one rests, power is off. Without bound on `rise` this cycles by time alone.

    Attributes:
        target_w: Power of the connection in use, as far as voltage and current allow.
        rise: Relative rise over the connection's lowest impedance that ends its turn.
        dwell_s: Longest turn (30 s is usual).
        rest_s: Shortest rest after a turn that the load ended.
        limit_v: Largest voltage.
        limit_a: Largest current.
        ways: Numbers of the connections in turn; empty for all from `first_way` on.
        first_way: See `ways`.
    """

    target_w: float
    rise: float = 0.3
    dwell_s: float = 30.0
    rest_s: float = 10.0
    limit_v: float = 120.0
    limit_a: float = 2.0
    ways: tuple[int, ...] = ()
    first_way: int = 0

    def power_w(self, reading: Reading, memory: Memory) -> tuple[float, Memory]:
        """Power, and through which connection.

        Raises:
            StudyRejectedError: If the applicator has no impedance.
        """
        ways = self.ways or tuple(range(self.first_way, len(reading.loads_ohm)))
        if not ways:
            raise StudyRejectedError(
                Code.SIMULATION_REFUSED,
                "the switching controller needs electrodes to switch between; got none.",
                hint="Use `controller: constant`.",
            )
        now, loads = reading.time_s, reading.loads_ohm
        memory = self._noted(reading, memory)
        if memory.way not in ways:
            memory = replace(memory, way=ways[0], way_from_s=now)
        spiked = self._high(loads[memory.way], memory)
        if spiked:
            states = list(memory.ways)
            states[memory.way] = (states[memory.way][0], now + self.rest_s)
            memory = replace(memory, ways=tuple(states), pauses=memory.pauses + 1)
        if spiked or now - memory.way_from_s >= self.dwell_s - 1e-9:
            memory = self._next(ways, reading, memory)
        load = loads[memory.way]
        if self._rests(memory.way, reading, memory):
            return 0.0, memory
        return within_limits(self.target_w, load, self.limit_v, self.limit_a), memory

    def _noted(self, reading: Reading, memory: Memory) -> Memory:
        """Each connection's lowest load so far."""
        loads = reading.loads_ohm
        known = memory.ways or ((math.inf, -math.inf),) * len(loads)
        ways = tuple((min(low, o), rest) for (low, rest), o in zip(known, loads, strict=True))
        return replace(memory, ways=ways)

    def _high(self, load: float, memory: Memory, way: int | None = None) -> bool:
        return load > (1.0 + self.rise) * memory.ways[memory.way if way is None else way][0]

    def _rests(self, way: int, reading: Reading, memory: Memory) -> bool:
        resting = reading.time_s < memory.ways[way][1]
        return resting or self._high(reading.loads_ohm[way], memory, way)

    def _next(self, ways: tuple[int, ...], reading: Reading, memory: Memory) -> Memory:
        """The next connection that is ready; the same one if none is."""
        place = ways.index(memory.way)
        for turn in range(1, len(ways) + 1):
            way = ways[(place + turn) % len(ways)]
            if not self._rests(way, reading, memory):
                return replace(memory, way=way, way_from_s=reading.time_s)
        return memory
