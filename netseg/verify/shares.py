"""How the margin is spread over a lesion's surface, by area."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float

DIGITS = 2  # margins are stated and compared in hundredths of a millimetre


def rounded_mm(value: float) -> float:
    """A margin as it is stated and compared: to 0.01 mm, and never minus zero."""
    return round(float(value), DIGITS) + 0.0


def quantile_mm(
    margins_mm: Float[np.ndarray, " n"], area_mm2: Float[np.ndarray, " n"], share: float
) -> float:
    """The margin that this share of the surface stays at or below."""
    order = np.argsort(margins_mm, kind="stable")
    reached = np.cumsum(area_mm2[order])
    place = int(np.searchsorted(reached, float(share * reached[-1])))
    return rounded_mm(float(margins_mm[order[min(place, len(order) - 1)]]))


def surface_share(
    margins_mm: Float[np.ndarray, " n"], area_mm2: Float[np.ndarray, " n"]
) -> dict[str, float]:
    """Share of the surface with a margin below 0, of 0 to 5, 5 to 10 and 10 mm or more."""
    names = ("below_0", "0_to_5", "5_to_10", "above_10")
    kind = np.searchsorted((0.0, 5.0, 10.0), np.round(margins_mm, DIGITS), side="right")
    area = np.bincount(kind, area_mm2, len(names))
    return {name: round(float(a / area.sum()), 4) for name, a in zip(names, area, strict=True)}


def histogram_mm(
    margins_mm: Float[np.ndarray, " n"], area_mm2: Float[np.ndarray, " n"]
) -> dict[float, float]:
    """Share of the surface per millimetre of margin, keyed by the bin's lower edge."""
    edge = np.floor(np.round(margins_mm, DIGITS)).astype(int)
    area = np.bincount(edge - edge.min(), area_mm2)
    share = area / area.sum()
    return {float(edge.min() + step): round(float(s), 4) for step, s in enumerate(share)}
