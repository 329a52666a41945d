"""Which liver is left beside the zone, and where wide vessels run.

A lesion at the capsule needs no ablated rim where there is no liver. The distance to the nearest
viable liver says so without any parameter; vessel lumens wider than 3 mm are no liver either, but
they cool their surroundings and are named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.ndimage  # pyright: ignore[reportMissingTypeStubs]

from netseg.domain.volume import Mask
from netseg.geometry.distance import signed_distance_mm
from netseg.verify.lesion import grown_box
from netseg.verify.surface import Field, Surface, offset, smooth_field, surface_of, window

if TYPE_CHECKING:
    from jaxtyping import Float

    from netseg.domain.grid import Grid

ndimage: Any = scipy.ndimage  # scipy carries no types, and the guessed ones are wrong

WIDE_LUMEN_MM = 3.0


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
    reach_mm = radius_mm + max(vessels.grid.spacing_mm) / 2
    return Mask(vessels.inside & (away <= reach_mm), vessels.grid)


def nearest_lumen_mm(
    lesion: Mask, points_mm: Float[np.ndarray, "n 3"], vessels: Mask | None, within_mm: float
) -> float | None:
    """Way from a lesion's surface to the nearest wide lumen.

    Args:
        lesion: On a grid that continues the vessels'.
        points_mm: Points of its surface.
        vessels: All lumens; None if nobody outlined them.
        within_mm: Farther vessels do not matter.

    Returns:
        Millimetres, 0 where the lumen touches the lesion; None if there is none so near.
    """
    if vessels is None:
        return None
    start, shape = grown_box(lesion, within_mm + 2 * WIDE_LUMEN_MM)
    first = offset(lesion.grid.crop(start, shape), vessels.grid)
    lumens = wide_lumens(window(vessels, first, shape))
    if lumens.is_empty:
        return None
    field = smooth_field(lumens)
    touches = bool((field.at(points_mm) <= 0).any())
    nearest = 0.0 if touches else float(surface_of(field).distance_mm(points_mm).min())
    return nearest if nearest <= within_mm else None


def viable_surface(zone: Field, liver: Mask, lumens: Mask | None) -> Surface:
    """The surface of the liver outside the zone and outside wide lumens.

    The three fields are smoothed one by one and joined by their maximum, so that the edge where
    zone and capsule meet stays as sharp as it is: there the nearest viable liver often lies.

    Args:
        zone: The zone's field.
        liver: The liver with its lesions, on the field's grid.
        lumens: Wide vessel lumens on the same grid.

    Returns:
        The surface; empty if no viable liver lies within the grid.
    """
    parts = [-zone.values_mm, _field_or_far(liver, zone.grid)]
    if lumens is not None and not lumens.is_empty:
        parts.append(-smooth_field(lumens).values_mm)
    return surface_of(Field(np.maximum.reduce(parts), zone.grid))


def _field_or_far(liver: Mask, grid: Grid) -> np.ndarray:
    if liver.is_empty:
        return np.full(grid.shape, np.inf, np.float32)
    return smooth_field(liver).values_mm
