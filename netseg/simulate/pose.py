"""A needle's kernel as a function of its pose, for derivatives.

The kernel's cells are chosen by rounding and stay as they are; its weights and its measured width
are smooth in tip and direction but for the cut at `needle.REACH`, beyond which a weight is under
a hundredth of the largest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import torch

from netseg.simulate.needle import REACH, LineKernel

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from netseg.simulate.needle import Needle


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PosedKernel:
    """A kernel that remembers how it came from the pose.

    Attributes:
        tip_mm: Leaf tensor, grid coordinates, fp64.
        direction: Leaf tensor.
        weights: The kernel's weights as a function of both, fp64.
        width_m: The kernel's measured width, likewise.
        kernel: The solver's kernel, its numbers detached.
        along_mm: Distance of each node from the tip.
    """

    tip_mm: Float[Tensor, "3"]
    direction: Float[Tensor, "3"]
    weights: Float[Tensor, "n m"]
    width_m: Float[Tensor, ""]
    kernel: LineKernel
    along_mm: Float[Tensor, "n"]

    @classmethod
    def embed(
        cls,
        needle: Needle,
        shape: tuple[int, int, int],
        spacing_mm: tuple[float, float, float],
        *,
        like: Tensor,
    ) -> Self:
        """Place a needle as `LineKernel.embed` does.

        Raises:
            StudyRejectedError: If part of the needle lies within a kernel of the grid's border.
        """
        kernel = LineKernel.embed(needle, shape, spacing_mm, like=like)
        tip = torch.tensor(needle.tip_mm, dtype=torch.float64, device=like.device)
        direction = torch.tensor(needle.direction, dtype=torch.float64, device=like.device)
        tip.requires_grad_()
        direction.requires_grad_()
        along = (kernel.offsets_m.double() * 1e3) + 0.5 * needle.active_length_mm
        sizes = torch.tensor(spacing_mm, dtype=torch.float64, device=like.device)
        with torch.enable_grad():
            nodes = tip + along[:, None] * direction
            way = _index(kernel.cells, shape).double() * sizes - nodes[:, None]
            across = torch.tensor(shape, device=like.device) > 1
            r2 = ((way * across) ** 2).sum(-1)
            width = max(spacing_mm)
            weights = torch.exp(-r2 / (2 * width * width))
            weights = torch.where(r2 <= (REACH * width) ** 2, weights, 0.0)
            weights = weights / weights.sum(1, keepdim=True)
            axes = sum(n > 1 for n in shape)
            measured = torch.sqrt((weights * r2).sum(1).mean() / axes) * 1e-3
        return cls(
            tip_mm=tip,
            direction=direction,
            weights=weights,
            width_m=measured,
            kernel=kernel,
            along_mm=along,
        )

    def with_leaves(self, weights: Tensor, width_m: Tensor) -> LineKernel:
        """The kernel with these weights and this width, of which derivatives are wanted."""
        return replace(self.kernel, weights=weights, width_m=width_m)  # pyright: ignore[reportArgumentType]

    def pull(
        self, weights_bar: Float[Tensor, "n m"], width_bar: float
    ) -> tuple[Float[Tensor, "3"], Float[Tensor, "3"]]:
        """Derivatives with respect to tip (per mm) and direction, of those to weights and width."""
        tip, direction = torch.autograd.grad(
            [self.weights, self.width_m],
            [self.tip_mm, self.direction],
            [weights_bar.double(), self.width_m.new_tensor(width_bar)],
            retain_graph=True,
        )
        return tip, direction


def _index(cells: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Cell indices (…, 3) of flat ones."""
    k = cells % shape[2]
    j = torch.div(cells, shape[2], rounding_mode="floor") % shape[1]
    i = torch.div(cells, shape[2] * shape[1], rounding_mode="floor")
    return torch.stack((i, j, k), -1)


def tangent(
    direction_bar: Float[Tensor, "3"], direction: tuple[float, float, float]
) -> Float[Tensor, "3"]:
    """Derivative per radian of turning: without the part along the needle, which is no turning."""
    unit = direction_bar.new_tensor(direction)
    unit = unit / math.sqrt(float(unit @ unit))
    return direction_bar - (direction_bar @ unit) * unit
