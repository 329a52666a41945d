"""How long a lesion is.

A mask does not say where between two voxel centres its surface lies. The way between the outermost
voxel centres is a lower bound of the diameter, the way between their outer faces an upper one; the
middle between both is returned, so that the error stays within half a voxel along the diameter.
(Faces alone are right for blocks but 0.9 voxels too long on spheres of 10 mm radius, since the
longest of many ways seeks out the steps of the digitised surface.) Measured on digitised ellipsoids:
tests/findings/test_size.py.
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


HALF_WAY = 0.25  # from a voxel's centre towards its face, in voxels


def slice_axis(grid: Grid) -> int:
    """The array axis closest to the patient's z axis: axial slices are perpendicular to it."""
    return int(np.argmax(np.abs(grid.directions[2])))


def longest_diameter_mm(inside: Bool[np.ndarray, "i j k"], grid: Grid) -> float:
    """Longest straight extent of a region in 3-D, in mm.

    Args:
        inside: The region on `grid`; at least one voxel.
        grid: Where its voxels lie; any orientation and spacing.
    """
    return _longest(grid.to_mm(_surface(inside, (0, 1, 2))))


def longest_axial_diameter_mm(inside: Bool[np.ndarray, "i j k"], grid: Grid) -> float:
    """Longest straight extent within one axial slice, in mm, as RECIST reads it off the screen.

    Args:
        inside: The region on `grid`; at least one voxel.
        grid: Where its voxels lie. Axial slices are those of `slice_axis`.
    """
    axis = slice_axis(grid)
    plane = tuple(a for a in range(3) if a != axis)
    basis, _ = np.linalg.qr(grid.affine_lps[:3, plane])
    points = _surface(inside, plane)
    in_plane = (points @ grid.affine_lps[:3, :3].T) @ basis
    levels = points[:, axis]
    return max(_longest(in_plane[levels == level]) for level in np.unique(levels))


def _surface(inside: Bool[np.ndarray, "i j k"], axes: Sequence[int]) -> Float[np.ndarray, "n 3"]:
    """Voxel indices of points half-way from a centre to each face along `axes` that looks outside."""
    found = []
    for axis in axes:
        width = [(1, 1) if a == axis else (0, 0) for a in range(3)]
        steps = np.diff(np.pad(inside, width).astype(np.int8), axis=axis)
        for sign in (1, -1):  # the first voxel of a run, and the one behind its last
            points = np.argwhere(steps == sign).astype(np.float64)
            points[:, axis] += -HALF_WAY if sign == 1 else HALF_WAY - 1
            found.append(points)
    return np.concatenate(found)


def _longest(points: Float[np.ndarray, "n d"]) -> float:
    """Longest distance between two of the points, over the vertices of their convex hull.

    The points of even one voxel span all dimensions, so that a hull exists.
    """
    return float(pdist(points[ConvexHull(points).vertices]).max())
