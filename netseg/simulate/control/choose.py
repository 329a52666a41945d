"""From a protocol to the generator that it names, and the connections it may use."""

from __future__ import annotations

import difflib
import math
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from netseg.domain.ablation import AblationModality
from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.simulate.circuit import Connection
from netseg.simulate.control.impedance import ImpedancePulsed, RollOff
from netseg.simulate.control.schedule import Phase, Schedule
from netseg.simulate.control.steady import ConstantPower, ConstantVoltage
from netseg.simulate.control.switching import Switching
from netseg.simulate.control.temperature import TemperatureHeld
from netseg.simulate.control.wanted import electrode_name, wanted_by

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netseg.domain.ablation import AblationProtocol
    from netseg.simulate.control.reading import Controller
    from netseg.simulate.control.wanted import Wanted

NAMED: dict[str, tuple[type, str]] = {
    "constant": (ConstantPower, "target_w"),
    "impedance": (ImpedancePulsed, "target_w"),
    "roll_off": (RollOff, "most_w"),
    "temperature": (TemperatureHeld, "most_w"),
    "switching": (Switching, "target_w"),
}
OURS = {"ways", "first_way"}
"""Settings that follow from the protocol's probes and pairs."""


def controller_for(protocol: AblationProtocol) -> Controller:
    """The generator that a protocol names.

    With a `schedule` each phase has its own: keys of a phase are `duration_s`, `power_w` or
    `voltage_v` or `off`, `controller` and its settings, `pairs` or `probes`, `hold_s`; what a phase
    does not say it takes from the protocol. Several pairs are used in turn.

    Raises:
        StudyRejectedError: If a phase has neither power nor voltage, an unknown controller or
            setting, or one that makes no sense for the modality.
    """
    phases = wanted_by(protocol)
    listed = _numbered(phases)
    built = tuple(_phase(protocol, wanted, phases, listed) for wanted in phases)
    if not protocol.schedule and built[0].controller is not None and built[0].hold_s is None:
        return built[0].controller
    return Schedule(phases=built)


def connections_for(protocol: AblationProtocol, probe_ids: Sequence[str]) -> tuple[Connection, ...]:
    """The connections that the generator of a protocol chooses among, in its numbering.

    First those that pairs and probes name, then all electrodes together, then each electrode
    alone; what no phase uses is left out.

    Raises:
        StudyRejectedError: If a phase names a probe that does not exist.
    """
    electrodes = tuple(dict.fromkeys(electrode_name(p) for p in probe_ids))
    phases = wanted_by(protocol)
    listed = _numbered(phases)
    for name in {n for c in listed for n in (*c.plus, *c.minus)} - set(electrodes):
        raise StudyRejectedError(
            Code.SIMULATION_REFUSED,
            f"the protocol names probe {name!r}; the plan has {', '.join(probe_ids)}.",
        )
    if any(w.together for w in phases):
        listed += (Connection(plus=electrodes),)
    if any(w.one_by_one for w in phases):
        listed += tuple(Connection(plus=(e,)) for e in electrodes)
    return listed


def _numbered(phases: Sequence[Wanted]) -> tuple[Connection, ...]:
    """The connections that are named, each once."""
    return tuple(dict.fromkeys(c for w in phases for c in w.named))


def _phase(
    protocol: AblationProtocol,
    wanted: Wanted,
    phases: Sequence[Wanted],
    listed: tuple[Connection, ...],
) -> Phase:
    if wanted.off:
        return Phase(duration_s=wanted.duration_s)
    first_alone = len(listed) + any(w.together for w in phases)
    ways = tuple(listed.index(c) for c in wanted.named)
    controller = _controller(protocol, wanted, ways, first_alone)
    if wanted.hold_s is not None and not isinstance(controller, TemperatureHeld):
        raise StudyRejectedError(
            Code.SIMULATION_REFUSED,
            f"{wanted.where}hold_s needs a temperature to be reached; the controller is "
            f"{wanted.controller}.",
            hint="Use `controller: temperature`, or duration_s alone.",
        )
    way = None if isinstance(controller, Switching) else ways[0] if ways else len(listed)
    if protocol.modality is not AblationModality.RFA:
        way = None
    return Phase(duration_s=wanted.duration_s, controller=controller, way=way, hold_s=wanted.hold_s)


def _controller(
    protocol: AblationProtocol, wanted: Wanted, ways: tuple[int, ...], first_alone: int
) -> Controller:
    name = wanted.controller
    if name not in NAMED:
        raise StudyRejectedError(
            Code.SIMULATION_REFUSED,
            f"{wanted.where}no controller is called {name!r}; there are {', '.join(NAMED)}.",
        )
    in_turn = name == "switching" or len(ways) > 1
    kind, power = (Switching, "target_w") if in_turn else NAMED[name]
    energy: dict[str, Any] = {power: wanted.power_w}
    if wanted.power_w is None:
        energy = _by_voltage(protocol, wanted, in_turn=in_turn)
        kind = kind if in_turn else ConstantVoltage
    if len(ways) > 1 and name not in ("constant", "impedance", "switching"):
        raise StudyRejectedError(
            Code.SIMULATION_REFUSED,
            f"{wanted.where}several pairs in turn go with controller constant, impedance or "
            f"switching; got {name}.",
        )
    if in_turn and name == "constant":
        energy.setdefault("rise", math.inf)
    if in_turn:
        energy |= {"ways": ways, "first_way": 0 if ways else first_alone}
    _require_known(kind, wanted, set(energy) | OURS)
    numbers: dict[str, Any] = {**energy, **wanted.settings}
    return kind(**numbers)


def _by_voltage(protocol: AblationProtocol, wanted: Wanted, *, in_turn: bool) -> dict[str, Any]:
    """Numbers of a generator that is told a voltage."""
    if wanted.voltage_v is None or protocol.modality is not AblationModality.RFA:
        raise StudyRejectedError(
            Code.SIMULATION_REFUSED,
            f"{wanted.where}{protocol.modality.value} needs power_w (RFA may give voltage_v); got "
            "neither.",
        )
    if not in_turn and wanted.controller != "constant":
        raise StudyRejectedError(
            Code.SIMULATION_REFUSED,
            f"{wanted.where}controller {wanted.controller} is driven by power_w; got voltage_v.",
            hint=f"Give power_w, and limit_v: {wanted.voltage_v:g} among its settings.",
        )
    if in_turn:
        return {"target_w": math.inf, "limit_v": wanted.voltage_v}
    return {"target_v": wanted.voltage_v}


def _require_known(kind: type, wanted: Wanted, given: set[str]) -> None:
    """No setting that the controller does not have."""
    allowed = {f.name for f in fields(kind)} - given
    if unknown := set(wanted.settings) - allowed:
        close = difflib.get_close_matches(min(unknown), allowed, 1)
        raise StudyRejectedError(
            Code.CONFIG_UNKNOWN_KEY,
            f"{wanted.where}controller {wanted.controller} has no setting "
            f"{', '.join(sorted(unknown))}; it has {', '.join(sorted(allowed)) or 'none'}.",
            hint=f"Did you mean {close[0]!r}?" if close else "",
        )
    for key, value in wanted.settings.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise StudyRejectedError(
                Code.CONFIG_TYPE, f"{wanted.where}{key} must be a number; got {value!r}."
            )
