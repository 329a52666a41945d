"""How near a lesion lies to the liver's capsule and to named vessels.

Distances run from voxel box to voxel box: exact for block shapes, a lower bound on round ones (up to
1.3 mm short at 1 mm voxels). Voxels that touch, by a corner even, are 0 apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.ndimage

from netseg.domain import require_same_grid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Bool, Float

    from netseg.domain import LabelMap, Mask
    from netseg.findings.record import Record
    from netseg.findings.region import Region

ndimage: Any = scipy.ndimage  # the types guessed for it are wrong

CAPSULE, TOUCHES = "capsule_distance_mm", "touches_capsule"
_CUBE = np.ones((3, 3, 3), np.bool_)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Surroundings:
    """Distance maps of one study.

    Attributes:
        start: First voxel of the box the maps cover.
        gap_mm: Way from each voxel's box to the nearest box of a structure, by measure's name.
    """

    start: tuple[int, int, int]
    gap_mm: Mapping[str, Float[np.ndarray, "i j k"]]


def surroundings(
    liver: Mask | None, lesions: LabelMap, vessels: LabelMap | None
) -> Surroundings | None:
    """Prepare the distances of all lesions.

    Args:
        liver: The liver, lesions included; None leaves the capsule out.
        lesions: On the same grid.
        vessels: Named vessels on the same grid, such as the portal vein; None leaves them out.

    Returns:
        Maps over the box of all of them; None where there is no lesion or nothing to measure to, or
        the grid's axes are sheared.

    Raises:
        GridMismatchError: If the vessels lie on another grid than the lesions.
    """
    if not lesions.labels.any() or not lesions.grid.is_orthogonal:
        return None
    used = lesions.labels != 0
    if liver is not None:
        used = used | liver.inside
    if vessels is not None:
        require_same_grid("distance to vessels", lesions.grid, vessels.grid)
        used = used | (vessels.labels != 0)
    (box,) = ndimage.find_objects(used.astype(np.uint8))
    wide = tuple(slice(max(0, s.start - 1), s.stop + 1) for s in box)
    spacing = lesions.grid.spacing_mm
    maps: dict[str, Float[np.ndarray, "i j k"]] = {}
    if liver is not None and not liver.is_empty:
        maps[CAPSULE] = _gap_mm(~liver.inside[wide], spacing)
    if vessels is not None:
        for number, name in vessels.names.items():
            structure = vessels.labels[wide] == number
            if structure.any():
                maps[f"distance_to_{name}_mm"] = _gap_mm(structure, spacing)
    start = (wide[0].start, wide[1].start, wide[2].start)
    return Surroundings(start=start, gap_mm=maps) if maps else None


def place(around: Surroundings | None, region: Region, record: Record) -> None:
    """Note the lesion's distances, and whether it touches the liver's surface."""
    values: dict[str, float] = {}
    if around is not None:
        box = tuple(
            slice(a - b, a - b + n)
            for a, b, n in zip(region.start, around.start, region.inside.shape, strict=True)
        )
        values = {name: float(gap[box][region.inside].min()) for name, gap in around.gap_mm.items()}
    record.note(
        values, "whole lesion, box to box", voxels=region.voxels, volume_ml=region.volume_ml
    )
    touches = values[CAPSULE] == 0 if CAPSULE in values else None
    record.sign(TOUCHES, seen=touches, why_unknown="no liver mask")
    if touches is None:
        record.cannot_tell([CAPSULE], "no liver mask")


def _gap_mm(
    structure: Bool[np.ndarray, "i j k"], spacing_mm: tuple[float, float, float]
) -> Float[np.ndarray, "i j k"]:
    """Boxes are nearer than centres by one step along each axis: the structure grows by one voxel."""
    if not structure.any():
        return np.full(structure.shape, np.inf)
    grown = ndimage.binary_dilation(structure, _CUBE)
    return ndimage.distance_transform_edt(~grown, sampling=spacing_mm)
