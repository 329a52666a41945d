"""Lesions and zones that are no spheres, with their exact margin, and how a scan shows them.

Radii vary smoothly with the direction. The zone is widened until the smallest margin is the wanted
one; then registration and both outlines are disturbed, and both are put on voxels.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from netseg.domain import Grid, Mask

WAVES = 60
SPACINGS_MM = ((1.0, 1.0, 1.0), (0.8, 0.8, 2.5))


def directions(count):
    """Unit vectors spread evenly over the sphere (Fibonacci)."""
    at = np.arange(count) + 0.5
    polar, around = np.arccos(1 - 2 * at / count), np.pi * (1 + 5**0.5) * at
    ring = np.sin(polar)
    return np.stack([np.cos(around) * ring, np.sin(around) * ring, np.cos(polar)], axis=1)


LESION_WAYS, ZONE_WAYS = directions(1500), directions(8000)


@dataclass
class Bumps:
    """A Gaussian random field in space."""

    waves: np.ndarray
    height: np.ndarray

    @classmethod
    def draw(cls, rng, sd_mm, width_mm):
        height = rng.normal(size=2 * WAVES) * sd_mm / np.sqrt(WAVES)
        return cls(rng.normal(size=(3, WAVES)) / width_mm, height)

    def at(self, points_mm):
        phase = points_mm @ self.waves
        return np.cos(phase) @ self.height[:WAVES] + np.sin(phase) @ self.height[WAVES:]


@dataclass
class Body:
    """Star-shaped around its centre."""

    centre_mm: np.ndarray
    radius_mm: float
    bumps: list

    def radii(self, ways):
        return self.radius_mm + sum(b.at(self.radius_mm * ways) for b in self.bumps)

    def surface(self, ways):
        return self.centre_mm + self.radii(ways)[:, None] * ways

    def on(self, grid):
        """Voxels whose centre lies inside."""
        index = np.moveaxis(np.indices(grid.shape), 0, -1).reshape(-1, 3)
        away = grid.to_mm(index) - self.centre_mm
        length = np.linalg.norm(away, axis=1)
        inside = length < 0.5 * self.radius_mm
        near = ~inside & (length < 1.7 * self.radius_mm + 6)
        inside[near] = length[near] <= self.radii(away[near] / length[near, None])
        return Mask(inside.reshape(grid.shape), grid)


def margin_mm(lesion, zone):
    """Smallest distance from the lesion's surface to the zone's, negative outside."""
    points, wall = lesion.surface(LESION_WAYS), zone.surface(ZONE_WAYS)
    tree = cKDTree(wall)
    way, near = tree.query(points, k=12)
    local = wall[near]
    centred = local - local.mean(axis=1, keepdims=True)
    normal = np.linalg.svd(centred, full_matrices=False)[2][:, 2]
    height = np.abs(np.einsum("nd,nd->n", points - local.mean(axis=1), normal))
    distance = np.where(way[:, 0] < 1.5, height, way[:, 0])
    away = points - zone.centre_mm
    length = np.linalg.norm(away, axis=1)
    inside = length <= zone.radii(away / length[:, None])
    return float(np.where(inside, distance, -distance).min())


def truth(rng, roughness_mm, off_mm):
    """Lesion of 6 to 15 mm radius, smallest margin uniform from -2 to 8 mm."""
    wanted, off = rng.uniform(-2, 8), rng.uniform(0, off_mm)
    way = rng.normal(size=3)
    way /= np.linalg.norm(way)
    radius = rng.uniform(6, 15)
    lesion = Body(rng.uniform(-1, 1, 3), radius, [Bumps.draw(rng, roughness_mm, 12.0)])
    zone = Body(
        lesion.centre_mm + off * way,
        max(3.0, radius + wanted + off),
        [Bumps.draw(rng, roughness_mm, 15.0)],
    )
    for _ in range(6):
        zone.radius_mm = max(2.0, zone.radius_mm + wanted - margin_mm(lesion, zone))
    return lesion, zone, margin_mm(lesion, zone)


def seen(rng, lesion, zone, registration_mm, outline_mm):
    """The two as a disturbed registration and two disturbed outlines show them, on voxels.

    How far errors stay alike is drawn, since nobody knows it: 8 to 16 mm.
    """
    shift = rng.normal(size=3) * registration_mm / np.sqrt(3)
    first = Bumps.draw(rng, outline_mm, rng.uniform(8, 16))
    second = Bumps.draw(rng, outline_mm, rng.uniform(8, 16))
    lesion = Body(lesion.centre_mm + shift, lesion.radius_mm, [*lesion.bumps, first])
    zone = Body(zone.centre_mm, zone.radius_mm, [*zone.bumps, second])
    spacing = SPACINGS_MM[int(rng.integers(len(SPACINGS_MM)))]
    points = np.concatenate([lesion.surface(LESION_WAYS), zone.surface(ZONE_WAYS[::8])])
    low = points.min(axis=0) - 3 * max(spacing)
    shape = np.ceil((points.max(axis=0) - low) / spacing).astype(int) + 4
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = low + rng.uniform(-0.5, 0.5, 3) * spacing
    grid = Grid(tuple(int(n) for n in shape), affine, "1.2.3")
    return lesion.on(grid), zone.on(grid)
