"""The surroundings of a region: every voxel within some millimetres of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.ndimage  # pyright: ignore[reportMissingTypeStubs]

from netseg.domain import Mask
from netseg.evaluation.box import shared_box
from netseg.geometry.affine import require_orthogonal

ndimage: Any = scipy.ndimage  # scipy carries no types, and the guessed ones are wrong

if TYPE_CHECKING:
    from jaxtyping import Bool

SLAB_VOXELS = 16_000_000  # a distance map of this many voxels takes 128 MB


def within_mm(mask: Mask, reach_mm: float) -> Mask:
    """A region with all voxels whose centre lies within `reach_mm` of one of its own.

    Args:
        mask: The region, on perpendicular axes. Around an empty one there is nothing.
        reach_mm: How far its surroundings reach.

    Raises:
        ValueError: If the reach is negative.
        StudyRejectedError: If the axes are sheared (GANTRY_TILT).
    """
    if not reach_mm >= 0:
        raise ValueError(f"reach_mm must be a number from 0 up; got {reach_mm}.")
    require_orthogonal("surroundings", mask.grid)
    near = np.zeros(mask.grid.shape, np.bool_)
    box = shared_box(mask.inside)
    if box is None:
        return Mask(near, mask.grid)
    steps = [int(reach_mm / s + 1e-9) for s in mask.grid.spacing_mm]
    i, j, k = (
        slice(max(0, s.start - n), min(size, s.stop + n))
        for s, n, size in zip(box, steps, mask.grid.shape, strict=True)
    )
    thick = max(1, SLAB_VOXELS // ((i.stop - i.start) * (j.stop - j.start)))
    for first in range(k.start, k.stop, thick):
        last = min(first + thick, k.stop)
        low, high = max(k.start, first - steps[2]), min(k.stop, last + steps[2])
        part = _grown(mask.inside[i, j, low:high], mask.grid.spacing_mm, reach_mm)
        near[i, j, first:last] = part[:, :, first - low : last - low]
    return Mask(near, mask.grid)


def _grown(
    inside: Bool[np.ndarray, "i j k"], spacing_mm: tuple[float, float, float], reach_mm: float
) -> Bool[np.ndarray, "i j k"]:
    if not inside.any():
        return np.zeros(inside.shape, np.bool_)
    return ndimage.distance_transform_edt(~inside, sampling=spacing_mm) <= reach_mm + 1e-9
