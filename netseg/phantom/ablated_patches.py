"""Small pictures of a liver after an ablation, drawn in a tenth of a second each: to train on.

`ablated` moves a whole patient and measures margins; here only what a network must tell apart is
painted, on cubic voxels: a zone of any shape, ended by the capsule and by vessels that kept it
cool, its rim, gas and needle, the lesion that it left, other lesions that nobody treated, ducts,
and a scanner with thick slices.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.ndimage  # pyright: ignore[reportMissingTypeStubs]

from netseg.domain import Grid
from netseg.phantom.ablated_paint import (
    ControlLooks,
    Needle,
    paint_gas,
    paint_needle,
    paint_zone,
    scanned,
    share_inside,
)
from netseg.phantom.ablated_shapes import (
    PatchShapes,
    TreatedRegion,
    ball_mm,
    depth_mm,
    draw_shapes,
    rod_mm,
)
from netseg.phantom.texture import cloud

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

ndimage: Any = scipy.ndimage  # scipy carries no types, and the guessed ones are wrong

EDGE_MM = 1.5  # voxels of scenery and patch
LIVER_HU = 110.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scenery:
    """A liver and what lies around it, without noise of its own or with a real scan's.

    Attributes:
        hu: On cubic voxels of 1.5 mm.
        liver: The liver with its lesions and vessels.
        vessels: Lumens that are wide enough to cool.
    """

    hu: Float[np.ndarray, "i j k"]
    liver: Bool[np.ndarray, "i j k"]
    vessels: Bool[np.ndarray, "i j k"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchPrior:
    """How patches are drawn.

    Attributes:
        shapes: Zones and lesions.
        untreated: Share of patches without any zone: the lesion shows as liver.
        bright: Share of zones brighter than liver, as in native scans and T1.
        contrast_hu: Least and most difference of zone and liver.
        noise_hu: Least and most noise on a voxel of 1.5 mm.
        thick: Share of scans in thick slices.
        windowed: Share of scans whose values were cut off at a window's ends.
        no_liver: Share of patches whose liver is only known as soft tissue.
        astray_mm: Standard deviation, along each axis, of where the lesion is carried to.
    """

    shapes: PatchShapes = field(default_factory=PatchShapes)
    untreated: float = 0.03
    bright: float = 0.08
    contrast_hu: tuple[float, float] = (18.0, 80.0)
    noise_hu: tuple[float, float] = (3.0, 18.0)
    thick: float = 0.5
    windowed: float = 0.2
    no_liver: float = 0.08
    astray_mm: float = 2.2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AblatedPatch:
    """What a network sees, and what it should say.

    Attributes:
        hu: The control scan on cubic voxels.
        liver: Its liver, as far as it is known.
        lesion: The lesion as a registration would carry it.
        planned: The zone that was planned, as well; None without a plan.
        share: How much of each voxel is dead tissue.
        spacing_mm: Voxel edge.
    """

    hu: Float[np.ndarray, "i j k"]
    liver: Bool[np.ndarray, "i j k"]
    lesion: Bool[np.ndarray, "i j k"]
    planned: Bool[np.ndarray, "i j k"] | None
    share: Float[np.ndarray, "i j k"]
    spacing_mm: float = EDGE_MM


def draw_patch(
    scenery: Scenery, size: int, rng: np.random.Generator, prior: PatchPrior = PatchPrior()
) -> AblatedPatch:
    """One patch.

    Args:
        scenery: Where it is cut from, turned, mirrored and stretched by chance.
        size: Voxels along each edge.
        rng: Source of chance; the same state gives the same bytes.
        prior: How.

    Raises:
        ValueError: If the scenery has no liver.
    """
    hu, liver, vessels = _cut(scenery, size, rng)
    grid = Grid((size, size, size), np.diag((EDGE_MM, EDGE_MM, EDGE_MM, 1.0)), "1.2.3")
    points = grid.to_mm(np.moveaxis(np.indices(grid.shape), 0, -1)).astype(np.float32)
    liver_mm = depth_mm(liver, EDGE_MM)
    shapes = draw_shapes(points, (liver_mm, vessels), rng, prior.shapes)
    level = float(np.median(hu[liver])) if liver.any() else LIVER_HU
    looks = _looks(level, rng, prior)
    parenchyma = share_inside(liver_mm, grid)
    _paint_others(hu, points, (liver_mm, parenchyma, shapes), level, rng)
    treated = rng.random() >= prior.untreated
    if treated:
        lesion_hu = level + rng.uniform(-60.0, 25.0)
        hu += parenchyma * share_inside(shapes.lesion_mm, grid) * np.float32(lesion_hu - hu)
        paint_zone(hu, shapes.zone_mm, liver_mm, grid, looks, rng)
        needle = _needle(shapes.centre_mm, rng)
        paint_gas(hu, shapes.zone_mm, needle, grid, looks.gas, rng)
        if looks.needle:
            paint_needle(hu, needle, grid, rng)
    share = share_inside(shapes.zone_mm, grid) if treated else np.zeros(grid.shape, np.float32)
    return AblatedPatch(
        hu=_scanned(hu, looks, rng, prior),
        liver=_known_liver(hu, liver_mm, rng, prior),
        lesion=_astray(shapes.lesion_mm, rng.normal(0.0, prior.astray_mm, 3)) < rng.normal(0, 0.6),
        planned=(
            _astray(shapes.planned_mm, rng.normal(0.0, 2.0, 3)) < rng.normal(0.0, 2.5)
            if rng.random() < 0.5
            else None
        ),
        share=share,
    )


def _cut(
    scenery: Scenery, size: int, rng: np.random.Generator
) -> tuple[Float[np.ndarray, "i j k"], Bool[np.ndarray, "i j k"], Bool[np.ndarray, "i j k"]]:
    """A cube around a point of the liver, turned about its slices' axis, mirrored, stretched."""
    places = np.argwhere(scenery.vessels if rng.random() < 0.2 else scenery.liver)
    if not len(places):
        places = np.argwhere(scenery.liver)
    if not len(places):
        raise ValueError("the scenery has no liver; an ablation needs one.")
    middle = places[rng.integers(len(places))] + rng.normal(0.0, 4.0, 3)
    turn = rng.uniform(-np.pi, np.pi)
    cos, sin = np.cos(turn), np.sin(turn)
    matrix = np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
    matrix = (
        matrix * rng.uniform(0.8, 1.15, 3) @ np.diag((rng.choice((-1, 1)), 1, rng.choice((-1, 1))))
    )
    start = middle - matrix @ np.full(3, (size - 1) / 2)

    def cut(values: np.ndarray, mode: str) -> np.ndarray:
        return ndimage.affine_transform(
            values, matrix, start, (size,) * 3, np.float32, order=1, mode=mode
        )

    liver = cut(scenery.liver.astype(np.float32), "constant") >= 0.5
    vessels = cut(scenery.vessels.astype(np.float32), "constant") >= 0.5
    return cut(scenery.hu, "nearest"), liver, vessels


def _looks(level: float, rng: np.random.Generator, prior: PatchPrior) -> ControlLooks:
    sign = 1.0 if rng.random() < prior.bright else -1.0
    contrast = float(np.exp(rng.uniform(*np.log(prior.contrast_hu))))
    inside = level + sign * contrast
    core = None
    if rng.random() < 0.3:
        core = inside - sign * rng.uniform(0.2, 1.3) * contrast
    return ControlLooks(
        zone_hu=inside,
        core_hu=core,
        rim_hu=float(rng.uniform(5.0, 45.0)) if rng.random() < 0.5 else 0.0,
        rim_mm=float(rng.uniform(1.5, 5.0)),
        gas=int(rng.integers(1, 16)) if rng.random() < 0.3 else 0,
        needle=bool(rng.random() < 0.1),
        texture_hu=float(rng.uniform(0.5, min(9.0, 0.4 * contrast))),
        noise_hu=float(np.exp(rng.uniform(*np.log(prior.noise_hu)))),
        noise_mm=float(rng.uniform(0.3, 1.6)),
        blur_mm=float(rng.uniform(0.2, 1.0)),
    )


def _paint_others(
    hu: Float[np.ndarray, "i j k"],
    points: Float[np.ndarray, "i j k 3"],
    known: tuple[Float[np.ndarray, "i j k"], Float[np.ndarray, "i j k"], TreatedRegion],
    level: float,
    rng: np.random.Generator,
) -> None:
    """Lesions that nobody treated and ducts beside the zone, in place."""
    liver_mm, parenchyma, shapes = known
    apart_mm = shapes.zone_mm - rng.choice((0.5, 2.0, 6.0))
    for _ in range(rng.poisson(0.8)):
        places = np.argwhere((apart_mm > 3.0) & (liver_mm < 0))
        if not len(places):
            break
        at = points[tuple(places[rng.integers(len(places))])]
        other = ball_mm(points, at, rng.uniform(3.0, 14.0), rng)
        other = np.maximum(other, -apart_mm)
        share = np.clip(0.5 - other / EDGE_MM, 0.0, 1.0) * parenchyma
        hu += share * np.float32(level + rng.uniform(-90.0, -10.0) - hu)
    if rng.random() < 0.2:
        duct = rod_mm(points, shapes.centre_mm, rng.normal(size=3), rng.uniform(1.0, 3.0))
        share = np.clip(0.5 - duct / EDGE_MM, 0.0, 1.0) * parenchyma
        hu += share * np.float32(level + rng.uniform(-95.0, -40.0) - hu)


def _needle(centre_mm: Float[np.ndarray, "3"], rng: np.random.Generator) -> Needle:
    along = rng.normal(size=3) * (1.0, 1.0, 0.5)
    along = along / np.linalg.norm(along)
    return Needle(entry_mm=centre_mm + 140.0 * along, tip_mm=centre_mm - rng.uniform(3, 15) * along)


def _scanned(
    hu: Float[np.ndarray, "i j k"], looks: ControlLooks, rng: np.random.Generator, prior: PatchPrior
) -> Float[np.ndarray, "i j k"]:
    """The picture through a scanner with slices one to four voxels thick, on the same voxels."""
    parts = int(rng.integers(2, 5)) if rng.random() < prior.thick else 1
    before = int(rng.integers(parts))
    size = hu.shape[2]
    after = -(size + before) % parts
    padded = np.pad(hu, ((0, 0), (0, 0), (before, after)), mode="edge")
    spacing = (EDGE_MM, EDGE_MM, EDGE_MM * parts)
    shape = (hu.shape[0], hu.shape[1], padded.shape[2] // parts)
    coarse = Grid(shape, np.diag((*spacing, 1.0)), "1.2.3")
    values = scanned(padded, coarse, parts, looks, rng).astype(np.float32)
    if parts > 1:
        at = np.clip((np.arange(size) + before - (parts - 1) / 2) / parts, 0, shape[2] - 1)
        low = np.minimum(at.astype(int), max(shape[2] - 2, 0))
        part = (at - low).astype(np.float32)
        values = (1 - part) * values[..., low] + part * values[
            ..., np.minimum(low + 1, shape[2] - 1)
        ]
    if rng.random() < prior.windowed:
        values = np.clip(values, rng.uniform(-170.0, -20.0), rng.uniform(180.0, 260.0))
    return values


def _known_liver(
    hu: Float[np.ndarray, "i j k"],
    liver_mm: Float[np.ndarray, "i j k"],
    rng: np.random.Generator,
    prior: PatchPrior,
) -> Bool[np.ndarray, "i j k"]:
    """The liver as an outline knows it: a little too small or large, or only soft tissue."""
    if rng.random() < prior.no_liver:
        return (hu > -30.0) & (hu < 350.0)
    wave = cloud(hu.shape, (EDGE_MM, EDGE_MM, EDGE_MM), 16.0, rng)
    return liver_mm < rng.normal(0.0, 0.7) + rng.uniform(0.0, 1.5) * wave


def _astray(
    field_mm: Float[np.ndarray, "i j k"], way_mm: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "i j k"]:
    steps = np.rint(np.clip(way_mm, -5.0, 5.0) / EDGE_MM).astype(int)
    return np.roll(field_mm, tuple(steps.tolist()), axis=(0, 1, 2))
