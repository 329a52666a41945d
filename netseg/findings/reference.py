"""The liver that lesions are compared with: parenchyma away from lesions and from the capsule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

    from netseg.domain import LabelMap, Mask

AWAY_FROM_LESION_MM = 5.0  # enhancing rims and segmentation error stay out (assumption)
AWAY_FROM_CAPSULE_MM = 3.0  # partial volume with fat and lung stays out (assumption)
FEWEST_ML = 10.0  # below this the liver left is too little to be a reference (assumption)


def lesion_free_liver(liver: Mask, lesions: LabelMap) -> Float[np.ndarray, "n 3"] | None:
    """Voxel centres (LPS) of lesion-free liver, vessels included.

    Both distances are measured as boxes (the larger of the three axis distances), so that at least
    the stated distance is kept along every axis.

    Args:
        liver: The liver, lesions included.
        lesions: All lesions, on the liver's grid.

    Returns:
        Points; None where less than 10 ml remain, as in a diffusely infiltrated liver.
    """
    if liver.is_empty:
        return None
    (box,) = ndimage.find_objects(liver.inside.astype(np.uint8))
    spacing = liver.grid.spacing_mm
    inside = liver.inside[box]
    core = ~_grown(~inside, spacing, AWAY_FROM_CAPSULE_MM, beyond=True)
    core &= ~_grown(lesions.labels[box] != 0, spacing, AWAY_FROM_LESION_MM, beyond=False)
    if np.count_nonzero(core) * liver.grid.voxel_volume_ml < FEWEST_ML:
        return None
    return liver.grid.to_mm(np.argwhere(core) + [s.start for s in box])


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
        region.astype(np.uint8), size=size, mode="constant", cval=int(beyond)
    ).astype(np.bool_)
