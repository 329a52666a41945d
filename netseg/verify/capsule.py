"""Where the zone ends at the liver's capsule: films of liver thinner than a voxel are no liver.

Lesion, liver and zone end at one surface there, and three masks that end at one surface disagree
by parts of a voxel. Read to the letter, lesion or liver is left between zone and capsule: a film
nobody could see, at distance zero. Nothing in the masks tells such a film from none.

*What is done.* The zone's surface is believed where it lies deeper under the organ's surface than
a film can be thick. From there it is continued straight to the capsule: what lies within the
continued surface is taken as ablated, what lies beyond it is liver that is left. A film over the
whole lesion vanishes so; the wedge of liver beside a round zone stays, up to its thin edge. The
organ is liver, lesions and zone together.

*What is not done.* Nothing changes deeper than a film's thickness: a rim of 2 mm under the capsule,
a strip between zone and lesion away from it, and a cleft that runs down from it are liver still.
How thick a film can be follows from the voxels: two outlines of one surface are off by up to half
a voxel each, measured across the capsule. It never is 2 mm or more, however thick the slices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.spatial  # pyright: ignore[reportMissingTypeStubs]

from netseg.domain.volume import Mask
from netseg.verify.surface import Field, smooth_field, surface_of

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

spatial: Any = scipy.spatial  # scipy carries no types

FILM_VOXELS = 1.0  # half a voxel for each of two outlines
FILM_MOST_MM = 1.8  # a rim of 2 mm is never a film
LEANS_ON = 8  # points of the believed surface by which it is continued
BEYOND_VOXELS = 2.5  # how far outside the organ the zone is continued: the smoothing's reach
ROUNDS = 2  # of continuing and smoothing
FINER = 3  # samples per voxel edge of a film's volume


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AtCapsule:
    """The zone as it is taken to end at the capsule.

    Attributes:
        organ: Negative within liver, lesions and zone.
        treated: Negative within the zone and the films over it.
        left: Negative in the liver that is left if films count as liver.
        film_mm: How thick a film there is at points of the zone's surface under which one was set
            aside.
        film_at_mm: These points (LPS).
    """

    organ: Field
    treated: Field
    left: Field
    film_mm: Float[np.ndarray, " n"]
    film_at_mm: Float[np.ndarray, "n 3"]


def continued_to_capsule(ablated: Mask, zone: Field, organ: Field) -> Field:
    """The zone's field, its surface continued to the capsule.

    Smoothing rounds the edge where the zone's mask ends at the capsule, and leans its surface
    inwards there. So the mask is first continued beyond the capsule and smoothed again, which
    leaves no edge; its surface then leads straight out of the organ.

    Args:
        ablated: The zone.
        zone: Its field on the same grid.
        organ: Field of liver, lesions and zone together, likewise.
    """
    nodes = _near_capsule(zone, organ)
    at_mm = zone.grid.to_mm(np.argwhere(nodes))
    whole, inside = zone, ablated.inside
    for _ in range(ROUNDS):
        values = _continued(whole, _believed(whole, organ), at_mm)
        inside = ablated.inside.copy()
        inside[nodes] |= values <= 0
        whole = smooth_field(Mask(inside, zone.grid))
    values = np.minimum(zone.values_mm, whole.values_mm)
    values[nodes] = np.minimum(
        zone.values_mm[nodes], _continued(whole, _believed(whole, organ), at_mm)
    )
    return Field(values, zone.grid, zone.flat_mm)


def film_near(
    at: AtCapsule, zone: Field, lesion_mm: Float[np.ndarray, "n 3"], within_mm: float
) -> tuple[float, float, float] | None:
    """What was set aside near a lesion.

    Args:
        at: The zone at the capsule.
        zone: The zone's field.
        lesion_mm: Points of the lesion's surface.
        within_mm: Farther films do not matter to it.

    Returns:
        Volume in ml, greatest thickness and the limit there in mm; None where there is no film.
    """
    tree = spatial.cKDTree(lesion_mm)
    near = tree.query(at.film_at_mm)[0] <= within_mm
    volume_ml = _film_volume_ml(at, zone, tree, within_mm)
    if not (near.any() and volume_ml > 0):
        return None
    thickest = int(np.argmax(np.where(near, at.film_mm, -np.inf)))
    limit_mm = film_limit_mm(at.organ, at.film_at_mm[thickest][None])[0]
    return volume_ml, float(at.film_mm[thickest]), float(limit_mm)


def _film_volume_ml(at: AtCapsule, zone: Field, tree: Any, within_mm: float) -> float:
    """Of organ outside the zone that counts as treated, sampled finer than voxels."""
    grid, edge_mm = zone.grid, max(zone.grid.spacing_mm)
    near = (at.treated.values_mm < zone.values_mm) & (np.abs(zone.values_mm) <= 2 * edge_mm)
    near &= np.abs(at.organ.values_mm) <= FILM_MOST_MM + edge_mm
    nodes = np.argwhere(near)
    nodes = nodes[tree.query(grid.to_mm(nodes))[0] <= within_mm + edge_mm]
    parts = (np.moveaxis(np.indices((FINER,) * 3), 0, -1).reshape(-1, 3) + 0.5) / FINER - 0.5
    points = grid.to_mm((nodes[:, None] + parts).reshape(-1, 3))
    film = (at.organ.at(points) <= 0) & (zone.at(points) > 0) & (at.treated.at(points) <= 0)
    film[film] = tree.query(points[film])[0] <= within_mm
    return float(film.sum()) / FINER**3 * grid.voxel_volume_ml


def _believed(zone: Field, organ: Field) -> Float[np.ndarray, "n 3"]:
    """Points of the zone's surface that lie deeper than a film can be thick."""
    points = surface_of(zone).points_mm
    return points[-organ.at(points) > film_limit_mm(organ, points)]


def films(
    zone: Field, treated: Field, organ: Field
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, "n 3"]]:
    """Depth and place of the zone's surface where what lies above it was set aside."""
    points = surface_of(zone).points_mm
    depth = -organ.at(points)
    above = points + depth[:, None] * _slope(organ, points)
    shallow = (depth > 0) & (depth <= film_limit_mm(organ, points))
    film = shallow & (treated.at(above) <= 0)
    return depth[film], points[film]


def film_limit_mm(organ: Field, points_mm: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
    """How thick a film can be at places under the capsule.

    A voxel's edge along the normal of the organ's surface, but less than 2 mm.
    """
    slope = _slope(organ, points_mm)
    axes = organ.grid.affine_lps[:3, :3]  # columns: steps of one voxel
    across = np.linalg.norm(slope @ axes, axis=1)
    return np.minimum(FILM_VOXELS * across, FILM_MOST_MM)


def onto_capsule(organ: Field, points_mm: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    """The points, those outside the organ pulled onto its surface."""
    beyond = organ.at(points_mm)
    out = beyond > 0
    pulled = np.array(points_mm, np.float64)
    pulled[out] -= beyond[out, None] * _slope(organ, points_mm[out])
    return pulled


def _near_capsule(zone: Field, organ: Field) -> Bool[np.ndarray, "i j k"]:
    """Nodes at which a film may lie: from a film's thickness under the capsule to just outside."""
    edge_mm = max(zone.grid.spacing_mm)
    outer = organ.values_mm <= BEYOND_VOXELS * edge_mm
    nodes = outer & (organ.values_mm >= -FILM_MOST_MM)
    at_mm = zone.grid.to_mm(np.argwhere(nodes))
    shallow = -organ.values_mm[nodes] <= film_limit_mm(organ, at_mm)
    nodes[nodes] = shallow
    return nodes


def _continued(
    zone: Field, believed_mm: Float[np.ndarray, "n 3"], at_mm: Float[np.ndarray, "m 3"]
) -> Float[np.ndarray, " m"]:
    """Millimetres beyond the tangent planes of the nearest points of the believed surface.

    Where nothing of the surface is believed, the zone fills the organ, and all is within it.
    """
    if not len(believed_mm):
        return np.full(len(at_mm), -min(zone.grid.spacing_mm))
    count = min(LEANS_ON, len(believed_mm))
    normals = _slope(zone, believed_mm)
    _, near = spatial.cKDTree(believed_mm).query(at_mm, k=np.arange(1, count + 1))
    beyond = np.einsum("mkd,mkd->mk", at_mm[:, None] - believed_mm[near], normals[near])
    return beyond.mean(axis=1)


def _slope(field: Field, at_mm: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    """Unit vectors along which a field rises."""
    step = min(field.grid.spacing_mm)
    rise = [field.at(at_mm + s) - field.at(at_mm - s) for s in np.eye(3) * step]
    slope = np.stack(rise, axis=1)
    return slope / np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-9)
