"""`comparison.json`: lesions matched between two dates, what changed, and the course."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netseg.domain.comparison import Fate
from netseg.export.document import SCHEMA_VERSION

if TYPE_CHECKING:
    from netseg.domain import Findings, Lesion
    from netseg.domain.comparison import Alignment, Comparison, LesionCourse


def comparison_document(comparison: Comparison) -> dict[str, Any]:
    """The comparison as JSON types; sizes are [first date, second date]."""
    first, second = comparison.first, comparison.second
    sums = comparison.sum_of_diameters_mm
    return {
        "schema_version": SCHEMA_VERSION,
        "disease_course": comparison.disease_course,
        "why": list(comparison.why),
        "alignment": _alignment(comparison.alignment),
        "gate_mm": comparison.gate_mm,
        "tolerance_mm": comparison.tolerance_mm,
        "lesions": [_course(one) for one in comparison.lesions],
        "counts": {fate.value: len(comparison.of(fate)) for fate in Fate},
        "tumour_load": {
            "volume_ml": [first.lesion_volume_ml, second.lesion_volume_ml],
            "change_pct": percent(first.lesion_volume_ml, second.lesion_volume_ml),
            "liver_burden_pct": [first.liver_burden_pct, second.liver_burden_pct],
            "lesions": [len(first.lesions), len(second.lesions)],
        },
        "sum_of_diameters": {
            "mm": None if sums is None else list(sums),
            "change_pct": None if sums is None else percent(*sums),
            "targets": [
                {"first": list(one.group.first), "second": list(one.group.second)}
                for one in comparison.lesions
                if one.target
            ],
        },
        "dates": {"first": _measures(first), "second": _measures(second)},
        "warnings": [w.to_document() for w in comparison.warnings],
    }


def percent(before: float | None, after: float | None) -> float | None:
    """Change in percent of the earlier value; None without one."""
    if not before or after is None:
        return None
    return 100.0 * (after / before - 1.0)


def _course(one: LesionCourse) -> dict[str, Any]:
    return {
        "fate": one.group.fate,
        "first": list(one.group.first),
        "second": list(one.group.second),
        "distance_mm": one.group.distance_mm,
        "overlap": one.group.overlap,
        "volume_ml": list(one.volume_ml),
        "volume_change_pct": percent(*one.volume_ml),
        "longest_axial_diameter_mm": list(one.diameter_mm),
        "diameter_change_pct": percent(*one.diameter_mm),
        "change": one.change,
        "target": one.target,
        "why": list(one.why),
    }


def _alignment(alignment: Alignment) -> dict[str, Any]:
    return {
        "method": alignment.method,
        "first_to_second_lps": alignment.matrix,
        "turned_degrees": alignment.turned_degrees,
        "residual_mm": alignment.residual_mm,
        "residual_p95_mm": alignment.residual_p95_mm,
        "liver_dice": alignment.overlap,
    }


def _measures(findings: Findings) -> list[dict[str, Any]]:
    return [_lesion(one) for one in findings.lesions]


def _lesion(one: Lesion) -> dict[str, Any]:
    return {
        "id": one.id,
        "volume_ml": one.volume_ml,
        "longest_axial_diameter_mm": one.longest_axial_diameter_mm,
        "centroid_mm": list(one.centroid_mm),
        "segment": one.segment,
        "at_border": one.at_border,
    }
