"""A multigrid cycle for div(sigma grad ·): the preconditioner of the electric solve.

What is smooth on the grid is solved on a grid of twice the cell size, and so on down to a few
hundred cells, which are solved directly; what is rough is damped by a Chebyshev polynomial of the
Jacobi-scaled operator. Cells are joined in pairs axis by axis, the values of a pair are summed going
down and repeated going up. The conductance between two joined cells is that of the way between
their centres, half of each pair's inner face in series with the face between them: a dried layer
inside a pair is seen, and in homogeneous tissue the coarse operator is the one a coarse grid would
have. Axes with much larger cells than the finest wait (semi-coarsening), so that anisotropic grids
converge too. Cycle before and after smoothing alike: symmetric, as conjugate gradients need.

Source: Briggs, Henson & McCormick, A Multigrid Tutorial (2000); Adams et al., J Comput Phys 188:593
(2003) for polynomial smoothing; cell-centred pairs after Wesseling, J Comput Appl Math 15 (1986).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import torch
from torch.nn import functional

from netseg.simulate.diffusion import Diffusion

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

Faces = tuple["Tensor", "Tensor", "Tensor"]

DIRECT_CELLS = 300
"""A grid of no more cells is solved by a dense factor."""
SLOWEST, FASTEST = 0.35, 2.0
"""The smoother damps this span of the Jacobi-scaled operator's spectrum, whose end is 2 (the
diagonal outweighs the neighbours); rougher than the coarse grid can show begins at a third."""
DEGREE = 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Level:
    """One grid of the cycle.

    Attributes:
        operator: Its conductances, `outer` holding what ties cells to ground and electrodes.
        inverse_diagonal: One over the operator's diagonal.
        pairs: How many cells of each axis are joined on the way down.
    """

    operator: Diffusion
    inverse_diagonal: Float[Tensor, "i j k"]
    pairs: tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Multigrid:
    """An approximate inverse of minus div(sigma grad ·) plus ties, symmetric and definite.

    Attributes:
        levels: From fine to coarse, without the last.
        last: Inverse of the coarsest operator, dense.
        shape: The coarsest grid.
    """

    levels: tuple[Level, ...]
    last: Float[Tensor, "m m"]
    shape: tuple[int, int, int]

    @classmethod
    def of(
        cls,
        conduction: Diffusion,
        *,
        ties: Float[Tensor, "i j k"] | None = None,
    ) -> Self:
        """Build the grids.

        Args:
            conduction: The operator with its grounded sides.
            ties: Conductance between each cell and electrodes of fixed voltage, per cell volume as
                in `conduction`. Some cell must be tied to ground or an electrode.
        """
        inner, outer = conduction.inner, conduction.outer
        sizes = [float(face.mean()) ** -0.5 if face.numel() else 1.0 for face in inner]
        ground = torch.zeros_like(conduction.diagonal()) if outer is None else outer
        tied = torch.zeros_like(ground) if ties is None else ties
        levels: list[Level] = []
        while ground.numel() > DIRECT_CELLS:
            pairs = _pairs((ground.shape[0], ground.shape[1], ground.shape[2]), sizes)
            operator = Diffusion(inner=inner, outer=ground + tied)
            levels.append(
                Level(operator=operator, inverse_diagonal=1.0 / operator.diagonal(), pairs=pairs)
            )
            for axis in range(3):
                if pairs[axis] == 2:
                    inner, ground = joined(inner, ground, axis)
                    tied = summed(tied, axis)
                    sizes[axis] *= 2
        shape = (ground.shape[0], ground.shape[1], ground.shape[2])
        dense = _dense(Diffusion(inner=inner, outer=ground + tied), shape)
        inverse = torch.cholesky_inverse(torch.linalg.cholesky(dense)).to(ground)
        return cls(levels=tuple(levels), last=inverse, shape=shape)

    def __call__(self, residual: Float[Tensor, "i j k"]) -> Float[Tensor, "i j k"]:
        """One cycle from a guess of zero."""
        return self._cycle(residual, 0)

    def _cycle(self, source: Tensor, depth: int) -> Tensor:
        if depth == len(self.levels):
            return (self.last @ source.reshape(-1)).reshape(self.shape)
        level = self.levels[depth]
        x, left = _smooth(level, torch.zeros_like(source), source)
        below = functional.avg_pool3d(
            left[None, None], level.pairs, ceil_mode=True, divisor_override=1
        )[0, 0]
        lift = self._cycle(below, depth + 1)
        for axis, pair in enumerate(level.pairs):
            if pair == 2:
                lift = lift.repeat_interleave(2, dim=axis).narrow(axis, 0, source.shape[axis])
        left.add_(level.operator.apply(lift))
        x.add_(lift)
        return _smooth(level, x, left, residual=False)[0]


def _smooth(
    level: Level, x: Tensor, left: Tensor, *, residual: bool = True
) -> tuple[Tensor, Tensor]:
    """Chebyshev steps on `x` with residual `left`; the new residual if it is wanted."""
    middle, half = 0.5 * (FASTEST + SLOWEST), 0.5 * (FASTEST - SLOWEST)
    sigma = middle / half
    rho = 1.0 / sigma
    step = level.inverse_diagonal * left
    step.mul_(1.0 / middle)
    for turn in range(DEGREE):
        if turn:
            rho, before = 1.0 / (2.0 * sigma - rho), rho
            step.mul_(rho * before)
            step.addcmul_(level.inverse_diagonal, left, value=2.0 * rho / half)
        x = x.add_(step)
        if residual or turn < DEGREE - 1:
            left = left + level.operator.apply(step)
    return x, left


def _pairs(shape: tuple[int, int, int], sizes: list[float]) -> tuple[int, int, int]:
    """Join cells along axes that are not much coarser than the finest one."""
    finest = min(s for s, n in zip(sizes, shape, strict=True) if n > 1)
    i, j, k = (2 if n > 1 and s < 1.5 * finest else 1 for s, n in zip(sizes, shape, strict=True))
    return i, j, k


def summed(field: Float[Tensor, "i j k"], axis: int) -> Float[Tensor, "a b c"]:
    """Sum over pairs of cells along an axis; a last cell without partner stays."""
    cells = field.shape[axis]
    out = _every_second(field, axis, 0, cells).clone()
    odd = _every_second(field, axis, 1, cells)
    out.narrow(axis, 0, odd.shape[axis]).add_(odd)
    return out


def _every_second(field: Tensor, axis: int, first: int, end: int) -> Tensor:
    where = [slice(None)] * 3
    where[axis] = slice(first, end, 2)
    return field[tuple(where)]


def joined(inner: Faces, ground: Tensor, axis: int) -> tuple[Faces, Tensor]:
    """Conductances and ground after joining pairs of cells along one axis.

    Args:
        inner: Between neighbours along i, j and k, summed over the cells that a face joins.
        ground: Between each cell and the outside, summed likewise.
        axis: Along which cells are joined; it has at least two.
    """
    cells = ground.shape[axis]
    way = 1.0 / inner[axis]
    within = 0.5 * _every_second(way, axis, 0, cells - 1)  # from a pair's centre to its cells'
    between = _every_second(way, axis, 1, cells - 1).clone()
    faces = between.shape[axis]
    between.add_(within.narrow(axis, 0, faces))
    right = min(faces, within.shape[axis] - 1)
    between.narrow(axis, 0, right).add_(within.narrow(axis, 1, right))
    new = [summed(face, axis) for face in inner]
    new[axis] = 1.0 / between
    border = ground.clone()
    border.select(axis, 0).mul_(0.5)  # the side is now twice as far from the centre
    if cells % 2 == 0:
        border.select(axis, cells - 1).mul_(0.5)
    return (new[0], new[1], new[2]), summed(border, axis)


def _dense(operator: Diffusion, shape: tuple[int, int, int]) -> Float[Tensor, "m m"]:
    """Minus the operator as a matrix, in fp64 on its device."""
    cells = shape[0] * shape[1] * shape[2]
    number = torch.arange(cells, device=operator.inner[0].device).reshape(shape)
    matrix = torch.diag(operator.diagonal().double().reshape(-1))
    for axis, face in enumerate(operator.inner):
        n = face.shape[axis]
        low = number.narrow(axis, 0, n).reshape(-1)
        high = number.narrow(axis, 1, n).reshape(-1)
        matrix[low, high] = matrix[high, low] = -face.double().reshape(-1)
    return matrix
