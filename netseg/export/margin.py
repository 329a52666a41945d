"""`margin.json`: the margin around each lesion, and on what evidence."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from netseg.export.document import SCHEMA_VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netseg.domain import CapsuleFilm, LesionMargin, MarginReport, Spot, SurfaceMap


def margin_document(report: MarginReport) -> dict[str, Any]:
    """The report as JSON types.

    Beside the contract's keys stand `observed` (whether the zone was seen after an ablation),
    `smallest_margin_mm` over all lesions, the voxel-box lower bound, the histogram, shells, the
    thinnest place, the largest patch, the map of the surface and what published cohorts found.
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
        "p1_margin_mm": margin.p1_margin_mm,
        "expected_margin_mm": margin.expected_margin_mm,
        "p_margin": _curve("cutoff_mm", "probability", margin.p_margin),
        "shell_coverage": _curve("shell_mm", "covered", margin.shell_coverage),
        "undertreated": _curve("margin_mm", "volume_ml", margin.undertreated_ml),
        "thinnest": _spot(margin.thinnest),
        "undertreated_patch": _spot(margin.undertreated_patch),
        "surface_map": _map(margin.surface_map),
        "contraction": _curve("share", "smallest_margin_mm", margin.contraction_margin_mm),
        "heat_sink_mm": margin.heat_sink_mm,
        "film": _film(margin.film),
        "published": [
            {"finding": found.finding, "cohort": found.cohort, "source": found.source}
            for found in margin.published
        ],
    }


def _curve(of: str, value: str, values: Mapping[float, float]) -> dict[str, list[float]]:
    """Two lists of one length, ascending: numbers are no good keys of a JSON object."""
    return {of: sorted(values), value: [values[key] for key in sorted(values)]}


def _spot(spot: Spot | None) -> dict[str, Any] | None:
    if spot is None:
        return None
    return {
        "at_mm": list(spot.at_mm),
        "direction": spot.direction,
        "margin_mm": spot.margin_mm,
        "area_cm2": spot.area_cm2,
    }


def _film(film: CapsuleFilm | None) -> dict[str, float] | None:
    return None if film is None else asdict(film)


def _map(seen: SurfaceMap | None) -> dict[str, Any] | None:
    if seen is None:
        return None
    return {
        "longitude_deg": list(seen.longitude_deg),
        "latitude_deg": list(seen.latitude_deg),
        "margin_mm": [list(row) for row in seen.margin_mm],
    }
