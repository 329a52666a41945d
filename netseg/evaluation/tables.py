"""Scores as tables: CSV for a spreadsheet, aligned text for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netseg.evaluation.figures import nsd_name
from netseg.evaluation.lesions import Overlap
from netseg.evaluation.treatment import treatment_summary
from netseg.export.table import to_csv

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from netseg.evaluation.bootstrap import Difference, Estimate
    from netseg.evaluation.case import CaseScore, RegionScore
    from netseg.evaluation.document import Report
    from netseg.evaluation.summary import Summary
    from netseg.evaluation.treatment import TreatmentAgreement

LESION_COLUMNS = (
    "case", "patient", "truth_id", "volume_ml", "diameter_mm",
    *(f"found_{o}" for o in Overlap), "matched", "covered", "iou", "dice",
)  # fmt: skip
PREDICTION_COLUMNS = (
    "case", "patient", "id", "volume_ml", "diameter_mm",
    *(f"true_{o}" for o in Overlap), "matched", "confidence",
)  # fmt: skip


def cases_csv(cases: Sequence[CaseScore]) -> bytes:
    """One row per case: voxel and surface figures, lesions found, missed and false."""
    rows = [_case_row(case) for case in cases]
    columns = dict.fromkeys(name for row in rows for name in row)
    return to_csv(tuple(columns), rows)


def lesions_csv(cases: Sequence[CaseScore]) -> bytes:
    """One row per true lesion."""
    rows = (
        {
            "case": case.id,
            "patient": case.patient,
            "truth_id": one.truth_id,
            "volume_ml": one.volume_ml,
            "diameter_mm": one.equivalent_diameter_mm,
            **{f"found_{o}": one.found_at(o) for o in Overlap},
            "matched": " ".join(map(str, one.matched)),
            "covered": one.covered,
            "iou": one.iou,
            "dice": one.dice,
        }
        for case in cases
        for one in case.detection.lesions
    )
    return to_csv(LESION_COLUMNS, rows)


def predictions_csv(cases: Sequence[CaseScore]) -> bytes:
    """One row per predicted lesion."""
    rows = (
        {
            "case": case.id,
            "patient": case.patient,
            "id": one.id,
            "volume_ml": one.volume_ml,
            "diameter_mm": one.equivalent_diameter_mm,
            **{f"true_{o}": one.true_at(o) for o in Overlap},
            "matched": " ".join(map(str, one.matched)),
            "confidence": one.confidence,
        }
        for case in cases
        for one in case.detection.predictions
    )
    return to_csv(PREDICTION_COLUMNS, rows)


def summary_csv(summary: Summary) -> bytes:
    """One row per figure with its interval over patients."""
    told = (*_figures(summary), *_size_figures(summary))
    rows = [{"figure": n, **_estimate_cells(e)} for n, e in told]
    return to_csv(("figure", "mean", "ci95_low", "ci95_high"), rows)


def comparison_csv(comparison: Mapping[str, Difference]) -> bytes:
    """One row per figure of two models."""
    rows = [
        {
            "figure": name,
            "first": one.first,
            "second": one.second,
            "difference": one.difference,
            "ci95_low": None if one.ci95 is None else one.ci95[0],
            "ci95_high": None if one.ci95 is None else one.ci95[1],
            "p_value": one.p_value,
        }
        for name, one in comparison.items()
    ]
    columns = ("figure", "first", "second", "difference", "ci95_low", "ci95_high", "p_value")
    return to_csv(columns, rows)


def text(report: Report) -> str:
    """The report for a terminal."""
    parts: list[str] = []
    summary = report.summary
    if summary is not None:
        parts.append(_headline(summary))
        parts.append(aligned(("figure", "mean", "95 % interval"), _summary_rows(summary)))
        parts.append(aligned(("diameter (mm)", "lesions", *Overlap), _size_rows(summary)))
        parts.append(aligned(_CASE_HEAD, (_case_cells(case) for case in report.cases)))
    if report.treatment:
        parts.append(_treatment_text(report.treatment))
    if report.comparison:
        head = ("figure", "first", "second", "difference", "95 % interval", "p")
        parts.append(aligned(head, _comparison_rows(report.comparison)))
    lines = [f"{name} refused: {e.code} {e.message} {e.hint}" for name, e in report.errors.items()]
    lines += [f"{w.code}: {w.message}" for w in report.warnings]
    if lines:
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def aligned(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns under each other, the first to the left, the others to the right.

    >>> print(aligned(("a", "b"), [("x", "10"), ("long", "2")]), end="")
    a      b
    x     10
    long   2
    """
    table = [tuple(head), *(tuple(row) for row in rows)]
    widths = [max(len(row[n]) for row in table) for n in range(len(head))]
    return "".join(
        "  ".join(
            [
                row[0].ljust(widths[0]),
                *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True)),
            ]
        ).rstrip()
        + "\n"
        for row in table
    )


_CASE_HEAD = ("case", "dice", "nsd", "hd95 mm", "volume error ml", "lesions", "found", "false")


def _headline(summary: Summary) -> str:
    told = (
        f"{summary.cases} cases of {summary.patients} patients, {summary.lesions} lesions, "
        f"{summary.predicted} predicted\n"
    )
    if summary.false_alarms or summary.both_empty:
        told += (
            f"without any lesion: {summary.both_empty + summary.false_alarms} cases, in "
            f"{summary.false_alarms} of them lesions were predicted (Dice 0), "
            f"{summary.both_empty} stayed empty (Dice 1)\n"
        )
    if summary.missing:
        told += f"without a prediction, taken as empty: {', '.join(summary.missing)}\n"
    return told


def _figures(summary: Summary) -> list[tuple[str, Estimate]]:
    found: list[tuple[str, Estimate]] = list(summary.figures.items())
    for name, told in summary.regions.items():
        found += [(f"{name}_{figure}", one) for figure, one in told.items()]
    for overlap, one in summary.detection.items():
        found += [
            (f"lesion_recall_{overlap}", one.recall),
            (f"lesion_precision_{overlap}", one.precision),
            (f"lesion_f1_{overlap}", one.f1),
        ]
    return found


def _size_figures(summary: Summary) -> list[tuple[str, Estimate]]:
    return [
        (f"lesion_recall_{name}mm_{overlap}", one)
        for name, size in summary.by_diameter_mm.items()
        for overlap, one in size.recall.items()
    ]


def _summary_rows(summary: Summary) -> list[tuple[str, str, str]]:
    rows = [(name, number(e.mean), interval(e.ci95)) for name, e in _figures(summary)]
    limits = interval(summary.volume.limits_ml)
    rows.append(("volume bias (limits of agreement)", number(summary.volume.bias_ml), limits))
    rows.append(("volume ICC", number(summary.volume.icc), ""))
    for overlap, curve in summary.froc.items():
        rows.append((f"FROC mean sensitivity {overlap}", number(curve.mean_sensitivity), ""))
    for name, told in summary.calibration.items():
        rows.append((f"ECE {name}", number(told.ece), ""))
        rows.append((f"Brier {name}", number(told.brier), ""))
    return rows


def _size_rows(summary: Summary) -> list[tuple[str, ...]]:
    return [
        (name, str(one.lesions), *(number(one.recall[o].mean) for o in Overlap))
        for name, one in summary.by_diameter_mm.items()
    ]


def _case_row(case: CaseScore) -> dict[str, Any]:
    score = case.detection
    row: dict[str, Any] = {"case": case.id, "patient": case.patient, **_region_cells(case.lesion)}
    for name, region in case.regions.items():
        row |= {f"{name}_{figure}": value for figure, value in _region_cells(region).items()}
    row |= {"lesions": len(score.lesions), "predicted": score.predicted}
    row |= {f"found_{o}": score.found_at(o) for o in Overlap}
    row |= {f"false_{o}": score.false_at(o) for o in Overlap}
    row |= {f"ece_{name}": told.ece for name, told in case.calibration.items()}
    row |= {f"brier_{name}": told.brier for name, told in case.calibration.items()}
    return row | {"missing_prediction": case.is_missing}


def _region_cells(region: RegionScore) -> dict[str, float | None]:
    return {
        "dice": region.dice,
        **{nsd_name(mm): share for mm, share in region.nsd.items()},
        "hd95_mm": region.hd95_mm,
        "hd95_from_truth_mm": region.hd95_from_truth_mm,
        "hd95_from_predicted_mm": region.hd95_from_predicted_mm,
        "truth_ml": region.truth_ml,
        "predicted_ml": region.predicted_ml,
        "volume_error_ml": region.volume_error_ml,
    }


def _case_cells(case: CaseScore) -> tuple[str, ...]:
    lesion, score = case.lesion, case.detection
    return (
        case.id,
        number(lesion.dice),
        number(next(iter(lesion.nsd.values()), None)),
        number(lesion.hd95_mm),
        number(lesion.volume_error_ml),
        str(len(score.lesions)),
        str(score.found_at(Overlap.ANY)),
        str(score.false_positives),
    )


def _comparison_rows(comparison: Mapping[str, Difference]) -> list[tuple[str, ...]]:
    return [
        (
            name,
            number(one.first),
            number(one.second),
            number(one.difference),
            interval(one.ci95),
            number(one.p_value),
        )
        for name, one in comparison.items()
    ]


def _treatment_text(cases: Sequence[TreatmentAgreement]) -> str:
    told = treatment_summary(cases)
    headline = (
        f"treatment with predicted instead of true outlines: same route in {told.same_route} of "
        f"{told.cases} cases, every option the same in {told.same_options}"
    )
    lines = [headline]
    for one in cases:
        if one.route_changed:
            before, after = (
                ", ".join(p.possible_routes) or p.status for p in (one.truth, one.predicted)
            )
            lines.append(f"  {one.id}: {before} → {after}")
        lines.extend(
            f"  {one.id}: {name} {before} → {after}" for name, before, after in one.options_changed
        )
    return "\n".join(lines) + "\n"


def _estimate_cells(one: Estimate) -> dict[str, float | None]:
    low, high = one.ci95 or (None, None)
    return {"mean": one.mean, "ci95_low": low, "ci95_high": high}


def number(value: float | None) -> str:
    """A figure in three decimals; "-" where there is none."""
    return "-" if value is None else f"{value:.3f}"


def interval(pair: tuple[float, float] | None) -> str:
    """An interval in three decimals; "-" where there is none."""
    return "-" if pair is None else f"{pair[0]:.3f} … {pair[1]:.3f}"
