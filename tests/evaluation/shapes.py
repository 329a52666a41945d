"""Blocks and balls whose scores can be worked out by hand."""

from __future__ import annotations

import numpy as np

from netseg.domain import Grid, LabelMap, Mask

GRID = Grid(shape=(20, 20, 20), affine_lps=np.diag((2.0, 2.0, 2.0, 1.0)), frame_uid="1.2")


def blocks(*bounds: tuple[int, int], grid: Grid = GRID) -> Mask:
    """Bars of 4 x 4 voxels cross-section, from one index along i to another."""
    inside = np.zeros(grid.shape, bool)
    for low, high in bounds:
        inside[low:high, 5:9, 5:9] = True
    return Mask(inside, grid)


def numbered(*bounds: tuple[int, int, int], grid: Grid = GRID) -> LabelMap:
    """Such bars, each with its own number, which may touch."""
    labels = np.zeros(grid.shape, np.uint8)
    for low, high, number in bounds:
        labels[low:high, 5:9, 5:9] = number
    return LabelMap(labels, grid)


def fine_grid(spacing_mm: tuple[float, float, float], half_mm: float) -> Grid:
    """A cube around the origin."""
    half = np.array([round(half_mm / s) for s in spacing_mm])
    affine = np.diag((*spacing_mm, 1.0))
    affine[:3, 3] = -half * spacing_mm
    i, j, k = (int(n) for n in 2 * half + 1)
    return Grid(shape=(i, j, k), affine_lps=affine, frame_uid="1.2")


def ball(grid: Grid, centre_mm: tuple[float, float, float], radius_mm: float) -> Mask:
    """All voxels whose centre lies in a ball."""
    axes = np.ix_(*(np.arange(n) for n in grid.shape))
    steps = zip(axes, grid.affine_lps[:3, 3], grid.spacing_mm, centre_mm, strict=True)
    return Mask(sum((a * s + first - c) ** 2 for a, first, s, c in steps) <= radius_mm**2, grid)
