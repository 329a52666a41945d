"""Generators: how much power, now that the generator sees this load and heat.

A controller is a frozen set of numbers; what it remembers travels beside it, so that a run can be
repeated and two runs never share a memory.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Protocol

from netseg.domain.ablation import AblationModality
from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError

if TYPE_CHECKING:
    from netseg.domain.ablation import AblationProtocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a generator knows.

    Attributes:
        time_s: Since the start.
        hottest_c: Highest tissue temperature.
        impedance_ohm: Load; None for microwaves.
    """

    time_s: float
    hottest_c: float
    impedance_ohm: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What a generator remembers.

    Attributes:
        off_until_s: No power before this time.
        lowest_ohm: Smallest impedance so far.
        pauses: How often power was cut.
    """

    off_until_s: float = 0.0
    lowest_ohm: float = float("inf")
    pauses: int = 0


class Controller(Protocol):
    """A generator."""

    def power_w(self, reading: Reading, memory: Memory) -> tuple[float, Memory]:
        """Power for the next step, and what to remember."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstantPower:
    """The same power throughout.

    Attributes:
        target_w: That power.
    """

    target_w: float

    def power_w(self, reading: Reading, memory: Memory) -> tuple[float, Memory]:  # noqa: ARG002
        """The same power, whatever is read."""
        return self.target_w, memory


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstantVoltage:
    """The same voltage throughout.

    Attributes:
        target_v: That voltage (effective).
    """

    target_v: float

    def power_w(self, reading: Reading, memory: Memory) -> tuple[float, Memory]:
        """V^2 / R.

        Raises:
            StudyRejectedError: If the applicator has no impedance.
        """
        if reading.impedance_ohm is None:
            raise StudyRejectedError(
                Code.SIMULATION_REFUSED,
                "voltage_v needs an electrode; a microwave antenna is driven by power_w.",
            )
        return self.target_v**2 / reading.impedance_ohm, memory


@dataclass(frozen=True, slots=True, kw_only=True)
class ImpedancePulsed:
    """Full power until the load rises, then a pause: the habit of cooled single needles.

    Attributes:
        target_w: Power while on, as far as voltage and current allow.
        rise: Relative rise over the lowest impedance that cuts power (10-30 % in use).
        off_s: Length of a pause (15 s in the MITA model of a cooled needle).
        limit_v: Largest voltage.
        limit_a: Largest current.
    """

    target_w: float
    rise: float = 0.3
    off_s: float = 15.0
    limit_v: float = 120.0
    limit_a: float = 2.0

    def power_w(self, reading: Reading, memory: Memory) -> tuple[float, Memory]:
        """Power within the limits, or none during a pause."""
        if reading.impedance_ohm is None:
            raise StudyRejectedError(
                Code.SIMULATION_REFUSED,
                "the impedance controller needs an electrode; a microwave antenna has none.",
                hint="Use `controller: constant`.",
            )
        load = reading.impedance_ohm
        memory = replace(memory, lowest_ohm=min(memory.lowest_ohm, load))
        if reading.time_s < memory.off_until_s:
            return 0.0, memory
        if load > (1.0 + self.rise) * memory.lowest_ohm:
            pause = reading.time_s + self.off_s
            return 0.0, replace(memory, off_until_s=pause, pauses=memory.pauses + 1)
        most = min(self.limit_v**2 / load, self.limit_a**2 * load)
        return min(self.target_w, most), memory


@dataclass(frozen=True, slots=True, kw_only=True)
class TemperatureHeld:
    """Full power until near the target, then in proportion to what is missing.

    Attributes:
        most_w: Power while cold.
        target_c: Hottest tissue temperature to hold (105 C for expandable electrodes).
        band_k: Power falls linearly to zero over this span below the target.
    """

    most_w: float
    target_c: float = 95.0
    band_k: float = 5.0

    def power_w(self, reading: Reading, memory: Memory) -> tuple[float, Memory]:
        """Proportional power."""
        missing = (self.target_c - reading.hottest_c) / self.band_k
        return self.most_w * min(1.0, max(0.0, missing)), memory


def controller_for(protocol: AblationProtocol) -> Controller:
    """The generator that a protocol names.

    Raises:
        StudyRejectedError: If the protocol has no power, an unknown controller or setting, or one
            that is not built yet.
    """
    named = {
        "constant": (ConstantPower, "target_w"),
        "impedance": (ImpedancePulsed, "target_w"),
        "temperature": (TemperatureHeld, "most_w"),
    }
    if protocol.controller == "switching":
        raise StudyRejectedError(
            Code.NOT_BUILT_YET,
            f"switching between electrodes is not built yet; controllers are {', '.join(named)}.",
        )
    if protocol.controller not in named:
        raise StudyRejectedError(
            Code.SIMULATION_REFUSED,
            f"no controller is called {protocol.controller!r}; there are {', '.join(named)}.",
        )
    if protocol.power_w is None:
        if protocol.voltage_v is None or protocol.modality is not AblationModality.RFA:
            raise StudyRejectedError(
                Code.SIMULATION_REFUSED,
                f"{protocol.modality.value} needs power_w (RFA may give voltage_v); got neither.",
            )
        return ConstantVoltage(target_v=protocol.voltage_v)
    kind, power = named[protocol.controller]
    allowed = {f.name for f in fields(kind)} - {power}
    if unknown := set(protocol.settings) - allowed:
        close = difflib.get_close_matches(min(unknown), allowed, 1)
        raise StudyRejectedError(
            Code.CONFIG_UNKNOWN_KEY,
            f"controller {protocol.controller} has no setting {', '.join(sorted(unknown))}; it has "
            f"{', '.join(sorted(allowed)) or 'none'}.",
            hint=f"Did you mean {close[0]!r}?" if close else "",
        )
    return kind(**{power: protocol.power_w, **protocol.settings})
