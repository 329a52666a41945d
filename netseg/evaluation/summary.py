"""What all cases together say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from netseg.evaluation.bootstrap import DRAWS, draw_patients, require_same_cases
from netseg.evaluation.calibration import Calibration
from netseg.evaluation.figures import (
    SIZE_BINS_MM,
    f1,
    in_bin,
    lesion_figures,
    precision,
    recall,
    region_figures,
)
from netseg.evaluation.froc import froc
from netseg.evaluation.lesions import Overlap
from netseg.evaluation.volume_agreement import volume_agreement

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from netseg.evaluation.bootstrap import Difference, Estimate, Statistic
    from netseg.evaluation.case import CaseScore
    from netseg.evaluation.froc import Froc
    from netseg.evaluation.volume_agreement import VolumeAgreement


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """How many lesions were found, by one measure of overlap.

    Attributes:
        recall: Found over true lesions.
        precision: True over all predictions.
        f1: Harmonic mean of both.
        found: Number of true lesions found.
        false_positives: Number of predictions that are none.
    """

    recall: Estimate
    precision: Estimate
    f1: Estimate
    found: int
    false_positives: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeBin:
    """The lesions of one range of diameters.

    Attributes:
        lesions: How many there are.
        recall: Share of them found, by measure of overlap.
    """

    lesions: int
    recall: Mapping[Overlap, Estimate]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What all cases together say.

    Attributes:
        cases: Number of cases.
        patients: Number of patients.
        missing: Names of cases that had no prediction and were taken as empty.
        lesions: Number of true lesions.
        predicted: Number of predicted lesions.
        figures: Figures of the lesions by name, with intervals over patients.
        regions: Voxel and surface figures of other regions by name.
        detection: By measure of overlap.
        by_diameter_mm: Recall by size.
        both_empty: Cases with neither lesion nor prediction; their Dice is 1.
        false_alarms: Cases without a lesion but with a prediction; their Dice is 0.
        volume: Agreement of lesion volume per case.
        froc: By measure of overlap; empty where predictions carry no confidence.
        calibration: By surroundings, all cases together.
    """

    cases: int
    patients: int
    missing: tuple[str, ...]
    lesions: int
    predicted: int
    figures: Mapping[str, Estimate]
    regions: Mapping[str, Mapping[str, Estimate]]
    detection: Mapping[Overlap, Detection]
    by_diameter_mm: Mapping[str, SizeBin]
    both_empty: int
    false_alarms: int
    volume: VolumeAgreement
    froc: Mapping[Overlap, Froc] = field(default_factory=dict["Overlap", "Froc"])
    calibration: Mapping[str, Calibration] = field(default_factory=dict[str, Calibration])


def summarise(
    cases: Sequence[CaseScore], *, draws: int = DRAWS, rng: np.random.Generator | None = None
) -> Summary:
    """Bring the scores of many cases together.

    Args:
        cases: At least one.
        draws: How often patients are drawn for the intervals.
        rng: Source of chance; a fixed seed when absent.

    Raises:
        ValueError: If there is no case.
    """
    drawn = draw_patients(cases, draws=draws, rng=rng)

    def all_of(figures: Mapping[str, Statistic]) -> dict[str, Estimate]:
        return {name: drawn.estimate(cases, figure) for name, figure in figures.items()}

    return Summary(
        cases=len(cases),
        patients=len(drawn.patients),
        missing=tuple(case.id for case in cases if case.is_missing),
        lesions=sum(len(case.detection.lesions) for case in cases),
        predicted=sum(case.detection.predicted for case in cases),
        figures=all_of(figures_of(cases)),
        regions={n: all_of(region_figures(n, _tolerances(cases))) for n in _regions(cases)},
        detection={
            overlap: Detection(
                recall=drawn.estimate(cases, recall(overlap)),
                precision=drawn.estimate(cases, precision(overlap)),
                f1=drawn.estimate(cases, f1(overlap)),
                found=sum(case.detection.found_at(overlap) for case in cases),
                false_positives=sum(case.detection.false_at(overlap) for case in cases),
            )
            for overlap in Overlap
        },
        by_diameter_mm={
            name: SizeBin(
                lesions=_count(cases, name),
                recall={o: drawn.estimate(cases, recall(o, name)) for o in Overlap},
            )
            for name in SIZE_BINS_MM
        },
        both_empty=sum(case.is_clean and not case.is_false_alarm for case in cases),
        false_alarms=sum(case.is_false_alarm for case in cases),
        volume=volume_agreement([(c.lesion.truth_ml, c.lesion.predicted_ml) for c in cases]),
        froc={o: curve for o in Overlap if (curve := froc(cases, o)) is not None},
        calibration=pooled_calibration(cases),
    )


def compare_models(
    first: Sequence[CaseScore],
    second: Sequence[CaseScore],
    *,
    draws: int = DRAWS,
    rng: np.random.Generator | None = None,
) -> dict[str, Difference]:
    """Every figure of two models on the same cases, with paired intervals of the differences.

    Args:
        first: Scores of the first model.
        second: Scores of the second model for the same cases of the same patients.
        draws: How often patients are drawn.
        rng: Source of chance; a fixed seed when absent.

    Raises:
        ValueError: If the cases or their patients differ.
    """
    require_same_cases(first, second)
    drawn = draw_patients(first, draws=draws, rng=rng)
    figures = figures_of(first) | detection_figures()
    for name in _regions(first):
        if name in _regions(second):
            told = region_figures(name, _tolerances(first))
            figures |= {f"{name}_{figure}": one for figure, one in told.items()}
    return {name: drawn.difference(first, second, figure) for name, figure in figures.items()}


def figures_of(cases: Sequence[CaseScore]) -> dict[str, Statistic]:
    """The figures of the lesions that these cases have, by name."""
    return region_figures(None, _tolerances(cases)) | lesion_figures()


def detection_figures() -> dict[str, Statistic]:
    """Recall, precision and F1 at any overlap, and recall by size."""
    return {
        "lesion_recall": recall(Overlap.ANY),
        "lesion_precision": precision(Overlap.ANY),
        "lesion_f1": f1(Overlap.ANY),
        **{f"lesion_recall_{name}mm": recall(Overlap.ANY, name) for name in SIZE_BINS_MM},
    }


def pooled_calibration(cases: Sequence[CaseScore]) -> dict[str, Calibration]:
    """Calibration over the voxels of all cases, by surroundings."""
    names = dict.fromkeys(name for case in cases for name in case.calibration)
    told: dict[str, Calibration] = {}
    for name in names:
        pooled = Calibration.pooled(c.calibration[name] for c in cases if name in c.calibration)
        if pooled is not None:
            told[name] = pooled
    return told


def _tolerances(cases: Sequence[CaseScore]) -> tuple[float, ...]:
    return tuple(dict.fromkeys(mm for case in cases for mm in case.lesion.nsd))


def _regions(cases: Sequence[CaseScore]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for case in cases for name in case.regions))


def _count(cases: Sequence[CaseScore], name: str) -> int:
    lesions = (one for case in cases for one in case.detection.lesions)
    return sum(in_bin(one.equivalent_diameter_mm, name) for one in lesions)
