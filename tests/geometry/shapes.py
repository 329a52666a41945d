"""Grids and bodies whose distances and volumes can be checked on paper."""

from __future__ import annotations

import numpy as np

from netseg.domain.grid import Grid
from netseg.domain.volume import Mask

FRAME = "1.2.826.0.1"


def grid(
    shape: tuple[int, int, int] = (40, 40, 40),
    spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0),
    *,
    axes: np.ndarray | None = None,
    centre_mm: tuple[float, float, float] = (0.0, 0.0, 0.0),
    frame_uid: str = FRAME,
) -> Grid:
    """A grid around a point; `axes` holds the unit vectors along i, j, k as columns."""
    affine = np.eye(4)
    affine[:3, :3] = (np.eye(3) if axes is None else axes) * np.array(spacing_mm)
    affine[:3, 3] = np.array(centre_mm) - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Grid(shape, affine, frame_uid)


def block(start: int, stop: int, on: Grid | None = None) -> Mask:
    """Voxels start … stop - 1 along every axis."""
    on = on or grid()
    inside = np.zeros(on.shape, np.bool_)
    inside[start:stop, start:stop, start:stop] = True
    return Mask(inside, on)


def ball(on: Grid, centre_mm: tuple[float, float, float] | np.ndarray, radius_mm: float) -> Mask:
    """Voxels whose centre lies in a sphere."""
    index = np.stack(np.meshgrid(*(np.arange(n) for n in on.shape), indexing="ij"), axis=-1)
    away = np.linalg.norm(on.to_mm(index.reshape(-1, 3)) - np.asarray(centre_mm), axis=1)
    return Mask((away <= radius_mm).reshape(on.shape), on)


def turned(degrees: float, about: tuple[float, float, float] = (1.0, 2.0, 3.0)) -> np.ndarray:
    """Unit vectors of axes turned about a direction (Rodrigues)."""
    x, y, z = np.array(about) / np.linalg.norm(about)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(degrees)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


FLIPPED = np.diag([-1.0, 1.0, -1.0])
PERMUTED = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
ORIENTATIONS = {
    "straight": np.eye(3),
    "flipped": FLIPPED,
    "permuted": PERMUTED,
    "turned": turned(20),
    "turned, flipped and permuted": turned(20) @ FLIPPED @ PERMUTED,
}
