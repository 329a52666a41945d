"""What liver looks like around a lesion, and where between two tissues their border lies.

The border of two tissues in a blurred image is where the value is half-way between them. So the
whole art is to know both values *there*: a zone may have a dense core, a liver may hold bright
vessels, and a rim of enhancement may lie between.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.ndimage  # pyright: ignore[reportMissingTypeStubs]

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

ndimage: Any = scipy.ndimage  # scipy carries no types, and the guessed ones are wrong

BINS = 240
NORMAL_MAD = 1.4826  # standard deviation of a normal distribution over its median deviation
INSIDE_MM = (1.0, 3.5)  # how deep the zone's value at its border is read
OUTSIDE_MM = (1.0, 3.5)  # how far beyond it the other tissue's
NEAR_MM = 5.0  # standard deviation of the neighbourhood that both are averaged over
ENOUGH = 0.02  # share of the neighbourhood that must be known


@dataclass(frozen=True, slots=True, kw_only=True)
class Tissue:
    """Values of a tissue in a smoothed image.

    Attributes:
        value: Where most of its voxels lie.
        spread: Standard deviation around it, of the bulk.
    """

    value: float
    spread: float


def smoothed(
    values: Float[np.ndarray, "i j k"],
    known: Bool[np.ndarray, "i j k"],
    sigma_voxels: float,
) -> Float[np.ndarray, "i j k"]:
    """A Gaussian average over the known voxels alone; where none is near, the nearest known value.

    Args:
        values: The image.
        known: Voxels to believe: no metal, no gas. At least one.
        sigma_voxels: Standard deviation; the average reaches three of it.
    """
    weight = ndimage.gaussian_filter(known.astype(np.float32), sigma_voxels, truncate=3.0)
    filled = np.where(known, values, np.float32(0.0)).astype(np.float32)
    total = ndimage.gaussian_filter(filled, sigma_voxels, truncate=3.0)
    near = weight > 1e-3
    mean = total / np.where(near, weight, 1.0)
    if near.all():
        return mean
    index = ndimage.distance_transform_edt(~near, return_distances=False, return_indices=True)
    return mean[tuple(index)]


def bulk(values: Float[np.ndarray, " n"]) -> Tissue:
    """The most frequent value, and the spread of those around it.

    Vessels on one side and lesions on the other move a mean, and a little a median; the mode of a
    smoothed histogram stays.

    Args:
        values: At least a few dozen.
    """
    low, high = np.percentile(values, (1.0, 99.0))
    if high <= low:
        return Tissue(value=float(low), spread=0.0)
    counts, edges = np.histogram(values, bins=BINS, range=(low, high))
    middle = (edges[1:] + edges[:-1]) / 2
    calm = ndimage.gaussian_filter1d(counts.astype(np.float64), BINS / 40, mode="constant")
    mode = float(middle[int(calm.argmax())])
    away = np.abs(values - mode)
    near = away <= 3.0 * NORMAL_MAD * float(np.median(away)) + 1e-6
    spread = NORMAL_MAD * float(np.median(away[near]))
    return Tissue(value=float(np.median(values[near])), spread=spread)


def noise_of(
    values: Float[np.ndarray, "i j k"], where: Bool[np.ndarray, "i j k"], wide_voxels: float
) -> float:
    """Standard deviation of an image's fine detail in a region: noise, not slow variation."""
    detail = values - ndimage.gaussian_filter(values, wide_voxels, truncate=2.0)
    return NORMAL_MAD * float(np.median(np.abs(detail[where])))


def half_way(
    values: Float[np.ndarray, "i j k"],
    distance_mm: Float[np.ndarray, "i j k"],
    liver: Bool[np.ndarray, "i j k"],
    levels: tuple[float, float],
    spacing_mm: float,
) -> tuple[Float[np.ndarray, "i j k"], Float[np.ndarray, "i j k"]]:
    """The value half-way between zone and surroundings, and half their difference, everywhere.

    Args:
        values: The smoothed image.
        distance_mm: To the border as far as it is known; negative inside.
        liver: Where the surroundings are read.
        levels: Values of zone and liver, where none is near.
        spacing_mm: Voxel edge.
    """
    inner = (distance_mm < -INSIDE_MM[0]) & (distance_mm > -INSIDE_MM[1]) & liver
    outer = (distance_mm > OUTSIDE_MM[0]) & (distance_mm < OUTSIDE_MM[1]) & liver
    sides = [
        _nearby(values, where, level, NEAR_MM / spacing_mm)
        for where, level in zip((inner, outer), levels, strict=True)
    ]
    return (sides[0] + sides[1]) / 2, (sides[1] - sides[0]) / 2


def _nearby(
    values: Float[np.ndarray, "i j k"],
    where: Bool[np.ndarray, "i j k"],
    otherwise: float,
    sigma_voxels: float,
) -> Float[np.ndarray, "i j k"]:
    """Averages over a region's voxels nearby, drawn towards a value where there are few."""
    weight = ndimage.gaussian_filter(where.astype(np.float32), sigma_voxels, truncate=2.5)
    total = ndimage.gaussian_filter(
        np.where(where, values - otherwise, 0.0).astype(np.float32), sigma_voxels, truncate=2.5
    )
    return np.float32(otherwise) + total / (weight + np.float32(ENOUGH))
