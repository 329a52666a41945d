"""Agreement of two regions, voxel by voxel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netseg.domain import require_same_grid

if TYPE_CHECKING:
    from netseg.domain import Mask


def dice(predicted: Mask, truth: Mask) -> float:
    """Twice the common volume over the sum of both volumes.

    Args:
        predicted: The region in question.
        truth: The region it is held against, on the same grid.

    Returns:
        Between 0 and 1. Two empty regions agree: 1.

    Raises:
        GridMismatchError: If the grids differ; FrameMismatchError if the frames do.
    """
    require_same_grid("Dice", predicted.grid, truth.grid)
    both = int(np.count_nonzero(predicted.inside)) + int(np.count_nonzero(truth.inside))
    if both == 0:
        return 1.0
    return 2.0 * int(np.count_nonzero(predicted.inside & truth.inside)) / both
