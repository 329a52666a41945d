"""Phases one after another, each with its own generator setting."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from netseg.simulate.control.reading import Memory
from netseg.simulate.control.temperature import TemperatureHeld

if TYPE_CHECKING:
    from netseg.simulate.control.reading import Controller, Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """One phase.

    Attributes:
        duration_s: How long it lasts, at most where `hold_s` is given.
        controller: What happens in it; None for no power.
        way: Number of the connection it uses; None where the controller chooses.
        hold_s: The phase ends so long after the temperature was first reached; None for never.
    """

    duration_s: float
    controller: Controller | None = None
    way: int | None = None
    hold_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Phases one after another. Each begins without memory of the last but for its pauses.

    Attributes:
        phases: At least one.
    """

    phases: tuple[Phase, ...]

    def power_w(self, reading: Reading, memory: Memory) -> tuple[float, Memory]:
        """What the phase of the moment wants; nothing after the last."""
        memory = self._advanced(reading, memory)
        if memory.phase >= len(self.phases):
            return 0.0, replace(memory, off_until_s=float("inf"))
        phase = self.phases[memory.phase]
        if phase.controller is None:
            return 0.0, replace(memory, off_until_s=memory.phase_from_s + phase.duration_s)
        if phase.way is not None:
            memory = replace(memory, way=phase.way)
            if reading.loads_ohm:
                reading = replace(reading, impedance_ohm=reading.loads_ohm[phase.way])
        held = phase.controller
        if isinstance(held, TemperatureHeld) and held.reached(reading):
            memory = replace(memory, reached_s=min(memory.reached_s, reading.time_s))
        return held.power_w(reading, memory)

    def _advanced(self, reading: Reading, memory: Memory) -> Memory:
        """The phase of this time."""
        now = reading.time_s
        while memory.phase < len(self.phases):
            phase = self.phases[memory.phase]
            end = memory.phase_from_s + phase.duration_s
            if phase.hold_s is not None:
                end = min(end, memory.reached_s + phase.hold_s)
            if now < end - 1e-9:
                break
            memory = Memory(
                pauses=memory.pauses, way=memory.way, phase=memory.phase + 1, phase_from_s=end,
                way_from_s=end,
            )  # fmt: skip
        return memory
