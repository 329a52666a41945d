"""Agreement of two surfaces in millimetres.

A region's surface is cut into one element per corner of the voxel grid that lies between inside and
outside; the element's area is that of the marching-cubes triangles of its eight voxels, its place
the corner. Distances run from the elements of one surface to the nearest element of the other, and
count by area. This is the definition of DeepMind's surface-distance (Nikolov et al., J Med Internet
Res 2021;23:e26151), with which the numbers agree to rounding (experiments/metric_agreement).
Only elements are kept, never a map of distances: memory follows the surfaces, not the image.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from netseg.domain import require_same_grid
from netseg.evaluation.box import shared_box, slabs
from netseg.geometry.affine import require_orthogonal

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Integer

    from netseg.domain import Mask

ROBUST_PERCENT = 95.0
_CORNERS = tuple(product((0, 1), repeat=3))  # the eight voxels around a corner, one bit each
_ALL_INSIDE = 255


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SurfaceDistances:
    """How far each element of one surface lies from the other.

    Attributes:
        truth_mm: Way from every element of the true surface to the predicted one; infinite where
            there is no predicted surface.
        truth_area_mm2: Areas of these elements.
        predicted_mm: The same for the elements of the predicted surface.
        predicted_area_mm2: Areas of these elements.
    """

    truth_mm: Float[np.ndarray, " n"]
    truth_area_mm2: Float[np.ndarray, " n"]
    predicted_mm: Float[np.ndarray, " m"]
    predicted_area_mm2: Float[np.ndarray, " m"]

    def nsd(self, tolerance_mm: float) -> float:
        """Normalised surface Dice: share of both surfaces that lies within a tolerance of the other.

        Args:
            tolerance_mm: Largest distance that counts as agreement.

        Returns:
            Between 0 and 1. Two empty regions agree: 1.

        Raises:
            ValueError: If the tolerance is negative or not finite.
        """
        if not (np.isfinite(tolerance_mm) and tolerance_mm >= 0):
            raise ValueError(f"tolerance_mm must be a number from 0 up; got {tolerance_mm}.")
        whole = float(self.truth_area_mm2.sum() + self.predicted_area_mm2.sum())
        if whole == 0.0:
            return 1.0
        near = self.truth_area_mm2[self.truth_mm <= tolerance_mm].sum()
        near += self.predicted_area_mm2[self.predicted_mm <= tolerance_mm].sum()
        return float(near) / whole

    def from_truth_mm(self, percent: float = ROBUST_PERCENT) -> float | None:
        """Distance that `percent` of the true surface's area keeps; None where one is empty."""
        return self._percentile(self.truth_mm, self.truth_area_mm2, percent)

    def from_predicted_mm(self, percent: float = ROBUST_PERCENT) -> float | None:
        """Distance that `percent` of the predicted surface's area keeps; None where one is empty."""
        return self._percentile(self.predicted_mm, self.predicted_area_mm2, percent)

    def hausdorff_mm(self, percent: float = ROBUST_PERCENT) -> float | None:
        """The larger of both directions; None where a surface is missing: nothing to measure."""
        there, back = self.from_truth_mm(percent), self.from_predicted_mm(percent)
        return None if there is None or back is None else max(there, back)

    def _percentile(
        self, distance_mm: Float[np.ndarray, " n"], area: Float[np.ndarray, " n"], percent: float
    ) -> float | None:
        if not self.truth_mm.size or not self.predicted_mm.size:
            return None
        order = np.lexsort((area, distance_mm))
        reached = np.cumsum(area[order])
        place = int(np.searchsorted(reached / reached[-1], percent / 100.0))
        return float(distance_mm[order[min(place, len(order) - 1)]])


def surface_distances(predicted: Mask, truth: Mask) -> SurfaceDistances:
    """Distances between the surfaces of two regions, both ways.

    Args:
        predicted: The region in question.
        truth: The region it is held against, on the same grid with perpendicular axes. Beyond the
            array is outside.

    Raises:
        GridMismatchError: If the grids differ; FrameMismatchError if the frames do.
        StudyRejectedError: If the axes are sheared (GANTRY_TILT).
    """
    require_same_grid("surface distance", predicted.grid, truth.grid)
    require_orthogonal("surface distance", truth.grid)
    box = shared_box(predicted.inside, truth.inside)
    spacing_mm = truth.grid.spacing_mm
    nothing = (np.zeros((0, 3), np.int64), np.zeros(0))
    ours = nothing if box is None else _elements(predicted.inside[box], spacing_mm)
    theirs = nothing if box is None else _elements(truth.inside[box], spacing_mm)
    return SurfaceDistances(
        truth_mm=_to_nearest_mm(theirs[0], ours[0], spacing_mm),
        truth_area_mm2=theirs[1],
        predicted_mm=_to_nearest_mm(ours[0], theirs[0], spacing_mm),
        predicted_area_mm2=ours[1],
    )


def _elements(
    inside: Bool[np.ndarray, "i j k"], spacing_mm: tuple[float, float, float]
) -> tuple[Integer[np.ndarray, "n 3"], Float[np.ndarray, " n"]]:
    """Corners between inside and outside, and the area of the surface at each."""
    padded = np.pad(inside, 1).view(np.uint8)
    areas = _areas_mm2(spacing_mm)
    places: list[Integer[np.ndarray, "n 3"]] = []
    found: list[Float[np.ndarray, " n"]] = []
    for _, _, part in slabs((padded.shape[0], padded.shape[1], inside.shape[2] + 1)):
        codes = _codes(padded[:, :, part.start : part.stop + 1])
        here = np.argwhere((codes != 0) & (codes != _ALL_INSIDE))
        found.append(areas[codes[tuple(here.T)]])
        here[:, 2] += part.start
        places.append(here)
    return np.concatenate(places), np.concatenate(found)


def _codes(padded: Integer[np.ndarray, "i j k"]) -> Integer[np.ndarray, "i-1 j-1 k-1"]:
    """Which of the eight voxels around every inner corner are inside, one bit each."""
    i, j, k = (n - 1 for n in padded.shape)
    codes = np.zeros((i, j, k), np.uint8)
    for bit, (a, b, c) in enumerate(_CORNERS):
        codes |= padded[a : a + i, b : b + j, c : c + k] << np.uint8(bit)
    return codes


def _to_nearest_mm(
    start: Integer[np.ndarray, "n 3"],
    goal: Integer[np.ndarray, "m 3"],
    spacing_mm: tuple[float, float, float],
) -> Float[np.ndarray, " n"]:
    from scipy.spatial import KDTree

    if not len(goal):
        return np.full(len(start), np.inf)
    step = np.array(spacing_mm)
    tree = KDTree(goal * step, balanced_tree=False, compact_nodes=False)
    distance_mm, _ = tree.query(start * step)
    return np.asarray(distance_mm, dtype=np.float64)


@lru_cache(maxsize=64)
def _areas_mm2(spacing_mm: tuple[float, float, float]) -> Float[np.ndarray, 256]:
    """Area of the surface between eight voxels, for every way they can be inside or outside.

    Where inside and outside meet across a corner only, the fewer voxels are cut off: a pattern and
    its reverse have one area.
    """
    import skimage.measure

    measure: Any = skimage.measure
    areas = np.zeros(_ALL_INSIDE + 1)
    for code in range(1, _ALL_INSIDE):
        fewer = code if code.bit_count() <= len(_CORNERS) // 2 else _ALL_INSIDE - code
        cube = np.array([float(fewer >> bit & 1) for bit in range(len(_CORNERS))]).reshape(2, 2, 2)
        points, faces, _, _ = measure.marching_cubes(cube, 0.5, method="lorensen")
        a, b, c = (np.asarray(points, np.float64)[faces] * spacing_mm).transpose(1, 0, 2)
        areas[code] = np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2
    areas.flags.writeable = False
    return areas
