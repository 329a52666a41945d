"""Connected regions: which lesion voxels belong to one lesion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netseg.domain.volume import LabelMap
from netseg.geometry.extent import bounding_box

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

    if mask.is_empty:
        return LabelMap.empty(mask.grid)
    start, shape = bounding_box(mask, 0.0)
    box = tuple(slice(a, a + n) for a, n in zip(start, shape, strict=True))
    found = np.asarray(cc3d.connected_components(mask.inside[box].copy(), connectivity=26))
    numbers, first, sizes = np.unique(found, return_index=True, return_counts=True)
    order = sorted(range(len(numbers)), key=lambda n: (-int(sizes[n]), int(first[n])))
    order = [n for n in order if numbers[n] != 0]
    kind = np.uint8 if len(order) < 256 else np.uint16 if len(order) < 65536 else np.uint32
    renumbered = np.zeros(int(numbers.max()) + 1, kind)
    renumbered[numbers[order]] = np.arange(1, len(order) + 1)
    labels = np.zeros(mask.grid.shape, kind)
    labels[box] = renumbered[found]
    return LabelMap(labels, mask.grid)
