"""What a protocol wants, phase by phase, with everything that a phase takes from the whole."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from netseg.domain.ablation import AblationModality
from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.simulate.circuit import Connection

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netseg.domain.ablation import AblationProtocol

ENERGY = ("power_w", "voltage_v")
SHAPE = ("duration_s", "off", "controller", "settings", "pairs", "probes", "hold_s")
NEEDS_ELECTRODES = ("impedance", "roll_off", "switching")
"""Controllers that need electrodes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One phase of a protocol, complete.

    Attributes:
        where: How to call it in a message.
        duration_s: How long it lasts.
        off: No power.
        power_w: Power, or None.
        voltage_v: Voltage, or None.
        controller: Word of the controller.
        settings: Its numbers.
        pairs: Electrode pairs in turn; empty for the pad as other pole.
        probes: Electrodes driven together; empty for all.
        hold_s: See `Phase`.
    """

    where: str
    duration_s: float
    off: bool
    power_w: float | None
    voltage_v: float | None
    controller: str
    settings: Mapping[str, float]
    pairs: tuple[tuple[str, str], ...]
    probes: tuple[str, ...]
    hold_s: float | None

    @property
    def named(self) -> tuple[Connection, ...]:
        """The connections it names."""
        if self.off:
            return ()
        if self.pairs:
            return tuple(
                Connection(plus=(electrode_name(a),), minus=(electrode_name(b),))
                for a, b in self.pairs
            )
        names = tuple(dict.fromkeys(electrode_name(p) for p in self.probes))
        if not names:
            return ()
        if self.controller == "switching":
            return tuple(Connection(plus=(name,)) for name in names)
        return (Connection(plus=names),)

    @property
    def one_by_one(self) -> bool:
        """Whether it switches between all electrodes."""
        return self.controller == "switching" and not self.off and not self.named

    @property
    def together(self) -> bool:
        """Whether it drives all electrodes at once against the pad."""
        return not self.off and not self.named and not self.one_by_one


def electrode_name(probe_id: str) -> str:
    """The electrode a probe belongs to: needles "A.1", "A.2", "A.3" are the cluster "A"."""
    return probe_id.split(".", 1)[0]


def wanted_by(protocol: AblationProtocol) -> tuple[Wanted, ...]:
    """The phases of a protocol; one where it has no schedule.

    Raises:
        StudyRejectedError: If a phase has no duration, is off and yet driven, or asks for
            electrodes where there are none.
    """
    phases = [
        _wanted(protocol, phase, f"phase {number + 1} of the schedule: ")
        for number, phase in enumerate(protocol.schedule)
    ]
    if not phases:
        phases = [_wanted(protocol, {"duration_s": protocol.duration_s}, "")]
    total = math.fsum(p.duration_s for p in phases)
    if abs(total - protocol.duration_s) > 0.5:
        raise StudyRejectedError(
            Code.SIMULATION_REFUSED,
            f"the phases of the schedule last {total:g} s together, the protocol "
            f"{protocol.duration_s:g} s.",
            hint="Let duration_s be the sum of the phases.",
        )
    for phase in phases:
        _require_electrodes(protocol, phase)
    return tuple(phases)


def _wanted(protocol: AblationProtocol, phase: Mapping[str, Any], where: str) -> Wanted:
    own = {k: v for k, v in phase.items() if k not in (*ENERGY, *SHAPE)}
    if not isinstance(phase.get("duration_s"), (int, float)) or not phase["duration_s"] > 0:
        raise StudyRejectedError(
            Code.SIMULATION_REFUSED,
            f"{where}duration_s must be a positive number of seconds; got "
            f"{phase.get('duration_s')!r}.",
        )
    energy: dict[str, float | None] = {k: phase.get(k) for k in ENERGY}
    if phase.get("off"):
        if any(v is not None for v in energy.values()):
            raise StudyRejectedError(
                Code.SIMULATION_REFUSED, f"{where}it is off and yet has power or voltage."
            )
    elif all(v is None for v in energy.values()):
        energy = {k: getattr(protocol, k) for k in ENERGY}
    for key, value in energy.items():
        if value is not None and not (math.isfinite(value) and value > 0):
            raise StudyRejectedError(
                Code.SIMULATION_REFUSED,
                f"{where}{key} must be a positive number; got {value}.",
                hint="A phase without power is `off: true`.",
            )
    controller = str(phase.get("controller", protocol.controller))
    kept = protocol.settings if controller == protocol.controller else {}
    return Wanted(
        where=where,
        duration_s=float(phase["duration_s"]),
        off=bool(phase.get("off", False)),
        power_w=energy["power_w"],
        voltage_v=energy["voltage_v"],
        controller=controller,
        settings={**kept, **phase.get("settings", {}), **own},
        pairs=tuple(phase.get("pairs", () if phase.get("probes") else protocol.pairs)),
        probes=tuple(phase.get("probes", ())),
        hold_s=phase.get("hold_s"),
    )


def _require_electrodes(protocol: AblationProtocol, phase: Wanted) -> None:
    """Loads, pairs and voltages are matters of electrodes."""
    if protocol.modality is AblationModality.RFA or phase.off:
        return
    physics = protocol.modality.value
    asked = {
        f"controller {phase.controller}": phase.controller in NEEDS_ELECTRODES,
        "voltage_v": phase.voltage_v is not None and phase.power_w is None,
        "pairs": bool(phase.pairs),
        "probes": bool(phase.probes),
    }
    if named := next((what for what, is_asked in asked.items() if is_asked), None):
        if physics == "mwa" and named == "voltage_v":
            return  # said in the words of power below
        raise StudyRejectedError(
            Code.SIMULATION_REFUSED,
            f"{phase.where}{named} needs electrodes; "
            + (
                "a microwave antenna has none." if physics == "mwa" else f"{physics} is not heated."
            ),
            hint="Use `controller: constant` with power_w."
            if protocol.modality is AblationModality.MWA
            else f"{physics} has no generator of this kind.",
        )
