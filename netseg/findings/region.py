"""One lesion cut out of the label map: all further work stays inside its bounding box."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jaxtyping import Bool, Float

    from netseg.domain import Grid, LabelMap


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Region:
    """The voxels of one lesion in its bounding box.

    Attributes:
        id: The lesion's number in the label map.
        start: The box's first voxel in the label map.
        inside: The lesion's voxels in the box.
        grid: Where the box lies.
        at_border: Whether the lesion touches the first or last voxel layer of the image.
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
        """Volume of the lesion's voxels."""
        return float(np.count_nonzero(self.inside)) * self.grid.voxel_volume_ml

    def points_mm(self) -> Float[np.ndarray, "n 3"]:
        """Centres of the lesion's voxels (LPS)."""
        return self.grid.to_mm(np.argwhere(self.inside))


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
