"""The energy of a plan file: modality, phases, pulses, pairs and the generator's own numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from netseg.domain.ablation import AblationModality, AblationProtocol
from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.simulate.control import controller_for
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Drives:
    """What can be said of the energy of one physics.

    Attributes:
        energy: Keys of which the whole protocol, or each phase that is not off, has exactly one.
        phase: Further keys of one phase.
        needs: Keys that must be given.
        extra: Further keys of the protocol.
    """

    energy: tuple[str, ...]
    phase: tuple[str, ...] = ()
    needs: tuple[str, ...] = ("duration_s",)
    extra: tuple[str, ...] = ()


DRIVES = {
    AblationModality.RFA: Drives(
        energy=("power_w", "voltage_v"), phase=("pairs",), extra=("pairs", "controller")
    ),
    AblationModality.MWA: Drives(energy=("power_w",), extra=("controller",)),
    AblationModality.CRYO: Drives(energy=(), phase=("coolant_c",)),
    AblationModality.IRE: Drives(
        energy=("voltage_v",), needs=("pulses",), extra=("pulses", "pairs")
    ),
}
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
    settings = _settings(given)
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
    _require_controller(given, protocol)
    return protocol


def read_pairs(
    document: object, where: str, probe_ids: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    """Pairs of probes.

    Raises:
        StudyRejectedError: If one is no pair, names an unknown probe, or one probe twice.
    """
    pairs = []
    for entry in sequence(document, where):
        if not isinstance(entry, list) or len(entry) != 2:
            raise StudyRejectedError(
                Code.CONFIG_TYPE, f"{where}: a pair is two probes, such as [A, B]; got {entry!r}."
            )
        first, second = (name(e, where) for e in entry)
        for probe in (first, second):
            if probe not in probe_ids:
                raise StudyRejectedError(
                    Code.SIMULATION_REFUSED,
                    f"{where} names probe {probe!r}; the plan has {', '.join(probe_ids)}.",
                )
        if first == second:
            raise StudyRejectedError(
                Code.SIMULATION_REFUSED,
                f"{where}: a pair needs two different probes; got {first} twice.",
            )
        pairs.append((first, second))
    return tuple(pairs)


def _settings(given: Mapping[Any, Any]) -> dict[str, float]:
    """The generator's own numbers: beside the other keys, or under `settings`."""
    inline = {k: v for k, v in given.items() if k not in PROTOCOL_KEYS}
    under = mapping(given.get("settings", {}), "protocol.settings")
    for key in inline:
        if key in under:
            raise StudyRejectedError(
                Code.CONFIG_SYNTAX, f"protocol: {key} is given twice, once under settings."
            )
    if wrong := next((k for k in {**inline, **under} if not isinstance(k, str)), None):
        raise unknown_key("protocol", wrong, PROTOCOL_KEYS)
    known = set(inline)
    values = {}
    for key, value in {**inline, **under}.items():
        if key in known and not isinstance(value, (int, float)):
            raise unknown_key("protocol", key, PROTOCOL_KEYS)
        values[key] = number(value, f"protocol.{key}")
    return values


def _schedule(
    document: object, modality: AblationModality, probe_ids: tuple[str, ...]
) -> tuple[dict[str, Any], ...]:
    """Phases one after another; checked here, carried out by the physics."""
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
    where, drives = f"protocol.schedule phase {count + 1}", DRIVES[modality]
    known = ("duration_s", "off", *drives.energy, *drives.phase)
    given = mapping(document, where, known)
    phase: dict[str, Any] = {
        "duration_s": positive(given.get("duration_s"), f"{where}: duration_s")
    }
    if "off" in given and switch(given["off"], f"{where}: off"):
        phase["off"] = True
    for key in drives.energy:
        if key in given:
            phase[key] = positive(given[key], f"{where}: {key}")
    if "pairs" in given:
        phase["pairs"] = read_pairs(given["pairs"], f"{where}: pairs", probe_ids)
    if "coolant_c" in given:
        phase["coolant_c"] = number(given["coolant_c"], f"{where}: coolant_c")
    if phase.get("off") and len(phase) > 2:
        raise StudyRejectedError(
            Code.SIMULATION_REFUSED,
            f"{where} is off and yet has {', '.join(k for k in phase if k not in ('off', 'duration_s'))}.",
        )
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
    every = [p for p in protocol.schedule if not p.get("off")]
    for phase in every or [{}]:
        named = [k for k in drives.energy if k in phase or getattr(protocol, k) is not None]
        if drives.energy and len(named) != 1:
            raise StudyRejectedError(
                Code.SIMULATION_REFUSED,
                f"{physics} needs one of {' and '.join(drives.energy)}; got "
                f"{' and '.join(named) or 'neither' if len(drives.energy) > 1 else 'none'}.",
            )


def _require_controller(given: Mapping[Any, Any], protocol: AblationProtocol) -> None:
    """The generator knows all its numbers; a misspelt key of the protocol is met here."""
    if protocol.modality in (AblationModality.CRYO, AblationModality.IRE):
        if protocol.settings:
            raise unknown_key("protocol", min(protocol.settings), PROTOCOL_KEYS)
        return
    on = next((p for p in protocol.schedule if not p.get("off")), {})
    energy = {k: on[k] for k in ("power_w", "voltage_v") if k in on}
    try:
        controller_for(replace(protocol, schedule=(), **energy))
    except StudyRejectedError as refusal:
        inline = [k for k in given if k not in PROTOCOL_KEYS]
        if refusal.notice.code is not Code.CONFIG_UNKNOWN_KEY or not inline:
            raise
        named = next((k for k in inline if k in refusal.notice.message), inline[0])
        nearest = unknown_key("protocol", named, PROTOCOL_KEYS).notice.hint
        raise StudyRejectedError(
            Code.CONFIG_UNKNOWN_KEY,
            f"protocol: unknown key {named!r}; known are {', '.join(PROTOCOL_KEYS)}; "
            f"{refusal.notice.message}",
            hint=nearest or refusal.notice.hint,
        ) from refusal
