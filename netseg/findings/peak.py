"""The highest mean uptake in a sphere of 1 ml: a maximum that noise moves less than a single voxel's.

As PERCIST defines SUVpeak (Wahl et al., J Nucl Med 2009;50 Suppl 1:122S-150S). Its definition leaves
open where the sphere may lie; here its centre is any voxel of the lesion, and the sphere may reach
beyond the lesion.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

    from netseg.domain import Grid, Volume

PEAK_ML = 1.0
PEAK_RADIUS_MM = (3000.0 * PEAK_ML / (4.0 * np.pi)) ** (1 / 3)  # 6.2 mm
PARTS = 7  # a voxel on the sphere's surface counts by the share of its 7³ parts inside


def peak(
    volume: Volume, start: tuple[int, int, int], centres: Bool[np.ndarray, "i j k"]
) -> float | None:
    """The highest mean over a 1 ml sphere around any of the centres.

    Args:
        volume: The image.
        start: First voxel of the box that `centres` covers.
        centres: Voxels the sphere may be centred on.

    Returns:
        The peak; None where no such sphere lies wholly in the image.
    """
    kernel = sphere(volume.grid)
    reach = np.array(kernel.shape) // 2
    first = np.array(start) - reach
    stop = np.array(start) + centres.shape + reach
    low, high = np.maximum(first, 0), np.minimum(stop, volume.grid.shape)
    part = volume.values[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    means = ndimage.correlate(part.astype(np.float64), kernel, mode="nearest")
    here = tuple(slice(a - b, a - b + n) for a, b, n in zip(start, low, centres.shape, strict=True))
    usable = centres & _wholly_inside(start, centres.shape, reach, volume.grid.shape)
    return float(means[here][usable].max()) if usable.any() else None


def sphere(grid: Grid) -> Float[np.ndarray, "i j k"]:
    """Weights of the voxels around a centre in the mean over the sphere; they sum to 1."""
    step = np.linalg.inv(grid.affine_lps[:3, :3])
    reach = np.ceil(PEAK_RADIUS_MM * np.linalg.norm(step, axis=1) + 0.5 - 1e-9).astype(int)
    index = np.indices(2 * reach + 1).reshape(3, -1).T - reach
    offsets = (np.arange(PARTS) + 0.5) / PARTS - 0.5
    weights = np.zeros(len(index))
    for offset in product(offsets, repeat=3):
        away_mm = (index + offset) @ grid.affine_lps[:3, :3].T
        weights += (away_mm**2).sum(axis=1) <= PEAK_RADIUS_MM**2
    shape = tuple(int(n) for n in 2 * reach + 1)
    return (weights / weights.sum()).reshape(shape)


def _wholly_inside(
    start: tuple[int, int, int],
    shape: tuple[int, ...],
    reach: np.ndarray,
    image: tuple[int, int, int],
) -> Bool[np.ndarray, "i j k"]:
    """Which voxels of the box are at least `reach` voxels away from the image's border."""
    inside = np.ones(shape, np.bool_)
    for axis, (first, n, margin, size) in enumerate(zip(start, shape, reach, image, strict=True)):
        index = np.arange(first, first + n)
        fits = (index >= margin) & (index < size - margin)
        inside &= fits.reshape([-1 if a == axis else 1 for a in range(3)])
    return inside
