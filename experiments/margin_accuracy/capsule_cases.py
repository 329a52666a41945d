"""Lesions at a round capsule whose margin is known, and the masks that a planning and a control scan give.

The liver is a large ball, the lesion a ball that ends at its surface, what was heated a ball again,
cut off at the capsule. Lesion and liver are outlined on the planning scan's voxels and carried by a
known turn and shift onto the control scan's, where the zone is outlined. Three masks then end at one
surface and disagree there by parts of a voxel, as they do on real scans.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from netseg.domain import Grid, LabelMap, Mask, Registration
from netseg.register.transport import carry_lesions

SPHERE = 60_000  # points on a ball's surface
ROOM_MM = 17.0  # of liver around the zone


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What there is, in the control scan's millimetres; the liver's centre is the origin."""

    liver_mm: float  # radius
    lesion_at: np.ndarray
    lesion_mm: float
    heat_at: np.ndarray
    heat_mm: float
    bare_mm: float = 0.0  # thickness of a rim under the capsule that the heat spared
    bulges: bool = True  # whether the lesion reaches beyond the liver, or is cut off there

    def liver(self, points, by_mm=0.0):
        inside = np.linalg.norm(points, axis=-1) <= self.liver_mm + by_mm
        return inside | self.lesion(points, by_mm)

    def lesion(self, points, by_mm=0.0):
        inside = np.linalg.norm(points - self.lesion_at, axis=-1) <= self.lesion_mm + by_mm
        if not self.bulges:
            inside &= np.linalg.norm(points, axis=-1) <= self.liver_mm + by_mm
        return inside

    def heated(self, points, by_mm=0.0):
        inside = np.linalg.norm(points - self.heat_at, axis=-1) <= self.heat_mm + by_mm
        if self.bare_mm:
            inside &= np.linalg.norm(points, axis=-1) <= self.liver_mm - self.bare_mm + by_mm
        return inside

    def zone(self, points, by_mm=0.0):
        return self.heated(points, by_mm) & self.liver(points)

    def margin_mm(self):
        """From the lesion to the nearest liver that was not heated; negative outside the heat."""
        ways = directions(SPHERE)
        skin = self.liver_mm * ways
        skin = skin[np.linalg.norm(skin - self.lesion_at, axis=1) <= self.lesion_mm]
        rind = self.lesion_at + self.lesion_mm * ways
        if not self.bulges:
            rind = np.concatenate([rind[self.liver(rind, 1e-6)], skin])
        outside = rind[~self.heated(rind, 1e-9)]
        if len(outside):
            return -float(self._beyond_heat_mm(outside).max())
        edge = self.heat_at + self.heat_mm * ways
        edge = edge[self.liver(edge) & self.heated(edge, 1e-6)]
        if self.bare_mm:
            under = (self.liver_mm - self.bare_mm) * ways
            near = np.linalg.norm(under - self.heat_at, axis=1) <= self.heat_mm
            edge = np.concatenate([edge, under[near]])
        return float(cKDTree(edge).query(rind)[0].min())

    def _beyond_heat_mm(self, points):
        beyond = np.linalg.norm(points - self.heat_at, axis=1) - self.heat_mm
        if self.bare_mm:
            rim = np.linalg.norm(points, axis=1) - self.liver_mm + self.bare_mm
            beyond = np.maximum(beyond, rim)
        return beyond


def directions(count):
    """Unit vectors spread evenly over the sphere (Fibonacci)."""
    at = np.arange(count) + 0.5
    polar, around = np.arccos(1 - 2 * at / count), np.pi * (1 + 5**0.5) * at
    ring = np.sin(polar)
    return np.stack([np.cos(around) * ring, np.sin(around) * ring, np.cos(polar)], axis=1)


def scene(rng, bare_mm=0.0):
    """Lesion of 5 to 12 mm radius from 1 mm under to 2 mm out of a liver of 40 to 90 mm radius.

    The heat reaches 0 to 9 mm beyond it and lies up to 4 mm off.
    """
    way = rng.normal(size=3)
    way /= np.linalg.norm(way)
    off = rng.normal(size=3)
    off *= rng.uniform(0, 4) / np.linalg.norm(off)
    liver_mm, lesion_mm = rng.uniform(40, 90), rng.uniform(5, 12)
    lesion_at = way * (liver_mm - lesion_mm - rng.uniform(-2, 1))
    heat_mm = lesion_mm + float(np.linalg.norm(off)) + rng.uniform(0, 9)
    return Scene(
        liver_mm=liver_mm,
        lesion_at=lesion_at,
        lesion_mm=lesion_mm,
        heat_at=lesion_at + off,
        heat_mm=heat_mm,
        bare_mm=bare_mm,
        bulges=bool(rng.integers(2)),
    )


def rotation(rng, degrees=None):
    """A random turn about a random direction."""
    about = rng.normal(size=3)
    x, y, z = about / np.linalg.norm(about)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(rng.uniform(0, 180) if degrees is None else degrees)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def grid_around(centre_mm, half_mm, spacing_mm, axes, frame):
    shape = np.ceil(2 * half_mm / np.array(spacing_mm)).astype(int)
    affine = np.eye(4)
    affine[:3, :3] = axes * np.array(spacing_mm)
    affine[:3, 3] = centre_mm - affine[:3, :3] @ ((shape - 1) / 2)
    return Grid(tuple(int(n) for n in shape), affine, frame)


def drawn(grid, inside, matrix=None):
    points = grid.to_mm(np.moveaxis(np.indices(grid.shape), 0, -1).reshape(-1, 3))
    if matrix is not None:
        points = points @ matrix[:3, :3].T + matrix[:3, 3]
    return Mask(inside(points).reshape(grid.shape), grid)


def masks(made, spacing_mm, rng, jitter=0.3, planning_mm=None):
    """Lesion, zone and liver on the control scan's voxels.

    Args:
        made: The scene.
        spacing_mm: Of the control scan; obliquely turned.
        rng: Source of the grids' places.
        jitter: Each outline is wide or narrow by up to so much of the smallest voxel edge.
        planning_mm: Voxels of the planning scan; None for the control scan's.
    """
    planning_mm = spacing_mm if planning_mm is None else planning_mm
    half = max(made.heat_mm, made.lesion_mm) + ROOM_MM
    centre = made.heat_at + rng.uniform(-0.5, 0.5, 3) * spacing_mm
    control = grid_around(centre, half, spacing_mm, rotation(rng), "control")
    to_planning = np.eye(4)
    to_planning[:3, :3] = rotation(rng, 5.0)
    to_planning[:3, 3] = rng.uniform(-10, 10, 3)
    there = to_planning[:3, :3] @ centre + to_planning[:3, 3] + rng.uniform(-1, 1, 3)
    planning = grid_around(there, 1.2 * half, planning_mm, rotation(rng), "planning")
    back = np.linalg.inv(to_planning)
    both = Registration(method="known", fixed=control, moving=planning, matrix=to_planning)
    by = rng.uniform(-jitter, jitter, 3) * min(spacing_mm)
    lesion = drawn(planning, lambda p: made.lesion(p, by[0]), back)
    liver = drawn(planning, lambda p: made.liver(p, by[1]), back)
    zone = drawn(control, lambda p: made.heated(p) & made.liver(p, by[2]))
    carried = (
        carry_lesions(both, LabelMap(m.inside.astype(np.uint8), planning), control).region(1)
        for m in (lesion, liver)
    )
    lesion, liver = carried
    return lesion, zone, liver
