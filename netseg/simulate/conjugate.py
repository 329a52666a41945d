"""Conjugate gradients: symmetric positive definite systems on a grid."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Float
    from torch import Tensor

MOST_ITERATIONS = 2000


def conjugate_gradients(
    apply: Callable[[Tensor], Tensor],
    source: Float[Tensor, "*n"],
    *,
    start: Float[Tensor, "*n"],
    tolerance: float,
    inverse_diagonal: Float[Tensor, "*n"] | None = None,
    precondition: Callable[[Tensor], Tensor] | None = None,
) -> tuple[Float[Tensor, "*n"], int]:
    """Solve a symmetric positive definite system (Hestenes & Stiefel 1952).

    Args:
        apply: The operator.
        source: Right-hand side.
        start: First guess; not changed.
        tolerance: Stop when the residual's norm is below this share of the source's.
        inverse_diagonal: One over the operator's diagonal, for Jacobi scaling.
        precondition: Any other symmetric approximation of the inverse, instead.

    Returns:
        The solution and the number of iterations.

    Raises:
        StudyRejectedError: If it does not converge or meets NaN.
        ValueError: If not exactly one preconditioner is given.
    """
    if (inverse_diagonal is None) == (precondition is None):
        raise ValueError("give inverse_diagonal or precondition, one of the two.")
    improve = precondition or (lambda r: inverse_diagonal * r)
    x = start.clone()
    residual = source - apply(x)
    stop = tolerance * tolerance * _dot(source, source)
    search, rho = torch.zeros_like(x), 1.0
    for iteration in range(MOST_ITERATIONS):
        size = _dot(residual, residual)
        if size <= stop:
            return x, iteration
        if not math.isfinite(size):
            break
        z = improve(residual)
        rho_before, rho = rho, _dot(residual, z)
        search.mul_(rho / rho_before if iteration else 0.0).add_(z)
        forward = apply(search)
        alpha = rho / _dot(search, forward)
        x.add_(search, alpha=alpha)
        residual.sub_(forward, alpha=alpha)
    raise StudyRejectedError(
        Code.SIMULATION_REFUSED,
        f"the electric field did not converge within {MOST_ITERATIONS} iterations or became NaN.",
        hint="Check the electrical conductivities of the tissues.",
    )


def _dot(first: Tensor, second: Tensor) -> float:
    return float((first * second).sum(dtype=torch.float64))
