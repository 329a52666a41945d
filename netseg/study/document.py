"""study.yaml: what a folder of files without DICOM headers holds, in its owner's words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.domain.study import Modality, MrSequence, Phase
from netseg.domain.volume import Quantity
from netseg.study.files import STUDY_FILE, require_inside
from netseg.study.yaml_file import read_yaml, unknown_key

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_E = TypeVar("_E", bound=StrEnum)
_TOP = ("case", "series", "same_frame")
_SCAN = ("file", "modality", "phase", "sequence", "b_value", "tracer", "quantity")
_FACTORS = ("dose_bq", "weight_kg", "half_life_s", "delay_s")
_MASK = ("file", "role", "label")
_ROLES = ("liver_mask", "lesion_mask", "spleen_mask")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanEntry:
    """One scan of a study.yaml.

    Attributes:
        path: The image file.
        name: Its name as written.
        modality: CT, MR or PT.
        phase: Contrast phase, None when not stated.
        sequence: MR weighting, None when not stated.
        b_value: Diffusion weighting in s/mm².
        tracer: PET tracer, None when not stated.
        quantity: What the numbers measure.
        factors: dose_bq, weight_kg, half_life_s, delay_s for Bq/ml; empty when not stated.
    """

    path: Path
    name: str
    modality: Modality
    phase: Phase | None
    sequence: MrSequence | None
    b_value: float | None
    tracer: str | None
    quantity: Quantity
    factors: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskEntry:
    """One mask of a study.yaml.

    Attributes:
        path: The mask file.
        name: Its name as written.
        role: "liver_mask", "lesion_mask" or "spleen_mask".
        suffix: Label suffix as in a mask argument, "" | ":2" | ":1,2" | ":instances".
    """

    path: Path
    name: str
    role: str
    suffix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyDocument:
    """A whole study.yaml.

    Attributes:
        case: Name of the case, None when not stated.
        scans: At least one scan.
        masks: Masks that came with it.
        same_frame: Whether all scans share one frame of reference.
    """

    case: str | None
    scans: tuple[ScanEntry, ...]
    masks: tuple[MaskEntry, ...]
    same_frame: bool


def read_document(folder: Path) -> StudyDocument:
    """Read and check `folder`/study.yaml; unknown keys and wrong types are refused by name.

    Raises:
        StudyRejectedError: CONFIG_*, UNSAFE_CONFIG, ALLOCATION_LIMIT, PATH_OUTSIDE_ROOT, NO_INPUT.
    """
    document = read_yaml(folder / STUDY_FILE, STUDY_FILE)
    if not isinstance(document, dict):
        raise _wrong("The document", "a mapping with case and series", document)
    for key in document:
        if key not in _TOP:
            raise unknown_key(key, _TOP, "The document", STUDY_FILE)
    entries = document.get("series")
    if not isinstance(entries, list) or not entries:
        raise _wrong("series", "a list of files", entries)
    scans: list[ScanEntry] = []
    masks: list[MaskEntry] = []
    for number, entry in enumerate(entries, start=1):
        where = f"series entry {number}"
        if not isinstance(entry, dict):
            raise _wrong(where, "a mapping such as {file: …, modality: CT}", entry)
        if "role" in entry:
            masks.append(_mask(entry, where, folder))
        else:
            scans.append(_scan(entry, where, folder))
    if not scans:
        raise StudyRejectedError(
            Code.NO_INPUT, "study.yaml names no scan, only masks.", file=STUDY_FILE
        )
    case = _text(document, "case", "The document") if "case" in document else None
    same_frame = document.get("same_frame", True)
    if not isinstance(same_frame, bool):
        raise _wrong("same_frame", "true or false", same_frame)
    return StudyDocument(case=case, scans=tuple(scans), masks=tuple(masks), same_frame=same_frame)


def _scan(entry: dict[Any, Any], where: str, folder: Path) -> ScanEntry:
    for key in entry:
        if key not in _SCAN + _FACTORS:
            raise unknown_key(key, (*_SCAN, *_FACTORS, "role", "label"), where, STUDY_FILE)
    if "modality" not in entry:
        raise StudyRejectedError(
            Code.MODALITY_UNKNOWN, f"{where} states no modality; CT, MR or PT is expected.",
            file=STUDY_FILE,
        )  # fmt: skip
    modality = _chosen(entry, "modality", where, Modality)
    only_for = {
        "phase": (Modality.CT, Modality.MR), "sequence": (Modality.MR,), "b_value": (Modality.MR,),
        "tracer": (Modality.PT,), "quantity": (Modality.PT,), **dict.fromkeys(_FACTORS, (Modality.PT,)),
    }  # fmt: skip
    for key, modalities in only_for.items():
        if key in entry and modality not in modalities:
            raise _range(f"{where}: {key} does not belong to {modality}.")
    sequence = _choice(entry, "sequence", where, MrSequence)
    return ScanEntry(
        path=_path(entry, where, folder),
        name=str(entry["file"]),
        modality=modality,
        phase=_choice(entry, "phase", where, Phase),
        sequence=sequence,
        b_value=_positive(entry, "b_value", where, zero=True),
        tracer=_text(entry, "tracer", where) if "tracer" in entry else None,
        quantity=_quantity(entry, where, modality, sequence),
        factors=_factors(entry, where),
    )


def _quantity(
    entry: dict[Any, Any], where: str, modality: Modality, sequence: MrSequence | None
) -> Quantity:
    if modality is Modality.CT:
        return Quantity.HU
    if modality is Modality.MR:
        return Quantity.ADC if sequence is MrSequence.ADC else Quantity.ARBITRARY
    quantity = _choice(entry, "quantity", where, Quantity)
    if quantity is None or quantity not in (Quantity.SUVBW, Quantity.BQML):
        raise _range(f"{where}: a PT file needs quantity: suvbw or bqml; it is never assumed.")
    if quantity is Quantity.SUVBW and any(f in entry for f in _FACTORS):
        raise _range(f"{where}: values that are SUV already take no dose or weight.")
    return quantity


def _factors(entry: dict[Any, Any], where: str) -> dict[str, float]:
    given = {key: _positive(entry, key, where, zero=key == "delay_s") for key in _FACTORS}
    known = {key: value for key, value in given.items() if value is not None}
    if known and len(known) < len(_FACTORS):
        missing = ", ".join(sorted(set(_FACTORS) - set(known)))
        raise _range(f"{where}: an SUV needs all of {', '.join(_FACTORS)}; {missing} is missing.")
    return known


def _mask(entry: dict[Any, Any], where: str, folder: Path) -> MaskEntry:
    for key in entry:
        if key not in _MASK:
            raise unknown_key(key, _MASK, where, STUDY_FILE)
    role = _text(entry, "role", where)
    if role not in _ROLES:
        raise _range(f"{where}: role is {role!r}; {' or '.join(_ROLES)} is expected.")
    return MaskEntry(
        path=_path(entry, where, folder),
        name=str(entry["file"]),
        role=role,
        suffix=_suffix(entry.get("label"), where),
    )


def _suffix(label: Any, where: str) -> str:
    if label is None:
        return ""
    if label == "instances":
        return ":instances"
    values = label if isinstance(label, list) else [label]
    if not values or any(isinstance(v, bool) or not isinstance(v, int) or v < 1 for v in values):
        raise _wrong(
            f"{where}: label", "a positive whole number, a list of them, or instances", label
        )
    return ":" + ",".join(str(v) for v in values)


def _path(entry: dict[Any, Any], where: str, folder: Path) -> Path:
    name = _text(entry, "file", where)
    path = require_inside(folder / name, folder, name)
    if not path.is_file():
        raise StudyRejectedError(
            Code.NO_INPUT, f"{where} names a file that does not exist.", file=name
        )
    return path


def _text(entry: dict[Any, Any], key: str, where: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not value.strip():
        raise _wrong(f"{where}: {key}", "text (put it in quotes)", value)
    return value


def _choice(entry: dict[Any, Any], key: str, where: str, kind: type[_E]) -> _E | None:
    if key not in entry:
        return None
    return _chosen(entry, key, where, kind)


def _chosen(entry: dict[Any, Any], key: str, where: str, kind: type[_E]) -> _E:
    text = _text(entry, key, where)
    try:
        return kind(text)
    except ValueError as error:
        known = ", ".join(m.value for m in kind)
        raise _range(f"{where}: {key} is {text!r}; one of {known} is expected.") from error


def _positive(entry: dict[Any, Any], key: str, where: str, *, zero: bool) -> float | None:
    if key not in entry:
        return None
    value = entry[key]
    if isinstance(value, bool) or not isinstance(value, int | float):
        expected = "a number written out (YAML reads 1e8 as text: 100000000)"
        raise _wrong(f"{where}: {key}", expected, value)
    if not (0 < value < float("inf") or (zero and value == 0)):
        raise _range(f"{where}: {key} is {value}; a positive number is expected.")
    return float(value)


def _wrong(what: str, expected: str, found: Any) -> StudyRejectedError:
    trap = " (YAML reads a bare NO, Off or n as false)" if found is False else ""
    return StudyRejectedError(
        Code.CONFIG_TYPE,
        f"{what} must be {expected}; got {type(found).__name__}{trap}.",
        file=STUDY_FILE,
    )


def _range(message: str) -> StudyRejectedError:
    return StudyRejectedError(Code.CONFIG_RANGE, message, file=STUDY_FILE)
