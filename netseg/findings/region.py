"""A lesion or another region cut out of its image: further work stays inside its bounding box."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from netseg.domain import Mask
from netseg.geometry.distance import signed_distance_mm

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jaxtyping import Bool, Float

    from netseg.domain import Grid, LabelMap

CHUNK = 200_000  # points per step: bounds the memory at some 20 MB


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Region:
    """The voxels of one region in its bounding box.

    Attributes:
        id: The lesion's number in the label map; 0 for a region that is no lesion.
        start: The box's first voxel in the label map.
        inside: The region's voxels in the box.
        grid: Where the box lies.
        at_border: Whether a lesion touches the first or last voxel layer of the image.
    """

    id: int
    start: tuple[int, int, int]
    inside: Bool[np.ndarray, "i j k"]
    grid: Grid
    at_border: bool

    @property
    def box(self) -> tuple[slice, slice, slice]:
        """The box as an index into arrays on the label map's grid."""
        i, j, k = (slice(a, a + n) for a, n in zip(self.start, self.inside.shape, strict=True))
        return i, j, k

    @property
    def volume_ml(self) -> float:
        """Volume of the region's voxels."""
        return self.voxels * self.grid.voxel_volume_ml

    @property
    def voxels(self) -> int:
        """How many voxels it has."""
        return int(np.count_nonzero(self.inside))

    @property
    def equivalent_diameter_mm(self) -> float:
        """Diameter of the sphere of the same volume."""
        return float((6000.0 * self.volume_ml / np.pi) ** (1 / 3))

    def points_mm(self) -> Iterator[Float[np.ndarray, "n 3"]]:
        """Centres of the region's voxels (LPS), in the order `inside` selects them, part by part."""
        where = np.flatnonzero(self.inside)
        for first in range(0, len(where), CHUNK):
            index = np.unravel_index(where[first : first + CHUNK], self.inside.shape)
            yield self.grid.to_mm(np.stack(index, axis=-1))

    def centroid_mm(self) -> Float[np.ndarray, "3"]:
        """Mean of the centres of its voxels (LPS)."""
        return np.sum([part.sum(axis=0) for part in self.points_mm()], axis=0) / self.voxels

    def within(self, inside: Bool[np.ndarray, "i j k"]) -> Region:
        """The part of the region that is also in `inside`, an array over its box."""
        return replace(self, inside=self.inside & inside)

    def depth_mm(self) -> Float[np.ndarray, "i j k"]:
        """How deep every voxel's centre lies below the region's surface; 0 outside.

        Raises:
            StudyRejectedError: If the grid's axes are sheared (GANTRY_TILT).
        """
        i, j, k = self.inside.shape
        around = self.grid.crop((-1, -1, -1), (i + 2, j + 2, k + 2))
        distance = signed_distance_mm(Mask(np.pad(self.inside, 1), around))
        return np.maximum(-distance[1:-1, 1:-1, 1:-1], 0)


def regions(lesions: LabelMap) -> Iterator[Region]:
    """The lesions of a label map, in the order of their numbers."""
    for index, box in enumerate(ndimage.find_objects(lesions.labels)):
        if box is None:
            continue
        inside = lesions.labels[box] == index + 1
        start = (int(box[0].start), int(box[1].start), int(box[2].start))
        yield Region(
            id=index + 1,
            start=start,
            inside=inside,
            grid=lesions.grid.crop(start, (len(inside), *inside.shape[1:])),
            at_border=any(
                s.start == 0 or s.stop == n for s, n in zip(box, lesions.grid.shape, strict=True)
            ),
        )
