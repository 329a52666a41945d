"""How much of the tissue around a lesion the zone covers, shell by shell.

Counting voxels in a shell of 1 mm says little on voxels of that size, and nothing on slices of
5 mm. So tissue is sampled on a lattice of its own, at distances from the lesion's surface itself,
and a cell of the lattice that a surface cuts counts by the share of it that lies inside.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.spatial  # pyright: ignore[reportMissingTypeStubs]

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Float

    from netseg.domain.volume import Mask
    from netseg.verify.lesion import SurfaceMargins, Surroundings

spatial: Any = scipy.spatial  # scipy carries no types

SHELLS_MM = tuple(float(mm) for mm in range(1, 11))
FINEST_MM = 1.5  # between samples
SAMPLES = 25_000  # in the box around a lesion and its shells, about


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What the zone covers around one lesion.

    Attributes:
        shells: By distance in mm, the share of the liver beyond the lesion and up to so far from
            it that the zone covers; without an outlined liver, of all tissue.
        undertreated_ml: By margin in mm, the volume of lesion and liver within it that the zone
            spares.
    """

    shells: Mapping[float, float]
    undertreated_ml: Mapping[float, float]


def coverage(
    margins: SurfaceMargins, around: Surroundings, margins_mm: tuple[float, ...]
) -> Coverage:
    """Measure the shells around one lesion.

    Args:
        margins: The lesion's surface.
        around: Zone and liver.
        margins_mm: For which the under-treated volume is wanted.

    Returns:
        Shares rounded to 0.0001, volumes to 0.001 ml.
    """
    farthest = max(*SHELLS_MM, *margins_mm)
    points, step_mm = _lattice(margins.points_mm, farthest + 1)
    away = _way_out_mm(points, margins)
    near = away < farthest + step_mm
    points, away = points[near], away[near]
    ended = around.zone_field if around.capsule is None else around.capsule.treated
    zone = _share_inside(ended.at(points), step_mm)
    tissue = np.ones(len(points))
    if around.liver is not None:
        tissue = _within(around.liver, points)
    in_lesion = _share_inside(away, step_mm)
    shells = {d: _share_inside(away - d, step_mm) - in_lesion for d in SHELLS_MM}
    within = {m: _share_inside(away - m, step_mm) for m in margins_mm}
    spared = np.maximum(tissue, in_lesion) * (1 - zone) * step_mm**3 / 1000
    return Coverage(
        shells={d: _covered(shell * tissue, zone) for d, shell in shells.items()},
        undertreated_ml={m: round(float(n @ spared), 3) for m, n in within.items()},
    )


def _lattice(
    surface_mm: Float[np.ndarray, "n 3"], room_mm: float
) -> tuple[Float[np.ndarray, "m 3"], float]:
    """Points of a cubic lattice around a surface, and how far apart they are."""
    low, high = surface_mm.min(axis=0) - room_mm, surface_mm.max(axis=0) + room_mm
    wide, deep, tall = (float(mm) for mm in high - low)
    step_mm = max(FINEST_MM, (wide * deep * tall / SAMPLES) ** (1 / 3))
    i, j, k = (int(n) for n in np.ceil((high - low) / step_mm))
    return low + step_mm * np.moveaxis(np.indices((i, j, k)), 0, -1).reshape(-1, 3), step_mm


def _way_out_mm(
    points_mm: Float[np.ndarray, "m 3"], margins: SurfaceMargins
) -> Float[np.ndarray, " m"]:
    """Distance to the lesion's surface, negative inside.

    Told from the nearest vertex and the plane through it; where the point lies over that plane's
    neighbourhood the plane's distance holds, else the vertex's.
    """
    found = spatial.cKDTree(margins.points_mm).query(points_mm)
    way, near = np.asarray(found[0], np.float64), np.asarray(found[1], np.int64)
    height = np.einsum("nd,nd->n", points_mm - margins.points_mm[near], margins.normals[near])
    beside = np.sqrt(np.maximum(way**2 - height**2, 0))
    distance = np.where(beside < 0.5 * way, (way + np.abs(height)) / 2, way)
    return np.where(height < 0, -distance, distance)


def _covered(shell: Float[np.ndarray, " m"], zone: Float[np.ndarray, " m"]) -> float:
    """Share of a shell within the zone; a shell without tissue has nothing left uncovered."""
    total = float(shell.sum())
    return round(min(1.0, float(shell @ zone) / total), 4) if total > 0 else 1.0


def _share_inside(away_mm: Float[np.ndarray, " m"], edge_mm: float) -> Float[np.ndarray, " m"]:
    """Share of each cell inside a surface that lies so far from its centre (negative inside)."""
    return np.clip(0.5 - away_mm / edge_mm, 0, 1)


def _within(mask: Mask, points_mm: Float[np.ndarray, "m 3"]) -> Float[np.ndarray, " m"]:
    """1 for points in voxels of a mask, 0 elsewhere and beyond the image."""
    index = np.rint(mask.grid.to_index(points_mm)).astype(int)
    there = ((index >= 0) & (index < mask.grid.shape)).all(axis=1)
    found = np.zeros(len(points_mm))
    i, j, k = index[there].T
    found[there] = mask.inside[i, j, k]
    return found
