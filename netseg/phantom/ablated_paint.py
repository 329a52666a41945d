"""The control scan's picture: zone, rim, gas and needle painted, then its own scanner and noise.

Everything is painted on voxels at most 1.5 mm thick and averaged into slices afterwards, so that
partial volume is what a scanner makes of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netseg.domain import Grid
from netseg.phantom.texture import cloud, correlated_noise, smooth

if TYPE_CHECKING:
    from jaxtyping import Float

METAL_HU, HIGHEST_HU, LOWEST_HU = 9000.0, 3071.0, -1024.0
THIN_MM = 1.5  # paint is laid on voxels no thicker
LIGHT_WAYS = 5  # streaks on each side of a needle's cross-section
NEEDLE_MM = 0.9  # radius of a 15-gauge needle


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlLooks:
    """What the control scan shows, and its scanner.

    Attributes:
        zone_hu: Dead tissue.
        core_hu: Coagulated middle of the zone, denser; None for a uniform zone.
        rim_hu: Added to the liver in a shell around the zone; 0 for none.
        rim_mm: Thickness of that shell.
        gas: Number of gas bubbles.
        needle: Whether the needles are still in place.
        texture_hu: Slow variation inside the zone.
        noise_hu: Standard deviation of the fresh noise.
        noise_mm: Its correlation length in the slice.
        blur_mm: Point spread in the slice.
        enhancement: Factor on what is brighter than water: other timing.
        shift_hu: Added to soft tissue.
        window_hu: Values beyond are cut off; None keeps the scanner's range.
    """

    zone_hu: float = 58.0
    core_hu: float | None = None
    rim_hu: float = 0.0
    rim_mm: float = 2.5
    gas: int = 0
    needle: bool = False
    texture_hu: float = 4.0
    noise_hu: float = 12.0
    noise_mm: float = 0.7
    blur_mm: float = 0.7
    enhancement: float = 0.95
    shift_hu: float = -3.0
    window_hu: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Needle:
    """A needle as it lies in the control scan.

    Attributes:
        entry_mm: A point of its shaft outside the body (LPS).
        tip_mm: Its tip.
    """

    entry_mm: Float[np.ndarray, "3"]
    tip_mm: Float[np.ndarray, "3"]


def paint_grid(grid: Grid) -> tuple[Grid, int]:
    """The grid with slices split so that none is thicker than 1.5 mm, and into how many each."""
    parts = max(1, int(np.ceil(grid.spacing_mm[2] / THIN_MM - 1e-6)))
    affine = grid.affine_lps.copy()
    affine[:3, 2] /= parts
    affine[:3, 3] -= affine[:3, 2] * (parts - 1) / 2
    shape = (grid.shape[0], grid.shape[1], grid.shape[2] * parts)
    return Grid(shape, affine, grid.frame_uid), parts


def in_slices(values: Float[np.ndarray, "i j m"], parts: int) -> Float[np.ndarray, "i j k"]:
    """Means over each slice's parts."""
    i, j, m = values.shape
    return values.reshape(i, j, m // parts, parts).mean(axis=-1)


def share_inside(field_mm: Float[np.ndarray, "i j k"], grid: Grid) -> Float[np.ndarray, "i j k"]:
    """How much of each voxel lies inside, from the distance of its centre to the surface."""
    edge = float(np.prod(grid.spacing_mm)) ** (1 / 3)
    return np.clip(0.5 - field_mm / edge, 0.0, 1.0).astype(np.float32)


def other_timing(hu: Float[np.ndarray, "i j k"], looks: ControlLooks) -> Float[np.ndarray, "i j k"]:
    """Tissue as another contrast phase shows it: air, fat and bone stay nearly as they are."""
    soft = np.clip((hu + 50.0) / 50.0, 0.0, 1.0) * np.clip((400.0 - hu) / 200.0, 0.0, 1.0)
    return hu + soft * (looks.shift_hu + (looks.enhancement - 1.0) * np.maximum(hu, 0.0))


def paint_zone(
    hu: Float[np.ndarray, "i j k"],
    zone_mm: Float[np.ndarray, "i j k"],
    liver_mm: Float[np.ndarray, "i j k"],
    grid: Grid,
    looks: ControlLooks,
    rng: np.random.Generator,
) -> None:
    """Lay a zone, its dense core and its bright rim over the image, in place.

    Args:
        hu: The image.
        zone_mm: Signed distance to the zone's surface, negative inside; so `liver_mm`.
        liver_mm: To the liver's.
        grid: The image's grid.
        looks: Values.
        rng: Source of texture.
    """
    if looks.rim_hu:
        shell = np.clip((looks.rim_mm - zone_mm) / 1.0 + 0.5, 0.0, 1.0) * (zone_mm > -1.0)
        hu += np.float32(looks.rim_hu) * shell * share_inside(liver_mm, grid)
    dead = looks.zone_hu + looks.texture_hu * cloud(grid.shape, grid.spacing_mm, 7.0, rng)
    if looks.core_hu is not None:
        depth = max(1e-6, -float(zone_mm.min()))
        middle = np.clip((-zone_mm / depth - 0.55) / 0.2, 0.0, 1.0)
        dead = dead + middle * (looks.core_hu - looks.zone_hu)
    share = share_inside(zone_mm, grid)
    hu += share * (dead.astype(np.float32) - hu)


def paint_gas(
    hu: Float[np.ndarray, "i j k"],
    zone_mm: Float[np.ndarray, "i j k"],
    needle: Needle,
    grid: Grid,
    number: int,
    rng: np.random.Generator,
) -> None:
    """Bubbles of 0.8 to 2.5 mm radius inside the zone near the needle's last 3 cm, in place."""
    along = needle.entry_mm - needle.tip_mm
    along = along / np.linalg.norm(along)
    tries = 0
    while number > 0 and tries < 400:
        tries += 1
        centre = needle.tip_mm + rng.uniform(-4.0, 30.0) * along + rng.normal(0.0, 3.5, 3)
        radius = float(rng.uniform(0.8, 2.5))
        box, points = _around(grid, centre, radius + 2.0)
        if box is None or points is None:
            continue
        nearest = np.rint(grid.to_index(centre)).astype(int)
        if zone_mm[tuple(np.clip(nearest, 0, np.array(grid.shape) - 1))] > -radius:
            continue
        away = np.linalg.norm(points - centre, axis=-1) - radius
        hu[box] += share_inside(away, grid) * (np.float32(rng.uniform(-900.0, -200.0)) - hu[box])
        number -= 1


def paint_needle(
    hu: Float[np.ndarray, "i j k"], needle: Needle, grid: Grid, rng: np.random.Generator
) -> None:
    """Metal and its streaks, in place: dark and bright rays within the slices."""
    away, nearest = _to_shaft(grid, needle)
    axes = grid.directions
    across = grid.to_mm(np.indices(grid.shape).reshape(3, -1).T) - nearest
    turn = np.arctan2(across @ axes[:, 1], across @ axes[:, 0]).reshape(grid.shape)
    reach = np.linalg.norm(across - (across @ axes[:, 2:]) * axes[:, 2], axis=1)
    level = np.abs(across @ axes[:, 2]).reshape(grid.shape)
    phase = rng.uniform(0.0, 2 * np.pi, grid.shape[2])
    fade = np.exp(-reach.reshape(grid.shape) / 12.0) * (level < grid.spacing_mm[2])
    hu += (rng.uniform(60.0, 140.0) * np.cos(LIGHT_WAYS * turn + phase) * fade).astype(np.float32)
    share = share_inside(away - NEEDLE_MM, grid)
    edge = float(np.prod(grid.spacing_mm)) ** (1 / 3)
    share *= np.float32(min(1.0, np.pi * NEEDLE_MM**2 / edge**2))
    hu += share * (np.float32(METAL_HU) - hu)


def scanned(
    hu: Float[np.ndarray, "i j m"],
    grid: Grid,
    parts: int,
    looks: ControlLooks,
    rng: np.random.Generator,
) -> np.ndarray:
    """The painted image blurred, averaged into slices, with fresh noise: int16 HU.

    Args:
        hu: The painted image on the split slices.
        grid: Grid of the control scan.
        parts: How many of `hu`'s slices make one of the grid's.
        looks: Scanner.
        rng: Source of the noise.
    """
    i, j, _ = grid.spacing_mm
    hu = smooth(hu, (looks.blur_mm / i, looks.blur_mm / j, 0.0))
    hu = in_slices(hu, parts)
    sigma = (looks.noise_mm / i, looks.noise_mm / j, 0.3)
    hu = hu + np.float32(looks.noise_hu) * correlated_noise(grid.shape, sigma, rng)
    low, high = looks.window_hu or (LOWEST_HU, HIGHEST_HU)
    return np.clip(np.rint(hu), low, high).astype(np.int16)


def _around(
    grid: Grid, centre_mm: np.ndarray, reach_mm: float
) -> tuple[tuple[slice, slice, slice] | None, np.ndarray | None]:
    """The box of voxels around a point, and their centres."""
    at = grid.to_index(centre_mm)
    steps = reach_mm / np.array(grid.spacing_mm)
    low = np.maximum(0, np.floor(at - steps)).astype(int)
    high = np.minimum(np.array(grid.shape), np.ceil(at + steps).astype(int) + 1)
    if (low >= high).any():
        return None, None
    box = (slice(low[0], high[0]), slice(low[1], high[1]), slice(low[2], high[2]))
    index = np.stack(np.meshgrid(*(np.arange(s.start, s.stop) for s in box), indexing="ij"), -1)
    return box, grid.to_mm(index)


def _to_shaft(grid: Grid, needle: Needle) -> tuple[np.ndarray, np.ndarray]:
    """Distance of every voxel to the needle's axis, and the nearest point of the axis."""
    points = grid.to_mm(np.indices(grid.shape).reshape(3, -1).T)
    along = needle.entry_mm - needle.tip_mm
    length = float(np.linalg.norm(along))
    t = np.clip((points - needle.tip_mm) @ along / length**2, 0.0, 1.0)
    nearest = needle.tip_mm + t[:, None] * along
    return np.linalg.norm(points - nearest, axis=1).reshape(grid.shape), nearest
