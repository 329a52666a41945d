"""How bright a region is in CT and ADC, by name of the series' phase."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from netseg.domain import Modality, Phase, Quantity
from netseg.findings.sampling import values_at

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jaxtyping import Float

    from netseg.domain import Series

NATIVE = f"mean_hu_{Phase.NATIVE}"
ARTERIAL = f"mean_hu_{Phase.LATE_ARTERIAL}"
WASH_IN = "arterial_enhancement_hu"


def brightness_names(series: Sequence[Series]) -> dict[str, Series]:
    """The series whose values mean something absolute, by the name of their measure.

    CT gives `hu_<phase>`, ADC maps give `adc`. Where the phase is unknown, or two series claim one,
    the series' key stands in its place. MR signal is arbitrary and PET is measured on its own grid.
    """
    names = [_name(s) for s in series]
    often = Counter(names)
    return {
        f"{name.partition('_')[0]}_{s.key}" if often[name] > 1 else name: s
        for name, s in zip(names, series, strict=True)
        if name
    }


def _name(series: Series) -> str:
    if series.modality is Modality.CT and series.volume.quantity is Quantity.HU:
        return f"hu_{series.phase or series.key}"
    return "adc" if series.volume.quantity is Quantity.ADC else ""


def brightness(
    named: Mapping[str, Series], points_mm: Float[np.ndarray, "n 3"]
) -> dict[str, float]:
    """Mean and median per series at the points, and the arterial wash-in where both phases exist.

    Args:
        named: Series by measure, all in the points' frame (see `brightness_names`).
        points_mm: Voxel centres of the region (LPS).

    Returns:
        `mean_<name>` and `median_<name>`; a series that does not reach all of the region gives
        nothing. `arterial_enhancement_hu` is late arterial minus native.
    """
    measures: dict[str, float] = {}
    for name, series in named.items():
        values = values_at(series.volume, points_mm)
        if len(values) == len(points_mm) > 0:
            measures[f"mean_{name}"] = float(values.mean(dtype="float64"))
            measures[f"median_{name}"] = float(np.median(values))
    if NATIVE in measures and ARTERIAL in measures:
        measures[WASH_IN] = measures[ARTERIAL] - measures[NATIVE]
    return measures
