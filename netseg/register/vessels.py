"""Do the vessels beside the lesions meet? Centrelines of both scans, and the ways between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.ndimage
import scipy.spatial

from netseg.register.sampling import bent

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

    from netseg.register.comparable import Comparable

ndi: Any = scipy.ndimage  # its stubs promise unions that these calls never return
spatial: Any = scipy.spatial

SHELL_MM = (5.0, 40.0)
FINE_VOXELS, COARSE_MM = 0.7, 10.0  # of the two blurs whose difference shows vessels
STANDS_OUT = 3.0  # robust standard deviations
FEWEST_VOXELS = 25  # of one piece of vessel
FEWEST_POINTS = 40  # of all centrelines of one scan: fewer say nothing
MOST_MM = 10.0  # a vessel that the other scan lacks counts this much
_CUBE = np.ones((3, 3, 3), np.bool_)


def vessel_distance_mm(
    pair: Comparable,
    bend_mm: Float[np.ndarray, "i j k 3"],
    around: Bool[np.ndarray, "i j k"],
) -> float | None:
    """Mean distance between the centrelines of both scans' vessels in the shell around lesions.

    Args:
        pair: The scans on one grid.
        bend_mm: u on that grid.
        around: Zone and lesions in the control scan.

    Returns:
        The mean over the centrelines of both scans, median-like in that no point counts more than
        10 mm; None where too little of a vessel tree is seen in either.
    """
    if not around.any():
        return None
    away_mm = ndi.distance_transform_edt(~around, sampling=pair.grid.spacing_mm)
    shell = (away_mm > SHELL_MM[0]) & (away_mm <= SHELL_MM[1])
    inner = ndi.binary_erosion(pair.fixed_liver, _CUBE, iterations=2)
    moved = bent(pair.moving, pair.grid, bend_mm)
    hidden = bent(pair.moving_avoided.astype(np.float32), pair.grid, bend_mm) > 0.1
    seen = shell & inner & ~hidden & ~pair.fixed_avoided
    ours, theirs = (_centrelines_mm(values, seen, pair) for values in (pair.fixed, moved))
    if ours is None or theirs is None:
        return None
    there, _ = spatial.cKDTree(theirs).query(ours)
    back, _ = spatial.cKDTree(ours).query(theirs)
    return float(np.minimum(np.concatenate((there, back)), MOST_MM).mean())


def _centrelines_mm(
    values: np.ndarray, seen: np.ndarray, pair: Comparable
) -> Float[np.ndarray, "n 3"] | None:
    """Points on the middle lines of what is brighter than its surroundings."""
    import skimage.morphology

    morphology: Any = skimage.morphology
    if np.count_nonzero(seen) < FEWEST_VOXELS:
        return None
    box = ndi.find_objects(seen.astype(np.uint8))[0]
    seen = seen[box]
    step_mm = pair.grid.spacing_mm[0]
    weight = seen.astype(np.float32)
    fine = _mean(values[box], weight, FINE_VOXELS)
    coarse = _mean(values[box], weight, COARSE_MM / step_mm)
    rise = fine - coarse
    middle = np.median(rise[seen])
    spread = 1.4826 * np.median(np.abs(rise[seen] - middle))
    bright = seen & (rise > middle + STANDS_OUT * max(float(spread), 1e-6))
    labels, count = ndi.label(bright, _CUBE)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    kept = sizes >= FEWEST_VOXELS
    kept[0] = False
    lines = morphology.skeletonize(kept[labels])
    points = np.argwhere(lines)
    if len(points) < FEWEST_POINTS:
        return None
    return (points + [part.start for part in box]) * step_mm


def _mean(values: np.ndarray, weight: np.ndarray, sigma: float) -> np.ndarray:
    total = ndi.gaussian_filter(values * weight, sigma, truncate=3.0)
    share = ndi.gaussian_filter(weight, sigma, truncate=3.0)
    return total / np.maximum(share, 1e-3)
