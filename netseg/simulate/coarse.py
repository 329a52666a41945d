"""A coarser grid beside a fine one: for fields that need not be as fine as the heat.

The coarse cells are blocks of fine ones; where the fine grid ends inside a block it is continued
by its last cell. Heat comes back by linear interpolation, which keeps its sum exactly.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

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


def coarsening(
    shape: tuple[int, int, int], spacing_mm: tuple[float, float, float], largest_mm: float
) -> Coarsening:
    """Join fine cells to coarse ones of at most `largest_mm`; none where they are that large."""
    i, j, k = (
        max(1, int(largest_mm / h + 1e-6)) if n > 1 else 1
        for n, h in zip(shape, spacing_mm, strict=True)
    )
    return Coarsening(fine=shape, blocks=(i, j, k), spacing_mm=spacing_mm)
