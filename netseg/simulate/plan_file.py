"""Reading PLAN.yaml: the file behind `netseg simulate --plan`.

Every key is known or refused by name. Coordinates are LPS millimetres: of the label image where
one is given, else of a grid whose centre is the origin.
"""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from netseg.domain.ablation import AblationModality, AblationProtocol
from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError, UsageError
from netseg.domain.grid import Grid
from netseg.domain.point import PointMm
from netseg.simulate.damage import damage_model
from netseg.simulate.devices import load_device, parse_device, parse_modality
from netseg.simulate.scene import PlacedProbe
from netseg.simulate.tissue import Tissue, load_tissue
from netseg.simulate.vessel import Vessel

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PLAN_KEYS = ("grid", "tissue", "labels", "vessels", "probes", "protocol", "damage", "ensemble")
PROTOCOL_KEYS = ("modality", "duration_s", "power_w", "voltage_v", "controller", "settings")
PROTOCOL_LATER = ("schedule", "pulses", "pairs")
PROBE_KEYS = ("id", "device", "tip_mm", "direction", "active_length_mm")
MOST_CELLS = 512**3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SimulationPlan:
    """What to simulate.

    Attributes:
        grid: The simulation grid; None where the label image gives it.
        tissue: Tissue where no label says else.
        labelled: Tissue by label number.
        vessels: Heat sinks.
        probes: Needles.
        protocol: Energy.
        damage: Damage models; the first makes the zone.
    """

    grid: Grid | None
    tissue: Tissue
    probes: tuple[PlacedProbe, ...]
    protocol: AblationProtocol
    labelled: Mapping[int, Tissue] = field(default_factory=dict)
    vessels: tuple[Vessel, ...] = ()
    damage: tuple[str, ...] = ("arrhenius", "cem43", "oneill")


def read_plan(path: Path) -> SimulationPlan:
    """Read a plan file.

    Raises:
        UsageError: If the file is missing or not well-formed YAML.
        StudyRejectedError: If a key is unknown or a value is not what it must be.
    """
    try:
        document = yaml.safe_load(path.read_text("utf-8"))
    except FileNotFoundError as missing:
        raise UsageError(Code.NO_INPUT, f"there is no plan {path.name}.") from missing
    except (yaml.YAMLError, UnicodeDecodeError) as broken:
        raise UsageError(
            Code.CONFIG_SYNTAX, f"the plan is not well-formed YAML: {broken}", file=path.name
        ) from broken
    return parse_plan(document)


def parse_plan(document: object) -> SimulationPlan:
    """Make a plan of a mapping.

    Raises:
        StudyRejectedError: If a key is unknown or a value is not what it must be.
    """
    plan = _mapping(document, "plan", PLAN_KEYS)
    for key in ("probes", "protocol"):
        if key not in plan:
            raise StudyRejectedError(Code.CONFIG_TYPE, f"plan: {key} must be given.")
    if plan.get("ensemble", 0) != 0:
        raise StudyRejectedError(
            Code.NOT_BUILT_YET,
            f"plan: ensembles over parameter priors are not built yet; got {plan['ensemble']}.",
            hint="Leave `ensemble` at 0; the band over damage models is always given.",
        )
    damage = tuple(str(n) for n in _list(plan.get("damage", ["arrhenius", "cem43", "oneill"])))
    for name in damage:
        damage_model(name)
    if not damage or len(set(damage)) != len(damage):
        raise StudyRejectedError(
            Code.CONFIG_RANGE, f"plan: damage must list different models; got {list(damage)}."
        )
    probes = tuple(_probe(p, n) for n, p in enumerate(_list(plan["probes"])))
    return SimulationPlan(
        grid=_grid(plan["grid"]) if "grid" in plan else None,
        tissue=_tissue(plan.get("tissue", "liver_in_vivo"), "plan"),
        labelled=_labelled(plan.get("labels", {})),
        vessels=tuple(_vessel(v) for v in _list(plan.get("vessels", []))),
        probes=probes,
        protocol=_protocol(plan["protocol"]),
        damage=damage,
    )


def _grid(document: object) -> Grid:
    numbers = _mapping(document, "grid", ("shape", "spacing_mm"))
    shape = _triple(numbers.get("shape"), "grid.shape")
    spacing = _triple(numbers.get("spacing_mm"), "grid.spacing_mm")
    cells = math.prod(shape)
    if any(n != int(n) or n < 2 for n in shape) or cells > MOST_CELLS:
        raise StudyRejectedError(
            Code.CONFIG_RANGE,
            f"grid.shape must be three whole numbers from 2, at most {MOST_CELLS} cells in all; "
            f"got {shape}.",
        )
    if min(spacing) <= 0:
        raise StudyRejectedError(
            Code.CONFIG_RANGE, f"grid.spacing_mm must be positive; got {spacing}."
        )
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = -0.5 * (np.array(shape) - 1) * np.array(spacing)
    return Grid(
        shape=(int(shape[0]), int(shape[1]), int(shape[2])),
        affine_lps=affine,
        frame_uid="simulation",
    )


def _probe(document: object, number: int) -> PlacedProbe:
    name = f"probe {number + 1}"
    probe = _mapping(document, name, PROBE_KEYS)
    given = probe.get("device")
    device = (
        load_device(given)
        if isinstance(given, str)
        else parse_device(_mapping(given, f"{name}.device"), f"of {name}")
    )
    direction = np.array(_triple(probe.get("direction"), f"{name}.direction"))
    length = float(np.linalg.norm(direction))
    if length < 1e-6:
        raise StudyRejectedError(
            Code.CONFIG_RANGE, f"{name}.direction must not be zero; got {direction.tolist()}."
        )
    x, y, z = (direction / length).tolist()
    active = _number(probe.get("active_length_mm", device.active_length_mm), name)
    if active <= 0:
        raise StudyRejectedError(
            Code.CONFIG_RANGE, f"{name}.active_length_mm must be positive; got {active}."
        )
    return PlacedProbe(
        id=str(probe.get("id", number + 1)),
        device=device,
        tip_mm=PointMm.of(_triple(probe.get("tip_mm"), f"{name}.tip_mm")),
        direction=(x, y, z),
        active_length_mm=active,
    )


def _protocol(document: object) -> AblationProtocol:
    numbers = _mapping(document, "protocol", PROTOCOL_KEYS + PROTOCOL_LATER)
    modality = parse_modality(numbers.get("modality"), "protocol")
    if modality in (AblationModality.CRYO, AblationModality.IRE):
        raise StudyRejectedError(
            Code.NOT_BUILT_YET,
            f"{modality.value} is not built yet; netseg simulates rfa and mwa.",
        )
    for key in PROTOCOL_LATER:
        if key in numbers:
            raise StudyRejectedError(
                Code.NOT_BUILT_YET, f"protocol: {key} is not built yet.",
                hint="Give one power_w and duration_s.",
            )  # fmt: skip
    values: dict[str, Any] = {"modality": modality}
    for key in ("duration_s", "power_w", "voltage_v"):
        if key in numbers:
            values[key] = _number(numbers[key], f"protocol.{key}")
            if values[key] <= 0:
                raise StudyRejectedError(
                    Code.SIMULATION_REFUSED,
                    f"protocol.{key} must be a positive number; got {values[key]}.",
                )
    if "duration_s" not in values:
        raise StudyRejectedError(Code.CONFIG_TYPE, "protocol: duration_s must be given.")
    settings = _mapping(numbers.get("settings", {}), "protocol.settings")
    values["settings"] = {k: _number(v, f"protocol.settings.{k}") for k, v in settings.items()}
    return AblationProtocol(controller=str(numbers.get("controller", "constant")), **values)


def _tissue(document: object, where: str) -> Tissue:
    if isinstance(document, str):
        return load_tissue(document)
    return Tissue.parse(_mapping(document, f"{where}.tissue"), where)


def _labelled(document: object) -> dict[int, Tissue]:
    labels: dict[int, Tissue] = {}
    for number, tissue in _mapping(document, "labels").items():
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            raise StudyRejectedError(
                Code.CONFIG_TYPE, f"labels: keys are label numbers from 1; got {number!r}."
            )
        labels[number] = _tissue(tissue, f"label {number}")
    return labels


def _vessel(document: object) -> Vessel:
    numbers = _mapping(document, "vessel", ("from_mm", "to_mm", "diameter_mm"))
    return Vessel(
        from_mm=PointMm.of(_triple(numbers.get("from_mm"), "vessel.from_mm")),
        to_mm=PointMm.of(_triple(numbers.get("to_mm"), "vessel.to_mm")),
        diameter_mm=_number(numbers.get("diameter_mm"), "vessel.diameter_mm"),
    )


def _mapping(
    document: object, where: str, known: tuple[str, ...] | None = None
) -> Mapping[Any, Any]:
    if not isinstance(document, dict):
        raise StudyRejectedError(
            Code.CONFIG_TYPE, f"{where} must be a mapping; got {type(document).__name__}."
        )
    for key in document if known else ():
        if key not in (known or ()):
            close = difflib.get_close_matches(str(key), known or (), 1)
            raise StudyRejectedError(
                Code.CONFIG_UNKNOWN_KEY,
                f"{where}: unknown key {key!r}; known are {', '.join(known or ())}.",
                hint=f"Did you mean {close[0]!r}?" if close else "",
            )
    return document


def _list(document: object) -> list[Any]:
    if not isinstance(document, list):
        raise StudyRejectedError(
            Code.CONFIG_TYPE, f"a list was expected; got {type(document).__name__}."
        )
    return document


def _triple(document: object, where: str) -> tuple[float, float, float]:
    if not isinstance(document, list) or len(document) != 3:
        raise StudyRejectedError(
            Code.CONFIG_TYPE, f"{where} must be three numbers; got {document!r}."
        )
    x, y, z = (_number(v, where) for v in document)
    return x, y, z


def _number(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise StudyRejectedError(Code.CONFIG_TYPE, f"{where} must be a number; got {value!r}.")
    if not math.isfinite(value):
        raise StudyRejectedError(Code.CONFIG_RANGE, f"{where} must be finite; got {value}.")
    return float(value)
