"""How much tracer a lesion holds, measured on the PET's own voxels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from netseg.domain import Modality, Quantity
from netseg.findings.sampling import values_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Bool, Float

    from netseg.domain import Grid, Series, Volume

UNITS = {Quantity.SUVBW: "suv", Quantity.BQML: "activity_bqml"}


def uptake_names(series: Sequence[Series]) -> dict[str, Series]:
    """The PET series by the stem of their measures.

    `suv` for SUVbw, `activity_bqml` where no SUV could be computed. Where two series would share a
    name, tracer (or key, if it is unknown or shared too) is appended to each: `suv_ga68_dotatate`.
    """
    pets = [s for s in series if s.modality is Modality.PT and s.volume.quantity in UNITS]
    units = [UNITS[s.volume.quantity] for s in pets]
    tracers = [s.tracer for s in pets]
    names: dict[str, Series] = {}
    for unit, pet in zip(units, pets, strict=True):
        known = pet.tracer is not None and tracers.count(pet.tracer) == 1
        which = pet.tracer if known else pet.key
        names[unit if units.count(unit) == 1 else f"{unit}_{which}"] = pet
    return names


def uptake(
    pet: Volume, stem: str, inside: Bool[np.ndarray, "i j k"], grid: Grid
) -> dict[str, float]:
    """Highest and mean uptake inside a region.

    The mask comes to the PET, not the PET to the mask, since interpolation lowers the maximum: the
    voxels whose centre lies in the region count. A region that holds no such centre (smaller than a
    PET voxel) is sampled trilinearly at its own voxel centres instead.

    Args:
        pet: The image, in the region's frame.
        stem: Start of the measures' names, "suv" for instance.
        inside: The region.
        grid: Where the region's voxels lie.

    Returns:
        `<stem>_max` and `<stem>_mean`; nothing where the PET does not reach the region.
    """
    values = _voxels_inside(pet, inside, grid)
    if not len(values):
        points = grid.to_mm(np.argwhere(inside))
        values = values_at(pet, points)
        if len(values) < len(points):
            return {}
    return {
        f"{stem}_max": float(values.max()),
        f"{stem}_mean": float(values.mean(dtype=np.float64)),
    }


def _voxels_inside(
    pet: Volume, inside: Bool[np.ndarray, "i j k"], grid: Grid
) -> Float[np.ndarray, " n"]:
    """Values of the PET voxels whose centre falls into a voxel of the region."""
    corners = pet.grid.to_index(grid.corners_mm())
    first = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, pet.grid.shape)
    stop = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 1, first, pet.grid.shape)
    box = tuple(slice(a, b) for a, b in zip(first, stop, strict=True))
    part = pet.values[box]
    if not part.size:
        return np.empty(0, np.float32)
    index = np.indices(part.shape).reshape(3, -1).T + first
    where = grid.to_index(pet.grid.to_mm(index))
    hit = ndimage.map_coordinates(
        inside.astype(np.uint8), where.T, order=0, mode="constant", cval=0
    )
    return part.reshape(-1)[hit > 0].astype(np.float32)
