"""Where the voxels of an image lie in the patient."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from netseg.domain.codes import Code
from netseg.domain.errors import FrameMismatchError, GridMismatchError

if TYPE_CHECKING:
    from jaxtyping import Float

SAME_PLACE_MM = 0.01  # two grids are one when no voxel centre differs by more than this


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """A regular voxel grid in one frame of reference.

    Attributes:
        shape: Number of voxels along i, j, k.
        affine_lps: Voxel index (i, j, k, 1) of a voxel's centre to LPS millimetres, read-only
            float64. Its first three columns are the steps along i, j, k.
        frame_uid: Frame of Reference UID. Positions of two frames never meet without a
            registration between them.
    """

    shape: tuple[int, int, int]
    affine_lps: Float[np.ndarray, "4 4"]
    frame_uid: str

    def __post_init__(self) -> None:
        """Keep the affine finite, invertible and unchangeable."""
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise ValueError(f"a grid needs three positive sizes; got {self.shape}.")
        affine = np.array(self.affine_lps, dtype=np.float64)
        if affine.shape != (4, 4) or not np.isfinite(affine).all():
            raise ValueError(f"affine_lps must be a finite 4x4 matrix; got\n{self.affine_lps}.")
        if not np.array_equal(affine[3], (0, 0, 0, 1)):
            raise ValueError(f"the affine's last row must be 0 0 0 1; got {affine[3]}.")
        if abs(np.linalg.det(affine[:3, :3])) < 1e-9:
            raise ValueError(f"affine_lps must be invertible; got\n{affine}.")
        if not self.frame_uid:
            raise ValueError(
                "frame_uid must not be empty: a position without a frame means nothing."
            )
        affine.flags.writeable = False
        object.__setattr__(self, "affine_lps", affine)
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between voxel centres along i, j, k."""
        i, j, k = np.linalg.norm(self.affine_lps[:3, :3], axis=0)
        return float(i), float(j), float(k)

    @property
    def directions(self) -> Float[np.ndarray, "3 3"]:
        """Unit vectors along i, j, k as columns."""
        return self.affine_lps[:3, :3] / np.array(self.spacing_mm)

    @property
    def voxel_volume_ml(self) -> float:
        """Volume of one voxel, from the determinant: right for sheared grids too."""
        return float(abs(np.linalg.det(self.affine_lps[:3, :3]))) / 1000.0

    @property
    def is_orthogonal(self) -> bool:
        """Whether the three axes are perpendicular to within 0.01 degrees or so."""
        return bool(np.allclose(self.directions.T @ self.directions, np.eye(3), atol=2e-4))

    def to_mm(self, index: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 3"]:
        """Voxel indices (fractions allowed) to LPS millimetres."""
        index = np.asarray(index, dtype=np.float64)
        return index @ self.affine_lps[:3, :3].T + self.affine_lps[:3, 3]

    def to_index(self, points_mm: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 3"]:
        """LPS millimetres to fractional voxel indices."""
        points_mm = np.asarray(points_mm, dtype=np.float64)
        return (points_mm - self.affine_lps[:3, 3]) @ np.linalg.inv(self.affine_lps[:3, :3]).T

    def corners_mm(self) -> Float[np.ndarray, "8 3"]:
        """Centres of the eight corner voxels."""
        last = np.array(self.shape, dtype=np.float64) - 1
        return self.to_mm(np.array(np.meshgrid(*((0.0, n) for n in last))).reshape(3, 8).T)

    def is_same_as(self, other: Grid) -> bool:
        """Whether both have the same shape, frame and voxel centres (to 0.01 mm)."""
        if self.shape != other.shape or self.frame_uid != other.frame_uid:
            return False
        return bool(np.abs(self.corners_mm() - other.corners_mm()).max() <= SAME_PLACE_MM)

    def crop(self, start: tuple[int, int, int], shape: tuple[int, int, int]) -> Self:
        """The part of the grid that begins at voxel `start`; may reach beyond it."""
        affine = self.affine_lps.copy()
        affine[:3, 3] = self.to_mm(np.array(start, dtype=np.float64))
        return type(self)(shape=shape, affine_lps=affine, frame_uid=self.frame_uid)


def require_same_frame(doing: str, first: Grid, second: Grid) -> None:
    """Refuse to let two positions meet that no registration connects.

    Raises:
        FrameMismatchError: If the frames differ.
    """
    if first.frame_uid != second.frame_uid:
        raise FrameMismatchError(
            Code.FRAME_MISMATCH,
            f"{doing}: frame of reference {_short(first.frame_uid)} is not "
            f"{_short(second.frame_uid)}. "
            "The two images were never registered;",
            hint="run `netseg verify --pre … --post …`, which registers them first, or state "
            "`same_frame: true` where the files of one study.yaml do share a frame.",
        )


def require_same_grid(doing: str, first: Grid, second: Grid) -> None:
    """Refuse to compare two images voxel by voxel that do not share their voxels.

    Raises:
        FrameMismatchError: If the frames differ.
        GridMismatchError: If shape or voxel positions differ.
    """
    require_same_frame(doing, first, second)
    if not first.is_same_as(second):
        raise GridMismatchError(
            Code.GRID_MISMATCH,
            f"{doing}: the grids differ: {describe(first)} against {describe(second)}.",
            detail={"first_shape": list(first.shape), "second_shape": list(second.shape)},
            hint="Bring the mask onto the scan's grid with the tool that made it.",
        )


def _short(frame_uid: str) -> str:
    """A frame for messages: a UID of a real scanner identifies a patient, its hash does not."""
    if len(frame_uid) <= 12:
        return frame_uid
    return f"#{hashlib.sha256(frame_uid.encode()).hexdigest()[:8]}"


def describe(grid: Grid) -> str:
    """A grid in a few words for messages."""
    shape = "x".join(str(n) for n in grid.shape)
    spacing = "x".join(f"{s:.3g}" for s in grid.spacing_mm)
    x, y, z = grid.affine_lps[:3, 3]
    return f"{shape} voxels of {spacing} mm from ({x:.1f}, {y:.1f}, {z:.1f})"
