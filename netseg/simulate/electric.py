"""Quasi-static electric potential: div(sigma grad V) = 0 with thin needle electrodes.

At 500 kHz liver conducts more than it displaces, so Laplace's equation holds. The needle is held
at one volt through its near-field conductance (see `needle`); everything else follows by scaling.
Solved by conjugate gradients with a Jacobi preconditioner, warm-started; dot products in fp64.
Total power is variational: right to the square of the residual.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jaxtyping import Float
    from torch import Tensor

    from netseg.simulate.diffusion import Diffusion
    from netseg.simulate.needle import LineKernel

MOST_ITERATIONS = 2000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UnitField:
    """The potential at one volt on the electrodes, ground outside.

    Attributes:
        potential: Volt per cell.
        joule_w_m3: Heat per cell at one volt.
        conductance_s: Current at one volt.
        iterations: Conjugate-gradient iterations that it took.
    """

    potential: Float[Tensor, "i j k"]
    joule_w_m3: Float[Tensor, "i j k"]
    conductance_s: float
    iterations: int

    @property
    def impedance_ohm(self) -> float:
        """Resistance between electrodes and ground."""
        return 1.0 / self.conductance_s


def unit_field(
    conduction: Diffusion,
    electrodes: Sequence[tuple[LineKernel, Float[Tensor, "n"]]],
    *,
    cell_m3: float,
    start: Float[Tensor, "i j k"],
    tolerance: float = 1e-3,
) -> UnitField:
    """Solve for the potential of needles held at one volt together.

    Args:
        conduction: div(sigma grad ·) with its grounded sides.
        electrodes: Each needle's kernel and the near-field conductance of its nodes in S.
        cell_m3: Volume of a cell.
        start: First guess, zeros or the last solution.
        tolerance: Residual norm over that of the source.

    Raises:
        StudyRejectedError: If the iteration does not converge or meets NaN.
    """
    shape = (start.shape[0], start.shape[1], start.shape[2])

    def apply(v: Tensor) -> Tensor:
        out = conduction.apply(v).neg_()
        for kernel, link in electrodes:
            out.add_(kernel.spread(link * kernel.feel(v), shape), alpha=1.0 / cell_m3)
        return out

    source = sum_over(electrodes, lambda k, g: k.spread(g, shape)) / cell_m3
    diagonal = conduction.diagonal() + (
        sum_over(electrodes, lambda k, g: k.spread_squared(g, shape)) / cell_m3
    )
    potential, iterations = conjugate_gradients(
        apply, source, start=start, inverse_diagonal=1.0 / diagonal, tolerance=tolerance
    )
    joule = conduction.dissipation(potential)
    current = 0.0
    for kernel, link in electrodes:
        drop = 1.0 - kernel.feel(potential)
        current += float((link * drop).sum(dtype=torch.float64))
        joule = joule + kernel.spread(link * drop.square(), shape) / cell_m3
    return UnitField(
        potential=potential, joule_w_m3=joule, conductance_s=current, iterations=iterations
    )


def sum_over(
    electrodes: Sequence[tuple[LineKernel, Tensor]],
    part: Callable[[LineKernel, Tensor], Tensor],
) -> Tensor:
    """Add one contribution per needle.

    Raises:
        ValueError: If there is no needle.
    """
    if not electrodes:
        raise ValueError("an electric field needs at least one electrode; got none.")
    total = part(*electrodes[0])
    for electrode in electrodes[1:]:
        total = total + part(*electrode)
    return total


def conjugate_gradients(
    apply: Callable[[Tensor], Tensor],
    source: Float[Tensor, "*n"],
    *,
    start: Float[Tensor, "*n"],
    inverse_diagonal: Float[Tensor, "*n"],
    tolerance: float,
) -> tuple[Float[Tensor, "*n"], int]:
    """Solve a symmetric positive definite system (Hestenes & Stiefel 1952), Jacobi-scaled.

    Args:
        apply: The operator.
        source: Right-hand side.
        start: First guess; not changed.
        inverse_diagonal: One over the operator's diagonal.
        tolerance: Stop when the residual's norm is below this share of the source's.

    Returns:
        The solution and the number of iterations.

    Raises:
        StudyRejectedError: If it does not converge or meets NaN.
    """
    x = start.clone()
    residual = source - apply(x)
    stop = tolerance * tolerance * _dot(source, source)
    z = inverse_diagonal * residual
    search = z.clone()
    rho = _dot(residual, z)
    for iteration in range(MOST_ITERATIONS):
        size = _dot(residual, residual)
        if size <= stop:
            return x, iteration
        if not math.isfinite(size):
            break
        forward = apply(search)
        alpha = rho / _dot(search, forward)
        x.add_(search, alpha=alpha)
        residual.sub_(forward, alpha=alpha)
        z = inverse_diagonal * residual
        rho_new = _dot(residual, z)
        search.mul_(rho_new / rho).add_(z)
        rho = rho_new
    raise StudyRejectedError(
        Code.SIMULATION_REFUSED,
        f"the electric field did not converge within {MOST_ITERATIONS} iterations or became NaN.",
        hint="Check the electrical conductivities of the tissues.",
    )


def _dot(first: Tensor, second: Tensor) -> float:
    return float((first * second).sum(dtype=torch.float64))
