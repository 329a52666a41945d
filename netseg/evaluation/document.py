"""`evaluation.json`: scores per case and together, in the contract's words with more beside them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netseg.evaluation.figures import nsd_name
from netseg.evaluation.froc import RATES
from netseg.evaluation.lesions import Overlap
from netseg.evaluation.treatment import treatment_summary

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netseg.domain import Notice
    from netseg.evaluation.bootstrap import Difference, Estimate
    from netseg.evaluation.calibration import Calibration
    from netseg.evaluation.case import CaseScore, RegionScore
    from netseg.evaluation.froc import Froc
    from netseg.evaluation.summary import Summary
    from netseg.evaluation.treatment import Proposal, TreatmentAgreement

SCHEMA = Path(__file__).parent / "schemas" / "evaluation.schema.json"
CONTRACT_BINS = ("<10", "10-20", ">20")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything one evaluation found.

    Attributes:
        cases: Scores per case.
        summary: All together; None where every case was refused.
        errors: Refused cases.
        warnings: What the reader must know.
        about: Facts of the evaluation: hashes, model, labels, settings.
        treatment: Proposals with true and predicted outlines, where clinical facts were given.
        comparison: Differences to another model by figure, where there was one.
    """

    cases: Sequence[CaseScore]
    summary: Summary | None
    errors: Mapping[str, Notice] = field(default_factory=dict["str", "Notice"])
    warnings: Sequence[Notice] = ()
    about: Mapping[str, Any] = field(default_factory=dict[str, Any])
    treatment: Sequence[TreatmentAgreement] = ()
    comparison: Mapping[str, Difference] = field(default_factory=dict["str", "Difference"])


def evaluation_schema() -> dict[str, Any]:
    """The JSON schema of `evaluation.json` (draft 2020-12)."""
    return json.loads(SCHEMA.read_text(encoding="utf-8"))


def evaluation_document(report: Report) -> dict[str, Any]:
    """The report as JSON types. `dice` is the lesions'; recall, precision, F1 are at any overlap."""
    treated = {one.id: one for one in report.treatment}
    document: dict[str, Any] = {
        "schema_version": "1",
        "about": dict(report.about),
        "cases": [_case(case, treated.get(case.id)) for case in report.cases],
        "summary": None if report.summary is None else _summary(report.summary, report.treatment),
        "errors": [{"case": n, **e.to_document()} for n, e in sorted(report.errors.items())],
        "warnings": [w.to_document() for w in report.warnings],
    }
    if report.comparison:
        document["comparison"] = {n: _difference(d) for n, d in report.comparison.items()}
    return document


def _case(case: CaseScore, treated: TreatmentAgreement | None) -> dict[str, Any]:
    score = case.detection
    document = {
        "id": case.id,
        "patient": case.patient,
        **_region(case.lesion),
        **{name: _region(region) for name, region in case.regions.items()},
        "lesions": [
            {
                "truth_id": one.truth_id,
                "volume_ml": one.volume_ml,
                "diameter_mm": one.equivalent_diameter_mm,
                "detected": {str(o): one.found_at(o) for o in Overlap},
                "matched": list(one.matched),
                "covered": one.covered,
                "iou": one.iou,
                "dice": one.dice,
            }
            for one in score.lesions
        ],
        "predictions": [
            {
                "id": one.id,
                "volume_ml": one.volume_ml,
                "diameter_mm": one.equivalent_diameter_mm,
                "true": {str(o): one.true_at(o) for o in Overlap},
                "matched": list(one.matched),
                "confidence": one.confidence,
            }
            for one in score.predictions
        ],
        "false_positives": score.false_positives,
        "false_alarm": case.is_false_alarm,
        "missing_prediction": case.is_missing,
    }
    if case.calibration:
        document["calibration"] = {n: _calibration(c) for n, c in case.calibration.items()}
    if treated is not None:
        document["treatment"] = _treatment(treated)
    return document


def _region(score: RegionScore) -> dict[str, Any]:
    return {
        "dice": score.dice,
        **{nsd_name(mm): share for mm, share in score.nsd.items()},
        "hd95_mm": score.hd95_mm,
        "hd95_from_truth_mm": score.hd95_from_truth_mm,
        "hd95_from_predicted_mm": score.hd95_from_predicted_mm,
        "truth_ml": score.truth_ml,
        "predicted_ml": score.predicted_ml,
        "volume_error_ml": score.volume_error_ml,
    }


def _summary(summary: Summary, treatment: Sequence[TreatmentAgreement]) -> dict[str, Any]:
    anyhow = summary.detection[Overlap.ANY]
    bins = summary.by_diameter_mm
    document = {
        "cases": summary.cases,
        "patients": summary.patients,
        "missing_predictions": list(summary.missing),
        "lesions": summary.lesions,
        "predicted_lesions": summary.predicted,
        **{name: _estimate(one) for name, one in summary.figures.items()},
        **{n: {f: _estimate(e) for f, e in told.items()} for n, told in summary.regions.items()},
        "lesion_recall": anyhow.recall.mean,
        "lesion_precision": anyhow.precision.mean,
        "lesion_f1": anyhow.f1.mean,
        "by_overlap": {
            str(overlap): {
                "recall": _estimate(one.recall),
                "precision": _estimate(one.precision),
                "f1": _estimate(one.f1),
                "found": one.found,
                "false_positives": one.false_positives,
            }
            for overlap, one in summary.detection.items()
        },
        "recall_by_diameter_mm": {n: bins[n].recall[Overlap.ANY].mean for n in CONTRACT_BINS},
        "by_diameter_mm": {
            name: {
                "lesions": one.lesions,
                "recall": {str(o): _estimate(e) for o, e in one.recall.items()},
            }
            for name, one in bins.items()
        },
        "empty_cases": {"both_empty": summary.both_empty, "false_alarms": summary.false_alarms},
        "volume_agreement": {
            "bias_ml": summary.volume.bias_ml,
            "limits_ml": _pair(summary.volume.limits_ml),
            "icc": summary.volume.icc,
        },
        "froc": {str(o): _froc(curve) for o, curve in summary.froc.items()},
        "calibration": {n: _calibration(c, bins=True) for n, c in summary.calibration.items()},
    }
    if treatment:
        told = treatment_summary(treatment)
        document["treatment"] = {
            "cases": told.cases,
            "same_route": told.same_route,
            "same_options": told.same_options,
        }
    return document


def _estimate(one: Estimate) -> dict[str, Any]:
    return {"mean": one.mean, "ci95": _pair(one.ci95)}


def _difference(one: Difference) -> dict[str, Any]:
    return {
        "first": one.first,
        "second": one.second,
        "difference": one.difference,
        "ci95": _pair(one.ci95),
        "p_value": one.p_value,
    }


def _pair(pair: tuple[float, float] | None) -> list[float] | None:
    return None if pair is None else list(pair)


def _froc(curve: Froc) -> dict[str, Any]:
    return {
        "mean_sensitivity": curve.mean_sensitivity,
        "sensitivity_at": {f"{rate:g}": curve.sensitivity_at(rate) for rate in RATES},
        "points": [
            {
                "confidence": p.confidence,
                "sensitivity": p.sensitivity,
                "false_positives_per_case": p.false_positives_per_case,
            }
            for p in curve.points
        ],
    }


def _calibration(told: Calibration, *, bins: bool = False) -> dict[str, Any]:
    document: dict[str, Any] = {
        "voxels": told.voxels,
        "ece": told.ece,
        "largest_gap": told.largest_gap,
        "brier": told.brier,
    }
    return document | ({"bins": told.table()} if bins else {})


def _treatment(one: TreatmentAgreement) -> dict[str, Any]:
    return {
        "route_changed": one.route_changed,
        "options_changed": [
            {"option": name, "truth": before, "predicted": after}
            for name, before, after in one.options_changed
        ],
        "truth": _proposal(one.truth),
        "predicted": _proposal(one.predicted),
        "liver_of_truth_on_both_sides": one.same_liver,
    }


def _proposal(one: Proposal) -> dict[str, Any]:
    return {
        "status": one.status,
        "route": one.route,
        "possible_routes": list(one.possible_routes),
        "pattern": one.pattern,
        "ablation_window": one.ablation_window,
    }
