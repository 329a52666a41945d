# pyright: standard
# (the types of matplotlib and scipy are partial)
"""What of a study can be drawn, gathered once for all pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netseg.domain import Modality
from netseg.report.panel import GREEN, ORANGE, PURPLE, SKY, Outline, Region, Scene
from netseg.report.window import window_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jaxtyping import Float

    from netseg.domain import Ablation, LabelMap, Lesion, Series
    from netseg.domain.result import StudyResult
    from netseg.report.window import Window


MOST_OTHERS = 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stage:
    """A study ready for drawing.

    Attributes:
        series: The series on whose grid the lesions were outlined.
        window: Its display range.
        liver: The liver, None when unknown or empty.
        all_lesions: Every lesion as one region, None without any.
        lesions: Region per lesion id.
        ablations: Planned ablation per lesion id.
        zones: Zone per lesion id; the union of all under id 0 where only that is known.
        others: Further CT and MR series of the same frame with their windows.
        pet: A PET of the same frame and its window, None without one.
    """

    series: Series
    window: Window
    liver: Region | None
    all_lesions: Region | None
    lesions: Mapping[int, Region]
    ablations: Mapping[int, Ablation]
    zones: Mapping[int, Region]
    others: tuple[tuple[Series, Window], ...]
    pet: tuple[Series, Window] | None

    def centre_mm(self, lesion_id: int) -> Float[np.ndarray, "3"]:
        """The lesion's voxel nearest to its centroid (LPS); inside even where it is a crescent."""
        region = self.lesions[lesion_id]
        points = region.grid.to_mm(np.argwhere(region.inside))
        return points[np.argmin(((points - points.mean(axis=0)) ** 2).sum(axis=1))]

    def extent_mm(self, lesion_id: int) -> float:
        """Diagonal of the lesion's box."""
        grid = self.lesions[lesion_id].grid
        sides = [(n - 2) * mm for n, mm in zip(grid.shape, grid.spacing_mm, strict=True)]
        return float(np.linalg.norm(sides))

    def scene(self, lesion_id: int, *, bare: bool = False) -> Scene:
        """The lesion's surroundings: outlines of liver, lesions and zone, and needles."""
        if bare:
            return Scene(series=self.series, window=self.window)
        ablation = self.ablations.get(lesion_id)
        return Scene(
            series=self.series,
            window=self.window,
            outlines=tuple(self._outlines(lesion_id)),
            probes=() if ablation is None else ablation.probes,
        )

    def lesion_outline(self, lesion_id: int) -> Outline:
        """A thin border of one lesion."""
        return Outline(region=self.lesions[lesion_id], colour=ORANGE, width=1.0)

    def _outlines(self, lesion_id: int) -> Iterator[Outline]:
        if self.liver is not None:
            yield Outline(region=self.liver, colour=GREEN, width=1.0)
        if self.all_lesions is not None:
            yield Outline(region=self.all_lesions, colour=PURPLE, width=1.0)
        yield Outline(region=self.lesions[lesion_id], colour=ORANGE, width=1.7)
        zone = self.zones.get(lesion_id) or self.zones.get(0)
        if zone is not None:
            yield Outline(region=zone, colour=SKY, width=1.6, style="dashed")


def set_stage(result: StudyResult) -> Stage:
    """Gather what can be drawn; images of another frame of reference are left out."""
    segmentation = result.segmentation
    grid, liver = segmentation.lesions.grid, segmentation.liver
    series = result.study.by_key()[segmentation.series_key]
    pet = _pet(result)
    return Stage(
        series=series,
        window=window_of(series, liver),
        liver=None if liver is None else Region.of(liver.inside, grid),
        all_lesions=Region.of(segmentation.lesions.labels != 0, grid),
        lesions=_lesions(segmentation.lesions),
        ablations={} if result.plan is None else {a.lesion_id: a for a in result.plan.ablations},
        zones=_zones(result),
        others=tuple((s, window_of(s, liver)) for s in _others(result, series)),
        pet=None if pet is None or pet is series else (pet, window_of(pet)),
    )


def _lesions(lesions: LabelMap) -> dict[int, Region]:
    from scipy.ndimage import find_objects

    labels = lesions.labels
    return {
        number: Region.cut(labels[box] == number, lesions.grid, box)
        for number, box in enumerate(find_objects(labels), start=1)
        if box is not None
    }


def _zones(result: StudyResult) -> dict[int, Region]:
    frame = result.segmentation.lesions.grid.frame_uid
    zones = dict(result.zones)
    if not zones and result.zone is not None:
        zones = {0: result.zone}
    regions = {
        number: Region.of(zone.mask.inside, zone.mask.grid)
        for number, zone in zones.items()
        if zone.mask.grid.frame_uid == frame
    }
    return {number: region for number, region in regions.items() if region is not None}


def pictured(result: StudyResult, stage: Stage, most: int) -> tuple[Lesion, ...]:
    """The `most` largest lesions that have voxels to show."""
    shown = [lesion for lesion in result.findings.lesions if lesion.id in stage.lesions]
    shown.sort(key=lambda lesion: (-lesion.volume_ml, lesion.id))
    return tuple(shown[:most])


def _of_frame(result: StudyResult) -> list[Series]:
    frame = result.segmentation.lesions.grid.frame_uid
    return [s for s in result.study.series if s.volume.grid.frame_uid == frame]


def _pet(result: StudyResult) -> Series | None:
    return next((s for s in _of_frame(result) if s.modality is Modality.PT), None)


def _others(result: StudyResult, shown: Series) -> list[Series]:
    anatomical = [s for s in _of_frame(result) if s.modality is not Modality.PT and s is not shown]
    return anatomical[:MOST_OTHERS]
