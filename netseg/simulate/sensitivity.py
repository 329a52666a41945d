"""Which unknown explains the doubt in a zone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Float


FEWEST = 20


def first_order_indices(
    parameters: Mapping[str, Float[np.ndarray, "n"]], outcome: Float[np.ndarray, "n"]
) -> dict[str, float]:
    """Share of an outcome's variance that each parameter explains alone.

    From the draws as they are: the outcome is fitted by a parabola in one parameter, and the
    variance of the fit over that of the outcome, less what chance would explain, is its index
    (adjusted R^2 of a given-data Sobol' index). Parameters that do not vary have none.

    Args:
        parameters: Draws by parameter.
        outcome: What came of them.
    """
    indices = {}
    n = len(outcome)
    if n < FEWEST:
        raise StudyRejectedError(
            Code.CONFIG_RANGE,
            f"indices need at least {FEWEST} draws; got {n}.",
            hint="With fewer, chance looks like a cause.",
        )
    for name, values in parameters.items():
        spread = float(np.std(values))
        if spread <= 1e-12 * max(abs(float(np.mean(values))), 1e-300):
            continue
        scaled = (values - np.mean(values)) / spread
        basis = np.column_stack((np.ones(n), scaled, scaled**2))
        fitted = basis @ np.linalg.lstsq(basis, outcome, rcond=None)[0]
        total = float(np.var(outcome))
        share = 0.0 if total == 0 else 1.0 - float(np.mean((outcome - fitted) ** 2)) / total
        adjusted = 1.0 - (1.0 - share) * (n - 1) / (n - 3)
        indices[name] = max(0.0, adjusted) if math.isfinite(adjusted) else 0.0
    return indices
