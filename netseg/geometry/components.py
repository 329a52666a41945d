"""Connected regions: which lesion voxels belong to one lesion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netseg.domain.volume import LabelMap

if TYPE_CHECKING:
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

    found = np.asarray(cc3d.connected_components(mask.inside.copy(), connectivity=26))
    sizes = np.bincount(found.ravel())
    numbers = np.flatnonzero(sizes)
    numbers = numbers[numbers != 0]
    first = dict(zip(*np.unique(found, return_index=True), strict=True))
    order = sorted(numbers, key=lambda number: (-sizes[number], first[number]))
    kind = np.uint8 if len(order) < 256 else np.uint16 if len(order) < 65536 else np.uint32
    renumbered = np.zeros(len(sizes), kind)
    renumbered[order] = np.arange(1, len(order) + 1)
    return LabelMap(renumbered[found], mask.grid)
