"""How much of each voxel of one image lies in a region that is known on another image's grid.

A PET voxel holds many CT voxels. Taking or leaving it as a whole gives lesions of a few PET voxels a
wrong volume; so every PET voxel counts by the share of it that the region covers, and the shares add
up to the region's own volume.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

    from netseg.domain import Grid, Volume
    from netseg.findings.region import Region

PARTS, MOST_PARTS = 4, 6  # parts per edge of the finer of both voxels, and per voxel at most
MANY = 50_000  # regions of more voxels are cut half as fine: what is lost averages out
MOSTLY = 0.5 - 1e-3  # a voxel half covered counts as inside, whatever the rounding


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Coverage:
    """A region on another grid.

    Attributes:
        start: First voxel of the box on that grid.
        share: Share of each of the box's voxels that the region covers; about 0 … 1.
        voxel_ml: Volume of one voxel.
    """

    start: tuple[int, int, int]
    share: Float[np.ndarray, "i j k"]
    voxel_ml: float

    @property
    def box(self) -> tuple[slice, slice, slice]:
        """The box as an index into arrays on that grid."""
        i, j, k = (slice(a, a + n) for a, n in zip(self.start, self.share.shape, strict=True))
        return i, j, k

    @property
    def mostly(self) -> Bool[np.ndarray, "i j k"]:
        """The voxels that are covered by half or more."""
        return self.share >= MOSTLY

    @property
    def voxels(self) -> int:
        """How many voxels the region touches."""
        return int(np.count_nonzero(self.share))


def coverage(region: Region, on: Grid) -> Coverage | None:
    """The region on another grid, volume preserved.

    Every voxel of the region is cut into parts a quarter of the edge of `on`'s voxels wide; each part
    goes to the voxel its centre lies in. The sum of the shares is exact, a single one to about 15 %.

    Args:
        region: At least one voxel.
        on: The other grid, in the same frame; any orientation and spacing.

    Returns:
        Shares; None where the grid does not reach all of the region.
    """
    index = np.argwhere(region.inside).astype(np.float64)
    per_mm = (PARTS if len(index) <= MANY else PARTS / 2) / min(on.spacing_mm)
    parts = [
        int(np.clip(np.ceil(s * per_mm - 1e-6), 1, MOST_PARTS)) for s in region.grid.spacing_mm
    ]
    offsets = [(np.arange(n) + 0.5) / n - 0.5 for n in parts]
    hits = []
    for offset in product(*offsets):
        there = np.rint(on.to_index(region.grid.to_mm(index + offset))).astype(np.int64)
        if (there < 0).any() or (there >= on.shape).any():
            return None
        hits.append(there)
    first = np.min([h.min(axis=0) for h in hits], axis=0)
    shape = np.max([h.max(axis=0) for h in hits], axis=0) - first + 1
    counts = np.zeros(int(np.prod(shape)), np.int64)
    for hit in hits:
        flat = np.ravel_multi_index(tuple((hit - first).T), tuple(shape))
        counts += np.bincount(flat, minlength=len(counts))
    part_ml = region.grid.voxel_volume_ml / float(np.prod(parts))
    return Coverage(
        start=(int(first[0]), int(first[1]), int(first[2])),
        share=counts.reshape(tuple(shape)) * (part_ml / on.voxel_volume_ml),
        voxel_ml=on.voxel_volume_ml,
    )


def centre_values(region: Region, volume: Volume) -> Float[np.ndarray, " n"]:
    """Values of the image's own voxels whose centre falls into a voxel of the region.

    Right for regions of many voxels, such as lesion-free liver; `coverage` is for small ones.
    """
    corners = volume.grid.to_index(region.grid.corners_mm())
    first = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, volume.grid.shape)
    stop = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 1, first, volume.grid.shape)
    box = tuple(slice(a, b) for a, b in zip(first, stop, strict=True))
    part = volume.values[box]
    if not part.size:
        return np.empty(0, np.float32)
    found = []
    inside = region.inside.astype(np.uint8)
    for plane in range(part.shape[2]):  # one layer at a time bounds the memory
        index = np.indices((*part.shape[:2], 1)).reshape(3, -1).T + first + (0, 0, plane)
        where = region.grid.to_index(volume.grid.to_mm(index))
        hit = ndimage.map_coordinates(inside, where.T, order=0, mode="constant", cval=0)
        found.append(part[:, :, plane].reshape(-1)[hit > 0])
    return np.concatenate(found).astype(np.float32)
