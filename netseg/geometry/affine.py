"""The one place where LPS meets RAS, and what an affine says about its grid.

DICOM, ITK and netseg count millimetres to the patient's Left, Posterior, Superior; NIfTI, nibabel
and MONAI to Right, Anterior, Superior. The two differ by the signs of x and y and in nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.domain.grid import describe

if TYPE_CHECKING:
    from jaxtyping import Float

    from netseg.domain.grid import Grid

_FLIP_X_AND_Y = np.diag([-1.0, -1.0, 1.0, 1.0])


def ras_from_lps(affine_lps: Float[np.ndarray, "4 4"]) -> Float[np.ndarray, "4 4"]:
    """The affine of the same voxels in NIfTI's RAS millimetres."""
    return _swapped(affine_lps)


def lps_from_ras(affine_ras: Float[np.ndarray, "4 4"]) -> Float[np.ndarray, "4 4"]:
    """The affine of the same voxels in LPS millimetres."""
    return _swapped(affine_ras)


def voxels_per_mm(grid: Grid) -> Float[np.ndarray, 3]:
    """How many index steps along i, j, k a way of 1 mm can be at most; right for sheared grids."""
    return np.linalg.norm(np.linalg.inv(grid.affine_lps[:3, :3]), axis=1)


def require_orthogonal(doing: str, grid: Grid) -> None:
    """Refuse a grid whose axes are not perpendicular: distances along them do not add up.

    Args:
        doing: What was to be done, for the message.
        grid: The grid to look at.

    Raises:
        StudyRejectedError: If two axes are more than 0.01 degrees or so off a right angle.
    """
    if grid.is_orthogonal:
        return
    cosines = grid.directions.T @ grid.directions
    off = max(abs(float(cosines[a, b])) for a, b in ((0, 1), (0, 2), (1, 2)))
    raise StudyRejectedError(
        Code.GANTRY_TILT,
        f"{doing}: the axes of {describe(grid)} are {90 - np.degrees(np.arccos(off)):.2f} degrees "
        "off the right angle; perpendicular axes are expected.",
        hint="Resample the image to perpendicular axes first (netseg.geometry.resample).",
    )


def _swapped(affine: Float[np.ndarray, "4 4"]) -> Float[np.ndarray, "4 4"]:
    return _FLIP_X_AND_Y @ np.asarray(affine, dtype=np.float64)
