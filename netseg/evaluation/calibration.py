"""Whether a probability means what it says: of the voxels called 30 %, are 30 % lesion?

Guo et al., On Calibration of Modern Neural Networks (ICML 2017) for the expected calibration error,
Brier (Mon Weather Rev 1950;78:1) for the score. Most voxels of a scan are easy background, and a
figure over the whole image praises any model: so it is also taken near the liver and near lesions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from netseg.domain import Code, StudyRejectedError
from netseg.evaluation.box import slabs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jaxtyping import Bool, Float, Shaped

BINS = 15


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Calibration:
    """Probabilities against what was there, in bins of equal width from 0 to 1. Sums add up.

    Attributes:
        count: Voxels per bin.
        probability_sum: Sum of their probabilities.
        truth_sum: How many of them were true.
        squared_error_sum: Sum over all voxels of (probability - truth)².
    """

    count: Float[np.ndarray, " bins"]
    probability_sum: Float[np.ndarray, " bins"]
    truth_sum: Float[np.ndarray, " bins"]
    squared_error_sum: float

    @property
    def voxels(self) -> int:
        """Number of voxels looked at."""
        return int(self.count.sum())

    @property
    def ece(self) -> float | None:
        """Expected calibration error: mean gap between promise and truth; None without voxels."""
        if not self.voxels:
            return None
        return float(np.abs(self.probability_sum - self.truth_sum).sum() / self.count.sum())

    @property
    def largest_gap(self) -> float | None:
        """The largest gap of any bin that holds a voxel; None without voxels."""
        used = self.count > 0
        if not used.any():
            return None
        gaps = np.abs(self.probability_sum - self.truth_sum)[used] / self.count[used]
        return float(gaps.max())

    @property
    def brier(self) -> float | None:
        """Mean squared difference of probability and truth; None without voxels."""
        return self.squared_error_sum / self.voxels if self.voxels else None

    def table(self) -> list[dict[str, float | int | None]]:
        """One row per bin: its limits, voxels, mean probability and observed share of truth."""
        bins = len(self.count)
        return [
            {
                "from": b / bins,
                "to": (b + 1) / bins,
                "voxels": int(self.count[b]),
                "mean_probability": _share(self.probability_sum[b], self.count[b]),
                "observed": _share(self.truth_sum[b], self.count[b]),
            }
            for b in range(bins)
        ]

    @classmethod
    def pooled(cls, parts: Iterable[Self]) -> Self | None:
        """All voxels of several cases together; None of none.

        Raises:
            ValueError: If the numbers of bins differ.
        """
        parts = list(parts)
        if not parts:
            return None
        bins = {len(p.count) for p in parts}
        if len(bins) > 1:
            raise ValueError(f"calibrations of {sorted(bins)} bins cannot be added; one is needed.")
        return cls(
            count=np.sum([p.count for p in parts], axis=0),
            probability_sum=np.sum([p.probability_sum for p in parts], axis=0),
            truth_sum=np.sum([p.truth_sum for p in parts], axis=0),
            squared_error_sum=float(sum(p.squared_error_sum for p in parts)),
        )


def calibration(
    probability: Shaped[np.ndarray, "*n"],
    truth: Bool[np.ndarray, "*n"],
    where: Bool[np.ndarray, "*n"] | None = None,
    *,
    bins: int = BINS,
) -> Calibration:
    """Hold probabilities against what was there.

    Args:
        probability: Between 0 and 1, of any shape.
        truth: What was there, of the same shape.
        where: Voxels to look at; all when absent.
        bins: Number of bins; a value on a limit belongs to the upper bin, 1 to the last.

    Raises:
        StudyRejectedError: NON_FINITE_VALUES for NaN, PROBABILITY_RANGE for values outside 0 … 1.
        ValueError: If the shapes differ or `bins` is not positive.
    """
    for name, other in (("truth", truth), ("where", where)):
        if other is not None and other.shape != probability.shape:
            raise ValueError(f"{name} has shape {other.shape}, probability {probability.shape}.")
    if bins < 1:
        raise ValueError(f"bins must be a whole number from 1 up; got {bins}.")
    sums = np.zeros((3, bins))
    squared = 0.0
    for part in slabs(probability.shape):
        chosen = slice(None) if where is None else where[part]
        p = probability[part][chosen].astype(np.float64).ravel()
        t = truth[part][chosen].ravel()
        _require_probability(p)
        place = np.minimum((p * bins).astype(np.int64), bins - 1)
        sums[0] += np.bincount(place, minlength=bins)
        sums[1] += np.bincount(place, weights=p, minlength=bins)
        sums[2] += np.bincount(place[t], minlength=bins)
        squared += float(((p - t) ** 2).sum())
    return Calibration(
        count=sums[0], probability_sum=sums[1], truth_sum=sums[2], squared_error_sum=squared
    )


def _require_probability(values: Float[np.ndarray, " n"]) -> None:
    if not values.size:
        return
    lowest, highest = float(values.min()), float(values.max())
    if not (np.isfinite(lowest) and np.isfinite(highest)):
        raise StudyRejectedError(
            Code.NON_FINITE_VALUES,
            "the probability map holds NaN or infinite values; numbers from 0 to 1 are expected.",
        )
    if lowest < 0.0 or highest > 1.0:
        raise StudyRejectedError(
            Code.PROBABILITY_RANGE,
            f"the probability map runs from {lowest:g} to {highest:g}; 0 to 1 is expected.",
            detail={"lowest": lowest, "highest": highest},
            hint="Logits need a sigmoid or softmax first, per cent a division by 100.",
        )


def _share(part: float, whole: float) -> float | None:
    return float(part / whole) if whole else None
