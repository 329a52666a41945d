"""Everything measured on one study: the station's single way in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netseg.domain import Findings, Lesion, PointMm, SegmentSource
from netseg.findings.burden import burden, lobe_of, segment_name
from netseg.findings.composition import bright_material, necrosis, ring
from netseg.findings.enhancement import WASH_IN, brightness, brightness_names, samples
from netseg.findings.level import Level, without_outliers
from netseg.findings.mr_signal import signal_names, signals
from netseg.findings.notices import notices
from netseg.findings.partition import approximate_segments
from netseg.findings.pet import PetReference, lesion_on_pets, pet_references, total_uptake
from netseg.findings.place import Nearby, place, surroundings
from netseg.findings.record import Record
from netseg.findings.reference import ON_CT, lesion_free_liver
from netseg.findings.region import Region, regions
from netseg.findings.size import longest_axial_diameter_mm, longest_diameter_mm
from netseg.findings.uptake import uptake_names
from netseg.findings.wash import contrasts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netseg.domain import LabelMap, Mask, Segmentation, Series, Study

WASH_IN_OVER_LIVER = "arterial_enhancement_over_liver_hu"
LIVER_ON_CT = (
    f"lesion-free liver, {ON_CT.from_lesion_mm:.0f} mm from lesions and "
    f"{ON_CT.from_surface_mm:.0f} mm from the surface"
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Sources:
    """What every lesion of one study is measured on.

    Attributes:
        segmentation: Whose lesions they are.
        ct: CT and ADC series by measure, in the lesions' frame.
        mr: MR series of arbitrary scale by name, in the lesions' frame.
        pets: PETs with their references by stem, in the lesions' frame.
        segments: Couinaud segments, None when unknown.
        core: Lesion-free liver, None where too little is left.
        liver: Its level by measure, without outliers.
        liver_wash_in: Its arterial enhancement, None when unknown.
        around: Capsule and vessels by the name of the distance to them.
    """

    segmentation: Segmentation
    ct: Mapping[str, Series]
    mr: Mapping[str, Series]
    pets: Mapping[str, PetReference]
    segments: LabelMap | None
    core: Region | None
    liver: Mapping[str, Level]
    liver_wash_in: float | None
    around: Mapping[str, Nearby]


def measure(study: Study, segmentation: Segmentation, vessels: LabelMap | None = None) -> Findings:
    """Measure lesions and liver; nothing is judged beyond signs by stated thresholds.

    Per lesion: volume, diameters (`netseg.findings.size`), centroid; per CT phase mean and median HU,
    contrast and CNR against the liver, wash-in and washout (`wash`), necrotic and bright share and
    enhancing ring (`composition`); per MR series the signal against the liver beside it
    (`mr_signal`); per PET the uptake (`uptake`), ratios to liver and spleen and the
    Krenning score of a receptor tracer (`pet`, `krenning`); distance to capsule and vessels (`place`);
    Couinaud segment and lobe by the majority of its voxels. Of the liver: volume, burden as a whole
    and per part, total lesion uptake, and the reference values of lesion-free parenchyma.

    Every measure names its region in `regions`; what cannot be told is in `unknown` with the reason.

    Args:
        study: The scans. Series in another frame than the segmentation's are left out by name.
        segmentation: Liver and lesions; its liver includes the lesions.
        vessels: Vessels on the segmentation's grid, by label names.

    Returns:
        Measures of all lesions in descending volume, with warnings `FRAME_MISMATCH` (series left
        out), `LESION_AT_BORDER`, `UPTAKE_UNMEASURABLE` (lesions too small for a PET),
        and `SEGMENTS_APPROXIMATE` where no segment map was given.
    """
    frame = segmentation.lesions.grid.frame_uid
    usable = [s for s in study.series if s.volume.grid.frame_uid == frame]
    strangers = [s.key for s in study.series if s.volume.grid.frame_uid != frame]
    segments, source = _segments(segmentation)
    liver = Record()
    sources = _sources(
        usable, segmentation, segments, vessels, _same_frame(study.spleen, frame), liver
    )
    found = [(region, Record()) for region in regions(segmentation.lesions)]
    lesions = [_lesion(region, sources, record) for region, record in found]
    burden(segmentation.liver, segmentation.lesions, segments, source, liver)
    total_uptake(list(sources.pets), [record for _, record in found], liver)
    return Findings(
        lesions=tuple(sorted(lesions, key=lambda one: (-one.volume_ml, one.id))),
        liver_volume_ml=None if segmentation.liver is None else segmentation.liver.volume_ml,
        lesion_volume_ml=sum(one.volume_ml for one in lesions),
        segment_source=source,
        liver_measures=liver.measures,
        liver_regions=tuple(liver.regions),
        liver_unknown=liver.unknown,
        warnings=notices(strangers, lesions, source, sources.pets),
    )


def _same_frame(mask: Mask | None, frame_uid: str) -> Mask | None:
    return mask if mask is not None and mask.grid.frame_uid == frame_uid else None


def _segments(segmentation: Segmentation) -> tuple[LabelMap | None, SegmentSource | None]:
    """The given segment map, else the approximate one, else nothing (no liver mask)."""
    if segmentation.segments is not None:
        return segmentation.segments, SegmentSource.SEGMENT_MAP
    liver = segmentation.liver
    if liver is None or liver.is_empty or not segmentation.lesions.labels.any():
        return None, None
    return approximate_segments(liver), SegmentSource.APPROXIMATE_PARTITION


def _sources(
    usable: list[Series],
    segmentation: Segmentation,
    segments: LabelMap | None,
    vessels: LabelMap | None,
    spleen: Mask | None,
    record: Record,
) -> _Sources:
    """The series with the reference values of lesion-free liver, which `record` takes too."""
    liver, lesions = segmentation.liver, segmentation.lesions
    ct = brightness_names(usable)
    core = None if liver is None else lesion_free_liver(liver, lesions)
    levels: dict[str, Level] = {}
    if core is not None:
        values = samples(ct, core)
        brightness(ct, values, core, LIVER_ON_CT, record)
        for name, of_series in values.items():
            levels[name] = Level.of(without_outliers(of_series), core.volume_ml)
            record.note(
                {f"sd_{name}": levels[name].sd},
                f"{LIVER_ON_CT}, values beyond 3 SD of the median left out",
                series=ct[name].key,
                voxels=levels[name].voxels,
                volume_ml=core.volume_ml,
            )
    return _Sources(
        segmentation=segmentation,
        ct=ct,
        mr=signal_names(usable),
        pets=pet_references(uptake_names(usable), liver, lesions, spleen, record),
        segments=segments,
        core=core,
        liver=levels,
        liver_wash_in=record.measures.get(WASH_IN),
        around=surroundings(liver, lesions, vessels),
    )


def _lesion(region: Region, sources: _Sources, record: Record) -> Lesion:
    """One lesion as measured on all sources; `record` takes its measures."""
    _enhancement(region, sources, record)
    lesion_on_pets(sources.pets, region, record)
    place(sources.around, region, record)
    _boundary(region, sources.segmentation, record)
    shares = _shares(region, sources.segments)
    segment = max(shares, key=lambda name: shares[name]) if shares else None
    made = sources.segmentation
    return Lesion(
        id=region.id,
        volume_ml=region.volume_ml,
        longest_axial_diameter_mm=longest_axial_diameter_mm(region.inside, region.grid),
        longest_diameter_mm=longest_diameter_mm(region.inside, region.grid),
        centroid_mm=PointMm.of(region.centroid_mm()),
        segment=segment,
        segment_shares=shares,
        segment_probability=made.segment_confidence.get(region.id),
        lobe=None if segment is None else lobe_of(segment),
        lobe_probability=made.lobe_confidence.get(region.id),
        confidence=made.confidence.get(region.id),
        at_border=region.at_border,
        measures=record.measures,
        signs=record.signs,
        regions=tuple(record.regions),
        unknown=record.unknown,
    )


def _boundary(region: Region, made: Segmentation, record: Record) -> None:
    """How far the lesion's surface may lie from where it was drawn, where a model told it."""
    spread_mm = made.boundary_sd_mm.get(region.id)
    if spread_mm is not None:
        record.note(
            {"boundary_sd_mm": spread_mm},
            "surface of the lesion, from the network's probabilities",
            voxels=region.voxels,
            volume_ml=region.volume_ml,
        )


def _enhancement(region: Region, sources: _Sources, record: Record) -> None:
    """Everything that CT and MR say about one lesion."""
    values = samples(sources.ct, region)
    levels = brightness(sources.ct, values, region, "whole lesion", record)
    if WASH_IN in record.measures and sources.liver_wash_in is not None:
        record.note(
            {WASH_IN_OVER_LIVER: record.measures[WASH_IN] - sources.liver_wash_in},
            "whole lesion against lesion-free liver",
            voxels=region.voxels,
            volume_ml=region.volume_ml,
        )
    contrasts(levels, sources.liver, region, record)
    signals(sources.mr, region, sources.core, record)
    necrosis(values, region, record)
    bright_material(values, region, record)
    ring(values, sources.liver, region, record)


def _shares(region: Region, segments: LabelMap | None) -> dict[str, float]:
    """Share of the lesion's volume per segment, largest first; they sum to 1 inside the map."""
    if segments is None:
        return {}
    numbers, counts = np.unique(segments.labels[region.box][region.inside], return_counts=True)
    found = {
        segment_name(segments, int(n)): int(c) / region.voxels
        for n, c in zip(numbers, counts, strict=True)
        if n != 0
    }
    return dict(sorted(found.items(), key=lambda item: -item[1]))
