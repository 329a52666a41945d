"""How much tracer a lesion holds, measured on the PET's own voxels.

The mask comes to the PET, not the PET to the mask, since interpolation lowers the maximum. A PET
voxel counts by the share of it that the lesion covers (`netseg.findings.coverage`).

A lesion narrower than about twice the image's resolution does not reach its true uptake anywhere: its
values are diluted by what surrounds it. Its uptake is unknown, with the reason; the highest voxel
observed is given under a name of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netseg.domain import Modality, Quantity
from netseg.findings.coverage import centre_values, coverage
from netseg.findings.peak import PEAK_ML, PEAK_RADIUS_MM, peak
from netseg.findings.tracer import fwhm_mm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float

    from netseg.domain import Series
    from netseg.findings.coverage import Coverage
    from netseg.findings.record import Record
    from netseg.findings.region import Region

UNITS = {Quantity.SUVBW: "suv", Quantity.BQML: "activity_bqml"}
ISOCONTOURS_PCT = (41, 50)
"""Of the lesion's own maximum, within its mask: 41 % as EANM's guideline 2.0 for FDG PET names it
(Boellaard et al., Eur J Nucl Med Mol Imaging 2015;42:328-354), 50 % as often used for receptors."""
FWHM_PER_DIAMETER = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Uptake:
    """A lesion's uptake as it is compared with liver and spleen.

    Attributes:
        hottest: Highest mean over a 1 ml sphere; the whole lesion's mean where the lesion is too
            small for its uptake to be measured, or no sphere lies in the image.
        core: Mean of the voxels deeper than half the resolution, where spill-over has little part;
            None without any.
        measurable: Whether the lesion is large enough for its uptake to be measured.
        voxels: Voxels that `hottest` is the mean of.
        volume_ml: Their volume.
    """

    hottest: float
    core: float | None
    measurable: bool
    voxels: int
    volume_ml: float


def uptake_names(series: Sequence[Series]) -> dict[str, Series]:
    """The PET series by the stem of their measures.

    `suv` for SUVbw, `activity_bqml` where no SUV could be computed. Where two series would share a
    name, tracer (or key, if it is unknown or shared too) is appended to each: `suv_ga68_dotatate`.
    """
    pets = [s for s in series if s.modality is Modality.PT and s.volume.quantity in UNITS]
    units = [UNITS[s.volume.quantity] for s in pets]
    tracers = [s.tracer for s in pets]
    names: dict[str, Series] = {}
    for unit, pet in zip(units, pets, strict=True):
        known = pet.tracer is not None and tracers.count(pet.tracer) == 1
        which = pet.tracer if known else pet.key
        names[unit if units.count(unit) == 1 else f"{unit}_{which}"] = pet
    return names


def uptake(pet: Series, stem: str, region: Region, record: Record) -> Uptake | None:
    """Measure one lesion on one PET.

    Noted are, by the start of their names (`stem`, such as "suv"): `_max`, `_mean` and `_tlu_ml`
    (mean times volume, total lesion uptake) of the whole mask; `_peak` (1 ml sphere); `_iso41_mean`,
    `_iso41_ml`, `_iso50_mean`, `_iso50_ml`. An image in Bq/ml has `_total_bq` instead of `_tlu_ml`.
    A lesion too small to be measured has `_max_observed` alone.

    Args:
        pet: The image, in the region's frame.
        stem: Start of the measures' names.
        region: The lesion.
        record: Takes what was measured, and what is unknown with its reason.

    Returns:
        What is compared with liver and spleen; None where the PET does not reach all of the lesion.
    """
    names = _names(stem)
    covered = coverage(region, pet.volume.grid)
    if covered is None:
        record.cannot_tell(names, f"{pet.key} does not reach all of the lesion")
        return None
    values = pet.volume.values[covered.box].astype(np.float64)
    mean = float(np.average(values, weights=covered.share))
    limit = FWHM_PER_DIAMETER * fwhm_mm(pet)
    if region.equivalent_diameter_mm < limit:
        why = (
            f"uptake is not measurable below {limit:.0f} mm, twice the resolution of {pet.key}; the "
            f"lesion's volume is that of a sphere of {region.equivalent_diameter_mm:.0f} mm"
        )
        record.cannot_tell(names, why)
        observed = {f"{stem}_max_observed": float(values[covered.share > 0].max())}
        _note(record, observed, "whole lesion, diluted by its surroundings", pet, covered, region)
        return Uptake(
            hottest=mean,
            core=None,
            measurable=False,
            voxels=covered.voxels,
            volume_ml=region.volume_ml,
        )
    inside = covered.mostly
    highest = float(values[inside].max())
    whole = {f"{stem}_max": highest, f"{stem}_mean": mean}
    whole |= _total(stem, mean * region.volume_ml)
    _note(record, whole, "whole lesion", pet, covered, region)
    _isocontours(record, pet, stem, covered, values, highest)
    found = _peak(record, pet, stem, covered)
    return Uptake(
        hottest=mean if found is None else found,
        core=_core(pet, region),
        measurable=True,
        voxels=covered.voxels if found is None else _peak_voxels(covered),
        volume_ml=region.volume_ml if found is None else PEAK_ML,
    )


def _names(stem: str) -> tuple[str, ...]:
    isocontours = (f"{stem}_iso{pct}_{what}" for pct in ISOCONTOURS_PCT for what in ("mean", "ml"))
    (total,) = _total(stem, 0.0)
    return (f"{stem}_max", f"{stem}_mean", total, f"{stem}_peak", *isocontours)


def _total(stem: str, mean_times_ml: float) -> dict[str, float]:
    """Total lesion uptake; a concentration in Bq/ml times millilitres is an activity."""
    name = f"{stem}_tlu_ml" if stem.startswith("suv") else f"{stem}_total_bq"
    return {name: mean_times_ml}


def _note(
    record: Record,
    values: dict[str, float],
    name: str,
    pet: Series,
    covered: Coverage,
    region: Region,
) -> None:
    record.note(values, name, series=pet.key, voxels=covered.voxels, volume_ml=region.volume_ml)


def _isocontours(
    record: Record,
    pet: Series,
    stem: str,
    covered: Coverage,
    values: Float[np.ndarray, "i j k"],
    highest: float,
) -> None:
    """Means over the voxels of the mask that reach a share of the maximum."""
    for pct in ISOCONTOURS_PCT:
        share = np.where(values >= pct / 100.0 * highest, covered.share, 0.0)
        volume_ml = float(share.sum()) * covered.voxel_ml
        record.note(
            {
                f"{stem}_iso{pct}_mean": float(np.average(values, weights=share)),
                f"{stem}_iso{pct}_ml": volume_ml,
            },
            f"voxels of the lesion at {pct} % of its maximum or more",
            series=pet.key,
            voxels=int(np.count_nonzero(share)),
            volume_ml=volume_ml,
        )


def _peak(record: Record, pet: Series, stem: str, covered: Coverage) -> float | None:
    found = peak(pet.volume, covered.start, covered.mostly)
    if found is None:
        why = f"no 1 ml sphere around a voxel of the lesion lies wholly in {pet.key}"
        record.cannot_tell([f"{stem}_peak"], why)
        return None
    record.note(
        {f"{stem}_peak": found},
        f"sphere of 1 ml (radius {PEAK_RADIUS_MM:.1f} mm) around a voxel of the lesion, highest mean",
        series=pet.key,
        voxels=_peak_voxels(covered),
        volume_ml=PEAK_ML,
    )
    return found


def _peak_voxels(covered: Coverage) -> int:
    return max(1, round(PEAK_ML / covered.voxel_ml))


def _core(pet: Series, region: Region) -> float | None:
    """Mean of the PET voxels whose centre lies deeper than half the resolution."""
    if not region.grid.is_orthogonal:
        return None
    deep = region.within(region.depth_mm() > fwhm_mm(pet) / 2)
    values = centre_values(deep, pet.volume)
    return float(values.mean(dtype=np.float64)) if len(values) else None
