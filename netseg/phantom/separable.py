"""Linear maps of a volume that act on one axis after the other, as small matrices.

Blur, slices, coarse detectors and the growth of coarse noise into fine are all of this kind. Three
matrix products on 80³ voxels take a few milliseconds on one core, and the same code runs on a GPU.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from netseg.phantom.chance import Chance

Maps = tuple[torch.Tensor | None, torch.Tensor | None, torch.Tensor | None]
THINNEST_SIGMA = 0.15  # voxels; a narrower blur changes nothing one can see


def apply(maps: Maps, volume: torch.Tensor) -> torch.Tensor:
    """Map the last three axes.

    Args:
        maps: For each axis a matrix (new, old), or None to leave it.
        volume: (..., i, j, k) float32.
    """
    along_i, along_j, along_k = maps
    if along_k is not None:
        volume = volume @ along_k.T
    if along_j is not None:
        volume = along_j @ volume
    if along_i is not None:
        *lead, i, j, k = volume.shape
        volume = (along_i @ volume.reshape(*lead, i, j * k)).reshape(*lead, -1, j, k)
    return volume


def chained(after: torch.Tensor | None, before: torch.Tensor | None) -> torch.Tensor | None:
    """`after` applied to the result of `before`."""
    if after is None or before is None:
        return before if after is None else after
    return after @ before


def gaussian(count: int, sigma: float, device: torch.device) -> torch.Tensor | None:
    """Blur by a Gaussian of `sigma` voxels whose weights sum to 1; None where it is too narrow."""
    if sigma < THINNEST_SIGMA:
        return None
    at = torch.arange(count, device=device, dtype=torch.float32)
    weights = torch.exp(-0.5 * ((at[:, None] - at[None, :]) / sigma) ** 2)
    return weights / weights.sum(dim=1, keepdim=True)


def grain(count: int, sigma: float, device: torch.device) -> torch.Tensor | None:
    """The same blur for white noise: the variance stays 1 instead of the mean."""
    blur = gaussian(count, sigma, device)
    return None if blur is None else blur / blur.norm(dim=1, keepdim=True)


def slabs(count: int, step: float, thickness: float, first: float, device: torch.device):
    """Means over slabs of an axis, and the way back by straight lines.

    Args:
        count: Voxels of the axis.
        step: Distance of the slabs' centres in voxels, at least 1.
        thickness: Extent of a slab in voxels.
        first: Centre of the first slab in voxels, at most half a step from the first voxel.
        device: Where the matrices are wanted.

    Returns:
        Matrix (slabs, count) of the means and matrix (count, slabs) of the way back.
    """
    number = max(2, math.ceil((count - first) / step))
    centre = first + step * torch.arange(number, device=device, dtype=torch.float32)
    at = torch.arange(count, device=device, dtype=torch.float32)
    centre = centre.clamp(max=float(count - 1) + 0.5 * step)
    low = torch.maximum(at[None] - 0.5, centre[:, None] - 0.5 * thickness)
    high = torch.minimum(at[None] + 0.5, centre[:, None] + 0.5 * thickness)
    cover = (high - low).clamp(min=0.0)
    nearest = (at[None] - centre[:, None].clamp(0.0, count - 1.0)).abs()
    cover = cover + 1e-4 * (1.0 - nearest).clamp(min=0.0)  # a slab beyond the array takes its edge
    down = cover / cover.sum(dim=1, keepdim=True)
    return down, lines(count, number, step, first, device)


def lines(count: int, known: int, step: float, first: float, device: torch.device) -> torch.Tensor:
    """Straight-line interpolation from `known` points, held beyond the ends: (count, known)."""
    at = (torch.arange(count, device=device, dtype=torch.float32) - first) / step
    at = at.clamp(0.0, known - 1.0)
    number = torch.arange(known, device=device, dtype=torch.float32)
    return (1.0 - (at[:, None] - number[None]).abs()).clamp(min=0.0)


def swell(count: int, knots: int, device: torch.device) -> torch.Tensor:
    """Smooth growth of `knots` coarse values over `count` voxels: (count, knots), rows of norm 1.

    White noise of unit variance at the knots gives smooth noise of unit variance at the voxels.
    """
    span = max(1, knots - 3)
    at = 1.0 + span * (torch.arange(count, device=device, dtype=torch.float32) + 0.5) / count
    number = torch.arange(knots, device=device, dtype=torch.float32)
    weights = torch.exp(-0.5 * ((at[:, None] - number[None]) / 0.75) ** 2)
    return weights / weights.norm(dim=1, keepdim=True)


def cloud(shape: tuple[int, ...], size_vox: float, chance: Chance) -> torch.Tensor:
    """Smooth noise of unit variance on `shape` whose features are about `size_vox` wide."""
    device = chance.fields.device
    knots = [max(4, math.ceil(2.0 * n / size_vox) + 3) for n in shape]
    i, j, k = (swell(n, m, device) if m < n else None for n, m in zip(shape, knots, strict=True))
    drawn = tuple(min(m, n) for n, m in zip(shape, knots, strict=True))
    return apply((i, j, k), chance.noise(drawn))
