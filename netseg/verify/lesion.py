"""The margin around one lesion, measured all over its surface.

The smallest of many noisy distances is too small: one voxel that sticks out decides. So every
distance is first averaged over a patch of the lesion's surface one widest voxel edge in radius, by
area, among vertices that look the same way (to 45 degrees). On a flat face opposite a flat face all
distances are one number, and so is their average; the patch ends where the smoothing of the face's
edges begins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.spatial  # pyright: ignore[reportMissingTypeStubs]

from netseg.geometry.components import components
from netseg.geometry.distance import box_gap_mm
from netseg.geometry.extent import bounding_box
from netseg.verify.capsule import onto_capsule
from netseg.verify.surface import offset, smooth_field, surface_of, window

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from netseg.domain.volume import Mask
    from netseg.verify.capsule import AtCapsule
    from netseg.verify.surface import Field, Surface

spatial: Any = scipy.spatial  # scipy carries no types

PATCH_OF_EDGE = 1.0  # radius of the patch in widest voxel edges
SAME_WAY = 0.7  # cosine between the normals of one patch
REACH_MM = 15.0  # how far beyond zone and lesion the surroundings are looked at, at least


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Surroundings:
    """What a lesion's surface is measured against.

    Attributes:
        zone: Tissue destroyed, on the lesions' grid.
        zone_field: Negative inside the zone.
        zone_surface: Where it ends.
        viable_field: Negative in the liver that is left; None when nobody outlined the liver.
        viable: Surface of the liver that is left; None likewise.
        lumens: Field of the wide vessel lumens around the zone; None when there are none, or nobody
            outlined vessels.
        reach_mm: How far beyond the zone viable liver was looked for.
        liver: The liver with its lesions on the lesions' grid; None when nobody outlined it.
        outlined_liver: The same as it was outlined, perhaps without its lesions.
        capsule: How the zone ends at the organ's surface; None when nobody outlined the liver.
    """

    zone: Mask
    zone_field: Field
    zone_surface: Surface
    viable_field: Field | None
    viable: Surface | None
    lumens: Field | None
    reach_mm: float
    liver: Mask | None = None
    outlined_liver: Mask | None = None
    capsule: AtCapsule | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SurfaceMargins:
    """Distances from the points of a lesion's surface.

    Attributes:
        points_mm: The points (LPS).
        area_mm2: The piece of surface each stands for.
        to_zone_mm: To the zone's surface; negative for points outside the zone.
        to_viable_mm: To the nearest viable liver; the same as `to_zone_mm` without a liver mask
            and for points outside the zone.
        normals: Unit vectors out of the lesion.
        triangles: Three point numbers per triangle of the surface.
    """

    points_mm: Float[np.ndarray, "n 3"]
    normals: Float[np.ndarray, "n 3"]
    area_mm2: Float[np.ndarray, " n"]
    to_zone_mm: Float[np.ndarray, " n"]
    to_viable_mm: Float[np.ndarray, " n"]
    triangles: Int[np.ndarray, "m 3"]

    @property
    def centre_mm(self) -> Float[np.ndarray, " 3"]:
        """Middle of the surface, by area."""
        return np.average(self.points_mm, axis=0, weights=np.maximum(self.area_mm2, 1e-12))


def around_lesion(lesion: Mask, around: Surroundings, field: Field | None = None) -> SurfaceMargins:
    """Measure one lesion; each of its connected parts has a surface of its own.

    Args:
        lesion: At least one voxel.
        around: Zone and liver in the same frame.
        field: The lesion's own field, where its surface is known better than its voxels say.

    Returns:
        The margins at all points of its surface.
    """
    if field is not None and field.values_mm.min() < 0 < field.values_mm.max():
        return _around_field(field, max(field.grid.spacing_mm), around)
    start, shape = bounding_box(lesion, 0.0)
    parts = components(window(lesion, start, shape))
    found = [_around_part(parts.region(number), around) for number in parts.values]
    if len(found) == 1:
        return found[0]
    first = np.cumsum([0, *(len(part.points_mm) for part in found)])
    return SurfaceMargins(
        points_mm=np.concatenate([part.points_mm for part in found]),
        triangles=np.concatenate([p.triangles + n for p, n in zip(found, first, strict=False)]),
        normals=np.concatenate([part.normals for part in found]),
        area_mm2=np.concatenate([part.area_mm2 for part in found]),
        to_zone_mm=np.concatenate([part.to_zone_mm for part in found]),
        to_viable_mm=np.concatenate([part.to_viable_mm for part in found]),
    )


def box_margin_mm(lesion: Mask, zone: Mask) -> float:
    """Margin from voxel box to voxel box, a lower bound; looks 15 mm beyond the lesion.

    Args:
        lesion: At least one voxel.
        zone: At least one voxel, on a grid that continues the lesion's.
    """
    (i, j, k), shape = grown_box(lesion, REACH_MM)
    a, b, c = offset(lesion.grid, zone.grid)
    inner, outer = window(lesion, (i, j, k), shape), window(zone, (i + a, j + b, k + c), shape)
    if outer.is_empty:  # the zone is farther away: look at the whole image
        outer, inner = zone, window(lesion, (-a, -b, -c), zone.grid.shape)
    return box_gap_mm(inner.inside, outer.inside, lesion.grid.spacing_mm)


def grown_box(mask: Mask, by_mm: float) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Start and shape of the box around a region and `by_mm` more, beyond the image if need be."""
    start, shape = bounding_box(mask, 0.0)
    more = [int(np.ceil(by_mm / s)) + 1 for s in mask.grid.spacing_mm]
    first = [a - m for a, m in zip(start, more, strict=True)]
    size = [n + 2 * m for n, m in zip(shape, more, strict=True)]
    return (first[0], first[1], first[2]), (size[0], size[1], size[2])


def margins_at(
    points_mm: Float[np.ndarray, "n 3"], around: Surroundings
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Distances of points to the zone's surface and to the nearest viable liver.

    Args:
        points_mm: Anywhere (LPS).
        around: Zone and liver in the same frame.

    Returns:
        Both in millimetres, negative outside the zone; one and the same without a liver.
    """
    to_zone = around.zone_surface.distance_mm(points_mm)
    inside = around.zone_field.at(points_mm) <= 0
    to_zone = np.where(inside, to_zone, -to_zone)
    if around.viable is None or around.viable_field is None:
        return to_zone, to_zone
    left = np.minimum(around.viable.distance_mm(points_mm), around.reach_mm)
    treated = inside
    if around.capsule is not None:  # films are no liver, and beyond the capsule there is none
        within_mm = onto_capsule(around.capsule.organ, points_mm)
        treated = inside | (around.capsule.treated.at(within_mm) <= 0)
    return to_zone, np.where(treated, np.maximum(left, to_zone), to_zone)


def _around_part(part: Mask, around: Surroundings) -> SurfaceMargins:
    edge_mm = max(part.grid.spacing_mm)
    field = smooth_field(window(part, *grown_box(part, 3 * edge_mm)))
    return _around_field(field, min(PATCH_OF_EDGE * edge_mm, field.flat_mm), around)


def _around_field(field: Field, radius_mm: float, around: Surroundings) -> SurfaceMargins:
    surface = surface_of(field)
    across = surface.normals_mm2()
    area = surface.spread(np.linalg.norm(across, axis=1)[:, None])[:, 0]
    points = surface.points_mm
    normals = surface.spread(across)
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    normals = normals / np.where(length > 0, length, 1)
    to_zone, to_viable = margins_at(points, around)
    distances = np.stack([to_zone, to_viable], axis=1)
    distances = _patch_mean(points, normals, area, distances, radius_mm)
    return SurfaceMargins(
        points_mm=points,
        normals=normals,
        area_mm2=area,
        to_zone_mm=distances[:, 0],
        to_viable_mm=distances[:, 1],
        triangles=surface.triangles,
    )


def _patch_mean(
    points_mm: Float[np.ndarray, "n 3"],
    normals: Float[np.ndarray, "n 3"],
    area: Float[np.ndarray, " n"],
    values: Float[np.ndarray, "n d"],
    radius_mm: float,
) -> Float[np.ndarray, "n d"]:
    """Averages by area over the points within the radius that look the same way."""
    pairs = spatial.cKDTree(points_mm).query_pairs(radius_mm, output_type="ndarray")
    a, b = pairs[:, 0], pairs[:, 1]
    alike = np.einsum("nd,nd->n", normals[a], normals[b]) >= SAME_WAY
    a, b = a[alike], b[alike]
    weight = np.maximum(area, 1e-12)
    # Sums of differences: equal distances stay equal to the last digit.
    shift = np.zeros_like(values)
    np.add.at(shift, a, weight[b, None] * (values[b] - values[a]))
    np.add.at(shift, b, weight[a, None] * (values[a] - values[b]))
    total = weight + np.bincount(a, weight[b], len(area)) + np.bincount(b, weight[a], len(area))
    return values + shift / total[:, None]
