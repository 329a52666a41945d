"""Tissues of a plan file: by name or number, and by label of an image."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.simulate.plan_values import mapping, positive, unknown_key
from netseg.simulate.pulsed_tissue import PULSED, Ramp
from netseg.simulate.tissue import Tissue, load_tissue

if TYPE_CHECKING:
    from collections.abc import Mapping

PER_CELL = {"k_w_mk", "rho_kg_m3", "c_j_kgk", "perfusion_1_s", "sigma_s_m", "name", "source"}
PLAUSIBLE = {  # wide: what lies outside is a slip of units, such as kelvin or ml per minute
    "baseline_c": (0.0, 45.0, "C"),
    "k_w_mk": (0.01, 50.0, "W/(m K)"),
    "rho_kg_m3": (100.0, 5000.0, "kg/m3"),
    "c_j_kgk": (100.0, 10_000.0, "J/(kg K)"),
    "perfusion_1_s": (0.0, 0.5, "1/s"),
    "sigma_s_m": (1e-6, 20.0, "S/m"),
    "boil_c": (60.0, 150.0, "C"),
}


def read_tissue(document: object, where: str) -> Tissue:
    """A tissue set by name, or its numbers.

    Raises:
        StudyRejectedError: If the name is unknown, or a number impossible.
    """
    if isinstance(document, str):
        return load_tissue(document)
    tissue = Tissue.parse(mapping(document, f"{where}.tissue"), where)
    for key, (low, high, unit) in PLAUSIBLE.items():
        value = getattr(tissue, key)
        if not low <= value <= high:
            raise StudyRejectedError(
                Code.CONFIG_RANGE,
                f"{where}: {key} of living or excised tissue lies between {low:g} and {high:g} "
                f"{unit}; got {value:g}.",
                hint="Check the unit.",
            )
    return tissue


def read_labels(document: object, around: Tissue) -> dict[int, Tissue]:
    """The tissue behind each number of a label image; 0 is the plan's own tissue.

    Args:
        document: What the plan says under `labels`.
        around: The plan's own tissue. Baseline, boiling, freezing and the rise of conductivity with
            temperature are one law for all cells: its.

    Raises:
        StudyRejectedError: If a key is no label number, or stands for two tissues, or a tissue asks
            for a law of its own.
    """
    labels: dict[int, Tissue] = {}
    for key, given in mapping(document, "labels").items():
        number = _label(key, "labels", least=1, taken=labels)
        tissue = read_tissue(given, f"label {number}")
        stated = set(given) if isinstance(given, dict) else {f.name for f in fields(Tissue)}
        for law in sorted(stated - PER_CELL):
            if getattr(tissue, law) != getattr(around, law):
                raise StudyRejectedError(
                    Code.SIMULATION_REFUSED,
                    f"label {number}: {law} is {getattr(tissue, law):g}, that of the plan's tissue "
                    f"{getattr(around, law):g}; cells differ in "
                    f"{', '.join(sorted(PER_CELL - {'name', 'source'}))} alone.",
                    hint=f"Leave {law} out, or give both tissues the same.",
                )
        labels[number] = tissue
    return labels


def read_ramps(document: object) -> dict[int, Ramp]:
    """How conductivity follows a pulsed field, by label number; 0 is where no label says else.

    Raises:
        StudyRejectedError: If a key is no label number, a name unknown or a number impossible.
    """
    ramps: dict[int, Ramp] = {}
    for key, ramp in mapping(document, "pulsed").items():
        number = _label(key, "pulsed", least=0, taken=ramps)
        where = f"pulsed {number}"
        if isinstance(ramp, str):
            if ramp not in PULSED:
                raise unknown_key(where, ramp, tuple(PULSED))
            ramps[number] = PULSED[ramp]
        else:
            names = tuple(f.name for f in fields(Ramp))
            given = mapping(ramp, where, names)
            ramps[number] = Ramp(**{n: positive(given.get(n), f"{where}.{n}") for n in names})
    return ramps


def _label(key: object, where: str, *, least: int, taken: Mapping[int, Any]) -> int:
    """A label number, as a number or its digits (JSON has no other keys)."""
    if isinstance(key, str) and key.isdecimal() and len(key) < 10:
        key = int(key)
    if isinstance(key, bool) or not isinstance(key, int) or key < least or key in taken:
        raise StudyRejectedError(
            Code.CONFIG_TYPE,
            f"{where}: keys are label numbers from {least}, each once; got {key!r}.",
            hint="0 is the plan's `tissue`." if key == 0 else "",
        )
    return key
