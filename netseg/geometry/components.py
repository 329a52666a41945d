"""Connected regions: which lesion voxels belong to one lesion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netseg.domain.volume import LabelMap
from netseg.geometry.extent import bounding_box

if TYPE_CHECKING:
    from jaxtyping import Int, UInt

    from netseg.domain.volume import Mask


def components(mask: Mask) -> LabelMap:
    """Number the 26-connected parts of a region.

    Voxels that share a face, an edge or a corner belong together.

    Args:
        mask: The region.

    Returns:
        1 … n in descending volume; equal volumes in the order of their first voxel (i, then j,
        then k). An empty mask gives no label.
    """
    import cc3d  # its Cython signature wants arrays it could write to: hence the copy

    if mask.is_empty:
        return LabelMap.empty(mask.grid)
    start, shape = bounding_box(mask, 0.0)
    box = tuple(slice(a, a + n) for a, n in zip(start, shape, strict=True))
    found = np.asarray(cc3d.connected_components(mask.inside[box].copy(), connectivity=26))
    order = _largest_first(found)
    kind = np.uint8 if len(order) < 256 else np.uint16 if len(order) < 65536 else np.uint32
    renumbered = np.zeros(len(order) + 1, kind)
    renumbered[order] = np.arange(1, len(order) + 1)
    labels = np.zeros(mask.grid.shape, kind)
    inside = labels[box]
    for i, slab in enumerate(found):
        inside[i] = renumbered[slab]
    return LabelMap(labels, mask.grid)


def _largest_first(numbered: UInt[np.ndarray, "i j k"]) -> Int[np.ndarray, " parts"]:
    """The parts 1 … n by descending volume, then by their first voxel.

    One slab at a time, and of it the voxels of parts only: a volume of 512x512x1000 voxels is
    neither sorted nor copied.
    """
    parts = int(numbered.max())
    sizes = np.zeros(parts + 1, np.int64)
    first = np.zeros(parts + 1, np.int64)
    for i in range(len(numbered) - 1, -1, -1):
        flat = numbered[i].ravel()
        places = np.flatnonzero(flat)[::-1]
        met = flat[places]
        counted = np.bincount(met)
        sizes[: len(counted)] += counted
        first[met] = places + i * flat.size  # written from the last voxel to the first, which stays
    return np.lexsort((first[1:], -sizes[1:])) + 1
