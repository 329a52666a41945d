"""The part of an image that two regions need: everything is measured in there."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jaxtyping import Shaped

Box: TypeAlias = tuple[slice, slice, slice]

SLAB_VOXELS = 4_000_000  # voxels looked at together, so that no large temporary array is made


def shared_box(*regions: Shaped[np.ndarray, "i j k"]) -> Box | None:
    """The smallest box that holds every voxel of the regions that is not zero.

    Args:
        *regions: Masks or labels of one shape.

    Returns:
        A slice per axis; None where all regions are empty.
    """
    found: list[slice] = []
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        used = np.zeros(regions[0].shape[axis], np.bool_)
        for region in regions:
            used |= region.any(axis=others)
        positions = np.flatnonzero(used)
        if not positions.size:
            return None
        found.append(slice(int(positions[0]), int(positions[-1]) + 1))
    return found[0], found[1], found[2]


def slabs(shape: tuple[int, ...], voxels: int = SLAB_VOXELS) -> Iterator[tuple[slice, ...]]:
    """Pieces of an array along its last axis, each of about `voxels` elements.

    >>> [part[-1] for part in slabs((10, 10, 5), voxels=200)]
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    plane = max(1, int(np.prod(shape[:-1])))
    step = max(1, voxels // plane)
    for first in range(0, shape[-1], step):
        yield (*(slice(None),) * (len(shape) - 1), slice(first, min(first + step, shape[-1])))
