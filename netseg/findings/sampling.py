"""Values of an image at points of the patient, without resampling the whole image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

    from netseg.domain import Grid, Volume


def values_at(volume: Volume, points_mm: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " m"]:
    """Trilinear values at the points that lie inside the image's outermost voxels.

    Sampling a series at the centres of a lesion's voxels is what resampling the series onto the
    segmentation's grid would give there.

    Args:
        volume: The image.
        points_mm: Points in the image's own frame (LPS); the caller has checked the frame, and hands
            on many points in parts: each takes some 100 bytes here.

    Returns:
        Values of the points inside the image, in order; points outside are left out.
    """
    index = volume.grid.to_index(points_mm)
    index = index[_within(index, volume.grid)]
    return ndimage.map_coordinates(
        volume.values, index.T, output=np.float32, order=1, mode="nearest"
    )


def _within(index: Float[np.ndarray, "n 3"], grid: Grid) -> Bool[np.ndarray, " n"]:
    """Which voxel indices lie in the image, half a voxel beyond its outermost centres included."""
    return np.all((index >= -0.5) & (index <= np.array(grid.shape) - 0.5), axis=1)
