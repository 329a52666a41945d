"""The same tissue on other voxels.

Every function maps voxel centres through millimetres, so that oblique, flipped and permuted grids
come out right, and refuses grids of different frames. A voxel reaches half a step beyond its
centre: up to there the border's value holds, farther out the caller's `outside`. Values are
interpolated, not averaged: going to voxels more than about twice as wide aliases noise; smooth the
volume before that. Work proceeds in slabs, so that a large scan is never copied as float64.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.ndimage  # pyright: ignore[reportMissingTypeStubs]

from netseg.domain.grid import require_same_frame
from netseg.domain.volume import LabelMap, Mask, Volume
from netseg.geometry.extent import bounding_box, crop, isotropic_grid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jaxtyping import Bool, Float, Shaped

    from netseg.domain.grid import Grid

__all__ = [
    "bounding_box",
    "crop",
    "isotropic_grid",
    "resample",
    "resample_labels",
    "resample_mask",
]

ndimage: Any = scipy.ndimage  # scipy carries no types, and the guessed ones are wrong

SLAB_VOXELS = 4_000_000  # voxels interpolated at once: 16 MB per float32 array
HALF_VOXEL = 0.5 + 1e-6  # index steps; the surplus forgives rounding of the affine
HALF_SHARE = 0.5 - 1e-5  # a voxel half covered counts as inside, whatever the rounding


def resample(volume: Volume, grid: Grid, *, order: int = 1, outside: float) -> Volume:
    """Interpolate a volume at the voxel centres of another grid.

    Args:
        volume: What to interpolate.
        grid: Where the values are wanted, in the same frame.
        order: Degree of the spline: 0 nearest voxel, 1 linear, 3 cubic (may overshoot at edges).
        outside: Value beyond the volume's field of view, -1024 for HU for instance.

    Returns:
        float32 values on `grid`, of the same quantity. On the volume's own grid the volume itself.

    Raises:
        FrameMismatchError: If the frames differ.
        ValueError: If `order` is not 0 … 5 or `outside` is not finite.
    """
    require_same_frame("resampling", volume.grid, grid)
    if order not in range(6):
        raise ValueError(f"order must be a whole number in 0 … 5; got {order}.")
    if not np.isfinite(outside):
        raise ValueError(f"outside must be finite; got {outside}.")
    if volume.grid.is_same_as(grid):
        return volume
    values = np.empty(grid.shape, np.float32)
    source = _spline_coefficients(volume.values, order)
    for part, piece in _slabs(source, volume.grid, grid, order, np.dtype(np.float32)):
        piece[~_covered(volume.grid, grid, part)] = outside
        values[:, :, part] = piece
    return Volume(values, grid, volume.quantity)


def resample_mask(mask: Mask, grid: Grid, *, half_is_inside: bool = True) -> Mask:
    """A region on another grid: voxels of which, interpolated linearly, at least half is inside.

    Args:
        mask: The region.
        grid: Where it is wanted, in the same frame.
        half_is_inside: Whether a voxel of exactly one half belongs to the region. Between grids
            half a voxel apart many do: then True grows it, False shrinks it.

    Returns:
        The region on `grid`; beyond the mask's field of view nothing is inside.

    Raises:
        FrameMismatchError: If the frames differ.
    """
    require_same_frame("resampling a mask", mask.grid, grid)
    if mask.grid.is_same_as(grid):
        return mask
    inside = np.empty(grid.shape, np.bool_)
    source = mask.inside.view(np.uint8)
    for part, piece in _slabs(source, mask.grid, grid, 1, np.dtype(np.float32)):
        most = piece >= HALF_SHARE if half_is_inside else piece > 1 - HALF_SHARE
        inside[:, :, part] = most & _covered(mask.grid, grid, part)
    return Mask(inside, grid)


def resample_labels(labels: LabelMap, grid: Grid) -> LabelMap:
    """Regions on another grid: every voxel takes the number of the nearest one.

    Args:
        labels: The regions.
        grid: Where they are wanted, in the same frame.

    Returns:
        The regions on `grid`, with the same names and number type; 0 beyond the field of view.

    Raises:
        FrameMismatchError: If the frames differ.
    """
    require_same_frame("resampling labels", labels.grid, grid)
    if labels.grid.is_same_as(grid):
        return labels
    values = np.empty(grid.shape, labels.labels.dtype)
    for part, piece in _slabs(labels.labels, labels.grid, grid, 0, labels.labels.dtype):
        piece[~_covered(labels.grid, grid, part)] = 0
        values[:, :, part] = piece
    return LabelMap(values, grid, labels.names)


def _spline_coefficients(values: Shaped[np.ndarray, "i j k"], order: int) -> np.ndarray:
    if order < 2:
        return values
    return ndimage.spline_filter(values, order, output=np.float32, mode="mirror")


def _slabs(
    source: Shaped[np.ndarray, "i j k"], at: Grid, grid: Grid, order: int, kind: np.dtype
) -> Iterator[tuple[slice, Shaped[np.ndarray, "i j k"]]]:
    """Interpolated pieces of `grid` along k, with where they belong."""
    matrix, offset = _index_map(at, grid)
    mode = "mirror" if order > 1 else "nearest"
    step = max(1, SLAB_VOXELS // (grid.shape[0] * grid.shape[1]))
    for first in range(0, grid.shape[2], step):
        part = slice(first, min(first + step, grid.shape[2]))
        piece = np.empty((*grid.shape[:2], part.stop - part.start), kind)
        ndimage.affine_transform(
            source,
            matrix,
            offset=offset + matrix[:, 2] * first,
            output=piece,
            output_shape=piece.shape,
            order=order,
            mode=mode,
            prefilter=False,
        )
        yield part, piece


def _index_map(source: Grid, target: Grid) -> tuple[Float[np.ndarray, "3 3"], Float[np.ndarray, 3]]:
    """Matrix and offset from target indices to source indices."""
    both = np.linalg.inv(source.affine_lps) @ target.affine_lps
    return both[:3, :3], both[:3, 3]


def _covered(source: Grid, target: Grid, part: slice) -> Bool[np.ndarray, "i j k"]:
    """Which voxel centres of a slab of `target` lie within the source's field of view."""
    matrix, offset = _index_map(source, target)
    i, j, k = np.ogrid[: target.shape[0], : target.shape[1], part.start : part.stop]
    inside = np.ones((*target.shape[:2], part.stop - part.start), np.bool_)
    for axis, size in enumerate(source.shape):
        a, b, c = matrix[axis]
        index = (a * i + b * j) + (c * k + offset[axis])
        inside &= (index >= -HALF_VOXEL) & (index <= size - 1 + HALF_VOXEL)
    return inside
