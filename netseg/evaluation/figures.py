"""The figures that are told with an interval, as quotients of sums over cases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netseg.evaluation.bootstrap import Statistic, quotient

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from jaxtyping import Float

    from netseg.evaluation.case import CaseScore, RegionScore
    from netseg.evaluation.lesions import FoundLesion, Overlap

SIZE_BINS_MM: Mapping[str, tuple[float, float]] = {
    "<5": (0.0, 5.0),
    "5-10": (5.0, 10.0),
    "<10": (0.0, 10.0),
    "10-20": (10.0, np.nextafter(20.0, 21.0)),
    ">20": (np.nextafter(20.0, 21.0), np.inf),
}
"""Lower limit within, upper one outside: 10 mm and 20 mm are both "10-20"."""


def in_bin(diameter_mm: float, name: str) -> bool:
    """Whether a lesion of this diameter belongs to a size bin."""
    low, high = SIZE_BINS_MM[name]
    return bool(low <= diameter_mm < high)


def mean_of(value: Callable[[CaseScore], float | None]) -> Statistic:
    """The mean over cases; those without a value are left out."""

    def parts(case: CaseScore) -> tuple[float, float]:
        found = value(case)
        return (0.0, 0.0) if found is None else (float(found), 1.0)

    return Statistic(parts=parts, value=quotient, needs_both=True)


def lesion_mean(value: Callable[[FoundLesion], float], size_bin: str | None = None) -> Statistic:
    """The mean over all true lesions of all cases, or over those of one size bin."""

    def parts(case: CaseScore) -> tuple[float, float]:
        chosen = [
            value(one)
            for one in case.detection.lesions
            if size_bin is None or in_bin(one.equivalent_diameter_mm, size_bin)
        ]
        return float(sum(chosen)), float(len(chosen))

    return Statistic(parts=parts, value=quotient)


def recall(overlap: Overlap, size_bin: str | None = None) -> Statistic:
    """Share of the true lesions that were found."""
    return lesion_mean(lambda one: float(one.found_at(overlap)), size_bin)


def precision(overlap: Overlap) -> Statistic:
    """Share of the predicted lesions that are some."""

    def parts(case: CaseScore) -> tuple[float, float]:
        made = case.detection.predicted
        return float(made - case.detection.false_at(overlap)), float(made)

    return Statistic(parts=parts, value=quotient)


def f1(overlap: Overlap) -> Statistic:
    """Harmonic mean of recall and precision; 0 where one of them is 0 or nothing was predicted."""

    def parts(case: CaseScore) -> tuple[float, float, float, float]:
        score = case.detection
        return (
            float(score.found_at(overlap)),
            float(len(score.lesions)),
            float(score.predicted - score.false_at(overlap)),
            float(score.predicted),
        )

    return Statistic(parts=parts, value=_harmonic)


def _harmonic(sums: Float[np.ndarray, "*d 4"]) -> Float[np.ndarray, "*d"]:
    found = quotient(sums[..., :2])
    true = np.nan_to_num(quotient(sums[..., 2:]))
    both = found + true
    zero = np.where(np.isnan(found), np.nan, 0.0)
    return np.divide(2.0 * found * true, both, out=zero, where=both > 0)


def _pooled_dice(region: Callable[[CaseScore], RegionScore | None]) -> Statistic:
    def parts(case: CaseScore) -> Sequence[float]:
        found = region(case)
        if found is None:
            return 0.0, 0.0
        return 2.0 * found.common_ml, found.truth_ml + found.predicted_ml

    return Statistic(parts=parts, value=quotient)


def region_figures(name: str | None, tolerances_mm: Sequence[float]) -> dict[str, Statistic]:
    """Voxel and surface figures of one region; of all lesions together when no name is given.

    `dice_pooled` takes the voxels of all cases as one; `nsd_2mm` is the surface Dice at 2 mm.
    """

    def of(case: CaseScore) -> RegionScore | None:
        return case.lesion if name is None else case.regions.get(name)

    def taken(value: Callable[[RegionScore], float | None]) -> Statistic:
        return mean_of(lambda case: None if (r := of(case)) is None else value(r))

    return {
        "dice": taken(lambda r: r.dice),
        "dice_pooled": _pooled_dice(of),
        **{nsd_name(mm): taken(lambda r, mm=mm: r.nsd.get(mm)) for mm in tolerances_mm},
        "hd95_mm": taken(lambda r: r.hd95_mm),
        "volume_error_ml": taken(lambda r: r.volume_error_ml),
    }


def lesion_figures() -> dict[str, Statistic]:
    """Figures of the lesions one by one; `lesion_dice` counts a missed lesion as 0."""
    return {
        "dice_where_lesions": mean_of(lambda case: None if case.is_clean else case.lesion.dice),
        "lesion_dice": lesion_mean(lambda one: one.dice),
        "false_positives_per_case": mean_of(lambda case: float(case.detection.false_positives)),
        "clean_kept_empty": mean_of(
            lambda case: float(not case.is_false_alarm) if case.is_clean else None
        ),
    }


def nsd_name(tolerance_mm: float) -> str:
    """The word for a surface Dice.

    >>> nsd_name(2.0), nsd_name(1.5)
    ('nsd_2mm', 'nsd_1.5mm')
    """
    return f"nsd_{tolerance_mm:g}mm"
