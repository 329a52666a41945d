"""How bright a region is, how much it scatters, and what of it does not belong to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float

SD_PER_MAD = 1.4826  # of a normal distribution
OUTLIER_SD = 3.0  # values farther from the median are vessels, unseen lesions, artefacts
ROUNDS = 10
SAMPLE_MM3 = 8.0
"""Assumption: noise of a reconstructed image is correlated over about 2 mm, so that a region holds
one independent sample per 8 mm³, and never more samples than voxels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """Values of one region in one image.

    Attributes:
        mean: Mean.
        median: Median, which a few vessels do not move.
        sd: Standard deviation of single voxels.
        voxels: How many values.
        volume_ml: Volume of the region.
    """

    mean: float
    median: float
    sd: float
    voxels: int
    volume_ml: float

    @classmethod
    def of(cls, values: Float[np.ndarray, " n"], volume_ml: float) -> Self:
        """The level of at least one value."""
        return cls(
            mean=float(values.mean(dtype=np.float64)),
            median=float(np.median(values)),
            sd=float(values.std(dtype=np.float64)),
            voxels=len(values),
            volume_ml=volume_ml,
        )

    @property
    def samples(self) -> float:
        """Number of independent values (assumption: `SAMPLE_MM3`)."""
        return max(1.0, min(float(self.voxels), 1000.0 * self.volume_ml / SAMPLE_MM3))


def without_outliers(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " m"]:
    """The values within three robust standard deviations of their median, repeated until none falls.

    Where more than half of the values are one number, that number and its like remain.
    """
    for _ in range(ROUNDS):
        median = float(np.median(values))
        kept = values[np.abs(values - median) <= OUTLIER_SD * _robust_sd(values, median)]
        if len(kept) == len(values):
            break
        values = kept
    return values


def _robust_sd(values: Float[np.ndarray, " n"], median: float) -> float:
    return SD_PER_MAD * float(np.median(np.abs(values - median)))
