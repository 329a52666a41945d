"""An approximate map of the larger liver vessels: what is brighter than the liver."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.ndimage

from netseg.domain import Mask
from netseg.geometry.components import components
from netseg.plan.parts import parts_of_at_least

if TYPE_CHECKING:
    from jaxtyping import Bool

    from netseg.domain import Grid, Volume

ndimage: Any = scipy.ndimage  # scipy carries no types, and the guessed ones are wrong

OVER_LIVER_HU, OVER_NOISE_SD = 15.0, 2.5  # both are demanded
SMOOTH_MM = 1.0  # standard deviation, against noise
RIM_MM = 4.0  # what lies wholly within this of a lesion is its enhancing rim, no vessel
SMALLEST_ML, FEWEST_ML = 0.3, 5.0  # of one vessel; of all of them, else the scan shows none


def bright_vessels(
    ct: Volume, liver: Bool[np.ndarray, "i j k"], lesions: Bool[np.ndarray, "i j k"]
) -> Bool[np.ndarray, "i j k"] | None:
    """Voxels of the liver that are brighter than its median, smoothed, without small parts.

    The threshold lies 15 HU and 2.5 robust standard deviations over the liver's median. An
    approximation: on a real portal venous CT (3D-IRCADb 17) 66 % of the outlined portal and hepatic
    vein voxels lie within 3.5 mm of what is found, and 8 % of what is found is no vessel; branches
    under some 3 mm vanish.

    Args:
        ct: HU on cubic voxels.
        liver: The liver, lesions included.
        lesions: All lesions.

    Returns:
        The vessels; None where less than 5 ml stand out: no contrast, or not in that phase.
    """
    tissue = liver & ~lesions
    if not tissue.any():
        return None
    spacing = ct.grid.spacing_mm[0]
    smooth = ndimage.gaussian_filter(ct.values.astype(np.float32), SMOOTH_MM / spacing)
    values = smooth[tissue]
    median = np.median(values)
    spread = 1.4826 * np.median(np.abs(values - median))
    bright = tissue & (smooth > median + max(OVER_LIVER_HU, OVER_NOISE_SD * spread))
    vessels = parts_of_at_least(bright, ct.grid, SMALLEST_ML)
    beside = ndimage.maximum_filter(lesions, 2 * max(1, round(RIM_MM / spacing)) + 1)
    vessels = _reaching_beyond(beside, vessels, ct.grid)
    return vessels if np.count_nonzero(vessels) * ct.grid.voxel_volume_ml >= FEWEST_ML else None


def _reaching_beyond(
    region: Bool[np.ndarray, "i j k"], vessels: Bool[np.ndarray, "i j k"], grid: Grid
) -> Bool[np.ndarray, "i j k"]:
    """The parts that do not lie wholly in a region."""
    parts = components(Mask(vessels, grid)).labels
    stays = np.zeros(int(parts.max()) + 1, np.bool_)
    stays[np.unique(parts[~region])] = True
    stays[0] = False
    return stays[parts]
