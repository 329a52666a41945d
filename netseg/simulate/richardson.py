"""A value with a numeric error bar, from three grids.

A discretisation of order p errs by c h^p. From values at 2h, h and h/2 the observed order follows,
p = log2((f_2h - f_h)/(f_h - f_h/2)), the limit, f_h/2 - (f_h - f_h/2)/(2^p - 1), and the error bar
1.25 |f_h - f_h/2|/(2^p - 1). Source: Roache, Annu Rev Fluid Mech 29:123 (1997); the factor 1.25 is
his for three grids. Where the three values do not fall into line the formula means nothing, and it is
refused. It bounds the error of the grid and step; not that of the model or its parameters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError

SAFETY = 1.25
LEAST_ORDER, MOST_ORDER = 0.8, 3.0
"""Observed orders outside show that the grids are too coarse. The finest-grid correction uses at
most `FORMAL_ORDER`."""
FORMAL_ORDER = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounded:
    """A number and how far the grid may have moved it.

    Attributes:
        value: Extrapolated to cells of no size.
        error: Half width of the error bar.
        finest: What the finest grid gave.
        order: Observed order; None where the two finer grids agree within their noise.
    """

    value: float
    error: float
    finest: float
    order: float | None


def extrapolated(
    coarse: float, middle: float, fine: float, *, noise: float, called: str = "the value"
) -> Bounded:
    """The limit of three grids of spacing 2h, h and h/2.

    Args:
        coarse: Value at 2h.
        middle: Value at h.
        fine: Value at h/2.
        noise: Differences up to this are not taken for a trend: for example what counting parts of
            cells leaves of a volume.
        called: What is measured, for the message.

    Raises:
        StudyRejectedError: If the values are not finite, or no asymptotic sequence.
    """
    if not all(math.isfinite(v) for v in (coarse, middle, fine)):
        raise StudyRejectedError(
            Code.SIMULATION_REFUSED,
            f"{called} is not finite on every grid: {coarse}, {middle}, {fine}.",
        )
    first, second = coarse - middle, middle - fine
    if abs(second) <= noise:
        return Bounded(value=fine, error=SAFETY * (noise + abs(second)), finest=fine, order=None)
    order = math.log2(first / second) if first * second > 0 else -math.inf
    if not LEAST_ORDER <= order <= MOST_ORDER:
        shown = "no order: they do not approach from one side"
        if math.isfinite(order):
            shown = f"order {order:.2f}, not {LEAST_ORDER} to {MOST_ORDER}"
        raise StudyRejectedError(
            Code.SIMULATION_REFUSED,
            f"{called} is not in the asymptotic range: {coarse:.6g}, {middle:.6g} and {fine:.6g} on "
            f"three grids show {shown}.",
            detail={"coarse": coarse, "middle": middle, "fine": fine},
            hint="Use a smaller spacing_mm, or report the value without a numeric error bar.",
        )
    gain = 2.0 ** min(order, FORMAL_ORDER) - 1.0
    error = max(SAFETY * abs(second) / gain, noise)
    return Bounded(value=fine - second / gain, error=error, finest=fine, order=order)
