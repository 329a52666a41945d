"""The clinician's facts, the measured ones and the margin, laid side by side."""

from __future__ import annotations

import dataclasses

import pytest

from netseg.allocate import combine, findings_document, parse_case
from netseg.domain.ablation import Evidence
from netseg.domain.clinical import ClinicalFindings
from netseg.domain.findings import Findings, Lesion, Lobe, SegmentSource
from netseg.domain.margin import LesionMargin, MarginReport, Verdict
from netseg.domain.point import PointMm


def lesion(number: int, arterial_hu: float | None = None) -> Lesion:
    return Lesion(
        id=number,
        volume_ml=4.2,
        longest_axial_diameter_mm=20.0,
        longest_diameter_mm=21.0,
        centroid_mm=PointMm(x=0.0, y=0.0, z=0.0),
        segment="VI",
        lobe=Lobe.RIGHT,
        confidence=0.9,
        measures={} if arterial_hu is None else {"mean_hu_late_arterial": arterial_hu},
    )


def measured(*lesions: Lesion, liver_hu: float | None = None) -> Findings:
    return Findings(
        lesions=lesions,
        liver_volume_ml=1500.0,
        lesion_volume_ml=15.0,
        segment_source=SegmentSource.APPROXIMATE_PARTITION,
        liver_measures={} if liver_hu is None else {"mean_hu_late_arterial": liver_hu},
    )


def margin(verdict: Verdict, *, observed: bool, evidence: Evidence = Evidence.SIMULATED,
           smallest: float | None = 6.0, error: float | None = None) -> MarginReport:  # fmt: skip
    entry = LesionMargin(
        id=1, smallest_margin_mm=smallest, smallest_margin_to_zone_mm=smallest, verdict=verdict
    )
    registration = None if error is None else {"error_mm": error}
    return MarginReport(cutoff_mm=5.0, evidence=evidence, observed=observed, lesions=(entry,),
                        registration=registration)  # fmt: skip


def test_measured_lesions_fill_list_count_burden_and_where_segments_come_from():
    found = combine(None, measured(lesion(1), lesion(2)), None)
    assert found.lesions is not None
    assert [x.diameter_cm for x in found.lesions] == [2.0, 2.0]
    assert (found.lesion_count, found.liver_burden_pct) == (2, pytest.approx(1.0))
    assert found.segment_source is SegmentSource.APPROXIMATE_PARTITION
    assert parse_case(findings_document(found)) == found


def test_looked_and_none_found_is_not_unknown():
    found = combine(None, measured(), None)
    assert found.lesions == ()
    assert found.lesion_count == 0


def test_the_clinicians_list_and_statements_are_kept():
    clinical = parse_case({"lesions": [{"segment": "II"}], "liver_burden_pct": 30, "ki67": 1})
    found = combine(clinical, measured(lesion(1)), None)
    assert found.lesions_reported == clinical.lesions
    assert found.lesions is not None
    assert found.lesions[0].segment == "VI"
    assert found.liver_burden_pct == 30
    assert found.ki67 == clinical.ki67


@pytest.mark.parametrize(
    ("lesion_hu", "liver_hu", "enhances"),
    [(120.0, 100.0, True), (110.0, 100.0, True), (109.0, 100.0, False), (None, 100.0, None),
     (120.0, None, None)],
)  # fmt: skip
def test_arterial_enhancement_is_measured_or_unknown(
    lesion_hu: float | None, liver_hu: float | None, enhances: object
):
    found = combine(None, measured(lesion(1, lesion_hu), liver_hu=liver_hu), None)
    assert found.arterial_enhancement is enhances


def test_a_plan_that_reaches_the_cut_off_everywhere_makes_a0_possible_and_nothing_more():
    found = combine(None, None, margin(Verdict.A0, observed=False))
    assert found.r0_a0_possible is True
    assert found.post_ablation is None


def test_a_plan_that_fails_leaves_it_unknown_unless_surgery_is_out_of_the_question():
    failed = margin(Verdict.NOT_A0, observed=False)
    assert combine(None, None, failed).r0_a0_possible is None
    without_surgery = ClinicalFindings(liver_surgery_possible=False)
    assert combine(without_surgery, None, failed).r0_a0_possible is False
    uncertain = margin(Verdict.A0_UNCERTAIN, observed=False)
    assert combine(without_surgery, None, uncertain).r0_a0_possible is None


def test_a_plan_overrules_neither_the_clinician_nor_the_patients_fitness():
    reached = margin(Verdict.A0, observed=False)
    assert combine(ClinicalFindings(r0_a0_possible=False), None, reached).r0_a0_possible is False
    assert (
        combine(ClinicalFindings(fit_for_local_treatment=False), None, reached).r0_a0_possible
        is None
    )


def test_a_control_scan_sets_what_happened_and_not_what_is_possible():
    report = margin(Verdict.A0, observed=True, evidence=Evidence.CONTROL_SCAN, error=1.2)
    found = combine(None, None, report)
    assert found.r0_a0_possible is None
    assert found.post_ablation is not None
    assert found.post_ablation.min_margin_mm == 6.0
    assert found.post_ablation.registration_error_mm == 1.2
    assert found.post_ablation.verdict is Verdict.A0
    assert parse_case(findings_document(found)) == found


def test_masks_declared_as_observed_are_no_control_scan():
    report = margin(Verdict.A0, observed=True, evidence=Evidence.GIVEN_MASKS)
    found = combine(None, None, report).post_ablation
    assert found is not None
    assert (found.evidence, found.registration_error_mm) == (None, None)


@pytest.mark.parametrize(
    ("others", "worst"),
    [
        ((Verdict.NOT_A0,), Verdict.NOT_A0),
        ((Verdict.A0_UNCERTAIN,), Verdict.A0_UNCERTAIN),
        ((Verdict.NOT_A0, Verdict.RESIDUAL), Verdict.RESIDUAL),
        ((Verdict.A0,), Verdict.A0),
    ],
)
def test_the_worst_lesion_speaks_for_all(others: tuple[Verdict, ...], worst: Verdict):
    """One lesion with residual tumour is not made up for by another that is A0."""
    reports = [
        margin(verdict, observed=True, evidence=Evidence.CONTROL_SCAN)
        for verdict in (Verdict.A0, *others)
    ]
    entries = tuple(
        dataclasses.replace(report.lesions[0], id=n) for n, report in enumerate(reports, start=1)
    )
    found = combine(None, None, dataclasses.replace(reports[0], lesions=entries))
    assert found.post_ablation is not None
    assert found.post_ablation.verdict is worst
