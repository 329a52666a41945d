"""Where a region's surface lies between the voxels, and how far points are from it.

A mask knows its surface to a voxel only; a margin is asked for to a fraction of one. The surface
is the zero level of the half-voxel-corrected signed distance after a light Gaussian smoothing, as a
triangle mesh (marching cubes; Lorensen & Cline 1987, doi:10.1145/37402.37422).

*Blocks stay exact.* Smoothing with a positive, symmetric kernel leaves a linear function as it is,
and the signed distance is linear around a flat face. The kernel ends at two standard deviations; so
the middle of a face does not move if the region is thicker than four times that and a voxel. The
distance of a convex region is a convex function, whose smoothing can only shrink the region
(Jensen): edges are rounded inwards, and no vertex is pushed out through a face. (Kernels without
shrinkage have negative lobes and would push faces out by some hundredths of a millimetre.)

*Spheres are near.* A sphere of radius r shrinks by about sigma²/r; lesion and zone shrink alike, so
that little of it is left in the margin. The steps between voxels, which bias the smallest of many
distances downwards, are what the smoothing takes away.

*Nothing is lost.* Tongues of lesion and clefts in the zone that smoothing would take away stay as
they are in the mask, and so do regions of a voxel or two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.ndimage  # pyright: ignore[reportMissingTypeStubs]
import scipy.spatial  # pyright: ignore[reportMissingTypeStubs]

from netseg.domain.volume import Mask
from netseg.geometry.distance import signed_distance_mm
from netseg.geometry.extent import bounding_box, crop

if TYPE_CHECKING:
    from jaxtyping import Float, Int, Shaped

    from netseg.domain.grid import Grid

ndimage: Any = scipy.ndimage  # scipy carries no types, and the guessed ones are wrong
spatial: Any = scipy.spatial

KERNEL_ENDS_AT = 2.0  # standard deviations
SHARE_OF_RADIUS = 0.4  # of the inscribed radius: the kernel ends within the region
_CUBE = np.ones((3, 3, 3), np.bool_)
NEIGHBOURS = 6  # mesh vertices whose triangles are tried for the nearest point


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """A function of place whose zero level is a surface; negative inside.

    Attributes:
        values_mm: Its values at the voxel centres.
        grid: Where these lie.
        flat_mm: The region's inscribed radius less the reach of the smoothing kernel: about how
            far from the middle of a face its rounded edges begin.
    """

    values_mm: Float[np.ndarray, "i j k"]
    grid: Grid
    flat_mm: float = 0.0

    def at(self, points_mm: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
        """Its values at points, interpolated linearly; the border's value beyond the grid."""
        index = self.grid.to_index(points_mm).T
        return ndimage.map_coordinates(self.values_mm, index, order=1, mode="nearest")


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """Triangles in the patient.

    Attributes:
        points_mm: Vertices (LPS).
        triangles: Three vertex numbers per triangle.
    """

    points_mm: Float[np.ndarray, "n 3"]
    triangles: Int[np.ndarray, "m 3"]

    @property
    def is_empty(self) -> bool:
        """Whether there is no triangle."""
        return not len(self.triangles)

    def normals_mm2(self) -> Float[np.ndarray, "m 3"]:
        """Per triangle a vector across it, as long as its area in mm²."""
        a, b, c = (self.points_mm[self.triangles[:, corner]] for corner in range(3))
        return np.cross(b - a, c - a) / 2

    def spread(self, values: Float[np.ndarray, "m d"]) -> Float[np.ndarray, "n d"]:
        """A third of every triangle's values added to each of its corners."""
        total = np.zeros((len(self.points_mm), values.shape[1]))
        for corner in range(3):
            np.add.at(total, self.triangles[:, corner], values / 3)
        return total

    def distance_mm(self, points_mm: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
        """Shortest way from each point to the surface; infinite where there is none."""
        if self.is_empty:
            return np.full(len(points_mm), np.inf)
        count = min(NEIGHBOURS, len(self.points_mm))
        tree = spatial.cKDTree(self.points_mm)
        _, near = tree.query(points_mm, k=np.arange(1, count + 1))
        chosen = self._around()[near].reshape(len(points_mm), -1)
        chosen = np.sort(chosen, axis=1)
        new = chosen >= 0
        new[:, 1:] &= chosen[:, 1:] != chosen[:, :-1]
        row, column = np.nonzero(new)
        corners = self.points_mm[self.triangles[chosen[row, column]]]
        way = _to_triangles_mm(points_mm[row], corners[:, 0], corners[:, 1], corners[:, 2])
        first = np.flatnonzero(np.diff(row, prepend=-1))
        nearest = np.full(len(points_mm), np.inf)
        nearest[row[first]] = np.minimum.reduceat(way, first)
        return nearest

    def _around(self) -> Int[np.ndarray, "n most"]:
        """The triangles at each vertex; -1 fills the rows."""
        corner = self.triangles.ravel()
        order = np.argsort(corner, kind="stable")
        degree = np.bincount(corner, minlength=len(self.points_mm))
        turn = np.arange(len(corner)) - np.repeat(np.cumsum(degree) - degree, degree)
        table = np.full((len(self.points_mm), int(degree.max())), -1)
        table[corner[order], turn] = order // 3
        return table


def smooth_field(mask: Mask, membership: Float[np.ndarray, "i j k"] | None = None) -> Field:
    """The function whose zero level is the region's surface, negative inside.

    The standard deviation is half the widest voxel edge, where slices are thick, but not less than
    the middle one of the three; small regions are smoothed less, so that none is lost.

    Args:
        mask: The region, with at least two voxels of surroundings on every side where its surface
            matters.
        membership: Share of each voxel that is inside, 0 to 1, where that is known and at least one
            half on `mask`. The distance is then measured to its level of one half.

    Returns:
        Millimetres from the surface, near it; far outside some positive number.

    Raises:
        StudyRejectedError: If the mask is empty or its grid sheared.
    """
    spacing = np.array(mask.grid.spacing_mm)
    start, shape = bounding_box(mask, 3 * float(spacing.max()))
    part = crop(mask, start, shape)
    distance = signed_distance_mm(part)
    if membership is not None:
        box = tuple(slice(a, a + n) for a, n in zip(start, shape, strict=True))
        distance = _to_level(distance, membership[box], part.grid)
    sigma_mm = max(spacing.max() / 2, float(np.median(spacing)))
    sigma_mm = min(sigma_mm, SHARE_OF_RADIUS * -float(distance.min()))
    smooth = ndimage.gaussian_filter(
        distance, sigma_mm / spacing, truncate=KERNEL_ENDS_AT, mode="nearest"
    )
    smooth = _with_tongues_and_clefts(smooth, distance)
    values = np.full(mask.grid.shape, distance.max(), np.float32)
    values[tuple(slice(a, a + n) for a, n in zip(start, shape, strict=True))] = smooth
    radius_mm = max(0.0, -float(distance.min()) - KERNEL_ENDS_AT * sigma_mm)
    return Field(values, mask.grid, radius_mm)


def keeping_volume(field: Field, mask: Mask) -> Field:
    """The field shifted until as many voxel centres lie inside as in the mask.

    Smoothing shrinks what is round. Where lesion and zone are smoothed alike that hardly matters,
    and flat faces stay exact; where one of them is known better than its voxels, the other must not
    be smaller than it is.

    Args:
        field: As `smooth_field` made it.
        mask: What it was made of, on the field's grid.

    Returns:
        A field whose flat faces lie a little outside the mask's: its edges stay rounded.
    """
    count = int(np.count_nonzero(mask.inside))
    if not 0 < count < mask.inside.size:
        return field
    around = np.partition(field.values_mm.ravel(), (count - 1, count))
    level = (around[count - 1] + around[count]) / 2
    return Field(field.values_mm - np.float32(level), field.grid, field.flat_mm)


def _with_tongues_and_clefts(
    smooth: Float[np.ndarray, "i j k"], distance: Float[np.ndarray, "i j k"]
) -> Float[np.ndarray, "i j k"]:
    """The smoothed distance, but the plain one around what the smoothing would take away.

    A bump of one voxel may go. A tongue of lesion or a cleft in the zone that is deeper must not:
    it decides the margin. So wherever a voxel has changed sides with all its neighbours, it and
    what is within two voxels of it are put back.
    """
    for sign, join in ((1, np.minimum), (-1, np.maximum)):
        stays = sign * smooth <= 0
        gone = (sign * distance < 0) & ~stays
        deep = gone & ~ndimage.binary_dilation(stays & (sign * distance < 0), _CUBE)
        if deep.any():
            around = ndimage.binary_dilation(deep, _CUBE, iterations=2)
            smooth = np.where(around, join(smooth, distance), smooth)
    return smooth


def _to_level(
    distance: Float[np.ndarray, "i j k"], membership: Float[np.ndarray, "i j k"], grid: Grid
) -> Float[np.ndarray, "i j k"]:
    """The distance, near the surface measured to the membership's level of one half.

    A voxel that the surface cuts says by its share where; voxels farther off than two edges keep
    what the mask says.
    """
    surface = surface_of(Field(np.float32(0.5) - membership.astype(np.float32), grid))
    near = np.abs(distance) <= 2 * max(grid.spacing_mm)
    if surface.is_empty or not near.any():
        return distance
    way = surface.distance_mm(grid.to_mm(np.argwhere(near)))
    found = distance.copy()
    found[near] = np.where(membership[near] >= 0.5, -way, way)  # pyright: ignore[reportUnknownArgumentType]
    return found


def surface_of(field: Field) -> Surface:
    """The zero level of a field as triangles; open where the region leaves the grid."""
    import skimage.measure

    measure: Any = skimage.measure
    values = field.values_mm
    if not (values.min() < 0 < values.max()):
        return Surface(np.empty((0, 3)), np.empty((0, 3), np.int64))
    index, triangles, _, _ = measure.marching_cubes(values, 0.0, allow_degenerate=False)
    return Surface(field.grid.to_mm(index), triangles.astype(np.int64))


def offset(part: Grid, of: Grid) -> tuple[int, int, int]:
    """The voxel of one grid on which, or next to which, the first voxel of another lies."""
    i, j, k = np.rint(of.to_index(part.to_mm(np.zeros(3)))).astype(int)
    return int(i), int(j), int(k)


def window(mask: Mask, start: tuple[int, int, int], shape: tuple[int, int, int]) -> Mask:
    """A box of a mask that may reach beyond the image, where nothing is inside."""
    return Mask(part_of(mask.inside, start, shape), mask.grid.crop(start, shape))


def part_of(
    values: Shaped[np.ndarray, "i j k"], start: tuple[int, int, int], shape: tuple[int, int, int]
) -> Shaped[np.ndarray, "a b c"]:
    """A box of an array that may reach beyond it, where there are zeros."""
    part = np.zeros(shape, values.dtype)
    ours: list[slice] = []
    theirs: list[slice] = []
    for first, wanted, size in zip(start, shape, values.shape, strict=True):
        low, high = max(first, 0), min(first + wanted, size)
        theirs.append(slice(low, max(low, high)))
        ours.append(slice(low - first, max(low, high) - first))
    part[tuple(ours)] = values[tuple(theirs)]
    return part


def _to_triangles_mm(
    p: Float[np.ndarray, "n 3"],
    a: Float[np.ndarray, "n 3"],
    b: Float[np.ndarray, "n 3"],
    c: Float[np.ndarray, "n 3"],
) -> Float[np.ndarray, " n"]:
    """Distance of each point to its triangle: to the plane if the foot lies inside, else an edge."""
    normal = _cross(b - a, c - a)
    area = np.einsum("nd,nd->n", normal, normal)
    safe = np.where(area > 0, area, 1.0)
    v = np.einsum("nd,nd->n", _cross(p - a, c - a), normal) / safe
    w = np.einsum("nd,nd->n", _cross(b - a, p - a), normal) / safe
    beside = ~((area > 0) & (v >= 0) & (w >= 0) & (v + w <= 1))
    way = np.abs(np.einsum("nd,nd->n", p - a, normal)) / np.sqrt(safe)
    p, a, b, c = p[beside], a[beside], b[beside], c[beside]
    edges = np.minimum(_to_edge_mm(p, a, b), _to_edge_mm(p, b, c))
    way[beside] = np.minimum(edges, _to_edge_mm(p, c, a))
    return way


def _cross(a: Float[np.ndarray, "n 3"], b: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    x, y, z = a.T
    u, v, w = b.T
    return np.stack([y * w - z * v, z * u - x * w, x * v - y * u], axis=1)


def _to_edge_mm(
    p: Float[np.ndarray, "n 3"], a: Float[np.ndarray, "n 3"], b: Float[np.ndarray, "n 3"]
) -> Float[np.ndarray, " n"]:
    along = b - a
    length = np.einsum("nd,nd->n", along, along)
    t = np.einsum("nd,nd->n", p - a, along) / np.where(length > 0, length, 1.0)
    foot = a + np.clip(t, 0, 1)[:, None] * along
    return np.linalg.norm(p - foot, axis=1)
