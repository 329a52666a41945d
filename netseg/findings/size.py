"""How long a lesion is.

A diameter is measured between points of the mask's surface: the middles of all voxel faces that
have the lesion on one side only (the vertices a contour at 0.5 of the binary mask has). Between
voxel centres a lesion would come out one voxel too short, between voxel corners up to one voxel
diagonal too long; a row of n voxels of s mm is n·s mm here. On digitised ellipsoids the error stays
below one voxel (tests/findings/test_size.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Bool, Float

    from netseg.domain import Grid


def slice_axis(grid: Grid) -> int:
    """The array axis closest to the patient's z axis: axial slices are perpendicular to it."""
    return int(np.argmax(np.abs(grid.directions[2])))


def longest_diameter_mm(inside: Bool[np.ndarray, "i j k"], grid: Grid) -> float:
    """Longest straight extent of a region in 3-D, in mm.

    Args:
        inside: The region on `grid`; at least one voxel.
        grid: Where its voxels lie; any orientation and spacing.
    """
    return _longest(grid.to_mm(_face_middles(inside, (0, 1, 2))))


def longest_axial_diameter_mm(inside: Bool[np.ndarray, "i j k"], grid: Grid) -> float:
    """Longest straight extent within one axial slice, in mm, as RECIST reads it off the screen.

    Args:
        inside: The region on `grid`; at least one voxel.
        grid: Where its voxels lie. Axial slices are those of `slice_axis`.
    """
    axis = slice_axis(grid)
    plane = tuple(a for a in range(3) if a != axis)
    basis, _ = np.linalg.qr(grid.affine_lps[:3, plane])
    middles = _face_middles(inside, plane)
    in_plane = (middles @ grid.affine_lps[:3, :3].T) @ basis
    levels = middles[:, axis]
    return max(_longest(in_plane[levels == level]) for level in np.unique(levels))


def _face_middles(
    inside: Bool[np.ndarray, "i j k"], axes: Sequence[int]
) -> Float[np.ndarray, "n 3"]:
    """Voxel indices of the middles of the faces along `axes` between inside and outside."""
    found = []
    for axis in axes:
        width = [(1, 1) if a == axis else (0, 0) for a in range(3)]
        crossing = np.diff(np.pad(inside, width), axis=axis)
        middles = np.argwhere(crossing).astype(np.float64)
        middles[:, axis] -= 0.5
        found.append(middles)
    return np.concatenate(found)


def _longest(points: Float[np.ndarray, "n d"]) -> float:
    """Longest distance between two of the points, over the vertices of their convex hull.

    Face middles of even one voxel span all dimensions, so that a hull exists.
    """
    return float(pdist(points[ConvexHull(points).vertices]).max())
