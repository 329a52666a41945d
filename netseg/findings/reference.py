"""The liver that lesions are compared with: parenchyma away from lesions and from the capsule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from netseg.findings.region import Region
from netseg.geometry.extent import bounding_box

if TYPE_CHECKING:
    from jaxtyping import Bool

    from netseg.domain import LabelMap, Mask


@dataclass(frozen=True, slots=True, kw_only=True)
class Distances:
    """How far a reference region keeps from what is not it (both are assumptions).

    Attributes:
        from_lesion_mm: From every lesion: enhancing rims, spill-over, segmentation error stay out.
        from_surface_mm: From the organ's surface: partial volume stays out.
    """

    from_lesion_mm: float
    from_surface_mm: float


ON_CT = Distances(from_lesion_mm=5.0, from_surface_mm=3.0)
ON_PET = Distances(from_lesion_mm=10.0, from_surface_mm=10.0)
SPLEEN_ON_PET = Distances(from_lesion_mm=0.0, from_surface_mm=5.0)
FEWEST_ML = 10.0  # below this the liver left is too little to be a reference (assumption)
FEWEST_SPLEEN_ML = 5.0  # the same for the spleen (assumption)


def lesion_free_liver(liver: Mask, lesions: LabelMap, keep: Distances = ON_CT) -> Region | None:
    """Lesion-free liver, vessels included.

    Both distances are measured as boxes (the larger of the three axis distances), so that at least
    the stated distance is kept along every axis.

    Args:
        liver: The liver, lesions included.
        lesions: All lesions, on the liver's grid.
        keep: How far to keep away.

    Returns:
        The region; None where less than 10 ml remain, as in a diffusely infiltrated liver.
    """
    return _inner(liver, lesions, keep, FEWEST_ML)


def inner_spleen(spleen: Mask) -> Region | None:
    """The spleen without its outer 5 mm; None where less than 5 ml remain."""
    return _inner(spleen, None, SPLEEN_ON_PET, FEWEST_SPLEEN_ML)


def _inner(
    organ: Mask, lesions: LabelMap | None, keep: Distances, fewest_ml: float
) -> Region | None:
    if organ.is_empty:
        return None
    start, shape = bounding_box(organ, 0.0)
    box = tuple(slice(a, a + n) for a, n in zip(start, shape, strict=True))
    spacing = organ.grid.spacing_mm
    core = ~_grown(~organ.inside[box], spacing, keep.from_surface_mm, beyond=True)
    if lesions is not None:
        core &= ~_grown(lesions.labels[box] != 0, spacing, keep.from_lesion_mm, beyond=False)
    if np.count_nonzero(core) * organ.grid.voxel_volume_ml < fewest_ml:
        return None
    grid = organ.grid.crop(start, shape)
    return Region(id=0, start=start, inside=core, grid=grid, at_border=False)


def _grown(
    region: Bool[np.ndarray, "i j k"],
    spacing_mm: tuple[float, float, float],
    by_mm: float,
    *,
    beyond: bool,
) -> Bool[np.ndarray, "i j k"]:
    """The region grown by a box of `by_mm` to each side; `beyond` says what lies off the array."""
    size = [2 * int(np.ceil(by_mm / s)) + 1 for s in spacing_mm]
    return ndimage.maximum_filter(
        region.view(np.uint8), size=size, mode="constant", cval=int(beyond)
    ).view(np.bool_)
