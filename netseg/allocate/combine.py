"""One set of findings from three sources: the clinician, the measurement, the margin check."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from netseg.domain.ablation import Evidence
from netseg.domain.clinical import ClinicalFindings, LiverLesion, PostAblation
from netseg.domain.margin import Verdict

if TYPE_CHECKING:
    from netseg.domain.findings import Findings, Lesion
    from netseg.domain.margin import MarginReport

ARTERIAL_HU = "mean_hu_late_arterial"
HYPERENHANCEMENT_HU = 10.0
"""Assumption: a lesion this much brighter than liver in the late arterial phase enhances."""


def combine(
    clinical: ClinicalFindings | None,
    measured: Findings | None,
    margin: MarginReport | None,
) -> ClinicalFindings:
    """Lay measured facts beside the clinician's.

    Measured lesions become the list that drives the rules; the clinician's own list is kept in
    `lesions_reported`, the clinician's pattern in `liver_pattern_reported`. A value the clinician
    stated is never overwritten by a measured one of another kind.

    Args:
        clinical: The clinician's document, None where there is none.
        measured: What was measured on the images, None where nothing was.
        margin: The margin check of a plan (simulated) or of a control scan (observed).

    Returns:
        Findings for the rules. A simulated margin can only set `r0_a0_possible`; a control scan
        only `post_ablation`.
    """
    base = clinical or ClinicalFindings()
    changes: dict[str, Any] = {}
    if measured is not None:
        changes |= _measured(base, measured)
    if margin is not None:
        changes |= _observed(margin) if margin.observed else _predicted(base, margin)
    return dataclasses.replace(base, **changes)


def _measured(base: ClinicalFindings, measured: Findings) -> dict[str, Any]:
    changes: dict[str, Any] = {
        "lesions": tuple(_lesion(lesion) for lesion in measured.lesions),
        "segment_source": measured.segment_source,
    }
    if base.lesions is not None and base.lesions_reported is None:
        changes["lesions_reported"] = base.lesions
    if base.lesion_count is None:
        changes["lesion_count"] = len(measured.lesions)
    if base.liver_burden_pct is None:
        changes["liver_burden_pct"] = measured.liver_burden_pct
    if base.arterial_enhancement is None:
        changes["arterial_enhancement"] = _enhances(measured)
    return changes


def _lesion(lesion: Lesion) -> LiverLesion:
    """The lesion for the rules; its other measures go along as they are."""
    measures = {name: round(value, 3) for name, value in lesion.measures.items()}
    return LiverLesion(
        segment=lesion.segment,
        lobe=lesion.lobe,
        diameter_cm=round(lesion.longest_axial_diameter_mm / 10, 2),
        confidence=lesion.confidence,
        further={
            "id": lesion.id,
            "volume_ml": round(lesion.volume_ml, 3),
            "longest_axial_diameter_mm": round(lesion.longest_axial_diameter_mm, 2),
            "longest_diameter_mm": round(lesion.longest_diameter_mm, 2),
        }
        | ({"measures": measures} if measures else {}),
    )


def _enhances(measured: Findings) -> bool | None:
    """Whether any lesion is brighter than liver in the late arterial phase; None if not imaged."""
    liver = measured.liver_measures.get(ARTERIAL_HU)
    lesions = [x.measures[ARTERIAL_HU] for x in measured.lesions if ARTERIAL_HU in x.measures]
    if liver is None or not lesions:
        return None
    return max(lesions) - liver >= HYPERENHANCEMENT_HU


def _predicted(base: ClinicalFindings, margin: MarginReport) -> dict[str, Any]:
    """A plan that reaches the cut-off everywhere shows that A0 is possible; failing shows little.

    Resection may still be possible, unless the clinician excluded liver surgery. The clinician's
    own answer stands, and a patient who is not fit for local treatment is not made so by a plan.
    """
    if base.r0_a0_possible is not None or not margin.lesions:
        return {}
    reached = all(m.verdict is Verdict.A0 for m in margin.lesions)
    if reached and base.fit_for_local_treatment is not False:
        return {"r0_a0_possible": True}
    failed = any(m.verdict in (Verdict.NOT_A0, Verdict.RESIDUAL) for m in margin.lesions)
    if failed and base.liver_surgery_possible is False:
        return {"r0_a0_possible": False}
    return {}


def _observed(margin: MarginReport) -> dict[str, Any]:
    """The control scan's margin. Bare masks declared as observed carry no registration error."""
    verdicts = [m.verdict for m in margin.lesions]
    error = (margin.registration or {}).get("error_mm")
    is_scan = margin.evidence is Evidence.CONTROL_SCAN
    return {
        "post_ablation": PostAblation(
            min_margin_mm=None if margin.smallest_mm is None else round(margin.smallest_mm, 2),
            registration_error_mm=None if error is None else float(error),
            evidence="control_scan" if is_scan else None,
            verdict=_overall(verdicts) if is_scan else None,
        )
    }


def _overall(verdicts: list[Verdict]) -> Verdict:
    """The worst lesion speaks for all."""
    for verdict in (Verdict.RESIDUAL, Verdict.NOT_A0, Verdict.NOT_ASSESSABLE, Verdict.A0_UNCERTAIN):
        if verdict in verdicts:
            return verdict
    return Verdict.A0 if verdicts else Verdict.NOT_ASSESSABLE
