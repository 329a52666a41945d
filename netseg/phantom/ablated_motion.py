"""How a patient lies at the control scan: turned, breathed elsewhere, bent, and shrunk by heat.

The motion is known as a function from points of the control scan to points of the planning scan,
in the form of `netseg.domain.registration.Registration`: first what bends, then what is rigid. So
a registration can be compared with it anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np
import scipy.ndimage

from netseg.domain import Grid
from netseg.domain.registration import Registration

if TYPE_CHECKING:
    from jaxtyping import Float

ndimage: Any = scipy.ndimage

KNOT_MM = 4.0  # knots of the bending part; between them it is linear
FADES_AT = 2.2  # zone radii: how far tissue is drawn towards a shrinking zone
ROUNDS = 60  # of the inverse; each takes away more than half of what is left
CLOSE_MM = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionPrior:
    """How much a patient may have moved between two scans.

    Attributes:
        turn_deg: Standard deviation of the turn about each axis.
        breath_mm: Least and most shift along the body's axis, up or down.
        shift_mm: Standard deviation of the shift along each other axis.
        bend_mm: Largest bending displacement within the field of view.
        bend_scale_mm: Correlation length of the bending.
        contraction: Linear shrinkage c of the tissue inside a zone, 0 ... 0.4.
    """

    turn_deg: float = 2.0
    breath_mm: tuple[float, float] = (6.0, 14.0)
    shift_mm: float = 2.0
    bend_mm: float = 7.0
    bend_scale_mm: float = 22.0
    contraction: float = 0.0

    def __post_init__(self) -> None:
        """Keep the motion one that folds nothing."""
        if not 0 <= self.contraction <= 0.4:
            raise ValueError(f"contraction must lie in [0, 0.4]; got {self.contraction}.")
        if self.bend_mm < 0 or self.bend_scale_mm < 2 * self.bend_mm or self.bend_scale_mm <= 0:
            raise ValueError(
                "bend_scale_mm must be at least twice bend_mm, else tissue folds; got "
                f"{self.bend_scale_mm} and {self.bend_mm}."
            )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contraction:
    """Tissue drawn towards a point by shrinkage.

    Attributes:
        centre_mm: Where to, in the control scan.
        radius_mm: Up to here all tissue has shrunk alike.
        share: Linear shrinkage: 0.12 leaves 88 % of every length.
    """

    centre_mm: Float[np.ndarray, "3"]
    radius_mm: float
    share: float

    def back_mm(self, points_mm: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        """From points as they lie afterwards, the way to where they lay before."""
        away = points_mm - self.centre_mm
        rho = np.linalg.norm(away, axis=1)
        fade = (FADES_AT * self.radius_mm - rho) / ((FADES_AT - 1) * self.radius_mm)
        fade = np.clip(fade, 0.0, 1.0)
        fade = fade * fade * (3.0 - 2.0 * fade)
        grown = np.minimum(1.0, self.radius_mm / np.maximum(rho, 1e-9)) * fade
        return away * (grown * self.share / (1.0 - self.share))[:, None]


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrueMotion:
    """Where every point of the control scan lay in the planning scan.

    Attributes:
        matrix: Rigid part, LPS of the control scan to LPS of the planning scan.
        bend_grid: Knots of the bending part in the control scan's frame.
        bend_mm: Displacement at the knots.
        contractions: One per zone that shrank.
    """

    matrix: Float[np.ndarray, "4 4"]
    bend_grid: Grid
    bend_mm: Float[np.ndarray, "i j k 3"]
    contractions: tuple[Contraction, ...] = ()

    def bent_mm(self, points_mm: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        """The bending part u at points (n, 3) of the control scan, in its own millimetres."""
        shrunk = np.zeros_like(points_mm)
        for contraction in self.contractions:
            shrunk += contraction.back_mm(points_mm + shrunk)
        index = self.bend_grid.to_index(points_mm + shrunk).T
        bend = [
            ndimage.map_coordinates(self.bend_mm[..., axis], index, order=1, mode="nearest")
            for axis in range(3)
        ]
        return shrunk + np.stack(bend, axis=1)

    def to_planning(self, points_mm: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        """Points of the control scan as they lay in the planning scan."""
        points_mm = np.asarray(points_mm, dtype=np.float64)
        moved = points_mm + self.bent_mm(points_mm)
        return moved @ self.matrix[:3, :3].T + self.matrix[:3, 3]

    def to_control(self, points_mm: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        """Points of the planning scan as they lie in the control scan, to 0.0001 mm.

        Raises:
            ArithmeticError: If the motion folds, so that a point has no one place.
        """
        wanted = (np.asarray(points_mm, dtype=np.float64) - self.matrix[:3, 3]) @ self.matrix[
            :3, :3
        ]
        points = wanted.copy()
        for _ in range(ROUNDS):
            left = wanted - points - self.bent_mm(points)
            points = points + left
            if np.abs(left).max(initial=0.0) < CLOSE_MM:
                return points
        raise ArithmeticError(f"the motion could not be inverted in {ROUNDS} rounds: it folds.")

    def as_registration(self, fixed: Grid, moving: Grid, step_mm: float = 2.0) -> Registration:
        """The truth in the form of an answer, sampled every `step_mm`."""
        from netseg.geometry.extent import isotropic_grid

        grid = isotropic_grid(fixed, step_mm)
        bend = np.empty((*grid.shape, 3), np.float32)
        for i in range(grid.shape[0]):
            bend[i] = self.bent_mm(plane_mm(grid, i)).reshape(*grid.shape[1:], 3)
        return Registration(
            method="the known motion",
            fixed=fixed,
            moving=moving,
            matrix=self.matrix,
            bend_grid=grid,
            bend_mm=bend,
        )


def plane_mm(grid: Grid, i: int) -> Float[np.ndarray, "n 3"]:
    """Voxel centres of one plane across the first axis, j before k."""
    j, k = np.meshgrid(*(np.arange(n) for n in grid.shape[1:]), indexing="ij")
    return grid.to_mm(np.stack((np.full(j.size, i), j.ravel(), k.ravel()), axis=1))


def draw_motion(
    over: Grid, organ_mm: Float[np.ndarray, "n 3"], prior: MotionPrior, rng: np.random.Generator
) -> TrueMotion:
    """A random motion without contraction.

    Args:
        over: Grid of the control scan; the bending is drawn over its field of view.
        organ_mm: Points all over the organ: the turn is about their centroid.
        prior: How much.
        rng: Source of chance.
    """
    from scipy.spatial.transform import Rotation

    turn = Rotation.from_euler("xyz", rng.normal(0.0, prior.turn_deg, 3), degrees=True).as_matrix()
    shift = np.append(
        rng.normal(0.0, prior.shift_mm, 2), rng.choice((-1, 1)) * rng.uniform(*prior.breath_mm)
    )
    matrix = np.eye(4)
    matrix[:3, :3] = turn
    centre_mm = organ_mm.mean(axis=0)
    matrix[:3, 3] = centre_mm + shift - turn @ centre_mm
    grid = _knots(over)
    sigma = prior.bend_scale_mm / KNOT_MM
    bend = np.stack(
        [ndimage.gaussian_filter(rng.normal(size=grid.shape), sigma) for _ in range(3)], axis=-1
    )
    longest = float(np.linalg.norm(bend, axis=-1).max())
    bend *= prior.bend_mm / max(longest, 1e-12)
    return TrueMotion(matrix=matrix, bend_grid=grid, bend_mm=bend.astype(np.float64))


def _knots(over: Grid) -> Grid:
    """Knots over a field of view and four more on every side."""
    corners = over.corners_mm()
    low, high = corners.min(axis=0) - 4 * KNOT_MM, corners.max(axis=0) + 4 * KNOT_MM
    x, y, z = (int(n) for n in np.ceil((high - low) / KNOT_MM) + 1)
    affine = np.diag((KNOT_MM, KNOT_MM, KNOT_MM, 1.0))
    affine[:3, 3] = low
    return Grid((x, y, z), affine, over.frame_uid)
