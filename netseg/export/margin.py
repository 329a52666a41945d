"""`margin.json`: the margin around each lesion, and on what evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netseg.export.document import SCHEMA_VERSION

if TYPE_CHECKING:
    from netseg.domain import LesionMargin, MarginReport


def margin_document(report: MarginReport) -> dict[str, Any]:
    """The report as JSON types.

    Beside the contract's keys stand `observed` (whether the zone was seen after an ablation),
    `smallest_margin_mm` over all lesions, the voxel-box lower bound and the histogram.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "cutoff_mm": report.cutoff_mm,
        "evidence": report.evidence.value,
        "observed": report.observed,
        "smallest_margin_mm": report.smallest_mm,
        "lesions": [_lesion(m) for m in report.lesions],
        "registration": None if report.registration is None else dict(report.registration),
        "warnings": [w.to_document() for w in report.warnings],
    }


def _lesion(margin: LesionMargin) -> dict[str, Any]:
    edges = sorted(margin.histogram_mm)
    return {
        "id": margin.id,
        "smallest_margin_mm": margin.smallest_margin_mm,
        "interval_mm": None if margin.interval_mm is None else list(margin.interval_mm),
        "p5_margin_mm": margin.p5_margin_mm,
        "median_margin_mm": margin.median_margin_mm,
        "smallest_margin_to_zone_mm": margin.smallest_margin_to_zone_mm,
        "box_lower_bound_mm": margin.box_lower_bound_mm,
        "surface_share": dict(margin.surface_share),
        "covered_fraction": margin.covered_fraction,
        "residual_volume_ml": margin.residual_volume_ml,
        "p_a0": margin.p_a0,
        "verdict": margin.verdict.value,
        "why": list(margin.why),
        "histogram": {
            "bin_from_mm": edges,
            "surface_share": [margin.histogram_mm[edge] for edge in edges],
        },
    }
