"""Generators that listen to the load: tissue that boils off its water conducts no more."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from netseg.simulate.control.reading import within_limits

if TYPE_CHECKING:
    from netseg.simulate.control.reading import Memory, Reading

RAMP, HALF, SECOND_RAMP = 0, 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ImpedancePulsed:
    """Full power until the load rises, then a pause: the habit of cooled single needles.

    Attributes:
        target_w: Power while on, as far as voltage and current allow.
        rise: Relative rise over the lowest impedance that cuts power (10-30 % in use).
        cut_ohm: A load that cuts power whatever the lowest was (120 in the MITA model).
        off_s: Length of a pause (15 s in the MITA model of a cooled needle).
        limit_v: Largest voltage.
        limit_a: Largest current.
    """

    target_w: float
    rise: float = 0.3
    cut_ohm: float = math.inf
    off_s: float = 15.0
    limit_v: float = 120.0
    limit_a: float = 2.0

    def power_w(self, reading: Reading, memory: Memory) -> tuple[float, Memory]:
        """Power within the limits, or none during a pause.

        Raises:
            StudyRejectedError: If the applicator has no impedance.
        """
        load = reading.load_ohm("the impedance controller")
        memory = replace(memory, lowest_ohm=min(memory.lowest_ohm, load))
        if reading.time_s < memory.off_until_s:
            return 0.0, memory
        if load > min(self.cut_ohm, (1.0 + self.rise) * memory.lowest_ohm):
            pause = reading.time_s + self.off_s
            return 0.0, replace(memory, off_until_s=pause, pauses=memory.pauses + 1)
        return within_limits(self.target_w, load, self.limit_v, self.limit_a), memory


@dataclass(frozen=True, slots=True, kw_only=True)
class RollOff:
    """Power ramps up until the load rolls off; a pause, half power, and the same once more.

    The habit of generators for expandable electrodes: after the first roll-off 30 s off, then half
    of the power that was reached; the ramp starts again from there. The second roll-off ends the
    treatment, and so does a first one after `late_s`. Source: the RF3000 protocol of Go-Smart
    (boston-scientific.xml).

    Attributes:
        most_w: Largest power.
        start_w: Power at the start.
        ramp_w_min: Rise per minute.
        rise: Relative rise over the lowest impedance that counts as roll-off.
        off_s: Length of the pause.
        restart_s: The second ramp begins no earlier than this after the start.
        late_s: A first roll-off after this time ends the treatment.
        limit_v: Largest voltage.
        limit_a: Largest current.
    """

    most_w: float
    start_w: float = 40.0
    ramp_w_min: float = 10.0
    rise: float = 1.0
    off_s: float = 30.0
    restart_s: float = 330.0
    late_s: float = 900.0
    limit_v: float = 150.0
    limit_a: float = 2.0

    def power_w(self, reading: Reading, memory: Memory) -> tuple[float, Memory]:
        """Power of the stage.

        Raises:
            StudyRejectedError: If the applicator has no impedance.
        """
        load = reading.load_ohm("the roll-off controller")
        now = reading.time_s - memory.phase_from_s
        memory = replace(memory, lowest_ohm=min(memory.lowest_ohm, load))
        if memory.ended or reading.time_s < memory.off_until_s:
            return 0.0, memory
        power = self._wanted_w(now, memory)
        if load <= (1.0 + self.rise) * memory.lowest_ohm:
            if memory.stage == HALF and now >= self.restart_s:
                memory = replace(memory, stage=SECOND_RAMP, way_from_s=reading.time_s)
            return within_limits(power, load, self.limit_v, self.limit_a), memory
        if memory.stage != RAMP or now > self.late_s:
            return 0.0, replace(memory, ended=True, pauses=memory.pauses + 1)
        half = 0.5 * within_limits(power, memory.lowest_ohm, self.limit_v, self.limit_a)
        pause = reading.time_s + self.off_s
        return 0.0, replace(
            memory, stage=HALF, stage_w=half, off_until_s=pause, pauses=memory.pauses + 1,
            lowest_ohm=math.inf,
        )  # fmt: skip

    def _wanted_w(self, now: float, memory: Memory) -> float:
        if memory.stage == RAMP:
            return min(self.most_w, self.start_w + self.ramp_w_min * now / 60.0)
        ramped = 0.0
        if memory.stage == SECOND_RAMP:
            ramped = now + memory.phase_from_s - memory.way_from_s
        return min(self.most_w, memory.stage_w + self.ramp_w_min * ramped / 60.0)
