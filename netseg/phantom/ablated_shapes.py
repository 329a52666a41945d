"""The shapes in a drawn patch: a zone, the lesion it was meant for, the plan, as distances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.ndimage  # pyright: ignore[reportMissingTypeStubs]

from netseg.phantom.texture import cloud

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

ndimage: Any = scipy.ndimage  # scipy carries no types, and the guessed ones are wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchShapes:
    """How zones and lesions are drawn.

    Attributes:
        half_axis_mm: Least and most mean half axis of one ablation's ellipsoid.
        needles: Shares of zones that 1, 2, 3 overlapping ellipsoids make.
        rough_mm: Largest standard deviation of a zone's bulges.
        cooled: Share of zones that vessels beside them indent.
        partial: Share of zones that leave lesion.
    """

    half_axis_mm: tuple[float, float] = (7.0, 34.0)
    needles: tuple[float, float, float] = (0.6, 0.25, 0.15)
    rough_mm: float = 1.6
    cooled: float = 0.35
    partial: float = 0.25


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TreatedRegion:
    """Millimetres from surfaces, about, negative inside.

    Attributes:
        zone_mm: Dead tissue: within the liver, beside vessels that cooled it.
        planned_mm: What was meant to become zone, without bulges.
        lesion_mm: The lesion.
        centre_mm: The middle of the first ablation.
    """

    zone_mm: Float[np.ndarray, "i j k"]
    planned_mm: Float[np.ndarray, "i j k"]
    lesion_mm: Float[np.ndarray, "i j k"]
    centre_mm: Float[np.ndarray, "3"]


def depth_mm(inside: Bool[np.ndarray, "i j k"], edge_mm: float) -> Float[np.ndarray, "i j k"]:
    """Distance to a region's surface half-way between voxels, lightly smoothed; negative inside."""
    outside = ndimage.distance_transform_edt(~inside) - 0.5
    within = ndimage.distance_transform_edt(inside) - 0.5
    field = np.where(inside, -within, outside).astype(np.float32)
    return ndimage.gaussian_filter(field, 0.7, mode="nearest") * np.float32(edge_mm)


def ball_mm(
    points: Float[np.ndarray, "i j k 3"],
    at_mm: Float[np.ndarray, "3"],
    radius_mm: float,
    rng: np.random.Generator,
) -> Float[np.ndarray, "i j k"]:
    """About the distance from a turned ellipsoid of that mean half axis."""
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    half = radius_mm * np.exp(rng.normal(0.0, 0.17, 3))
    away = ((points - at_mm.astype(np.float32)) @ turn.astype(np.float32)) / half.astype(np.float32)
    size = np.sqrt(np.einsum("...d,...d->...", away, away))
    steep = np.sqrt(np.einsum("...d,...d->...", away / half, away / half)).astype(np.float32)
    depth = size * (size - 1.0) / np.maximum(steep, 1e-6)
    return np.where(size > 1e-4, depth, -half.min()).astype(np.float32)


def rod_mm(
    points: Float[np.ndarray, "i j k 3"],
    from_mm: Float[np.ndarray, "3"],
    along: Float[np.ndarray, "3"],
    radius_mm: float,
) -> Float[np.ndarray, "i j k"]:
    """Distance from a straight tube that begins at a point and never ends."""
    along = (along / np.linalg.norm(along)).astype(np.float32)
    away = points - from_mm.astype(np.float32)
    t = np.maximum(away @ along, 0.0)
    return np.linalg.norm(away - t[..., None] * along, axis=-1) - np.float32(radius_mm)


def draw_shapes(
    points: Float[np.ndarray, "i j k 3"],
    organ: tuple[Float[np.ndarray, "i j k"], Bool[np.ndarray, "i j k"]],
    rng: np.random.Generator,
    prior: PatchShapes,
) -> TreatedRegion:
    """A zone about the middle of a cube of points, its lesion and its plan.

    Args:
        points: Voxel centres in millimetres, on cubic voxels along the axes.
        organ: The liver's distance, and vessels that cool.
        rng: Source of chance.
        prior: How.
    """
    liver_mm, vessels = organ
    edge_mm = float(points[1, 0, 0, 0] - points[0, 0, 0, 0])
    extent_mm = edge_mm * points.shape[0]
    radius = float(np.exp(rng.uniform(*np.log(prior.half_axis_mm))))
    radius = min(radius, 0.34 * extent_mm)
    room = max(1.0, 0.5 * extent_mm - radius - 6.0)
    centre = points[tuple(n // 2 for n in points.shape[:3])] + rng.uniform(-1, 1, 3) * min(room, 12)
    centre = centre.astype(np.float32)
    heated = _ablations(points, centre, radius, rng, prior)
    planned = heated.copy()
    wave = cloud(heated.shape, (edge_mm, edge_mm, edge_mm), float(rng.uniform(9.0, 22.0)), rng)
    heated = heated + rng.uniform(0.0, min(prior.rough_mm, 0.15 * radius)) * wave
    zone = np.maximum(heated, liver_mm)
    if vessels.any() and rng.random() < prior.cooled:
        from_vessel = ndimage.distance_transform_edt(~vessels) * edge_mm - 0.5 * edge_mm
        zone = np.maximum(zone, rng.uniform(0.0, 4.0) - from_vessel)
    return TreatedRegion(
        zone_mm=zone.astype(np.float32),
        planned_mm=planned,
        lesion_mm=_lesion(points, centre, radius, rng, prior),
        centre_mm=centre.astype(np.float64),
    )


def _ablations(
    points: Float[np.ndarray, "i j k 3"],
    centre: Float[np.ndarray, "3"],
    radius: float,
    rng: np.random.Generator,
    prior: PatchShapes,
) -> Float[np.ndarray, "i j k"]:
    """One to three overlapping ellipsoids, their seams rounded."""
    number = 1 + int(rng.choice(3, p=np.array(prior.needles) / sum(prior.needles)))
    heated = ball_mm(points, centre, radius / number**0.25, rng)
    for _ in range(number - 1):
        way = rng.normal(size=3)
        at = centre + (0.8 * radius * way / np.linalg.norm(way)).astype(np.float32)
        other = ball_mm(points, at, radius * rng.uniform(0.5, 0.9), rng)
        gap = np.abs(heated - other)
        heated = np.minimum(heated, other) - np.square(np.maximum(3.0 - gap, 0.0)) / 12.0
    return heated.astype(np.float32)


def _lesion(
    points: Float[np.ndarray, "i j k 3"],
    centre: Float[np.ndarray, "3"],
    radius: float,
    rng: np.random.Generator,
    prior: PatchShapes,
) -> Float[np.ndarray, "i j k"]:
    """Within the zone, or reaching out of it."""
    own = radius * rng.uniform(0.3, 0.85)
    aside = max(0.0, radius - own)
    if rng.random() < prior.partial:
        aside += rng.uniform(0.0, 0.6) * own
    way = rng.normal(size=3)
    at = centre + (rng.uniform(0.0, 1.0) * aside * way / np.linalg.norm(way)).astype(np.float32)
    return ball_mm(points, at, max(own, 3.0), rng)
