"""Every lesion on every PET of a study, against liver and spleen on the same PET."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from netseg.findings.coverage import centre_values
from netseg.findings.krenning import ABOVE_SD, is_above, krenning
from netseg.findings.level import Level, without_outliers
from netseg.findings.reference import ON_PET, inner_spleen, lesion_free_liver
from netseg.findings.tracer import shows_receptors
from netseg.findings.uptake import uptake

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netseg.domain import LabelMap, Mask, Series
    from netseg.findings.record import Record
    from netseg.findings.region import Region
    from netseg.findings.uptake import Uptake

LIVER_NAME = (
    f"lesion-free liver, {ON_PET.from_lesion_mm:.0f} mm from lesions and "
    f"{ON_PET.from_surface_mm:.0f} mm from the surface, values beyond 3 SD of the median left out"
)
SPLEEN_NAME = "spleen, 5 mm from its surface, values beyond 3 SD of the median left out"


@dataclass(frozen=True, slots=True, kw_only=True)
class PetReference:
    """What lesions of one PET are compared with.

    Attributes:
        series: The PET.
        liver: Lesion-free liver on it; None when unknown.
        spleen: The spleen on it; None when unknown.
        why_no_liver: Why the liver is unknown.
    """

    series: Series
    liver: Level | None
    spleen: Level | None
    why_no_liver: str = ""


def pet_references(
    pets: Mapping[str, Series],
    liver: Mask | None,
    lesions: LabelMap,
    spleen: Mask | None,
    record: Record,
) -> dict[str, PetReference]:
    """Measure liver and spleen on every PET.

    Args:
        pets: Series by the stem of their measures, all in the lesions' frame.
        liver: The liver, lesions included.
        lesions: All lesions, on the liver's grid.
        spleen: The spleen, in the same frame.
        record: Takes `mean_<stem>`, `median_<stem>`, `sd_<stem>` of the liver and
            `spleen_mean_<stem>`, `spleen_sd_<stem>`.

    Returns:
        The references by stem.
    """
    if not pets:
        return {}
    core = None if liver is None else lesion_free_liver(liver, lesions, ON_PET)
    why = (
        "no liver mask" if liver is None else "too little lesion-free liver remains (10 ml needed)"
    )
    inner = None if spleen is None else inner_spleen(spleen)
    found: dict[str, PetReference] = {}
    for stem, pet in pets.items():
        at_liver = _level(core, pet)
        if at_liver is None:
            reason = why if core is None else f"{pet.key} does not reach the lesion-free liver"
            record.cannot_tell([f"mean_{stem}"], reason)
        else:
            reason = ""
            values = {f"mean_{stem}": at_liver.mean, f"median_{stem}": at_liver.median}
            _note(record, values | {f"sd_{stem}": at_liver.sd}, LIVER_NAME, pet, at_liver)
        at_spleen = _level(inner, pet)
        if at_spleen is not None:
            values = {f"spleen_mean_{stem}": at_spleen.mean, f"spleen_sd_{stem}": at_spleen.sd}
            _note(record, values, SPLEEN_NAME, pet, at_spleen)
        found[stem] = PetReference(
            series=pet, liver=at_liver, spleen=at_spleen, why_no_liver=reason
        )
    return found


def lesion_on_pets(references: Mapping[str, PetReference], region: Region, record: Record) -> None:
    """Note one lesion's uptake on every PET, its ratios to liver and spleen, and its score.

    Per PET `<stem>_liver_ratio` and `<stem>_spleen_ratio` of the hottest 1 ml to the organ's mean, and
    the sign `<stem>_above_liver`. For a receptor tracer `krenning_low` and `krenning_high`, with the
    tracer in the name where the study has several PETs.
    """
    for stem, reference in references.items():
        found = uptake(reference.series, stem, region, record)
        _compare(stem, reference, found, record)
        _score(stem, reference, found, record)


def total_uptake(stems: Sequence[str], records: Sequence[Record], liver: Record) -> None:
    """Note the total uptake of all lesions: `<stem>_total_tlu_ml`, `<stem>_all_lesions_bq`.

    Where one lesion's is unknown the total is unknown; the sum over the others is then noted as
    `<stem>_measured_tlu_ml`, `<stem>_measured_lesions_bq`.

    Args:
        stems: Starts of the PETs' measures.
        records: What was noted about each lesion.
        liver: Takes the sums.
    """
    for stem in stems:
        own, total, part = f"{stem}_tlu_ml", f"{stem}_total_tlu_ml", f"{stem}_measured_tlu_ml"
        if not stem.startswith("suv"):
            own, total, part = (
                f"{stem}_{what}_bq" for what in ("total", "all_lesions", "measured_lesions")
            )
        known = [r for r in records if own in r.measures]
        regions = [m for r in known for m in r.regions if own in m.measures]
        if len(known) < len(records):
            missing = len(records) - len(known)
            why = f"the uptake of {missing} of {len(records)} lesions is unknown"
            liver.cannot_tell([total], why)
        if known:
            liver.note(
                {
                    total if len(known) == len(records) else part: sum(
                        r.measures[own] for r in known
                    )
                },
                f"{len(known)} of {len(records)} lesions",
                series=regions[0].series,
                voxels=sum(m.voxels for m in regions),
                volume_ml=sum(m.volume_ml for m in regions),
            )


def _level(region: Region | None, pet: Series) -> Level | None:
    """The organ's level without outliers; None where the PET shows none or a part of it."""
    if region is None:
        return None
    values = centre_values(region, pet.volume)
    expected = region.volume_ml / pet.volume.grid.voxel_volume_ml
    if len(values) < max(1.0, 0.5 * expected):
        return None
    kept = without_outliers(values)
    return Level.of(kept, len(kept) * pet.volume.grid.voxel_volume_ml)


def _note(record: Record, values: dict[str, float], name: str, pet: Series, level: Level) -> None:
    record.note(values, name, series=pet.key, voxels=level.voxels, volume_ml=level.volume_ml)


def _compare(stem: str, reference: PetReference, found: Uptake | None, record: Record) -> None:
    above = f"{stem}_above_liver"
    if found is None or reference.liver is None:
        why = reference.why_no_liver or f"{reference.series.key} does not reach all of the lesion"
        record.cannot_tell([above], why)
        return
    seen = is_above(found, reference.liver)
    why = "too small to be measured, and not seen above the liver"
    record.sign(above, seen=seen, why_unknown=why)
    if not found.measurable:
        return
    ratios = (
        {f"{stem}_liver_ratio": found.hottest / reference.liver.mean}
        if reference.liver.mean > 0
        else {}
    )
    if reference.spleen is not None and reference.spleen.mean > 0:
        ratios[f"{stem}_spleen_ratio"] = found.hottest / reference.spleen.mean
    record.note(
        ratios,
        "hottest 1 ml of the lesion over the organ's mean",
        series=reference.series.key,
        voxels=found.voxels,
        volume_ml=found.volume_ml,
    )


def _score(stem: str, reference: PetReference, found: Uptake | None, record: Record) -> None:
    suffix = stem.removeprefix("suv").removeprefix("activity_bqml")
    names = (f"krenning{suffix}_low", f"krenning{suffix}_high")
    if not shows_receptors(reference.series):
        if reference.series.tracer is None:
            record.cannot_tell(names, f"the tracer of {reference.series.key} is unknown")
        return
    if found is None or reference.liver is None:
        why = reference.why_no_liver or f"{reference.series.key} does not reach all of the lesion"
        record.cannot_tell(names, why)
        return
    score = krenning(found, reference.liver, reference.spleen)
    if score is None:
        record.cannot_tell(names, "too small to be measured, and not seen above the liver")
        return
    part = "hottest 1 ml of the lesion" if found.measurable else "mean of the whole lesion"
    spleen = "the spleen" if reference.spleen is not None else "no spleen"
    record.note(
        dict(zip(names, (score.low, score.high), strict=True)),
        f"{part} against the liver's mean + {ABOVE_SD:.0f} SD, with {spleen}",
        series=reference.series.key,
        voxels=found.voxels,
        volume_ml=found.volume_ml,
    )
