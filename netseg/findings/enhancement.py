"""How bright a region is in CT and ADC, by name of the series' phase, and against the liver."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from netseg.domain import Modality, Phase, Quantity
from netseg.findings.level import Level
from netseg.findings.sampling import values_at

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jaxtyping import Float

    from netseg.domain import Series
    from netseg.findings.record import Record
    from netseg.findings.region import Region

NATIVE = f"hu_{Phase.NATIVE}"
ARTERIAL = f"hu_{Phase.LATE_ARTERIAL}"
PORTAL = f"hu_{Phase.PORTAL_VENOUS}"
DELAYED = f"hu_{Phase.DELAYED}"
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


def samples(named: Mapping[str, Series], region: Region) -> dict[str, Float[np.ndarray, " n"]]:
    """Every series' values at the centres of the region's voxels.

    Args:
        named: Series by measure, all in the region's frame (see `brightness_names`).
        region: At least one voxel.

    Returns:
        Values by measure; a series that does not reach all of the region is left out.
    """
    parts: dict[str, list[Float[np.ndarray, " n"]]] = {name: [] for name in named}
    for points in region.points_mm():
        for name, series in named.items():
            parts[name].append(values_at(series.volume, points))
    found = {name: np.concatenate(values) for name, values in parts.items()}
    return {name: values for name, values in found.items() if len(values) == region.voxels}


def brightness(
    named: Mapping[str, Series],
    found: Mapping[str, Float[np.ndarray, " n"]],
    region: Region,
    name: str,
    record: Record,
) -> dict[str, Level]:
    """Note mean and median per series, and the arterial wash-in where both phases exist.

    Args:
        named: All series that could have been measured.
        found: Those that reach the whole region (`samples`).
        region: Where the values are from.
        name: What the region is, for the record.
        record: Takes `mean_<measure>`, `median_<measure>` and `arterial_enhancement_hu`, late
            arterial minus native.

    Returns:
        The level per measure.
    """
    levels = {key: Level.of(values, region.volume_ml) for key, values in found.items()}
    for key, level in levels.items():
        record.note(
            {f"mean_{key}": level.mean, f"median_{key}": level.median},
            name,
            series=named[key].key,
            voxels=level.voxels,
            volume_ml=level.volume_ml,
        )
    for key in named.keys() - found.keys():
        record.cannot_tell([f"mean_{key}"], f"{named[key].key} does not reach all of the region")
    if NATIVE in levels and ARTERIAL in levels:
        record.note(
            {WASH_IN: levels[ARTERIAL].mean - levels[NATIVE].mean},
            name,
            series=f"{named[ARTERIAL].key} - {named[NATIVE].key}",
            voxels=levels[ARTERIAL].voxels,
            volume_ml=region.volume_ml,
        )
    return levels


def contrast_hu(lesion: Level, liver: Level) -> float:
    """How much brighter a lesion is than the liver: its mean less the liver's median."""
    return lesion.mean - liver.median


def standard_error_hu(lesion: Level, liver: Level) -> float:
    """Uncertainty of the contrast from the liver's noise, over independent samples of both."""
    return liver.sd * math.sqrt(1 / lesion.samples + 1 / liver.samples)


def cnr(lesion: Level, liver: Level) -> float | None:
    """Contrast over the noise of single voxels in the liver; None where there is no noise."""
    return contrast_hu(lesion, liver) / liver.sd if liver.sd > 0 else None
