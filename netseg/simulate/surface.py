"""The zone as a surface between cells: volume, diameters, and its mask on any grid."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from netseg.domain.grid import require_same_frame
from netseg.domain.volume import Mask

if TYPE_CHECKING:
    from jaxtyping import Float

    from netseg.domain.grid import Grid

FAR = -5.0  # depth far outside any zone
PARTS = 3  # each cell is divided into so many parts along each axis to measure the zone


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a zone measures.

    Attributes:
        volume_ml: Volume.
        diameters_mm: Extent along its three principal axes, descending.
        sphericity: Surface of the ball of equal volume over its own surface; 1 for a ball.
    """

    volume_ml: float
    diameters_mm: tuple[float, float, float]
    sphericity: float


def zone_mask(depth: Float[np.ndarray, "i j k"], window: Grid, grid: Grid) -> Mask:
    """The zone on another grid of the same frame, by linear interpolation of the depth.

    Args:
        depth: Positive inside the zone, smooth through zero.
        window: Where `depth` is known; outside it nothing is ablated.
        grid: Where the mask is wanted.

    Raises:
        FrameMismatchError: If the grids do not share a frame.
    """
    require_same_frame("ablation zone", window, grid)
    inside = np.zeros(grid.shape, dtype=bool)
    corners = grid.to_index(window.corners_mm())
    low = np.clip(np.floor(corners.min(0)).astype(int), 0, grid.shape)
    high = np.clip(np.ceil(corners.max(0)).astype(int) + 1, 0, grid.shape)
    if (high > low).all():
        to_window = np.linalg.inv(window.affine_lps) @ grid.affine_lps
        offset = to_window[:3, :3] @ low + to_window[:3, 3]
        part = ndimage.affine_transform(
            np.clip(depth, FAR, -FAR).astype(np.float32),
            to_window[:3, :3],
            offset=offset,
            output_shape=tuple(int(n) for n in high - low),
            order=1,
            mode="constant",
            cval=FAR,
        )
        inside[low[0] : high[0], low[1] : high[1], low[2] : high[2]] = part >= 0
    return Mask(inside, grid)


def occupancy(depth: Float[np.ndarray, "i j k"]) -> Float[np.ndarray, "i j k"]:
    """Share of each cell that lies inside the surface depth = 0.

    Depth is interpolated linearly, as for the mask, to a third of the cell; across each of these
    parts the surface is taken as a plane.
    """
    fine = ndimage.affine_transform(
        np.clip(depth, FAR, -FAR).astype(np.float32),
        np.full(3, 1 / PARTS),
        offset=(1 - PARTS) / (2 * PARTS),
        output_shape=tuple(PARTS * n for n in depth.shape),
        order=1,
        mode="nearest",
    )
    steepness = sum(np.gradient(fine, axis=axis) ** 2 for axis in range(3))
    share = np.clip(0.5 + fine / np.maximum(np.sqrt(steepness), 1e-9), 0.0, 1.0)
    i, j, k = depth.shape
    return share.reshape(i, PARTS, j, PARTS, k, PARTS).mean((1, 3, 5), dtype=np.float64)


def measure_shape(depth: Float[np.ndarray, "i j k"], window: Grid) -> Shape:
    """Volume, principal diameters and sphericity of the region where depth is positive.

    The diameters of an ellipsoid follow from its second moments, d = 2 sqrt(5 lambda); a zone is
    close enough to one that this is steadier than counting voxels along an axis.
    """
    start, part = _around_surface(depth)
    share = occupancy(part)
    cells = float(share.sum())
    volume_ml = cells * window.voxel_volume_ml
    if cells == 0:
        return Shape(volume_ml=0.0, diameters_mm=(0.0, 0.0, 0.0), sphericity=0.0)
    index = np.argwhere(share > 0) + start
    weight = share[share > 0]
    points = window.to_mm(index)
    centre = (weight[:, None] * points).sum(0) / cells
    moments = (weight[:, None] * (points - centre)).T @ (points - centre) / cells
    spread = np.sort(np.linalg.eigvalsh(moments))[::-1]
    a, b, c = (2.0 * math.sqrt(5.0 * max(float(s), 0.0)) for s in spread)
    return Shape(volume_ml=volume_ml, diameters_mm=(a, b, c), sphericity=_sphericity(a, b, c))


def _around_surface(
    depth: Float[np.ndarray, "i j k"],
) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "a b c"]]:
    """The box that holds the zone and two cells around it: its first cell, and depth there."""
    start, box = [], []
    inside = depth >= 0
    for axis, size in enumerate(depth.shape):
        used = np.flatnonzero(inside.any(axis=tuple(a for a in range(3) if a != axis)))
        first, last = (int(used[0]), int(used[-1]) + 1) if used.size else (0, 1)
        start.append(max(0, first - 2))
        box.append(slice(start[-1], min(size, max(last + 2, start[-1] + 3))))
    return np.array(start), depth[tuple(box)]


def _sphericity(a: float, b: float, c: float) -> float:
    """Of an ellipsoid with these diameters (Knud Thomsen's surface, within 1.1 %)."""
    p = 1.6075
    mean = ((a * b) ** p + (a * c) ** p + (b * c) ** p) / 3.0
    surface = math.pi * mean ** (1.0 / p)
    return 0.0 if surface == 0 else math.pi * (a * b * c) ** (2.0 / 3.0) / surface
