"""Agreement of volumes case by case: bias, limits of agreement, intraclass correlation.

Bland & Altman, Lancet 1986;327:307-310; ICC(A,1), two-way, single measures, absolute agreement, in the
notation of McGraw & Wong, Psychol Methods 1996;1:30-46.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float

_LIMIT_SD = 1.96


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeAgreement:
    """Predicted against true volumes.

    Attributes:
        pairs_ml: True and predicted volume of every case.
        bias_ml: Mean of predicted less true.
        limits_ml: Bias less and plus 1.96 standard deviations; None with fewer than two cases.
        icc: 1 where both are the same everywhere, 0 where they have nothing in common; None with
            fewer than two cases or where no volume differs from another.
    """

    pairs_ml: tuple[tuple[float, float], ...]
    bias_ml: float
    limits_ml: tuple[float, float] | None
    icc: float | None


def volume_agreement(pairs_ml: Sequence[tuple[float, float]]) -> VolumeAgreement:
    """How well predicted volumes agree with true ones.

    Args:
        pairs_ml: True and predicted volume of at least one case.

    Raises:
        ValueError: If there is no pair.
    """
    if not pairs_ml:
        raise ValueError("volumes of at least one case are needed; got none.")
    pairs = np.asarray(pairs_ml, np.float64)
    errors = pairs[:, 1] - pairs[:, 0]
    bias = float(errors.mean())
    spread = float(errors.std(ddof=1)) if len(errors) > 1 else None
    return VolumeAgreement(
        pairs_ml=tuple((float(t), float(p)) for t, p in pairs),
        bias_ml=bias,
        limits_ml=None
        if spread is None
        else (bias - _LIMIT_SD * spread, bias + _LIMIT_SD * spread),
        icc=_icc(pairs),
    )


def _icc(pairs: Float[np.ndarray, "n 2"]) -> float | None:
    n, k = pairs.shape
    if n < 2:
        return None
    grand = pairs.mean()
    rows = k * ((pairs.mean(axis=1) - grand) ** 2).sum()
    columns = n * ((pairs.mean(axis=0) - grand) ** 2).sum()
    rest = ((pairs - grand) ** 2).sum() - rows - columns
    row_ms, column_ms, rest_ms = rows / (n - 1), columns / (k - 1), rest / ((n - 1) * (k - 1))
    below = row_ms + (k - 1) * rest_ms + k / n * (column_ms - rest_ms)
    return float((row_ms - rest_ms) / below) if below > 0 else None
