"""Regions on coarser voxels without losing their thin parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netseg.domain import LabelMap
from netseg.geometry.resample import resample_labels

if TYPE_CHECKING:
    from jaxtyping import Bool

    from netseg.domain import Grid, Mask

CHUNK = 1_000_000  # voxels moved at once


def cover(mask: Mask, grid: Grid) -> Bool[np.ndarray, "i j k"]:
    """The voxels of `grid` that hold any voxel centre of the region, or whose centre lies in it.

    Unlike interpolation this never makes a region thinner: a rib's shell of one fine voxel still
    blocks a coarse one.

    Args:
        mask: The region, on voxels of any size.
        grid: Where it is wanted, in the same frame.

    Raises:
        FrameMismatchError: If the frames differ.
    """
    found = resample_labels(LabelMap(mask.inside.astype(np.uint8), mask.grid), grid).labels > 0
    both = np.linalg.inv(grid.affine_lps) @ mask.grid.affine_lps
    index = np.argwhere(mask.inside)
    for start in range(0, len(index), CHUNK):
        part = index[start : start + CHUNK] @ both[:3, :3].T + both[:3, 3]
        near = np.rint(part).astype(np.intp)
        near = near[np.all((near >= 0) & (near < grid.shape), axis=1)]
        found[tuple(near.T)] = True
    return found
