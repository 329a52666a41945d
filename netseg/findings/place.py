"""How near a lesion lies to the liver's capsule and to named vessels.

Distances run from voxel box to voxel box: exact for block shapes, a lower bound on round ones (up to
1.3 mm short at 1 mm voxels). Voxels that touch, by a corner even, are 0 apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import scipy.ndimage
from scipy.spatial import KDTree

from netseg.domain import Mask, require_same_grid
from netseg.geometry.extent import bounding_box

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Bool

    from netseg.domain import LabelMap
    from netseg.findings.record import Record
    from netseg.findings.region import Region

ndimage: Any = scipy.ndimage  # the types guessed for it are wrong

CAPSULE, TOUCHES = "capsule_distance_mm", "touches_capsule"
SOME = (
    50  # of so many points one is searched from first: nothing farther is searched for thereafter
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Nearby:
    """One structure that lesions are measured to, in its own bounding box.

    No map of distances is held: a long scan has no room for one. The shortest way ends on the surface
    of the structure, so that a search among its surface's voxels finds it.

    Attributes:
        start: First voxel of the box.
        grown: The structure grown by one voxel to each side: voxel boxes are nearer to each other than
            their centres by one step along each axis.
        beyond: Whether the structure goes on beyond the box, as the liver's outside does.
        surface: The grown structure's outermost voxels by their centres, in mm along the grid's axes
            from the centre of its first voxel; None without any.
        spacing_mm: Voxel edges along the axes.
    """

    start: tuple[int, int, int]
    grown: Bool[np.ndarray, "i j k"]
    beyond: bool
    surface: KDTree | None
    spacing_mm: tuple[float, float, float]

    @classmethod
    def of(cls, where: Mask, *, beyond: bool) -> Self:
        """A structure, or with `beyond` all that lies outside of the mask.

        Args:
            where: At least one voxel, on perpendicular axes.
            beyond: Whether the structure is what the mask leaves out.
        """
        first, shape = bounding_box(where, 0.0)
        low = [max(0, a - 1) for a in first]
        box = tuple(slice(a, b + n + 1) for a, b, n in zip(low, first, shape, strict=True))
        structure = where.inside[box] != beyond
        grown = ndimage.maximum_filter(structure.view(np.uint8), 3, mode="constant").view(np.bool_)
        within = ndimage.binary_erosion(grown, border_value=beyond)
        outermost = np.argwhere(grown & ~within) + low
        spacing = where.grid.spacing_mm
        return cls(
            start=(low[0], low[1], low[2]),
            grown=grown,
            beyond=beyond,
            surface=KDTree(outermost * spacing, balanced_tree=False) if len(outermost) else None,
            spacing_mm=spacing,
        )

    def gap_mm(self, region: Region) -> float:
        """Shortest way from a region's voxel boxes to the structure's; infinite without a structure."""
        index = np.argwhere(region.inside & ~ndimage.binary_erosion(region.inside)) + region.start
        here = index - self.start
        in_box = np.all((here >= 0) & (here < self.grown.shape), axis=1)
        if (self.beyond and not in_box.all()) or self.grown[tuple(here[in_box].T)].any():
            return 0.0
        if self.surface is None:
            return np.inf
        points = index * np.array(self.spacing_mm)
        near_mm = float(self.surface.query(points[::SOME])[0].min())
        nearer_mm, _ = self.surface.query(points, distance_upper_bound=near_mm)
        return min(near_mm, float(nearer_mm.min()))


def surroundings(
    liver: Mask | None, lesions: LabelMap, vessels: LabelMap | None
) -> dict[str, Nearby]:
    """Prepare the distances of all lesions.

    Args:
        liver: The liver, lesions included; None leaves the capsule out.
        lesions: On the same grid.
        vessels: Named vessels on the same grid, such as the portal vein; None leaves them out.

    Returns:
        What to measure to, by the measure's name; empty where there is no lesion or nothing to measure
        to, or the grid's axes are sheared.

    Raises:
        GridMismatchError: If the vessels lie on another grid than the lesions.
    """
    if not lesions.labels.any() or not lesions.grid.is_orthogonal:
        return {}
    found: dict[str, Nearby] = {}
    if liver is not None and not liver.is_empty:
        found[CAPSULE] = Nearby.of(liver, beyond=True)
    if vessels is not None:
        require_same_grid("distance to vessels", lesions.grid, vessels.grid)
        for number, name in vessels.names.items():
            structure = Mask(vessels.labels == number, vessels.grid)
            if not structure.is_empty:
                found[f"distance_to_{name}_mm"] = Nearby.of(structure, beyond=False)
    return found


def place(around: Mapping[str, Nearby], region: Region, record: Record) -> None:
    """Note the lesion's distances, and whether it touches the liver's surface."""
    values = {name: structure.gap_mm(region) for name, structure in around.items()}
    record.note(
        values, "whole lesion, box to box", voxels=region.voxels, volume_ml=region.volume_ml
    )
    touches = values[CAPSULE] == 0 if CAPSULE in values else None
    record.sign(TOUCHES, seen=touches, why_unknown="no liver mask")
    if touches is None:
        record.cannot_tell([CAPSULE], "no liver mask")
