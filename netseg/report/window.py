"""Which values become black and white."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netseg.domain import Quantity

if TYPE_CHECKING:
    from netseg.domain import Mask, Series, Volume

LIVER_HU = (-90.0, 210.0)  # level 60, width 300: soft tissue of the upper abdomen
LEAST_SUV = 10.0  # somatostatin-receptor PET: normal liver is about SUV 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Display range of a series.

    Attributes:
        low: Value shown black.
        high: Value shown white.
        unit: Its unit for the caption, empty for arbitrary units.
    """

    low: float
    high: float
    unit: str

    @property
    def caption(self) -> str:
        """The window in radiologists' words."""
        if self.unit == "HU":
            return f"W {self.high - self.low:.0f} L {(self.high + self.low) / 2:.0f} HU"
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.low:.3g} to {self.high:.3g}{unit}"


def window_of(series: Series, liver: Mask | None = None) -> Window:
    """The window a series is shown in: fixed for CT, from 0 for PET, by percentiles for MR."""
    volume = series.volume
    if volume.quantity is Quantity.HU:
        return Window(low=LIVER_HU[0], high=LIVER_HU[1], unit="HU")
    if volume.quantity in {Quantity.SUVBW, Quantity.BQML}:
        high = float(np.percentile(_some(volume, None), 99.9))
        if volume.quantity is Quantity.SUVBW:
            return Window(low=0.0, high=max(LEAST_SUV, np.ceil(high)), unit="SUVbw")
        return Window(low=0.0, high=max(high, 1.0), unit="Bq/ml")
    low, high = np.percentile(_some(volume, liver), (1, 99.5))
    unit = "" if volume.quantity is Quantity.ARBITRARY else str(volume.quantity)
    return Window(low=float(low), high=float(max(high, low + 1e-6)), unit=unit)


def _some(volume: Volume, liver: Mask | None) -> np.ndarray:
    """Enough voxels for a percentile: those around the liver where it is known, thinned out."""
    values = volume.values
    if liver is not None and liver.grid.is_same_as(volume.grid) and not liver.is_empty:
        index = np.argwhere(liver.inside)
        low, high = index.min(axis=0), index.max(axis=0) + 1
        values = values[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    step = max(1, round((values.size / 500_000) ** (1 / 3)))
    return values[::step, ::step, ::step]
