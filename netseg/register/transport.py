"""Points, distances and lesions carried from one scan to the other by a registration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.ndimage

from netseg.domain.grid import require_same_frame
from netseg.domain.volume import LabelMap, Mask
from netseg.geometry.distance import signed_distance_mm
from netseg.geometry.extent import bounding_box

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

    from netseg.domain.grid import Grid
    from netseg.domain.registration import Registration

ndi: Any = scipy.ndimage  # its stubs promise unions that these calls never return

REACH_MM = 20.0  # farther from a lesion its distance is not told, only that it is far
STEPS = 30  # of the inversion; it halves its error with each where the field bends moderately
CLOSE_MM = 1e-3  # the inversion ends here


def to_moving(
    registration: Registration, points_mm: Float[np.ndarray, "*n 3"]
) -> Float[np.ndarray, "*n 3"]:
    """Where points of the control scan lie in the planning scan (LPS millimetres both)."""
    points = np.asarray(points_mm, dtype=np.float64)
    bent = points + bend_at(registration, points)
    return bent @ registration.matrix[:3, :3].T + registration.matrix[:3, 3]


def to_fixed(
    registration: Registration, points_mm: Float[np.ndarray, "*n 3"]
) -> Float[np.ndarray, "*n 3"]:
    """Where points of the planning scan lie in the control scan.

    The bending part is inverted by fixed-point iteration x = y - u(x), which converges wherever
    neighbours approach each other by less than their distance; to 0.001 mm or 30 steps.
    """
    points = np.asarray(points_mm, dtype=np.float64)
    target = (points - registration.matrix[:3, 3]) @ registration.matrix[:3, :3]
    found = target.copy()
    if registration.bend_mm is None or not target.size:
        return found
    for _ in range(STEPS):
        better = target - bend_at(registration, found)
        moved = float(np.abs(better - found).max())
        found = better
        if moved < CLOSE_MM:
            break
    return found


def bend_at(
    registration: Registration, points_mm: Float[np.ndarray, "*n 3"]
) -> Float[np.ndarray, "*n 3"]:
    """The bending part u at points of the control scan; the border's value beyond its grid."""
    points = np.asarray(points_mm, dtype=np.float64)
    if registration.bend_mm is None or registration.bend_grid is None:
        return np.zeros_like(points)
    index = np.moveaxis(registration.bend_grid.to_index(points), -1, 0)
    parts = [
        ndi.map_coordinates(registration.bend_mm[..., axis], index, order=1, mode="nearest")
        for axis in range(3)
    ]
    return np.stack(parts, axis=-1)


def carry_distance(
    registration: Registration, lesion: Mask, onto: Grid
) -> Float[np.ndarray, "i j k"]:
    """The signed distance to a lesion's surface, looked up where each voxel of `onto` came from.

    Values are the planning scan's millimetres; around a lesion that keeps its shape they are the
    control scan's too.

    Args:
        registration: Of the two scans.
        lesion: One lesion of the planning scan.
        onto: A grid in the control scan's frame.

    Returns:
        float32, negative inside the lesion; at most 20 mm, which stands for that and more.

    Raises:
        FrameMismatchError: If lesion or grid lie in another frame than their scan.
        StudyRejectedError: If the lesion is empty (MASK_EMPTY) or its grid sheared (GANTRY_TILT).
    """
    require_same_frame("carrying a lesion", registration.moving, lesion.grid)
    require_same_frame("carrying a lesion", registration.fixed, onto)
    distance = np.full(onto.shape, REACH_MM, np.float32)
    source = _with_room(lesion)
    field = signed_distance_mm(source)
    box = _box_on(registration, source.grid, onto)
    if any(part.stop <= part.start for part in box):
        return distance
    index = np.stack(np.meshgrid(*(np.arange(b.start, b.stop) for b in box), indexing="ij"), -1)
    there = source.grid.to_index(to_moving(registration, onto.to_mm(index)))
    found = ndi.map_coordinates(field, np.moveaxis(there, -1, 0), order=1, mode="nearest")
    beyond_mm = _beyond_mm(there, source.grid)
    distance[box] = np.minimum(found + beyond_mm, REACH_MM)
    return distance


def carry_lesions(registration: Registration, lesions: LabelMap, onto: Grid) -> LabelMap:
    """Every lesion of the planning scan on a grid of the control scan.

    A voxel belongs to a lesion if its centre lies inside the lesion's surface, which passes between
    the voxels of the planning scan; where two lesions claim it, to the one it lies deeper in. A
    lesion that falls between all voxel centres takes the voxel nearest to it.

    Args:
        registration: Of the two scans.
        lesions: Numbered lesions of the planning scan.
        onto: A grid in the control scan's frame.

    Returns:
        The lesions under their numbers and names; those outside `onto` are missing.

    Raises:
        FrameMismatchError: If lesions or grid lie in another frame than their scan.
        StudyRejectedError: If the lesions' grid is sheared (GANTRY_TILT).
    """
    require_same_frame("carrying lesions", registration.moving, lesions.grid)
    require_same_frame("carrying lesions", registration.fixed, onto)
    labels = np.zeros(onto.shape, lesions.labels.dtype)
    deepest = np.full(onto.shape, np.inf, np.float32)
    for number in lesions.values:
        distance = carry_distance(registration, lesions.region(number), onto)
        inside = _claimed(distance, onto)
        claims = inside & (distance < deepest)
        labels[claims] = number
        deepest[claims] = distance[claims]
    return LabelMap(labels, onto, lesions.names)


def _claimed(distance: Float[np.ndarray, "i j k"], onto: Grid) -> Bool[np.ndarray, "i j k"]:
    inside = distance <= 0
    if inside.any():
        return inside
    nearest = float(distance.min())
    return (distance == nearest) & (nearest <= max(onto.spacing_mm))


def _with_room(lesion: Mask) -> Mask:
    """The lesion in a box with 2 mm and two voxels of room; the box may reach beyond the image."""
    start, shape = bounding_box(lesion, 0.0)
    more = [int(np.ceil(2.0 / s)) + 2 for s in lesion.grid.spacing_mm]
    box = tuple(slice(a, a + n) for a, n in zip(start, shape, strict=True))
    inside = np.pad(lesion.inside[box], [(m, m) for m in more])
    first = [a - m for a, m in zip(start, more, strict=True)]
    size = (inside.shape[0], inside.shape[1], inside.shape[2])
    return Mask(inside, lesion.grid.crop((first[0], first[1], first[2]), size))


def _box_on(registration: Registration, source: Grid, onto: Grid) -> tuple[slice, slice, slice]:
    """Voxels of `onto` that can lie within 20 mm of the source's box."""
    corners = to_fixed(registration, _faces_mm(source))
    index = onto.to_index(corners)
    more = REACH_MM * np.linalg.norm(np.linalg.inv(onto.affine_lps[:3, :3]), axis=1)
    low = np.maximum(0, np.floor(index.min(axis=0) - more)).astype(int)
    high = np.minimum(onto.shape, np.ceil(index.max(axis=0) + more) + 1).astype(int)
    i, j, k = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return i, j, k


def _faces_mm(grid: Grid) -> Float[np.ndarray, "n 3"]:
    """27 points of a box: corners, middles of edges and faces, centre."""
    at = [np.linspace(0, n - 1, 3) for n in grid.shape]
    return grid.to_mm(np.stack(np.meshgrid(*at, indexing="ij"), axis=-1).reshape(-1, 3))


def _beyond_mm(index: Float[np.ndarray, "*n 3"], grid: Grid) -> Float[np.ndarray, "*n"]:
    """How far outside a grid's outermost voxel centres points lie, on perpendicular axes."""
    last = np.array(grid.shape) - 1
    over = np.maximum(np.maximum(-index, index - last), 0) * np.array(grid.spacing_mm)
    return np.linalg.norm(over, axis=-1)
