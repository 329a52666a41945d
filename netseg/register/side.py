"""One of the two scans as the registration sees it: the liver and its surroundings, cubic voxels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.ndimage

from netseg.domain.grid import require_same_frame
from netseg.domain.volume import Mask, Quantity, Volume
from netseg.geometry.extent import bounding_box, crop, isotropic_grid
from netseg.geometry.resample import resample_mask
from netseg.register.sampling import looked_up, without_aliasing

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

    from netseg.domain.grid import Grid

ndi: Any = scipy.ndimage  # its stubs promise unions that these calls never return

ROOM_MM = 24.0  # around the liver, as far as the image goes
LOWEST_HU, HIGHEST_HU = -120.0, 280.0  # lung, gas, bone and metal beyond would outweigh the liver
LOWEST_SHARE, HIGHEST_SHARE = 0.5, 99.5  # percentiles to which other images are clipped


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Side:
    """A scan around its liver.

    Attributes:
        values: The image, clipped to what the liver's surroundings need.
        liver: The liver.
        avoided: Zone or tumours and what lies near them: their look is not the other scan's.
        grid: Cubic voxels along the scan's own axes.
        is_hu: Whether the values are Hounsfield units.
    """

    values: Float[np.ndarray, "i j k"]
    liver: Bool[np.ndarray, "i j k"]
    avoided: Bool[np.ndarray, "i j k"]
    grid: Grid
    is_hu: bool


def seen(
    volume: Volume,
    liver: Mask,
    avoided: Mask | None,
    *,
    spacing_mm: float,
    keep_away_mm: float,
) -> Side:
    """The scan on cubic voxels around its liver.

    Args:
        volume: The scan, on perpendicular axes.
        liver: Its liver, in the same frame.
        avoided: What must not be compared, in the same frame.
        spacing_mm: Voxel edge.
        keep_away_mm: How far around `avoided` the image is not trusted either.

    Returns:
        The part within 24 mm of the liver.

    Raises:
        FrameMismatchError: If a mask lies in another frame than the scan.
        StudyRejectedError: If the liver is empty, or lies outside the scan, or an axis is sheared.
    """
    grid = isotropic_grid(_around(volume, liver).grid, spacing_mm)
    return seen_from(volume, liver, avoided, onto=grid, matrix=np.eye(4), keep_away_mm=keep_away_mm)


def seen_from(
    volume: Volume,
    liver: Mask,
    avoided: Mask | None,
    *,
    onto: Grid,
    matrix: Float[np.ndarray, "4 4"],
    keep_away_mm: float,
) -> Side:
    """The scan as another scan's cubic voxels see it through a rigid motion.

    Args:
        volume: The scan, on perpendicular axes.
        liver: Its liver, in the same frame.
        avoided: What must not be compared, in the same frame.
        onto: The other scan's grid.
        matrix: LPS millimetres of that grid to those of the scan.
        keep_away_mm: How far around `avoided` the image is not trusted either.

    Returns:
        The scan on `onto`; places that it does not show count as avoided.
    """
    part = _around(volume, liver)
    is_hu = volume.quantity is Quantity.HU
    spacing_mm = onto.spacing_mm[0]
    smooth = without_aliasing(_clipped(part.values, is_hu=is_hu), part.grid, spacing_mm)
    shown = looked_up(np.ones(part.grid.shape), part.grid, onto, matrix, outside=0.0) > 0.5
    near = np.zeros(onto.shape, np.bool_)
    if avoided is not None:
        require_same_frame("registration", volume.grid, avoided.grid)
        near = grown(_coverage(avoided, onto, matrix) > 0.1, keep_away_mm, onto)
    return Side(
        values=looked_up(smooth, part.grid, onto, matrix),
        liver=_coverage(liver, onto, matrix) >= 0.5,
        avoided=near | ~shown,
        grid=onto,
        is_hu=is_hu,
    )


def grown(inside: Bool[np.ndarray, "i j k"], by_mm: float, grid: Grid) -> Bool[np.ndarray, "i j k"]:
    """A region and what lies within `by_mm` of its voxel centres."""
    if by_mm <= 0 or not inside.any():
        return inside
    away: Any = ndi.distance_transform_edt(~inside, sampling=grid.spacing_mm)
    return away <= by_mm


def _around(volume: Volume, liver: Mask) -> Volume:
    """The part of a scan within 24 mm of its liver."""
    require_same_frame("registration", volume.grid, liver.grid)
    if not liver.grid.is_same_as(volume.grid):
        liver = resample_mask(liver, volume.grid)
    return crop(volume, *bounding_box(liver, ROOM_MM))


def _coverage(
    mask: Mask, grid: Grid, matrix: Float[np.ndarray, "4 4"]
) -> Float[np.ndarray, "i j k"]:
    """Share of each voxel that a region fills, roughly; 0 beyond its image."""
    if mask.is_empty:
        return np.zeros(grid.shape, np.float32)
    part = crop(mask, *bounding_box(mask, 3 * max(grid.spacing_mm)))
    smooth = without_aliasing(part.inside, part.grid, grid.spacing_mm[0])
    return looked_up(smooth, part.grid, grid, matrix, outside=0.0)


def _clipped(values: np.ndarray, *, is_hu: bool) -> Float[np.ndarray, "i j k"]:
    if is_hu:
        return np.clip(values, LOWEST_HU, HIGHEST_HU).astype(np.float32)
    low, high = np.percentile(values, (LOWEST_SHARE, HIGHEST_SHARE))
    return np.clip(values, low, high).astype(np.float32)
