"""div(k grad T) on a regular grid, by finite volumes.

Second order in the spacing, exactly conservative: what leaves one cell enters its neighbour. Two
cells in series conduct like their resistances in series (harmonic mean), so that flux is right
across jumps of the coefficient. Heat (k in W/m/K) and electricity (sigma in S/m) share the
operator. Source: Patankar, Numerical Heat Transfer and Fluid Flow (1980), chapter 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import torch

if TYPE_CHECKING:
    from collections.abc import Collection

    from jaxtyping import Float
    from torch import Tensor

FACES = ("i-", "i+", "j-", "j+", "k-", "k+")
"""The six sides of the grid."""

MM = 1e-3  # metres per millimetre


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Diffusion:
    """The assembled operator.

    Attributes:
        inner: Coefficient of the faces between neighbours along i, j and k, divided by the square
            of the spacing: W/(m3 K) for heat, S/m3 for electricity. Shape one less on its axis.
        outer: Coefficient between each border cell and the outside, which is held at zero; None
            where every side is insulated.
    """

    inner: tuple[Float[Tensor, "..."], Float[Tensor, "..."], Float[Tensor, "..."]]
    outer: Float[Tensor, "i j k"] | None

    @classmethod
    def assemble(
        cls,
        coefficient: Float[Tensor, "i j k"],
        spacing_mm: tuple[float, float, float],
        *,
        fixed: Collection[str] = FACES,
        film: Float[Tensor, "i j k"] | None = None,
    ) -> Self:
        """Make the operator from one coefficient per cell.

        Args:
            coefficient: Conductivity per cell, W/(m K) or S/m; positive.
            spacing_mm: Cell edge lengths along i, j, k.
            fixed: Sides whose outside is held at zero, half a cell beyond the last centre; the
                others are insulated.
            film: Heat transfer coefficient in W/(m2 K) of cells that are flowing blood, zero
                elsewhere: between such a cell's wall and its content lies the film 1/h.

        Raises:
            ValueError: If a coefficient is not positive and finite, or a side has no such name.
        """
        if unknown := set(fixed) - set(FACES):
            raise ValueError(f"sides are named {', '.join(FACES)}; got {sorted(unknown)}.")
        if not bool(torch.isfinite(coefficient).all()) or float(coefficient.min()) <= 0:
            raise ValueError("the coefficient must be positive and finite in every cell.")
        outer = torch.zeros_like(coefficient)
        inner = []
        for axis, spacing in enumerate(spacing_mm):
            h = spacing * MM
            resistance = (0.5 * h) / coefficient
            if film is not None:
                resistance = torch.where(film > 0, 1.0 / film.clamp_min(1e-30), resistance)
            cells = coefficient.shape[axis]
            left = resistance.narrow(axis, 0, cells - 1)
            right = resistance.narrow(axis, 1, cells - 1)
            inner.append((1.0 / ((left + right) * h)).contiguous())
            for side, index in (("-", 0), ("+", cells - 1)):
                if "ijk"[axis] + side in fixed:
                    outer.select(axis, index).add_(1.0 / (resistance.select(axis, index) * h))
        return cls(inner=(inner[0], inner[1], inner[2]), outer=outer if fixed else None)

    def copy(self) -> Diffusion:
        """The same with coefficients of its own."""
        i, j, k = (face.clone() for face in self.inner)
        outer = None if self.outer is None else self.outer.clone()
        return Diffusion(inner=(i, j, k), outer=outer)

    def apply(self, field: Float[Tensor, "i j k"]) -> Float[Tensor, "i j k"]:
        """div(k grad field): what flows into each cell, per volume."""
        out = torch.zeros_like(field) if self.outer is None else (self.outer * field).neg_()
        for axis, face in enumerate(self.inner):
            n = face.shape[axis]
            flow = field.narrow(axis, 1, n) - field.narrow(axis, 0, n)
            flow = flow * face if face.requires_grad else flow.mul_(face)
            out.narrow(axis, 0, n).add_(flow)
            out.narrow(axis, 1, n).sub_(flow)
        return out

    def outflow(self, field: Float[Tensor, "i j k"]) -> float:
        """What leaves through the fixed sides, summed over cells, per cell volume (fp64)."""
        if self.outer is None:
            return 0.0
        return float((self.outer * field).sum(dtype=torch.float64))

    def dissipation(self, field: Float[Tensor, "i j k"]) -> Float[Tensor, "i j k"]:
        """K |grad field|^2 per cell, gathered from the faces.

        Each inner face gives half of its share to either cell. The sum over all cells is exactly
        -<field, apply(field)>: the discrete energy identity, which the Joule heat relies on.
        """
        out = torch.zeros_like(field) if self.outer is None else self.outer * field.square()
        for axis, face in enumerate(self.inner):
            n = face.shape[axis]
            jump = field.narrow(axis, 1, n) - field.narrow(axis, 0, n)
            share = 0.5 * face * jump.square()
            out.narrow(axis, 0, n).add_(share)
            out.narrow(axis, 1, n).add_(share)
        return out

    def diagonal(self) -> Float[Tensor, "i j k"]:
        """Sum of the face coefficients of each cell: minus the operator's diagonal."""
        shape = [self.inner[0].shape[0] + 1, *self.inner[0].shape[1:]]
        out = self.inner[0].new_zeros(shape) if self.outer is None else self.outer.clone()
        for axis, face in enumerate(self.inner):
            n = face.shape[axis]
            out.narrow(axis, 0, n).add_(face)
            out.narrow(axis, 1, n).add_(face)
        return out
