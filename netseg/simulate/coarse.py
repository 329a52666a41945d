"""A coarser grid beside a fine one: for fields that need not be as fine as the heat.

The coarse cells are blocks of fine ones; where the fine grid ends inside a block it is continued
by its last cell. Heat comes back by linear interpolation, which keeps its sum exactly.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from netseg.simulate.active import BLOCK

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from netseg.simulate.active import Window
    from netseg.simulate.needle import Needle


@dataclass(frozen=True, slots=True, kw_only=True)
class Coarsening:
    """How a coarse grid lies on a fine one.

    Attributes:
        fine: Shape of the fine grid.
        blocks: How many fine cells one coarse cell joins along each axis.
        spacing_mm: Sizes of the fine cells.
    """

    fine: tuple[int, int, int]
    blocks: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of the coarse grid."""
        i, j, k = (-(-n // b) for n, b in zip(self.fine, self.blocks, strict=True))
        return i, j, k

    @property
    def coarse_mm(self) -> tuple[float, float, float]:
        """Sizes of the coarse cells."""
        i, j, k = (h * b for h, b in zip(self.spacing_mm, self.blocks, strict=True))
        return i, j, k

    def needle(self, needle: Needle) -> Needle:
        """The same needle in the coarse grid's coordinates, whose origin is its first centre."""
        shift = [0.5 * (b - 1) * h for b, h in zip(self.blocks, self.spacing_mm, strict=True)]
        x, y, z = (t - s for t, s in zip(needle.tip_mm, shift, strict=True))
        return replace(needle, tip_mm=(x, y, z))

    def mean(self, field: Float[Tensor, "i j k"]) -> Float[Tensor, "a b c"]:
        """Average over the blocks."""
        if self.blocks == (1, 1, 1):
            return field
        return functional.avg_pool3d(self._continued(field)[None, None], self.blocks)[0, 0]

    def spread(self, density: Float[Tensor, "a b c"]) -> Float[Tensor, "i j k"]:
        """A density per volume on the fine grid, linear between the coarse centres.

        Its sum times the fine cell's volume is that of the coarse grid.
        """
        if self.blocks == (1, 1, 1):
            return density
        i, j, k = (n * b for n, b in zip(self.shape, self.blocks, strict=True))
        whole = functional.interpolate(density[None, None], size=(i, j, k), mode="trilinear")[0, 0]
        out = whole[: self.fine[0], : self.fine[1], : self.fine[2]]
        kept = float(out.sum(dtype=torch.float64))
        wanted = float(density.sum(dtype=torch.float64)) * self.blocks[0]
        wanted *= self.blocks[1] * self.blocks[2]
        return out * (wanted / kept) if kept else out.clone()

    def _continued(self, field: Tensor) -> Tensor:
        for axis, (n, b) in enumerate(zip(self.shape, self.blocks, strict=True)):
            missing = n * b - field.shape[axis]
            if missing:
                last = field.narrow(axis, field.shape[axis] - 1, 1)
                field = torch.cat([field, *([last] * missing)], dim=axis)
        return field


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowView:
    """A window of the fine grid beside the whole coarse one, whose cells lie evenly in its blocks.

    Attributes:
        grid: How the coarse grid lies on the whole fine one.
        window: The cells at hand; the tissue beyond is taken to be at rest.
    """

    grid: Coarsening
    window: Window

    @property
    def coarse_slices(self) -> tuple[slice, slice, slice]:
        """The coarse cells of the window."""
        i, j, k = (
            slice(s.start // b, -(-s.stop // b))
            for s, b in zip(self.window.slices, self.grid.blocks, strict=True)
        )
        return i, j, k

    def mean(self, field: Float[Tensor, "i j k"]) -> Float[Tensor, "a b c"]:
        """Average over the blocks of the window; zero beyond."""
        out = field.new_zeros(self.grid.shape)
        part = replace(self.grid, fine=self.window.size)
        out[self.coarse_slices] = part.mean(field)
        return out

    def spread(self, density: Float[Tensor, "a b c"]) -> Float[Tensor, "i j k"]:
        """A density per volume in the window's cells; the window's sum is kept."""
        inner, near, cut = self.coarse_slices, [], []
        for s, n, b in zip(inner, self.grid.shape, self.grid.blocks, strict=True):
            around = slice(max(0, s.start - 1), min(n, s.stop + 1))
            near.append(around)
            cut.append((s.start - around.start) * b)
        part = density[tuple(near)]
        size = [n * b for n, b in zip(part.shape, self.grid.blocks, strict=True)]
        fine = part
        if self.grid.blocks != (1, 1, 1):
            fine = functional.interpolate(part[None, None], size=size, mode="trilinear")[0, 0]
        at = tuple(slice(c, c + n) for c, n in zip(cut, self.window.size, strict=True))
        out = fine[at]
        kept = float(out.sum(dtype=torch.float64))
        i, j, k = self.grid.blocks
        wanted = float(density[inner].sum(dtype=torch.float64)) * i * j * k
        return out * (wanted / kept) if kept else out.clone()

    def beyond(self, density: Float[Tensor, "a b c"]) -> Float[Tensor, "a b c"]:
        """The sum of a density over the fine cells of each block of tissue beyond the window."""
        outside = density.clone()
        outside[self.coarse_slices] = 0.0
        i, j, k = self.grid.blocks
        for axis, b in enumerate(self.grid.blocks):
            outside = _summed(outside, axis, BLOCK // b)
        return outside * float(i * j * k)


def _summed(field: Tensor, axis: int, count: int) -> Tensor:
    """Sum over `count` cells along an axis; the last may be fewer."""
    missing = -field.shape[axis] % count
    if missing:
        shape = list(field.shape)
        shape[axis] = missing
        field = torch.cat((field, field.new_zeros(shape)), dim=axis)
    return field.unflatten(axis, (-1, count)).sum(axis + 1)


def coarsening(
    shape: tuple[int, int, int], spacing_mm: tuple[float, float, float], largest_mm: float
) -> Coarsening:
    """Join fine cells to coarse ones of at most `largest_mm`; none where they are that large."""
    i, j, k = (
        max(1, int(largest_mm / h + 1e-6)) if n > 1 else 1
        for n, h in zip(shape, spacing_mm, strict=True)
    )
    return Coarsening(fine=shape, blocks=(i, j, k), spacing_mm=spacing_mm)
