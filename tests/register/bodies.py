"""A small liver with vessels, and the same one moved: quick enough for every test."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from netseg.domain import Grid, LabelMap, Mask, Quantity, Volume

AFTER, BEFORE = "2.25.2", "2.25.1"
LIVER = (((-20.0, 0.0, 0.0), 34.0), ((18.0, -8.0, 8.0), 24.0))
TUMOUR = (np.array([-20.0, 2.0, 4.0]), 8.0)
WAVE_MM = 120.0


class Motion:
    """The control scan's x lies at turn (x + u(x)) + shift; u is one sine wave per axis."""

    def __init__(self, *, bend_mm=2.5, degrees=3.0, shift_mm=(3.0, -2.0, 9.0)):
        a = np.radians(degrees)
        self.matrix = np.eye(4)
        self.matrix[:2, :2] = ((np.cos(a), -np.sin(a)), (np.sin(a), np.cos(a)))
        self.matrix[:3, 3] = shift_mm
        self.bend_mm = bend_mm

    def bend(self, points):
        """Displacement u at points of the control scan."""
        wave = 2 * np.pi * points / WAVE_MM
        return self.bend_mm * np.stack(
            (np.sin(wave[..., 1]), np.cos(wave[..., 2]), np.sin(wave[..., 0] + 0.5)), axis=-1
        )

    def to_planning(self, points):
        """Where points of the control scan lay before."""
        return (points + self.bend(points)) @ self.matrix[:3, :3].T + self.matrix[:3, 3]

    def to_control(self, points):
        """The way back, by fixed-point iteration."""
        target = (points - self.matrix[:3, 3]) @ self.matrix[:3, :3]
        found = target.copy()
        for _ in range(60):
            found = target - self.bend(found)
        return found


def planning_hu(points):
    """The tissue before the ablation: liver in fat, curved vessels in a grid, a dark tumour."""
    x, y, z = np.moveaxis(points, -1, 0)
    inside = in_liver(points)
    values = np.where(inside, 105.0, -60.0)
    for a, b, c in ((x, y, z), (y, z, x), (z, x, y)):
        bow = 2.5 * np.sin(c / 9.0)
        away = np.hypot((a + bow + 7) % 18 - 9, (b - bow + 2) % 18 - 9)
        values = np.where(inside & (away < 2.2), 165.0, values)
    return np.where(np.linalg.norm(points - TUMOUR[0], axis=-1) <= TUMOUR[1], 72.0, values)


def in_liver(points):
    return np.any([np.linalg.norm(points - np.array(c), axis=-1) <= r for c, r in LIVER], axis=0)


def body_grid(spacing_mm=2.5, *, frame_uid, axes=None, centre_mm=(0.0, 0.0, 0.0), size_mm=130.0):
    count = int(size_mm / spacing_mm)
    affine = np.eye(4)
    affine[:3, :3] = (np.eye(3) if axes is None else axes) * spacing_mm
    affine[:3, 3] = np.array(centre_mm) - affine[:3, :3] @ np.full(3, (count - 1) / 2)
    return Grid((count, count, count), affine, frame_uid)


def points_of(grid):
    return grid.to_mm(np.stack(np.indices(grid.shape), axis=-1))


def pair(
    motion, *, seed=0, zone_mm=14.0, control_axes=None, noise_hu=8.0, mr=False, mr_before=False
):
    """Arguments of `register_scans`; in an MR, what is bright in CT is dark, the liver grey."""
    rng = np.random.default_rng(seed)
    before = body_grid(frame_uid=BEFORE)
    middle = motion.to_control(np.zeros((1, 3)))[0]
    after = body_grid(frame_uid=AFTER, axes=control_axes, centre_mm=middle)
    there = motion.to_planning(points_of(after))
    zone = np.linalg.norm(points_of(after) - zone_centre(motion), axis=-1) <= zone_mm
    seen = np.where(zone & in_liver(there), 58.0, planning_hu(there))
    seen = 300.0 - seen if mr else seen
    tumour = np.linalg.norm(points_of(before) - TUMOUR[0], axis=-1) <= TUMOUR[1]
    quantity = Quantity.ARBITRARY if mr else Quantity.HU
    planned = planning_hu(points_of(before))
    planned = 420.0 - 1.3 * planned if mr_before else planned
    kind = Quantity.ARBITRARY if mr_before else Quantity.HU
    return {
        "control": scan(seen, after, rng, noise_hu, quantity),
        "planning": scan(planned, before, rng, noise_hu, kind),
        "control_liver": Mask(in_liver(there), after),
        "planning_liver": Mask(in_liver(points_of(before)), before),
        "zone": Mask(zone & in_liver(there), after),
        "lesions": LabelMap(tumour.astype(np.uint8), before),
    }


def zone_centre(motion):
    return motion.to_control(TUMOUR[0][None])[0] + np.array([1.0, -1.0, 1.0])


def scan(values, grid, rng, noise_hu, quantity):
    blurred = ndimage.gaussian_filter(values, 0.5) + rng.normal(0, noise_hu, grid.shape)
    return Volume(blurred.astype(np.float32), grid, quantity)


def inner_points(motion, count=400, seed=1):
    """Points of the control scan's liver at least 5 mm from its border and outside the zone."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(-55, 55, (40 * count, 3))
    deep = np.any([np.linalg.norm(points - np.array(c), axis=1) <= r - 5 for c, r in LIVER], axis=0)
    here = motion.to_control(points[deep])
    return here[np.linalg.norm(here - zone_centre(motion), axis=1) > 16][:count]
