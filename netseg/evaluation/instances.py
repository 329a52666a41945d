"""Which voxels belong to which lesion, kept as a list of voxels: memory follows the lesions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from netseg.domain import LabelMap, Mask
from netseg.evaluation.box import Box, shared_box

if TYPE_CHECKING:
    from jaxtyping import Integer, Shaped

    from netseg.domain import Grid

Lesions: TypeAlias = Mask | LabelMap
"""A mask's lesions are its 26-connected parts; a label map's are its numbers, as they are."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Instances:
    """The lesions of one image within a box.

    Attributes:
        box: The part of the image that was looked at.
        shape: Its number of voxels along i, j, k.
        grid: The whole image's grid.
        numbers: Numbers of the lesions in descending volume.
        voxels: Places of their voxels in the flattened box, ascending.
        owner: For each of these voxels, the place of its lesion in `numbers`.
        sizes: Voxels per lesion, in the order of `numbers`.
    """

    box: Box
    shape: tuple[int, ...]
    grid: Grid
    numbers: tuple[int, ...]
    voxels: Integer[np.ndarray, " n"]
    owner: Integer[np.ndarray, " n"]
    sizes: Integer[np.ndarray, " m"]

    def volume_ml(self, place: int) -> float:
        """Volume of the lesion at one place of `numbers`."""
        return float(self.sizes[place]) * self.grid.voxel_volume_ml

    def means(self, values: Shaped[np.ndarray, "i j k"]) -> dict[int, float]:
        """Mean of an image over every lesion, by the lesion's number.

        Args:
            values: Numbers on the whole image's grid.
        """
        inside = values[self.box].reshape(-1)[self.voxels]
        sums = np.bincount(self.owner, weights=inside, minlength=len(self.numbers))
        return {n: float(s / c) for n, s, c in zip(self.numbers, sums, self.sizes, strict=True)}


def instances(lesions: Lesions, box: Box | None = None) -> Instances:
    """The lesions of a mask or label map.

    Args:
        lesions: A mask (its 26-connected parts are numbered 1 … n in descending volume, equal ones
            in the order of their first voxel) or a label map (each number is one lesion).
        box: A box that holds all of them; the smallest one when absent.
    """
    values = voxels_of(lesions)
    box = box or shared_box(values) or (slice(0, 1), slice(0, 1), slice(0, 1))
    inside = values[box]
    voxels = np.flatnonzero(inside)
    if isinstance(lesions, LabelMap):
        labels = inside.reshape(-1)[voxels]
    else:
        labels = _connected(inside).reshape(-1)[voxels]
    found, first, owner, sizes = np.unique(
        labels, return_index=True, return_inverse=True, return_counts=True
    )
    order = np.lexsort((first, -sizes))
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    named = isinstance(lesions, LabelMap)
    return Instances(
        box=box,
        shape=inside.shape,
        grid=lesions.grid,
        numbers=tuple(int(found[n]) if named else k for k, n in enumerate(order, start=1)),
        voxels=voxels,
        owner=place[owner.reshape(-1)],
        sizes=sizes[order].astype(np.int64),
    )


def voxels_of(lesions: Lesions) -> Shaped[np.ndarray, "i j k"]:
    """The voxels of a mask or label map; what is not zero is inside."""
    return lesions.labels if isinstance(lesions, LabelMap) else lesions.inside


def _connected(inside: Shaped[np.ndarray, "i j k"]) -> Integer[np.ndarray, "i j k"]:
    import cc3d  # its Cython signature wants an array it could write to: hence the copy

    if not inside.any():
        return np.zeros(inside.shape, np.uint8)
    return np.asarray(cc3d.connected_components(inside.copy(), connectivity=26))
