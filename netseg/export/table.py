"""CSV tables that spreadsheets open without running anything."""

from __future__ import annotations

import csv
import io
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from netseg.domain import Findings, Lesion
    from netseg.domain.result import StudyResult

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")
LESION_COLUMNS = (
    "id", "volume_ml", "longest_axial_diameter_mm", "longest_diameter_mm", "centroid_x_mm",
    "centroid_y_mm", "centroid_z_mm", "segment", "lobe", "confidence",
)  # fmt: skip
SUMMARY_COLUMNS = (
    "case", "state", "lesions", "lesion_volume_ml", "liver_volume_ml", "liver_burden_pct",
    "planned_ablations", "margin_evidence", "margin_observed", "smallest_margin_mm",
    "allocation_status", "grade", "pattern", "route", "errors", "warnings",
)  # fmt: skip


def lesions_csv(findings: Findings) -> bytes:
    """The lesion table: the contract's columns, then one per measured quantity or sign in name order.

    Lengths in mm, volumes in ml, coordinates LPS, signs true or false. Unknown is an empty cell; a
    quantity that is unknown for every lesion has no column.
    """
    named = {name for lesion in findings.lesions for name in _measured(lesion)}
    measured = sorted(named - set(LESION_COLUMNS))
    rows = [_lesion_row(lesion) for lesion in findings.lesions]
    return to_csv((*LESION_COLUMNS, *measured), rows)


def summary_row(result: StudyResult, state: str) -> dict[str, Any]:
    """One study's row of a batch's `summary.csv`."""
    findings, margin, allocation = result.findings, result.judged, result.allocation
    return {
        "case": result.study.case_id,
        "state": state,
        "lesions": len(findings.lesions),
        "lesion_volume_ml": findings.lesion_volume_ml,
        "liver_volume_ml": findings.liver_volume_ml,
        "liver_burden_pct": findings.liver_burden_pct,
        "planned_ablations": None if result.plan is None else len(result.plan.ablations),
        "margin_evidence": None if margin is None else margin.evidence,
        "margin_observed": None if margin is None else margin.observed,
        "smallest_margin_mm": None if margin is None else margin.smallest_mm,
        "allocation_status": allocation.status,
        "grade": allocation.grade,
        "pattern": allocation.pattern,
        "route": allocation.route,
        "warnings": len(result.warnings),
    }


def to_csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Rows as UTF-8 CSV with LF line ends; a missing or None value is an empty cell.

    A text that a spreadsheet would take for a formula gets an apostrophe in front, and control
    characters (terminal escapes among them) become spaces.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([_cell(name) for name in columns])
    writer.writerows([_cell(row.get(name)) for name in columns] for row in rows)
    return text.getvalue().encode()


def _measured(lesion: Lesion) -> dict[str, Any]:
    """Measures, signs and the probabilities somebody estimated."""
    places = {
        "segment_probability": lesion.segment_probability,
        "lobe_probability": lesion.lobe_probability,
    }
    estimated = {name: value for name, value in places.items() if value is not None}
    return {**lesion.measures, **lesion.signs, **estimated}


def _lesion_row(lesion: Lesion) -> dict[str, Any]:
    x, y, z = lesion.centroid_mm
    return {
        **_measured(lesion),
        "id": lesion.id,
        "volume_ml": lesion.volume_ml,
        "longest_axial_diameter_mm": lesion.longest_axial_diameter_mm,
        "longest_diameter_mm": lesion.longest_diameter_mm,
        "centroid_x_mm": x,
        "centroid_y_mm": y,
        "centroid_z_mm": z,
        "segment": lesion.segment,
        "lobe": lesion.lobe,
        "confidence": lesion.confidence,
    }


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    if isinstance(value, (float, np.floating)):
        return f"{float(value) + 0.0:.6g}" if np.isfinite(value) else ""
    text = "".join(c if c.isprintable() else " " for c in str(value))
    dangerous = str(value).startswith(FORMULA_STARTS) or text.lstrip().startswith(FORMULA_STARTS)
    return f"'{text}" if dangerous else text
