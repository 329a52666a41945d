"""What the images say to the rules beside sizes: receptors, glucose, and where each was measured.

Only gaps are filled: a fact the clinician stated stays as stated, and what the images say stands beside
it in the document's `measured`, with the difference named.

The receptor status of a patient (`sstr`) from the Krenning scores of the lesions
(`netseg.findings.krenning`), lesions too small to be scored left out:

- every lesion 3 or more: the lowest of their scores; "3 to 4" is written 3, its certain part;
- some lesions 3 or more, others not: `positive`, since high expression is not shown everywhere;
- none above 2: the score, where all possible values of the highest are one; else unknown.

Outlines that a network made and nobody checked state none of this: bowel, stomach or kidney taken for a
lesion would turn physiologic uptake into a finding. What was seen then stands in `measured` alone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from netseg.domain.clinical import Receptor, ScanResult
from netseg.findings.tracer import nuclide, shows_glucose, shows_receptors
from netseg.findings.uptake import uptake_names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netseg.domain import Findings, Lesion, MeasuredIn, Segmentation, Series, Study
    from netseg.domain.clinical import ClinicalFindings

Span = tuple[int, int]
HIGH = 3
GIVEN = "masks"  # the backend of outlines that somebody gave
UNCHECKED = "a network made the outlines and nobody checked them"


def told_by_images(
    clinical: ClinicalFindings, study: Study, segmentation: Segmentation, findings: Findings
) -> ClinicalFindings:
    """The findings with what the images show where nobody stated it.

    Args:
        clinical: Facts of clinician and measurement, as `netseg.allocate.combine` lays them.
        study: The scans; their tracers say what an uptake means.
        segmentation: Whose lesions were measured.
        findings: What was measured.

    Returns:
        With `sstr`, `ga68_pet` and `fdg_pet` where they were unknown and the images tell, and
        `measured`: every measure with its region, every sign, and every unknown with its reason.
    """
    frame = segmentation.lesions.grid.frame_uid
    pets = uptake_names([s for s in study.series if s.volume.grid.frame_uid == frame])
    spans = {one.id: span for one in findings.lesions if (span := _span(one)) is not None}
    status = receptor_status(list(spans.values()))
    seen = {
        "sstr": status,
        "ga68_pet": _gallium(pets, findings),
        "fdg_pet": _glucose(pets, findings),
    }
    checked = segmentation.provenance.backend == GIVEN
    gaps = {
        name: value for name, value in seen.items() if checked and getattr(clinical, name) is None
    }
    measured = measured_document(findings)
    if any(shows_receptors(pet) for pet in pets.values()):
        measured["receptors"] = _receptors(pets, findings, spans, clinical, status)
    if not checked and any(value is not None for value in seen.values()):
        measured["not_stated"] = {
            "because": UNCHECKED,
            "facts": {name: str(value) for name, value in seen.items() if value is not None},
        }
    return replace(clinical, **gaps, measured={**(clinical.measured or {}), **measured})


def receptor_status(spans: Sequence[Span]) -> Receptor | int | None:
    """The patient's receptor status from the scores of the lesions that have one.

    Args:
        spans: Smallest and largest possible score per lesion.

    Returns:
        A score, `positive`, or None where the scores leave it open; see the module.
    """
    if not spans:
        return None
    if all(low >= HIGH for low, _ in spans):
        return min(low for low, _ in spans)
    if any(low >= HIGH for low, _ in spans):
        return Receptor.POSITIVE
    highest = (max(low for low, _ in spans), max(high for _, high in spans))
    return highest[0] if highest[0] == highest[1] else None


def measured_document(findings: Findings) -> dict[str, Any]:
    """Every measure with the region it was taken in, as JSON types."""
    liver = {
        "regions": _regions(findings.liver_regions, findings.liver_measures),
        "unknown": dict(findings.liver_unknown),
    }
    return {"liver": liver, "lesions": [_lesion(one) for one in findings.lesions]}


def _lesion(lesion: Lesion) -> dict[str, Any]:
    return {
        "id": lesion.id,
        "segment_shares": {name: round(v, 4) for name, v in lesion.segment_shares.items()},
        "segment_probability": lesion.segment_probability,
        "lobe_probability": lesion.lobe_probability,
        "signs": dict(lesion.signs),
        "regions": _regions(lesion.regions, lesion.measures),
        "unknown": dict(lesion.unknown),
    }


def _regions(regions: Sequence[MeasuredIn], measures: Mapping[str, float]) -> list[dict[str, Any]]:
    return [
        {
            "region": one.name,
            "series": one.series or None,
            "voxels": one.voxels,
            "volume_ml": round(one.volume_ml, 4),
            "measures": {name: _rounded(measures[name]) for name in one.measures},
        }
        for one in regions
    ]


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")


def _span(lesion: Lesion) -> Span | None:
    """Possible scores over all receptor images of one lesion; None without a score."""
    lows = [v for name, v in lesion.measures.items() if _is_score(name, "low")]
    highs = [v for name, v in lesion.measures.items() if _is_score(name, "high")]
    return (int(min(lows)), int(max(highs))) if lows else None


def _is_score(name: str, end: str) -> bool:
    return name.startswith("krenning") and name.endswith(f"_{end}")


def _receptors(
    pets: Mapping[str, Series],
    findings: Findings,
    spans: Mapping[int, Span],
    clinical: ClinicalFindings,
    status: Receptor | int | None,
) -> dict[str, Any]:
    """What was seen of receptors, beside what was stated."""
    told = None if status is None else status if isinstance(status, int) else str(status)
    document: dict[str, Any] = {
        "tracers": sorted({str(p.tracer) for p in pets.values() if shows_receptors(p)}),
        "sstr": told,
        "krenning": {str(n): list(span) for n, span in spans.items()},
        "not_scored": [one.id for one in findings.lesions if one.id not in spans],
    }
    if clinical.sstr is not None and status is not None and not _agree(clinical.sstr, status):
        document["differs"] = f"stated {clinical.sstr}, the images show {told}"
    return document


def _agree(stated: Receptor | int, seen: Receptor | int) -> bool:
    """Whether both can be true: of a status without a score, only the sign is compared."""
    if isinstance(stated, int) and isinstance(seen, int):
        return stated == seen or min(stated, seen) >= HIGH
    return _is_positive(stated) is _is_positive(seen)


def _is_positive(value: Receptor | int) -> bool:
    return value is Receptor.POSITIVE or (isinstance(value, int) and value >= 1)


def _gallium(pets: Mapping[str, Series], findings: Findings) -> ScanResult | None:
    """Positive where a lesion takes up more than the liver; the liver alone cannot say negative."""
    stems = [s for s, p in pets.items() if nuclide(p) == "ga68" and shows_receptors(p)]
    seen = _above_liver(stems, findings)
    return ScanResult.POSITIVE if True in seen else None


def _glucose(pets: Mapping[str, Series], findings: Findings) -> ScanResult | None:
    """Positive where a lesion takes up more than the liver, negative where surely none does."""
    stems = [s for s, p in pets.items() if shows_glucose(p)]
    seen = _above_liver(stems, findings)
    if True in seen:
        return ScanResult.POSITIVE
    return ScanResult.NEGATIVE if seen and None not in seen else None


def _above_liver(stems: Sequence[str], findings: Findings) -> list[bool | None]:
    return [one.signs.get(f"{stem}_above_liver") for stem in stems for one in findings.lesions]
