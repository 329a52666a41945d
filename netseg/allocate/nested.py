"""Fields of the findings document that are more than one value: Ki-67, lesions, events."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

from netseg.allocate.kinds import (
    TEXT,
    Kind,
    WrongValueError,
    choice,
    did_you_mean,
    number,
    plain_number,
    read_number,
)
from netseg.allocate.liver import lobe_of
from netseg.domain.clinical import (
    COUINAUD,
    Ki67,
    LiverLesion,
    PostAblation,
    PostSurgery,
    Receptor,
    SurgicalMargin,
)
from netseg.domain.codes import Code
from netseg.domain.findings import Lobe
from netseg.domain.margin import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

KI67_ALLOWED = "a percentage 0-100, an interval such as [1, 3], {below: 2} (above 0) or {above: 20} (below 100)"
SSTR_ALLOWED = "positive, negative, or a Krenning score 0, 1, 2, 3, 4"
EVIDENCE_ALLOWED = "control_scan"

_DIAMETER_CM = number(0, 40, "cm", low_open=True)
_SEGMENT = choice(COUINAUD)
_LOBE = choice(list(Lobe))
_CONFIDENCE = number(0, 1)
_MARGIN_MM = number(-200, 200, "mm")
_ERROR_MM = number(0, 100, "mm")
_VERDICT = choice(list(Verdict))
_RESECTION = choice(list(SurgicalMargin))

LESION_FURTHER = (
    "id", "volume_ml", "longest_axial_diameter_mm", "longest_diameter_mm", "centroid_mm",
    "centroid_x_mm", "centroid_y_mm", "centroid_z_mm", "segment_shares", "at_border", "measures",
    "suv_max", "suv_mean", "suv_peak", "note",
)  # fmt: skip
LESION_KEYS = ("segment", "lobe", "diameter_cm", "confidence", *LESION_FURTHER)
_MEASURED_KEY = re.compile(
    r"(mean|median|min|max|sd|std|p\d+)_[a-z0-9_]+|([a-z0-9]+_)*(suv|hu|adc)(_[a-z0-9]+)*"
)
"""Columns of lesions.csv: "mean_hu_portal_venous", "suv_max", "arterial_enhancement_hu"."""
SURGERY_FURTHER = ("procedure", "site", "date", "note")


def read_mapping(value: object, allowed: str) -> dict[str, object]:
    """A mapping, or a refusal that says what is allowed."""
    if not isinstance(value, dict):
        raise WrongValueError(Code.CONFIG_TYPE, value, allowed)
    return cast("dict[str, object]", value)


def read_keys(value: dict[str, object], kinds: dict[str, Kind]) -> dict[str, Any]:
    """The values of the known keys; null is unknown."""
    found: dict[str, Any] = {}
    for key, kind in kinds.items():
        if value.get(key) is not None:
            try:
                found[key] = kind.read(value[key])
            except WrongValueError as wrong:
                raise wrong.below(f".{key}") from wrong
    return found


def refuse_unknown(value: dict[str, object], known: tuple[str, ...]) -> None:
    """Refuse a key that is not known, with the nearest one that is."""
    for key in value:
        if key not in known:
            allowed = "one of the keys " + ", ".join(known)
            advice = did_you_mean(key, known)
            raise WrongValueError(Code.CONFIG_UNKNOWN_KEY, key, allowed, advice=advice)


def _percent(end: object) -> float:
    found = read_number(end, KI67_ALLOWED)
    if not 0 <= found <= 100:
        raise WrongValueError(Code.CONFIG_RANGE, end, KI67_ALLOWED)
    return found


def _read_ki67(value: object) -> Ki67:
    make, ends = _ki67_parts(value)
    numbers = [_percent(end) for end in ends]
    try:
        return make(*numbers)
    except ValueError as empty:
        raise WrongValueError(Code.CONFIG_RANGE, value, KI67_ALLOWED) from empty


def _ki67_parts(value: object) -> tuple[Callable[..., Ki67], list[object]]:
    """How the pathologist wrote it, and the numbers in it."""
    if isinstance(value, list):
        ends = cast("list[object]", value)
        if len(ends) != 2:
            raise WrongValueError(Code.CONFIG_TYPE, ends, KI67_ALLOWED)
        return Ki67.between, ends
    if isinstance(value, dict):
        sides = cast("dict[str, object]", value)
        if list(sides) == ["below"]:
            return Ki67.below, [sides["below"]]
        if list(sides) == ["above"]:
            return Ki67.above, [sides["above"]]
        raise WrongValueError(Code.CONFIG_UNKNOWN_KEY, sides, KI67_ALLOWED)
    return Ki67.exactly, [value]


def _write_ki67(ki67: Ki67) -> Any:
    if ki67.low_pct == ki67.high_pct:
        return plain_number(ki67.low_pct)
    if not ki67.high_included:
        return {"below": plain_number(ki67.high_pct)}
    if not ki67.low_included:
        return {"above": plain_number(ki67.low_pct)}
    return [plain_number(ki67.low_pct), plain_number(ki67.high_pct)]


KI67 = Kind(allowed=KI67_ALLOWED, read=_read_ki67, write=_write_ki67)


def _read_sstr(value: object) -> Receptor | int:
    if isinstance(value, str):
        if value in list(Receptor):
            return Receptor(value)
        advice = did_you_mean(value, list(Receptor))
        raise WrongValueError(Code.CONFIG_RANGE, value, SSTR_ALLOWED, advice=advice)
    found = read_number(value, SSTR_ALLOWED)
    if found not in range(5):
        raise WrongValueError(Code.CONFIG_RANGE, value, SSTR_ALLOWED)
    return int(found)


SSTR = Kind(
    allowed=SSTR_ALLOWED,
    read=_read_sstr,
    write=lambda v: str(v) if isinstance(v, Receptor) else v,
)


def _read_lesion(value: object) -> LiverLesion:
    entry = read_mapping(value, "a mapping such as {segment: VI, diameter_cm: 2.1}")
    measured = tuple(key for key in entry if _MEASURED_KEY.fullmatch(key))
    refuse_unknown(entry, (*LESION_KEYS, *measured))
    kinds = {
        "segment": _SEGMENT,
        "lobe": _LOBE,
        "diameter_cm": _DIAMETER_CM,
        "confidence": _CONFIDENCE,
        "longest_axial_diameter_mm": number(0, 400, "mm", low_open=True),
        "longest_diameter_mm": number(0, 800, "mm", low_open=True),
        "volume_ml": number(0, 10_000, "ml", low_open=True),
    }
    found = read_keys(entry, kinds)
    segment, lobe = found.get("segment"), found.get("lobe")
    if segment and lobe and lobe_of(segment) is not lobe:
        expected = f"{lobe_of(segment)}, the lobe of segment {segment}"
        raise WrongValueError(Code.CONFIG_RANGE, str(lobe), expected, where=".lobe")
    diameter = found.get("diameter_cm")
    if diameter is None and "longest_axial_diameter_mm" in found:
        diameter = found["longest_axial_diameter_mm"] / 10
    return LiverLesion(
        segment=segment,
        lobe=lobe,
        diameter_cm=diameter,
        confidence=found.get("confidence"),
        further={k: entry[k] for k in entry if k in LESION_FURTHER or k in measured},
    )


def _write_lesion(lesion: LiverLesion) -> dict[str, Any]:
    own = {
        "segment": lesion.segment,
        "lobe": None if lesion.lobe is None else str(lesion.lobe),
        "diameter_cm": lesion.diameter_cm,
        "confidence": lesion.confidence,
    }
    return {k: v for k, v in own.items() if v is not None} | dict(lesion.further)


LESION = Kind(allowed="a mapping with segment, lobe, diameter_cm", read=_read_lesion,
              write=_write_lesion)  # fmt: skip


def _read_evidence(value: object) -> str:
    if value != "control_scan":
        advice = (
            "a simulated margin predicts and is never an A0; it may set r0_a0_possible"
            if value == "simulated"
            else ""
        )
        raise WrongValueError(Code.CONFIG_RANGE, value, EVIDENCE_ALLOWED, advice=advice)
    return EVIDENCE_ALLOWED


def _read_post_ablation(value: object) -> PostAblation:
    entry = read_mapping(value, POST_ABLATION.allowed)
    known: tuple[str, ...] = ("min_margin_mm", "registration_error_mm", "evidence", "verdict")
    refuse_unknown(entry, known)
    evidence = Kind(allowed=EVIDENCE_ALLOWED, read=_read_evidence, write=str)
    kinds = (_MARGIN_MM, _ERROR_MM, evidence, _VERDICT)
    by_key: dict[str, Kind] = dict(zip(known, kinds, strict=True))
    return PostAblation(**read_keys(entry, by_key))


def _write_post_ablation(event: PostAblation) -> dict[str, Any]:
    return {
        "min_margin_mm": event.min_margin_mm,
        "registration_error_mm": event.registration_error_mm,
        "evidence": event.evidence,
    } | ({} if event.verdict is None else {"verdict": str(event.verdict)})


POST_ABLATION = Kind(
    allowed="a mapping {min_margin_mm, registration_error_mm, evidence: control_scan}",
    read=_read_post_ablation,
    write=_write_post_ablation,
)


def _read_post_surgery(value: object) -> PostSurgery:
    entry = read_mapping(value, POST_SURGERY.allowed)
    refuse_unknown(entry, ("margin", *SURGERY_FURTHER))
    kinds = {"margin": _RESECTION} | dict.fromkeys(SURGERY_FURTHER, TEXT)
    found = read_keys(entry, kinds)
    return PostSurgery(margin=found.pop("margin", None), further=found)


def _write_post_surgery(event: PostSurgery) -> dict[str, Any]:
    return {"margin": None if event.margin is None else str(event.margin)} | dict(event.further)


POST_SURGERY = Kind(
    allowed="a mapping {margin: R0, R1 or R2, procedure, site, date, note}",
    read=_read_post_surgery,
    write=_write_post_surgery,
)
