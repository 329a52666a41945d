"""From fields and rods to voxels of an axis-parallel grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from jaxtyping import Float, UInt8

    from netseg.domain import Grid
    from netseg.phantom.bones import Rod
    from netseg.phantom.warp import Warp


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Axes:
    """Coordinates of the voxel centres along x, y, z in LPS mm, ascending, evenly spaced."""

    x: Float[np.ndarray, "i"]
    y: Float[np.ndarray, "j"]
    z: Float[np.ndarray, "k"]

    @property
    def all(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The three of them."""
        return self.x, self.y, self.z

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels."""
        return len(self.x), len(self.y), len(self.z)

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Voxel size."""
        x, y, z = (float(a[1] - a[0]) for a in self.all)
        return x, y, z


def axes_of(grid: Grid) -> Axes:
    """The axes of a grid whose i, j, k run along x, y, z."""
    start, step = grid.affine_lps[:3, 3], grid.spacing_mm
    x, y, z = (s + d * np.arange(n) for s, d, n in zip(start, step, grid.shape, strict=True))
    return Axes(x=x, y=y, z=z)


def coarse_axes(fine: Axes, spacing_mm: float) -> Axes:
    """Axes that cover `fine` with two steps to spare on each side."""
    out = []
    for axis in fine.all:
        first = axis[0] - 2 * spacing_mm
        count = int(np.ceil((axis[-1] - axis[0]) / spacing_mm)) + 5
        out.append(first + spacing_mm * np.arange(count))
    return Axes(x=out[0], y=out[1], z=out[2])


def weights(
    coarse: Float[np.ndarray, "n"], fine: Float[np.ndarray, "m"]
) -> Float[np.ndarray, "m n"]:
    """Catmull-Rom interpolation from one axis to the other, as a matrix."""
    t = (fine - coarse[0]) / (coarse[1] - coarse[0])
    i = np.clip(np.floor(t).astype(int), 1, len(coarse) - 3)
    f = t - i
    parts = (
        -0.5 * f**3 + f**2 - 0.5 * f,
        1.5 * f**3 - 2.5 * f**2 + 1,
        -1.5 * f**3 + 2 * f**2 + 0.5 * f,
        0.5 * f**3 - 0.5 * f**2,
    )
    matrix = np.zeros((len(fine), len(coarse)), np.float32)
    rows = np.arange(len(fine))
    for n, part in enumerate(parts, start=-1):
        matrix[rows, i + n] = part
    return matrix


def upsample(
    field: Float[np.ndarray, "a b c"], wx: np.ndarray, wy: np.ndarray, wz: np.ndarray
) -> Float[np.ndarray, "i j k"]:
    """A coarse field on the fine axes (separable cubic)."""
    a, b, c = field.shape
    out = field.astype(np.float32, copy=False).reshape(a * b, c) @ wz.T  # the cheapest order first
    out = (wx @ out.reshape(a, -1)).reshape(len(wx), b, len(wz))
    return np.matmul(wy, out)


def window(axes: Axes, low: np.ndarray, high: np.ndarray) -> tuple[slice, slice, slice] | None:
    """Voxels whose centres lie between two points; None when there are none."""
    slices = []
    for axis, a, b in zip(axes.all, low, high, strict=True):
        first, last = np.searchsorted(axis, (a, b))
        if first >= last:
            return None
        slices.append(slice(int(first), int(last)))
    return slices[0], slices[1], slices[2]


def rod_share(
    axes: Axes, rods: Iterable[Rod], warp: Warp, flatten_z: float = 1.0
) -> UInt8[np.ndarray, "i j k"]:
    """Share of each voxel inside the rods, 0 ... 255, with soft edges of one voxel.

    Args:
        axes: Voxel centres.
        rods: Rods in atlas coordinates.
        warp: Patient to atlas.
        flatten_z: Ratio of vertical to horizontal radius; ribs are taller than thick.
    """
    share = np.zeros(axes.shape, np.uint8)
    edge = float(np.prod(axes.spacing_mm)) ** (1 / 3)
    stretch = np.array((1.0, 1.0, flatten_z))
    for a, b, ra, rb in _pieces(axes, rods, warp, edge, stretch):
        reach = (max(ra, rb) + edge) * stretch
        box = window(axes, np.minimum(a, b) - reach, np.maximum(a, b) + reach)
        if box is None:
            continue
        x, y, z = (
            (axis[s] - origin).astype(np.float32) / np.float32(k)
            for axis, s, origin, k in zip(axes.all, box, a, stretch, strict=True)
        )
        distance, radius = _to_rod(x, y, z, (b - a) / stretch, ra, rb)
        soft = np.clip((radius - distance) / edge + 0.5, 0, 1)
        thin = min(1.0, np.pi * ra * rb / edge**2)  # a rod thinner than a voxel fills a part
        np.maximum(share[box], (255 * thin * soft).astype(np.uint8), out=share[box])
    return share


def _pieces(
    axes: Axes, rods: Iterable[Rod], warp: Warp, edge: float, stretch: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, float, float]]:
    """Straight pieces (ends in the patient, radii) that come near the grid."""
    rods = list(rods)
    if not rods:
        return
    points = warp.to_patient(np.concatenate([r.path_mm for r in rods]))
    radius = np.concatenate([r.radius_mm for r in rods])
    joined = np.ones(len(points), bool)
    joined[np.cumsum([len(r.path_mm) for r in rods]) - 1] = False  # no piece from rod to rod
    start = np.flatnonzero(joined)
    low = np.minimum(points[start], points[start + 1])
    high = np.maximum(points[start], points[start + 1])
    reach = (np.maximum(radius[start], radius[start + 1]) + edge)[:, None] * stretch
    first, last = (np.array([axis[n] for axis in axes.all]) for n in (0, -1))
    near = ((high + reach > first) & (low - reach < last)).all(axis=1)
    for n in start[near]:
        yield points[n], points[n + 1], float(radius[n]), float(radius[n + 1])


def _to_rod(
    x: np.ndarray, y: np.ndarray, z: np.ndarray, d: np.ndarray, ra: float, rb: float
) -> tuple[np.ndarray, np.ndarray]:
    x, y, z = x[:, None, None], y[None, :, None], z[None, None, :]
    t = np.clip((x * d[0] + y * d[1] + z * d[2]) / max(float(d @ d), 1e-6), 0, 1).astype(np.float32)
    distance = np.sqrt((x - t * d[0]) ** 2 + (y - t * d[1]) ** 2 + (z - t * d[2]) ** 2)
    return distance, np.float32(ra) + t * np.float32(rb - ra)
