"""The zone that an ablation left, and the true margin around every lesion.

Lesions, liver and zone are functions of place, negative inside, sampled on a fine cubic grid in the
control scan's frame. Truth is measured between their zero levels there, by other code than that
which is to be tested with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.ndimage
import scipy.spatial

from netseg.domain import Grid
from netseg.geometry.distance import signed_distance_mm
from netseg.geometry.extent import bounding_box, crop

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jaxtyping import Float

    from netseg.domain import LabelMap, Mask
    from netseg.phantom.ablated_motion import TrueMotion
    from netseg.phantom.lesions import Blob

    Field = Callable[[np.ndarray], np.ndarray]  # points (n, 3) -> mm or so, negative inside

ndimage: Any = scipy.ndimage
spatial: Any = scipy.spatial

FINE_MM = 1.0  # grid on which surfaces are looked for; between its points they are linear
REACH_MM = 20.0  # how far beyond the zone viable liver is looked for
ROUGH_SCALE_MM = 9.0  # correlation length of a zone's bulges
SAMPLE_MM = 0.6  # points on a surface lie nearer than this


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneOrder:
    """A zone that is wanted, in one of two ways: grown from lesions, or an ellipsoid around them.

    Attributes:
        lesions: Numbers of the lesions it is meant for.
        margin_mm: How far it reaches beyond them before `offset_mm`; negative leaves lesion.
        half_axes_mm: Half axes of an ellipsoid, first along the patient's x, y, z, then turned.
        offset_mm: Shift of the whole zone against the lesions (LPS of the control scan).
        rough_mm: Standard deviation of its surface's bulges.
    """

    lesions: tuple[int, ...]
    margin_mm: float | None = None
    half_axes_mm: tuple[float, float, float] | None = None
    offset_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    rough_mm: float = 0.0

    def __post_init__(self) -> None:
        """Keep the order one that can be carried out."""
        if not self.lesions:
            raise ValueError("a zone is meant for at least one lesion; got none.")
        if (self.margin_mm is None) is (self.half_axes_mm is None):
            raise ValueError("a zone needs either margin_mm or half_axes_mm; got both or neither.")
        if self.half_axes_mm is not None and min(self.half_axes_mm) <= 0:
            raise ValueError(f"half_axes_mm must be positive; got {self.half_axes_mm}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueMargin:
    """The smallest margin around one lesion, in the control scan.

    Attributes:
        to_zone_mm: To the zone's surface; negative is the depth of lesion outside.
        to_viable_mm: To the nearest liver that was not ablated, at most 20 mm; negative is the
            depth of lesion that was not.
    """

    to_zone_mm: float
    to_viable_mm: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shape:
    """A region of the planning scan.

    Attributes:
        field: Millimetres from its surface, or so, at points of the planning scan; negative inside.
        points_mm: The centres of its voxels.
    """

    field: Field
    points_mm: Float[np.ndarray, "n 3"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Carved:
    """One zone and the lesions it was meant for on a fine grid.

    Attributes:
        order: What was wanted.
        grid: Fine cubic grid in the control scan's frame.
        zone: Millimetres, about; negative inside. It ends at the liver's capsule.
        heated: The same without that end.
        lesion: The same per lesion, in the control scan.
        liver: The same of the liver.
    """

    order: ZoneOrder
    grid: Grid
    zone: Float[np.ndarray, "i j k"]
    heated: Float[np.ndarray, "i j k"]
    lesion: Mapping[int, Float[np.ndarray, "i j k"]]
    liver: Float[np.ndarray, "i j k"]

    @property
    def centre_mm(self) -> Float[np.ndarray, "3"]:
        """Centroid of the zone."""
        return self.grid.to_mm(np.argwhere(self.zone < 0)).mean(axis=0)

    def at(self, points_mm: Float[np.ndarray, "n 3"], values: np.ndarray) -> np.ndarray:
        """One of the fields at points; far outside, the border's value."""
        index = self.grid.to_index(points_mm).T
        return ndimage.map_coordinates(values, index, order=1, mode="nearest")

    def margin(self, number: int) -> TrueMargin:
        """The true margin around one of its lesions.

        Raises:
            KeyError: If the zone was not meant for that lesion.
        """
        points, _ = _surface(self.lesion[number], self.grid)
        points = points[: len(points) // 4]  # one per triangle is enough on this side
        way = _way_mm(points, self.zone, self.grid)
        to_zone = np.where(self.at(points, self.zone) <= 0, way, -way)
        viable = np.maximum(-self.heated, np.minimum(self.liver, self.lesion[number]))
        left = np.minimum(_way_mm(points, viable, self.grid), REACH_MM)
        heated = (
            self.at(points, self.heated) <= 0
        )  # at the capsule the zone ends, the heat does not
        to_viable = np.where(heated, left, -_way_mm(points, self.heated, self.grid))
        return TrueMargin(to_zone_mm=float(to_zone.min()), to_viable_mm=float(to_viable.min()))


def lesion_shape(lesions: LabelMap, number: int, blob: Blob | None = None) -> Shape:
    """One lesion: its drawn shape where that is known, else what its mask says."""
    mask = lesions.region(number)
    if blob is None:
        return mask_shape(mask)
    scale_mm = float(np.mean(blob.half_axes_mm))
    return Shape(
        field=lambda points: (blob.rho(points) - 1.0) * scale_mm,
        points_mm=mask.grid.to_mm(np.argwhere(mask.inside)),
    )


def mask_shape(mask: Mask) -> Shape:
    """A region by its mask: the half-voxel-corrected distance, smoothed over half a voxel.

    Raises:
        StudyRejectedError: MASK_EMPTY, or GANTRY_TILT.
    """
    part = crop(mask, *bounding_box(mask, REACH_MM))
    distance = signed_distance_mm(part)
    spacing = np.array(part.grid.spacing_mm)
    sigma_mm = min(float(spacing.max()) / 2, 0.4 * -float(distance.min()))
    distance = ndimage.gaussian_filter(distance, sigma_mm / spacing, mode="nearest")

    def field(points: np.ndarray) -> np.ndarray:
        index = part.grid.to_index(points).T
        return ndimage.map_coordinates(distance, index, order=1, mode="nearest")

    return Shape(field=field, points_mm=mask.grid.to_mm(np.argwhere(mask.inside)))


def carve(
    order: ZoneOrder,
    lesions: Mapping[int, Shape],
    liver: Shape,
    motion: TrueMotion,
    frame_uid: str,
    rng: np.random.Generator,
) -> Carved:
    """Make a zone in the control scan's frame.

    Args:
        order: What is wanted.
        lesions: At least those the zone is meant for.
        liver: Where the zone ends.
        motion: Control to planning.
        frame_uid: The control scan's frame.
        rng: Source of the surface's bulges.

    Raises:
        ValueError: If the order leaves no zone within the liver.
    """
    meant = {number: lesions[number] for number in order.lesions}
    centres_mm = motion.to_control(np.concatenate([s.points_mm for s in meant.values()]))
    grid = _fine_grid(order, centres_mm, frame_uid)
    planning = motion.to_planning(grid.to_mm(np.indices(grid.shape).reshape(3, -1).T))
    lesion = {n: s.field(planning).reshape(grid.shape) for n, s in meant.items()}
    within = liver.field(planning).reshape(grid.shape)
    union = np.minimum.reduce(list(lesion.values()))
    if order.half_axes_mm is None:
        heated = _grown(order, union, grid)
    else:
        heated = _ellipsoid(order, centres_mm.mean(axis=0), grid)
    if order.rough_mm > 0:
        bulges = ndimage.gaussian_filter(rng.normal(size=grid.shape), ROUGH_SCALE_MM / FINE_MM)
        heated = heated + order.rough_mm / bulges.std() * bulges
    within = np.minimum(within, union)  # a lesion that bulges out of the liver is part of it
    zone = np.maximum(heated, within)  # nothing is ablated beyond the capsule
    if not (zone < 0).any():
        raise ValueError(f"the order leaves no zone within the liver: {order}.")
    return Carved(order=order, grid=grid, zone=zone, heated=heated, lesion=lesion, liver=within)


def _fine_grid(order: ZoneOrder, lesions_mm: Float[np.ndarray, "n 3"], frame_uid: str) -> Grid:
    """A cubic grid around the lesions as they lie in the control scan, and the zone's reach."""
    reach = REACH_MM + 2.0 + float(np.abs(order.offset_mm).max()) + 3.0 * order.rough_mm
    low, high = lesions_mm.min(axis=0), lesions_mm.max(axis=0)
    if order.half_axes_mm is None:
        reach += max(0.0, order.margin_mm or 0.0)
    else:
        half = max(order.half_axes_mm)
        low = np.minimum(low, lesions_mm.mean(axis=0) - half)
        high = np.maximum(high, lesions_mm.mean(axis=0) + half)
    x, y, z = (int(n) for n in np.ceil((high - low + 2 * reach) / FINE_MM) + 1)
    affine = np.diag((FINE_MM, FINE_MM, FINE_MM, 1.0))
    affine[:3, 3] = low - reach
    return Grid((x, y, z), affine, frame_uid)


def _ellipsoid(order: ZoneOrder, centre_mm: np.ndarray, grid: Grid) -> Float[np.ndarray, "i j k"]:
    """About the distance from an ellipsoid's surface, exact where it is zero, and for balls."""
    half = np.array(order.half_axes_mm)
    away = grid.to_mm(np.indices(grid.shape).reshape(3, -1).T) - centre_mm - order.offset_mm
    size = np.linalg.norm(away / half, axis=1)
    steep = np.linalg.norm(away / half**2, axis=1)
    depth = np.where(size > 1e-6, size * (size - 1.0) / np.maximum(steep, 1e-9), -half.min())
    return depth.reshape(grid.shape)


def _grown(
    order: ZoneOrder, union: Float[np.ndarray, "i j k"], grid: Grid
) -> Float[np.ndarray, "i j k"]:
    """Distance from the lesions' surface less the margin, shifted."""
    points, _ = _surface(union, grid)
    tree = spatial.cKDTree(points)
    away, _ = tree.query(grid.to_mm(np.indices(grid.shape).reshape(3, -1).T), workers=1)
    distance = np.where(union < 0, -1.0, 1.0) * away.reshape(grid.shape)
    steps = np.array(order.offset_mm) / FINE_MM
    shifted = ndimage.shift(distance, steps, order=1, mode="nearest")
    return shifted - float(order.margin_mm or 0.0)


def _surface(
    values: Float[np.ndarray, "i j k"], grid: Grid
) -> tuple[Float[np.ndarray, "n 3"], Float[np.ndarray, "n 3"]]:
    """Points densely over the zero level, and its unit normals there."""
    import skimage.measure

    measure: Any = skimage.measure
    if not (values.min() < 0 < values.max()):
        return np.empty((0, 3)), np.empty((0, 3))
    index, triangles, _, _ = measure.marching_cubes(values, 0.0, allow_degenerate=False)
    a, b, c = np.moveaxis(grid.to_mm(index)[triangles], 1, 0)
    normals = np.cross(b - a, c - a)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    thirds = [(4 * one + two + three) / 6 for one, two, three in ((a, b, c), (b, c, a), (c, a, b))]
    return np.concatenate(((a + b + c) / 3, *thirds)), np.tile(normals, (4, 1))


def _way_mm(
    points_mm: Float[np.ndarray, "n 3"], values: Float[np.ndarray, "i j k"], grid: Grid
) -> Float[np.ndarray, "n"]:
    """From points to a zero level: to its nearest point, along the normal where that is close."""
    surface, normals = _surface(values, grid)
    if not len(surface):
        return np.full(len(points_mm), np.inf)
    way, nearest = spatial.cKDTree(surface).query(points_mm)
    between = points_mm - surface[nearest]
    height = np.abs(np.einsum("nd,nd->n", between, normals[nearest]))
    aside = np.sqrt(np.maximum(way**2 - height**2, 0.0))
    return np.where(aside <= SAMPLE_MM, height, way)
