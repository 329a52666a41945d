"""A liver before and after an ablation, with every point's true way from one scan to the other.

Planning scan: body, lung, spine, liver with three branching vessel trees, a round tumour. Control
scan: the same tissue turned, breathed and bent by a smooth field, a round zone painted over it that
darkens parenchyma and erases vessels, fresh noise, another frame and other voxels.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from netseg.domain import Grid, LabelMap, Mask, PointMm, Quantity, Volume

FINE_MM = 1.25
FINE_SHAPE = (216, 160, 144)  # the liver and 24 mm around it: nothing farther away is ever compared
BODY = np.array([150.0, 105.0])
MIDDLE = (0.0, -2.0, 2.0)  # of the field of view
LIVER = (((-45, 5, 0), 58), ((25, -15, 20), 42), ((72, -25, 30), 30))
PARENCHYMA, VESSEL, TUMOUR, ZONE, FAT, SPINE, LUNG = 105.0, 165.0, 72.0, 58.0, -60.0, 300.0, -700.0


@dataclass(frozen=True, kw_only=True)
class Difficulty:
    """What makes a pair hard; the defaults are those of the reference measurements."""

    breath_mm: tuple[float, float] = (6.0, 14.0)
    turn_degrees: float = 2.0
    bend_mm: float = 7.0
    bend_scale_mm: float = 22.0
    noise_hu: float = 12.0
    spacing_mm: tuple[float, float, float] = (2.0, 2.0, 2.0)
    control_spacing_mm: tuple[float, float, float] = (2.0, 2.0, 2.0)
    control_turn_degrees: float = 0.0
    vessel_generations: int = 5
    tumour_radius_mm: tuple[float, float] = (8.0, 12.0)
    margin_mm: tuple[float, float] = (1.0, 8.0)
    as_mr: bool = False  # the control scan's contrast is another one: vessels dark, noise relative


@dataclass(frozen=True, kw_only=True, eq=False)
class Truth:
    """The way from control to planning, point by point."""

    matrix: np.ndarray
    bend_grid: Grid
    bend_mm: np.ndarray
    bifurcations_mm: np.ndarray  # in the planning scan
    tumour_mm: tuple[np.ndarray, float]  # centre and radius in the planning scan
    zone_mm: tuple[np.ndarray, float]  # centre and radius in the control scan

    def to_planning(self, points):
        index = self.bend_grid.to_index(points).T
        bend = [
            ndimage.map_coordinates(self.bend_mm[..., c], index, order=1, mode="nearest")
            for c in range(3)
        ]
        return (points + np.stack(bend, -1)) @ self.matrix[:3, :3].T + self.matrix[:3, 3]

    def to_control(self, points):
        target = (points - self.matrix[:3, 3]) @ self.matrix[:3, :3]
        found = target.copy()
        for _ in range(60):
            bend = self.to_planning(found) - (found @ self.matrix[:3, :3].T + self.matrix[:3, 3])
            found = target - bend @ self.matrix[:3, :3]
        return found

    def tumour_surface_mm(self, count=2000):
        golden = np.pi * (3 - np.sqrt(5))
        n = np.arange(count) + 0.5
        z, angle = 1 - 2 * n / count, golden * n
        r = np.sqrt(1 - z**2)
        return self.tumour_mm[0] + self.tumour_mm[1] * np.stack(
            [r * np.cos(angle), r * np.sin(angle), z], -1
        )

    @property
    def margin_mm(self):
        away = self.to_control(self.tumour_surface_mm()) - self.zone_mm[0]
        return float(self.zone_mm[1] - np.linalg.norm(away, axis=1).max())


@dataclass(frozen=True, kw_only=True, eq=False)
class Pair:
    control: Volume
    planning: Volume
    control_liver: Mask
    planning_liver: Mask
    zone: Mask
    lesions: LabelMap
    truth: Truth

    @property
    def images(self):
        return {
            "control": self.control,
            "planning": self.planning,
            "control_liver": self.control_liver,
            "planning_liver": self.planning_liver,
            "zone": self.zone,
            "lesions": self.lesions,
        }


def make_pair(rng, difficulty=Difficulty()):
    """One patient; `rng` decides everything that is left to chance."""
    d = difficulty
    fine = _grid(FINE_SHAPE, (FINE_MM,) * 3, centre=MIDDLE, frame="2.25.1")
    points = _points(fine)
    liver = _liver(points)
    deep = ndimage.distance_transform_edt(liver, sampling=FINE_MM)
    vessels, forks = _vessels(rng, liver, deep, fine, d.vessel_generations)
    radius = rng.uniform(*d.tumour_radius_mm)
    candidates = np.argwhere((deep > radius + 12) & (deep < radius + 30))
    centre = fine.to_mm(candidates[rng.integers(len(candidates))])
    in_tumour = np.linalg.norm(points - centre, axis=-1) <= radius
    del points
    tissue = _tissue(fine, liver, vessels)
    tissue = ndimage.gaussian_filter(tissue, 0.5)
    before = np.where(in_tumour, TUMOUR, tissue)
    truth = _truth(rng, d, centre, radius, forks)
    planning_grid = _grid(_shape(fine, d.spacing_mm), d.spacing_mm, centre=MIDDLE, frame="2.25.1")
    planning = _scan(rng, before, fine, planning_grid, d.noise_hu)
    turn = _turned(d.control_turn_degrees, (1, 2, 3))
    control_grid = _grid(
        _shape(fine, d.control_spacing_mm),
        d.control_spacing_mm,
        centre=truth.to_control(np.array([MIDDLE]))[0],
        frame="2.25.2",
        axes=turn,
    )
    control, control_liver, zone = _after(rng, d, before, liver, fine, control_grid, truth)
    lesions = _lookup(in_tumour.astype(np.float32), fine, planning_grid) >= 0.5
    return Pair(
        control=control,
        planning=planning,
        control_liver=control_liver,
        planning_liver=Mask(
            _lookup(liver.astype(np.float32), fine, planning_grid) >= 0.5, planning_grid
        ),
        zone=zone,
        lesions=LabelMap(lesions.astype(np.uint8), planning_grid),
        truth=truth,
    )


def _after(rng, d, tissue, liver, fine, grid, truth):
    """Control scan, liver and zone: looked up through the true way, slab by slab."""
    values = np.empty(grid.shape, np.float32)
    inside = np.empty(grid.shape, bool)
    zone = np.empty(grid.shape, bool)
    smooth = _antialias(tissue, grid)
    for k in range(grid.shape[2]):
        index = np.stack(
            np.meshgrid(np.arange(grid.shape[0]), np.arange(grid.shape[1]), [k], indexing="ij"), -1
        )
        at = grid.to_mm(index.reshape(-1, 3))
        there = fine.to_index(truth.to_planning(at)).T
        shape = grid.shape[:2]
        values[:, :, k] = ndimage.map_coordinates(smooth, there, order=1, mode="nearest").reshape(
            shape
        )
        inside[:, :, k] = (
            ndimage.map_coordinates(liver.astype(np.float32), there, order=1) >= 0.5
        ).reshape(shape)
        zone[:, :, k] = (np.linalg.norm(at - truth.zone_mm[0], axis=1) <= truth.zone_mm[1]).reshape(
            shape
        )
    zone &= inside
    values[zone] = ZONE
    if d.as_mr:
        values = 400 - 1.5 * np.clip(values, -100, 300)
        values += rng.normal(0, 1.5 * d.noise_hu, grid.shape)
        return (
            Volume(values.astype(np.float32), grid, Quantity.ARBITRARY),
            Mask(inside, grid),
            Mask(zone, grid),
        )
    values += rng.normal(0, d.noise_hu, grid.shape).astype(np.float32)
    return Volume(values, grid, Quantity.HU), Mask(inside, grid), Mask(zone, grid)


def _truth(rng, d, centre, radius, forks):
    axis = rng.normal(size=3)
    turn = _turned(rng.normal(0, d.turn_degrees), axis)
    about = np.array([-20.0, 0, 10])
    shift = np.array(
        [rng.normal(0, 2), rng.normal(0, 2), rng.uniform(*d.breath_mm) * rng.choice((-1, 1))]
    )
    matrix = np.eye(4)
    matrix[:3, :3] = turn
    matrix[:3, 3] = about + shift - turn @ about
    grid = _grid((140, 120, 100), (4.0, 4.0, 4.0), centre=(0, 0, 10), frame="2.25.2")
    sigma = d.bend_scale_mm / 4.0
    bend = np.stack(
        [ndimage.gaussian_filter(rng.normal(size=grid.shape), sigma) for _ in range(3)], -1
    )
    in_liver = _liver(_points(grid))
    bend *= d.bend_mm / np.linalg.norm(bend[in_liver], axis=-1).max() if d.bend_mm else 0.0
    draft = Truth(
        matrix=matrix,
        bend_grid=grid,
        bend_mm=bend.astype(np.float32),
        bifurcations_mm=forks,
        tumour_mm=(centre, radius),
        zone_mm=(centre, radius),
    )
    mapped = draft.to_control(draft.tumour_surface_mm())
    way = rng.normal(size=3)
    zone_centre = mapped.mean(axis=0) + way / np.linalg.norm(way) * rng.uniform(0, 4)
    reach = np.linalg.norm(mapped - zone_centre, axis=1).max()
    return Truth(
        matrix=matrix,
        bend_grid=grid,
        bend_mm=draft.bend_mm,
        bifurcations_mm=forks,
        tumour_mm=(centre, radius),
        zone_mm=(zone_centre, reach + rng.uniform(*d.margin_mm)),
    )


def _vessels(rng, liver, deep, fine, generations):
    """Three trees of capsules; their forks are the landmarks."""
    painted = np.zeros(fine.shape, bool)
    forks = []
    roots = (
        ((-20, 10, -35), (-0.3, 0, 1)),
        ((-10, 40, 25), (-0.5, -1, -0.2)),
        ((5, 20, 35), (0.2, -1, -0.3)),
    )
    for at, way in roots:
        _grow(
            rng,
            np.array(at, float),
            np.array(way, float),
            5.5,
            34.0,
            generations,
            liver,
            fine,
            painted,
            forks,
        )
    forks = np.array(forks)
    index = np.rint(fine.to_index(forks)).astype(int)
    kept = deep[tuple(index.T)] > 5
    return painted & liver, forks[kept]


def _grow(rng, at, way, radius, length, generations, liver, fine, painted, forks):
    way = way / np.linalg.norm(way)
    end = at + way * length
    index = np.rint(fine.to_index(end)).astype(int)
    if (index < 0).any() or (index >= fine.shape).any() or not liver[tuple(index)]:
        length *= 0.5
        end = at + way * length
        index = np.rint(fine.to_index(end)).astype(int)
        if (index < 0).any() or (index >= fine.shape).any() or not liver[tuple(index)]:
            return
    _paint(at, end, radius, fine, painted)
    if generations == 0:
        return
    forks.append(end)
    side = np.cross(way, rng.normal(size=3))
    side /= np.linalg.norm(side)
    for sign in (-1, 1):
        angle = np.radians(rng.uniform(25, 50)) * sign
        _grow(
            rng,
            end,
            way * np.cos(angle) + side * np.sin(angle),
            radius * rng.uniform(0.68, 0.82),
            length * rng.uniform(0.7, 0.95),
            generations - 1,
            liver,
            fine,
            painted,
            forks,
        )


def _paint(a, b, radius, fine, painted):
    low = np.floor(fine.to_index(np.minimum(a, b) - radius)).astype(int)
    high = np.ceil(fine.to_index(np.maximum(a, b) + radius)).astype(int) + 1
    low, high = np.maximum(low, 0), np.minimum(high, fine.shape)
    box = tuple(slice(x, y) for x, y in zip(low, high, strict=True))
    points = fine.to_mm(
        np.stack(np.meshgrid(*(np.arange(s.start, s.stop) for s in box), indexing="ij"), -1)
    )
    along = b - a
    share = np.clip((points - a) @ along / (along @ along), 0, 1)[..., None]
    painted[box] |= np.linalg.norm(points - a - share * along, axis=-1) <= radius


def _tissue(fine, liver, vessels):
    points = _points(fine)
    body = (points[..., 0] / BODY[0]) ** 2 + (points[..., 1] / BODY[1]) ** 2 <= 1
    lung = (points[..., 2] > 40 - 0.004 * ((points[..., 0] + 40) ** 2 + points[..., 1] ** 2)) & (
        (points[..., 0] / (BODY[0] - 15)) ** 2 + (points[..., 1] / (BODY[1] - 15)) ** 2 <= 1
    )
    spine = (points[..., 0] ** 2 + (points[..., 1] - 70) ** 2 <= 18**2) & body
    values = np.full(fine.shape, -1000.0, np.float32)
    values[body] = FAT
    values[lung & body & ~spine] = LUNG
    values[spine] = SPINE
    values[liver] = PARENCHYMA
    values[vessels] = VESSEL
    return values


def _liver(points):
    inside = np.zeros(points.shape[:-1], bool)
    for centre, radius in LIVER:
        inside |= np.linalg.norm(points - np.array(centre, float), axis=-1) <= radius
    return inside


def _scan(rng, values, fine, grid, noise_hu):
    found = _lookup(_antialias(values, grid), fine, grid)
    return Volume(
        (found + rng.normal(0, noise_hu, grid.shape)).astype(np.float32), grid, Quantity.HU
    )


def _antialias(values, grid):
    sigma = 0.42 * np.sqrt(np.maximum(0, np.array(grid.spacing_mm) ** 2 - FINE_MM**2)) / FINE_MM
    return ndimage.gaussian_filter(np.asarray(values, np.float32), sigma)


def _lookup(values, source, grid):
    index = np.linalg.inv(source.affine_lps) @ grid.affine_lps
    return ndimage.affine_transform(
        values, index[:3, :3], offset=index[:3, 3], output_shape=grid.shape, order=1
    )


def _shape(fine, spacing):
    return tuple(round(n * FINE_MM / s) for n, s in zip(fine.shape, spacing, strict=True))


def _grid(shape, spacing, *, centre, frame, axes=None):
    affine = np.eye(4)
    affine[:3, :3] = (np.eye(3) if axes is None else axes) * np.array(spacing)
    affine[:3, 3] = np.asarray(centre, float) - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Grid(shape, affine, frame)


def _points(grid):
    i, j, k = np.meshgrid(*(np.arange(n, dtype=np.float32) for n in grid.shape), indexing="ij")
    return (np.stack([i, j, k], -1) @ grid.affine_lps[:3, :3].T + grid.affine_lps[:3, 3]).astype(
        np.float32
    )


def _turned(degrees, about):
    x, y, z = np.array(about, float) / np.linalg.norm(about)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(degrees)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def landmarks(truth, count=5):
    """Pairs of forks, control first."""
    there = truth.bifurcations_mm[:count]
    return tuple(
        (PointMm.of(a), PointMm.of(b)) for a, b in zip(truth.to_control(there), there, strict=True)
    )
