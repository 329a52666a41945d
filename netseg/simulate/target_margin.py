"""How far a simulated zone reaches beyond a target.

A prediction's margin, for the probabilities of an ensemble; the margin that counts is measured in a
control scan by the verify station.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from scipy import ndimage

from netseg.domain.grid import require_same_frame
from netseg.geometry.distance import signed_distance_mm
from netseg.geometry.extent import bounding_box, crop
from netseg.simulate.surface import FAR

if TYPE_CHECKING:
    from jaxtyping import Float

    from netseg.domain.grid import Grid
    from netseg.domain.volume import Mask

LOOK_MM = 12.0  # margins are told up to here


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Target:
    """A region to be destroyed, ready to be compared with many zones.

    Attributes:
        distance_mm: Signed distance to its surface, negative inside, on a box around it.
        index: The box's voxel centres in the simulation window's indices, shape (3, i, j, k).
    """

    distance_mm: Float[np.ndarray, "i j k"]
    index: Float[np.ndarray, "3 i j k"]

    @classmethod
    def prepare(cls, target: Mask, window: Grid) -> Self:
        """Place a target in a simulation window.

        Raises:
            FrameMismatchError: If the two do not share a frame.
            StudyRejectedError: If the mask is empty or its axes are sheared.
        """
        require_same_frame("ensemble target", target.grid, window)
        start, shape = bounding_box(target, LOOK_MM)
        part = crop(target, start, shape)
        voxels = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), -1)
        index = window.to_index(part.grid.to_mm(voxels.reshape(-1, 3)))
        return cls(
            distance_mm=signed_distance_mm(part),
            index=np.moveaxis(index.reshape(*shape, 3), -1, 0),
        )

    def margin_mm(self, depth: Float[np.ndarray, "i j k"]) -> float:
        """Smallest distance from the target's surface to where the zone ends.

        Negative where the target reaches out of the zone. The zone's surface is found between
        voxels, where the depth, linear between them, is zero; the distance to the target is that of
        its voxels, which comes out up to half a millimetre short at 1 mm voxels. At most `LOOK_MM`,
        and no more than the image around the target holds.

        Args:
            depth: Positive inside the zone, on the window that the target was prepared for.
        """
        values = ndimage.map_coordinates(
            np.clip(depth, FAR, -FAR), self.index, order=1, mode="constant", cval=FAR
        )
        inside = values >= 0
        nearest = [LOOK_MM, *self.distance_mm[~inside].tolist()]
        for axis in range(3):
            low, high = (_slice(axis, s) for s in (slice(None, -1), slice(1, None)))
            crosses = inside[low] != inside[high]
            first, last = values[low][crosses], values[high][crosses]
            share = first / (first - last)
            way = self.distance_mm[low][crosses] * (1 - share)
            nearest += (way + self.distance_mm[high][crosses] * share).tolist()
        return float(min(nearest))


def _slice(axis: int, part: slice) -> tuple[slice, ...]:
    return tuple(part if a == axis else slice(None) for a in range(3))
