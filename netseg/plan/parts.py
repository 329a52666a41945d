"""Connected parts of a region by their size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netseg.domain import Mask
from netseg.geometry.components import components

if TYPE_CHECKING:
    from jaxtyping import Bool

    from netseg.domain import Grid


def parts_of_at_least(
    region: Bool[np.ndarray, "i j k"], grid: Grid, smallest_ml: float
) -> Bool[np.ndarray, "i j k"]:
    """The region without its smaller 26-connected parts.

    Args:
        region: Any region.
        grid: Where it lies.
        smallest_ml: Volume from which a part stays.
    """
    parts = components(Mask(region, grid)).labels
    stays = np.bincount(parts.ravel()) * grid.voxel_volume_ml >= smallest_ml
    stays[0] = False
    return stays[parts]
