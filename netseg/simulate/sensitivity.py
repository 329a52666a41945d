"""Which unknown explains the doubt in a zone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Float


FEWEST = 20  # draws; with fewer, chance looks like a cause
SPARE = 2  # draws per number that is fitted


def first_order_indices(
    parameters: Mapping[str, Float[np.ndarray, "n"]], outcome: Float[np.ndarray, "n"]
) -> dict[str, float]:
    """Share of an outcome's variance that each parameter explains alone.

    From the draws as they are: the outcome is fitted by a sum of parabolas, one per parameter and
    all at once, so that a chance likeness between two parameters' draws is not taken for a cause.
    The variance of a parameter's parabola, less what the scatter around the fit lends it, over the
    variance of the outcome estimates its first-order Sobol' index. Parameters that do not vary
    have none.

    Args:
        parameters: Draws by parameter, drawn independently.
        outcome: What came of them.

    Raises:
        StudyRejectedError: If there are fewer draws than 20, or than two per number fitted.
    """
    varied = {n: v for n, v in parameters.items() if np.ptp(v) > 1e-12 * np.abs(v).max()}
    terms, n = 1 + 2 * len(varied), len(outcome)
    if n < max(FEWEST, SPARE * terms):
        raise StudyRejectedError(
            Code.CONFIG_RANGE,
            f"indices of {len(varied)} parameters need at least {max(FEWEST, SPARE * terms)} "
            f"draws; got {n}.",
            hint="With fewer, chance looks like a cause.",
        )
    total = float(np.var(outcome))
    if total == 0:
        return dict.fromkeys(varied, 0.0)
    columns = [_parabola(v) for v in varied.values()]
    basis = np.column_stack((np.ones(n), *columns))
    weights = np.linalg.lstsq(basis, outcome, rcond=None)[0]
    scatter = float(np.sum((outcome - basis @ weights) ** 2)) / (n - terms)
    indices = {}
    for number, (name, column) in enumerate(zip(varied, columns, strict=True)):
        part = column @ weights[1 + 2 * number : 3 + 2 * number]
        lent = 2.0 * scatter / n  # two numbers were fitted
        indices[name] = max(0.0, float(np.var(part)) - lent) / total
    return indices


def _parabola(values: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n 2"]:
    """First and second power, scaled and without a mean."""
    scaled = (values - np.mean(values)) / np.std(values)
    square = scaled**2
    return np.column_stack((scaled, square - np.mean(square)))
