"""Which liver is left beside the zone, and where wide vessels run.

A lesion at the capsule needs no ablated rim where there is no liver. The distance to the nearest
viable liver says so without any parameter; vessel lumens wider than 3 mm are no liver either, but
they cool their surroundings and are named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.ndimage  # pyright: ignore[reportMissingTypeStubs]
import scipy.spatial  # pyright: ignore[reportMissingTypeStubs]

from netseg.domain.volume import Mask
from netseg.geometry.distance import signed_distance_mm
from netseg.verify.surface import Field, smooth_field, surface_of

if TYPE_CHECKING:
    from jaxtyping import Float

    from netseg.domain.grid import Grid

ndimage: Any = scipy.ndimage  # scipy carries no types, and the guessed ones are wrong
spatial: Any = scipy.spatial

WIDE_LUMEN_MM = 3.0
_CUBE = np.ones((3, 3, 3), np.bool_)


def wide_lumens(vessels: Mask, wider_than_mm: float = WIDE_LUMEN_MM) -> Mask:
    """The parts of a vessel tree in which a ball of the given diameter has room.

    Args:
        vessels: All lumens.
        wider_than_mm: Diameter; 3 mm is where liver vessels begin to act as heat sinks.

    Returns:
        The wide parts on the same grid; empty when there is none.
    """
    if vessels.is_empty:
        return vessels
    radius_mm = wider_than_mm / 2
    core = signed_distance_mm(vessels) <= -radius_mm
    if not core.any():
        return Mask(np.zeros_like(vessels.inside), vessels.grid)
    away = ndimage.distance_transform_edt(~core, sampling=vessels.grid.spacing_mm)
    reach_mm = radius_mm + max(vessels.grid.spacing_mm)
    return Mask(vessels.inside & (away <= reach_mm), vessels.grid)


def nearest_lumen_mm(
    points_mm: Float[np.ndarray, "n 3"], lumens: Field | None, within_mm: float
) -> float | None:
    """Way from a lesion's surface to the nearest wide lumen.

    Args:
        points_mm: Points of the lesion's surface.
        lumens: Field of the wide lumens; None if nobody outlined vessels, or none is wide.
        within_mm: Farther vessels do not matter.

    Returns:
        Millimetres, 0 where the lumen touches the lesion; None if there is none so near.
    """
    if lumens is None:
        return None
    room = np.array(lumens.grid.spacing_mm) + within_mm
    low, high = points_mm.min(axis=0) - room.max(), points_mm.max(axis=0) + room.max()
    walls = surface_of(lumens).points_mm
    near = walls[((walls >= low) & (walls <= high)).all(axis=1)]
    if (lumens.at(points_mm) <= 0).any():
        return 0.0
    if not len(near):
        return None
    nearest = float(np.min(spatial.cKDTree(near).query(points_mm)[0]))
    return nearest if nearest <= within_mm else None


def lumen_field(vessels: Mask) -> Field | None:
    """The field of the wide lumens of a vessel tree; None when there is none."""
    wide = wide_lumens(vessels)
    return None if wide.is_empty else smooth_field(wide)


def viable_field(zone: Field, ablated: Mask, liver: Mask, lumens: Field | None) -> Field:
    """The field of the liver outside the zone and outside wide lumens.

    The three fields are smoothed one by one and joined by their maximum, so that the edge where
    zone and capsule meet stays as sharp as it is: there the nearest viable liver often lies. Where
    a curved capsule bounds the zone, smoothing parts the two by less than a voxel; such a film is
    no liver: viable is only what lies beside a voxel that liver, zone and lumens leave viable.

    Args:
        zone: The zone's field.
        ablated: The zone's voxels on the same grid.
        liver: The liver with its lesions, on the field's grid.
        lumens: Field of the wide vessel lumens on the same grid.

    Returns:
        Negative in viable liver; nowhere if none lies within the grid.
    """
    left = liver.inside & ~ablated.inside
    parts = [-zone.values_mm, _field_or_far(liver, zone.grid)]
    if lumens is not None:
        parts.append(-lumens.values_mm)
        left &= lumens.values_mm > 0
    values = np.maximum.reduce(parts)
    films = (values <= 0) & ~ndimage.binary_dilation(left, _CUBE)
    values[films] = min(zone.grid.spacing_mm) / 2
    return Field(values, zone.grid)


def _field_or_far(liver: Mask, grid: Grid) -> np.ndarray:
    if liver.is_empty:
        return np.full(grid.shape, np.inf, np.float32)
    return smooth_field(liver).values_mm
