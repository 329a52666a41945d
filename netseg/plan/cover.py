"""Regions on coarser voxels without losing their thin parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netseg.domain import LabelMap, require_same_frame
from netseg.geometry.resample import resample_labels

if TYPE_CHECKING:
    from jaxtyping import Bool, Integer

    from netseg.domain import Grid, Mask

CHUNK = 1_000_000  # voxels moved at once


def cover(mask: Mask, grid: Grid) -> Bool[np.ndarray, "i j k"]:
    """The voxels of `grid` that hold any voxel centre of a region, or whose centre lies in it.

    Unlike interpolation this never makes a region thinner: a rib's shell of one fine voxel still
    blocks a coarse one.

    Args:
        mask: The region, on voxels of any size.
        grid: Where it is wanted, in the same frame.

    Raises:
        FrameMismatchError: If the frames differ.
    """
    return cover_numbers(LabelMap(mask.inside.view(np.uint8), mask.grid), grid) > 0


def cover_numbers(labels: LabelMap, grid: Grid) -> Integer[np.ndarray, "i j k"]:
    """The same for several regions at once; where two meet in one voxel the smaller number stays.

    Args:
        labels: The regions.
        grid: Where they are wanted, in the same frame.

    Raises:
        FrameMismatchError: If the frames differ.
    """
    require_same_frame("covering", labels.grid, grid)
    if max(labels.grid.spacing_mm) > min(grid.spacing_mm):  # else no voxel of `grid` stays empty
        found = resample_labels(labels, grid).labels.copy()
    else:
        found = np.zeros(grid.shape, labels.labels.dtype)
    both = np.linalg.inv(grid.affine_lps) @ labels.grid.affine_lps
    index = np.argwhere(labels.labels)
    numbers = labels.labels[tuple(index.T)]
    order = np.argsort(numbers, kind="stable")[::-1]
    for start in range(0, len(index), CHUNK):
        part = order[start : start + CHUNK]
        near = np.rint(index[part] @ both[:3, :3].T + both[:3, 3]).astype(np.intp)
        within = np.all((near >= 0) & (near < grid.shape), axis=1)
        found[tuple(near[within].T)] = numbers[part][within]
    return found
