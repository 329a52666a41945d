"""Everything measured on one study: the station's single way in."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from netseg.domain import (
    Code,
    Findings,
    Lesion,
    Lobe,
    Notice,
    PointMm,
    SegmentSource,
)
from netseg.findings.enhancement import WASH_IN, brightness, brightness_names
from netseg.findings.partition import ROMAN, approximate_segments
from netseg.findings.reference import lesion_free_liver
from netseg.findings.region import Region, regions
from netseg.findings.sampling import values_at
from netseg.findings.size import longest_axial_diameter_mm, longest_diameter_mm
from netseg.findings.uptake import uptake, uptake_names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netseg.domain import LabelMap, Segmentation, Series, Study

LOBES = {"I": Lobe.CAUDATE} | dict.fromkeys(("II", "III", "IV"), Lobe.LEFT)
WASH_IN_OVER_LIVER = "arterial_enhancement_over_liver_hu"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sources:
    """What every lesion of one study is measured on."""

    ct: Mapping[str, Series]
    pet: Mapping[str, Series]
    segments: LabelMap | None
    confidence: Mapping[int, float]
    liver: Mapping[str, float] = field(default_factory=dict)


def measure(study: Study, segmentation: Segmentation) -> Findings:
    """Measure lesions and liver; nothing is judged.

    Per lesion: volume, longest axial and 3-D diameter (`netseg.findings.size`), centroid, mean and
    median HU per CT phase, highest and mean uptake per PET, Couinaud segment and lobe by the
    majority of its voxels, and how much more than the liver it takes up arterially
    (`arterial_enhancement_over_liver_hu`, late arterial minus native, lesion minus liver) where both
    phases exist. Of the liver: volume and the same brightness in lesion-free parenchyma
    (`netseg.findings.reference`), with `mean_<pet>` and `median_<pet>`.

    Args:
        study: The scans. Series in another frame than the segmentation's are left out by name.
        segmentation: Liver and lesions; its liver includes the lesions.

    Returns:
        Measures of all lesions in descending volume, with warnings `FRAME_MISMATCH` (series left
        out), `LESION_AT_BORDER`, and `SEGMENTS_APPROXIMATE` where no segment map was given.
    """
    frame = segmentation.lesions.grid.frame_uid
    usable = [s for s in study.series if s.volume.grid.frame_uid == frame]
    strangers = [s.key for s in study.series if s.volume.grid.frame_uid != frame]
    segments, source = _segments(segmentation)
    sources = _Sources(
        ct=brightness_names(usable),
        pet=uptake_names(usable),
        segments=segments,
        confidence=segmentation.confidence,
    )
    sources = _with_liver(sources, segmentation)
    lesions = [_lesion(region, sources) for region in regions(segmentation.lesions)]
    return Findings(
        lesions=tuple(sorted(lesions, key=lambda one: (-one.volume_ml, one.id))),
        liver_volume_ml=None if segmentation.liver is None else segmentation.liver.volume_ml,
        lesion_volume_ml=sum(one.volume_ml for one in lesions),
        segment_source=source,
        liver_measures=sources.liver,
        warnings=_warnings(strangers, lesions, source),
    )


def _segments(segmentation: Segmentation) -> tuple[LabelMap | None, SegmentSource | None]:
    """The given segment map, else the approximate one, else nothing (no liver mask)."""
    if segmentation.segments is not None:
        return segmentation.segments, SegmentSource.SEGMENT_MAP
    liver = segmentation.liver
    if liver is None or liver.is_empty or not segmentation.lesions.labels.any():
        return None, None
    return approximate_segments(liver), SegmentSource.APPROXIMATE_PARTITION


def _with_liver(sources: _Sources, segmentation: Segmentation) -> _Sources:
    """The sources with the reference values of lesion-free liver."""
    if segmentation.liver is None:
        return sources
    points = lesion_free_liver(segmentation.liver, segmentation.lesions)
    if points is None:
        return sources
    measures = brightness(sources.ct, points)
    for stem, pet in sources.pet.items():
        values = values_at(pet.volume, points)
        if len(values) == len(points):
            measures[f"mean_{stem}"] = float(values.mean(dtype="float64"))
            measures[f"median_{stem}"] = float(np.median(values))
    return replace(sources, liver=measures)


def _lesion(region: Region, sources: _Sources) -> Lesion:
    """One lesion as measured on all sources."""
    points = region.points_mm()
    measures = brightness(sources.ct, points)
    if WASH_IN in measures and WASH_IN in sources.liver:
        measures[WASH_IN_OVER_LIVER] = measures[WASH_IN] - sources.liver[WASH_IN]
    for stem, pet in sources.pet.items():
        measures |= uptake(pet.volume, stem, region.inside, region.grid)
    shares = _shares(region, sources.segments)
    segment = max(shares, key=lambda name: shares[name]) if shares else None
    return Lesion(
        id=region.id,
        volume_ml=region.volume_ml,
        longest_axial_diameter_mm=longest_axial_diameter_mm(region.inside, region.grid),
        longest_diameter_mm=longest_diameter_mm(region.inside, region.grid),
        centroid_mm=PointMm.of(points.mean(axis=0)),
        segment=segment,
        segment_shares=shares,
        lobe=None if segment is None else LOBES.get(segment, Lobe.RIGHT),
        confidence=sources.confidence.get(region.id),
        at_border=region.at_border,
        measures=measures,
    )


def _shares(region: Region, segments: LabelMap | None) -> dict[str, float]:
    """Share of the lesion's volume per segment, largest first; they sum to 1 inside the map."""
    if segments is None:
        return {}
    numbers, counts = np.unique(segments.labels[region.box][region.inside], return_counts=True)
    total = int(np.count_nonzero(region.inside))
    found = {
        segments.names.get(int(n), ROMAN.get(int(n), str(n))): int(c) / total
        for n, c in zip(numbers, counts, strict=True)
        if n != 0
    }
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _warnings(
    strangers: list[str], lesions: list[Lesion], source: SegmentSource | None
) -> tuple[Notice, ...]:
    """What the reader of the figures must know."""
    notices = []
    if strangers:
        notices.append(
            Notice(
                code=Code.FRAME_MISMATCH,
                message=f"not measured: {', '.join(strangers)} in another frame of reference than "
                "the lesions.",
                detail={"series": strangers},
                hint="Register these series to the segmented one first.",
            )
        )
    cut = [one.id for one in lesions if one.at_border]
    if cut:
        notices.append(
            Notice(
                code=Code.LESION_AT_BORDER,
                message=f"lesion {', '.join(map(str, cut))} reaches the image's border: its size is "
                "a lower bound.",
                detail={"lesions": cut},
            )
        )
    if source is SegmentSource.APPROXIMATE_PARTITION:
        notices.append(
            Notice(
                code=Code.SEGMENTS_APPROXIMATE,
                message="segments and lobes are a geometric approximation from the liver's shape; "
                "segment I is never assigned.",
                hint="Give a segment map to have them measured.",
            )
        )
    return tuple(notices)
