"""One scan's voxels looked up from another scan's grid, through a rigid motion and a bend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.ndimage

if TYPE_CHECKING:
    from jaxtyping import Float, Shaped

    from netseg.domain.grid import Grid

ndi: Any = scipy.ndimage  # its stubs promise unions that these calls never return

SHARE_OF_STEP = 0.42  # standard deviation per voxel edge that keeps finer noise from aliasing


def looked_up(
    values: Shaped[np.ndarray, "i j k"],
    source: Grid,
    target: Grid,
    matrix: Float[np.ndarray, "4 4"] | None = None,
    *,
    outside: float | None = None,
) -> Float[np.ndarray, "i j k"]:
    """Values at the places to which a rigid motion takes the voxels of `target`, linear between.

    Args:
        values: On `source`.
        source: Their grid, in any frame.
        target: Where they are wanted.
        matrix: LPS millimetres of the target's frame to those of the source's; None within one
            frame.
        outside: Value beyond the source; None repeats its border.

    Returns:
        float32 on `target`.
    """
    motion = np.eye(4) if matrix is None else matrix
    index = np.linalg.inv(source.affine_lps) @ motion @ target.affine_lps
    return ndi.affine_transform(
        np.asarray(values, np.float32),
        index[:3, :3],
        offset=index[:3, 3],
        output_shape=target.shape,
        order=1,
        mode="nearest" if outside is None else "constant",
        cval=0.0 if outside is None else outside,
    )


def bent(
    values: Float[np.ndarray, "i j k"], grid: Grid, bend_mm: Float[np.ndarray, "i j k 3"]
) -> Float[np.ndarray, "i j k"]:
    """Values looked up at x + u(x) for every voxel centre x of their own grid; border repeated."""
    steps = bend_mm @ np.linalg.inv(grid.affine_lps[:3, :3]).T
    index = np.moveaxis(steps, -1, 0) + np.indices(grid.shape, dtype=np.float32)
    return ndi.map_coordinates(values, index, order=1, mode="nearest")


def without_aliasing(
    values: Shaped[np.ndarray, "i j k"], grid: Grid, spacing_mm: float
) -> Float[np.ndarray, "i j k"]:
    """Values smoothed along the axes that are finer than the spacing they will be looked up at."""
    step = np.array(grid.spacing_mm)
    sigma_mm = SHARE_OF_STEP * np.sqrt(np.maximum(0, spacing_mm**2 - step**2))
    return ndi.gaussian_filter(np.asarray(values, np.float32), sigma_mm / step, mode="nearest")
