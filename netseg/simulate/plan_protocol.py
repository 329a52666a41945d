"""The energy of a plan file: modality, phases, pulses, pairs and the generator's own numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from netseg.domain.ablation import AblationModality, AblationProtocol
from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.simulate.control import connections_for, controller_for
from netseg.simulate.control.choose import NAMED, OURS
from netseg.simulate.control.wanted import ENERGY, SHAPE, electrode_name
from netseg.simulate.cryo_protocol import ARGON_C, FreezeThaw
from netseg.simulate.devices import parse_modality
from netseg.simulate.plan_values import (
    mapping,
    name,
    number,
    positive,
    sequence,
    switch,
    unknown_key,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

PROTOCOL_KEYS = (
    "modality", "duration_s", "power_w", "voltage_v", "controller", "settings", "schedule",
    "pulses", "pairs",
)  # fmt: skip
LONGEST_S = 4 * 3600.0
MOST_RFA_V = 500.0  # generators give some 150 V
MAY_BE_ZERO = {"off_s", "rest_s", "start_w", "ramp_w_min", "restart_s", "derivative_s"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Drives:
    """What can be said of the energy of one physics.

    Attributes:
        energy: Keys of which the protocol, or each phase that is not off, has exactly one.
        needs: Keys that must be given.
        extra: Further keys of the protocol.
    """

    energy: tuple[str, ...]
    needs: tuple[str, ...] = ("duration_s",)
    extra: tuple[str, ...] = ()


DRIVES = {
    AblationModality.RFA: Drives(energy=("power_w", "voltage_v"), extra=("pairs", "controller")),
    AblationModality.MWA: Drives(energy=("power_w",), extra=("controller",)),
    AblationModality.CRYO: Drives(energy=()),
    AblationModality.IRE: Drives(
        energy=("voltage_v",), needs=("pulses",), extra=("pulses", "pairs")
    ),
}
HEATING = (AblationModality.RFA, AblationModality.MWA)
HEAT_PHASE = {
    AblationModality.RFA: (*SHAPE, *ENERGY),
    AblationModality.MWA: ("duration_s", "off", "power_w", "controller", "settings", "hold_s"),
}
CRYO_PHASE = ("name", "duration_s", "probe_c", "duty", "off")
IRE_PULSES_PER_S = 1.5  # about one per heart beat


def read_protocol(document: object, probe_ids: tuple[str, ...]) -> AblationProtocol:
    """The protocol of a plan.

    Args:
        document: What the plan says under `protocol`.
        probe_ids: The probes that pairs may name.

    Raises:
        StudyRejectedError: If a key is unknown, missing, without sense for the physics, or a value
            is not what it must be.
    """
    given = mapping(document, "protocol")
    modality = parse_modality(given.get("modality"), "protocol")
    drives = DRIVES[modality]
    settings = _settings(given, modality)
    schedule = _schedule(given.get("schedule", []), modality, probe_ids)
    protocol = AblationProtocol(
        modality=modality,
        duration_s=_duration_s(given, drives, schedule),
        controller=name(given.get("controller", "constant"), "protocol.controller"),
        settings=settings,
        schedule=schedule,
        pairs=read_pairs(given.get("pairs", []), "protocol.pairs", probe_ids),
        pulses=whole(given["pulses"], "protocol.pulses", least=1, most=10_000)
        if "pulses" in given
        else None,
        **{k: positive(given[k], f"protocol.{k}") for k in ("power_w", "voltage_v") if k in given},
    )
    _require_sense(given, drives, protocol)
    if modality in HEATING:
        controller_for(protocol)
    if modality is AblationModality.RFA:
        connections_for(protocol, probe_ids)
    if modality is AblationModality.CRYO:
        FreezeThaw.of(protocol, probe_c=ARGON_C)
    return protocol


def read_pairs(
    document: object, where: str, probe_ids: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    """Pairs of electrodes.

    Raises:
        StudyRejectedError: If one is no pair, names an unknown probe, or one electrode twice.
    """
    pairs = []
    for entry in sequence(document, where):
        if not isinstance(entry, list) or len(entry) != 2:
            raise StudyRejectedError(
                Code.CONFIG_TYPE, f"{where}: a pair is two probes, such as [A, B]; got {entry!r}."
            )
        first, second = (_electrode(e, where, probe_ids) for e in entry)
        if electrode_name(first) == electrode_name(second):
            raise StudyRejectedError(
                Code.SIMULATION_REFUSED,
                f"{where}: a pair needs two different electrodes; got {first} and {second}.",
            )
        pairs.append((first, second))
    return tuple(pairs)


def _electrode(value: object, where: str, probe_ids: tuple[str, ...]) -> str:
    """The id of a probe, or the cluster that several probes belong to."""
    said = name(value, where)
    if said not in probe_ids and said not in {electrode_name(p) for p in probe_ids}:
        raise StudyRejectedError(
            Code.SIMULATION_REFUSED,
            f"{where} names probe {said!r}; the plan has {', '.join(probe_ids)}.",
        )
    return said


def _settings(given: Mapping[Any, Any], modality: AblationModality) -> dict[str, float]:
    """The generator's own numbers: beside the other keys, or under `settings`."""
    inline = {k: v for k, v in given.items() if k not in PROTOCOL_KEYS}
    under = mapping(given.get("settings", {}), "protocol.settings")
    own = _own_numbers(given.get("controller", "constant"), modality)
    for key in inline:
        if key not in own:
            raise unknown_key("protocol", key, (*PROTOCOL_KEYS, *own))
        if key in under:
            raise StudyRejectedError(
                Code.CONFIG_SYNTAX, f"protocol: {key} is given twice, once under settings."
            )
    for key in under:
        if key not in own:
            raise unknown_key("protocol.settings", key, own or ("none",))
    return {str(k): _own_number(v, f"protocol.{k}", k) for k, v in {**inline, **under}.items()}


def _own_number(value: object, where: str, key: str) -> float:
    """A generator's number: none of them is negative, few may be zero."""
    if key in MAY_BE_ZERO and number(value, where) == 0:
        return 0.0
    return positive(value, where)


def _own_numbers(controller: object, modality: AblationModality) -> tuple[str, ...]:
    """Names of a generator's own numbers; what pulses and gas have of their own."""
    if modality is AblationModality.IRE:
        return ("pulse_s",)
    if modality is AblationModality.CRYO:
        return ("duty",)
    if modality not in HEATING or not isinstance(controller, str) or controller not in NAMED:
        return ()
    kind, power = NAMED[controller]
    return tuple(sorted({f.name for f in fields(kind)} - OURS - {power}))


def _schedule(
    document: object, modality: AblationModality, probe_ids: tuple[str, ...]
) -> tuple[dict[str, Any], ...]:
    """Phases one after another: their form is checked here, their sense by the physics."""
    phases = sequence(document, "protocol.schedule")
    if phases and modality is AblationModality.IRE:
        raise StudyRejectedError(
            Code.SIMULATION_REFUSED,
            "protocol.schedule has no sense for ire: pulses are counted per pair.",
            hint="Give voltage_v, pulses and pairs.",
        )
    return tuple(_phase(p, n, modality, probe_ids) for n, p in enumerate(phases))


def _phase(
    document: object, count: int, modality: AblationModality, probe_ids: tuple[str, ...]
) -> dict[str, Any]:
    where = f"protocol.schedule phase {count + 1}"
    known = CRYO_PHASE
    if modality in HEATING:
        said = mapping(document, where).get("controller")
        own = {n for c in NAMED for n in _own_numbers(c, modality) if said in (None, c)}
        known = (*HEAT_PHASE[modality], *sorted(own))
    given = mapping(document, where, known)
    phase: dict[str, Any] = {
        "duration_s": positive(given.get("duration_s"), f"{where}: duration_s")
    }
    for key, value in given.items():
        spot = f"{where}: {key}"
        if key == "off":
            phase[key] = switch(value, spot)
        elif key in ("name", "controller"):
            phase[key] = name(value, spot)
        elif key == "pairs":
            phase[key] = read_pairs(value, spot, probe_ids)
        elif key == "probes":
            phase[key] = tuple(_electrode(v, spot, probe_ids) for v in sequence(value, spot))
        elif key == "settings":
            phase[key] = {
                k: _own_number(v, f"{spot}.{k}", k) for k, v in mapping(value, spot).items()
            }
        elif key == "probe_c" or key in ENERGY:  # the physics says what these may be
            phase[key] = number(value, spot)
        else:
            phase[key] = _own_number(value, spot, key)
    return phase


def _duration_s(
    given: Mapping[Any, Any], drives: Drives, schedule: tuple[dict[str, Any], ...]
) -> float:
    """Time with energy on: as said, the sum of the phases, or that of the pulses."""
    total = math.fsum(p["duration_s"] for p in schedule)
    if "duration_s" in given:
        said = positive(given["duration_s"], "protocol.duration_s")
        if schedule and abs(said - total) > 0.5:
            raise StudyRejectedError(
                Code.SIMULATION_REFUSED,
                f"protocol.duration_s is {said:g}, its phases last {total:g} s together.",
                hint="Leave duration_s out; it follows from the phases.",
            )
        total = said
    elif not schedule:
        if "duration_s" in drives.needs:
            raise StudyRejectedError(Code.CONFIG_TYPE, "protocol: duration_s must be given.")
        pulses = whole(given.get("pulses"), "protocol.pulses", least=1, most=10_000)
        total = pulses * max(1, len(given.get("pairs") or ())) / IRE_PULSES_PER_S
    if total > LONGEST_S:
        raise StudyRejectedError(
            Code.CONFIG_RANGE,
            f"an ablation lasts at most {LONGEST_S / 3600:.0f} h; got {total:g} s.",
            hint="duration_s is in seconds.",
        )
    return total


def _require_sense(given: Mapping[Any, Any], drives: Drives, protocol: AblationProtocol) -> None:
    """Energy exactly once, and nothing that this physics does not know."""
    physics = protocol.modality.value
    for key in ("power_w", "voltage_v", "pulses", "pairs", "controller"):
        if key in given and key not in (*drives.energy, *drives.extra):
            raise StudyRejectedError(
                Code.SIMULATION_REFUSED,
                f"protocol.{key} has no sense for {physics}; it is driven by "
                f"{' or '.join(drives.energy) or 'the temperature of its probes'}.",
            )
    for key in drives.needs:
        if key == "pulses" and protocol.pulses is None:
            raise StudyRejectedError(
                Code.SIMULATION_REFUSED, f"{physics} needs the number of pulses per pair: `pulses`."
            )
    volts = [protocol.voltage_v, *(p.get("voltage_v") for p in protocol.schedule)]
    most_v = max((v for v in volts if v is not None), default=0.0)
    if protocol.modality is AblationModality.RFA and most_v > MOST_RFA_V:
        raise StudyRejectedError(
            Code.CONFIG_RANGE,
            f"voltage_v of rfa is at most {MOST_RFA_V:g} (effective); got {most_v:g}.",
        )
    every = [p for p in protocol.schedule if not p.get("off")]
    for phase in every or [{}]:
        named = [k for k in drives.energy if k in phase]
        named = named or [k for k in drives.energy if getattr(protocol, k) is not None]
        if drives.energy and len(named) != 1:
            raise StudyRejectedError(
                Code.SIMULATION_REFUSED,
                f"{physics} needs one of {' and '.join(drives.energy)}; got "
                f"{' and '.join(named) or 'neither' if len(drives.energy) > 1 else 'none'}.",
            )
