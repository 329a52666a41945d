"""What of a study can be drawn, gathered once for all pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netseg.domain import Modality
from netseg.report.panel import GREEN, ORANGE, PURPLE, SKY, Outline, Scene
from netseg.report.window import window_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Float

    from netseg.domain import Ablation, AblationZone, Grid, Lesion, Mask, Series
    from netseg.domain.result import StudyResult
    from netseg.report.window import Window


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stage:
    """A study ready for drawing.

    Attributes:
        series: The series on whose grid the lesions were outlined.
        window: Its display range.
        liver: Liver outline, None when unknown.
        boxes: Start and stop voxel per lesion id.
        labels: Lesion numbers on `grid`.
        grid: Grid of the lesions.
        ablations: Planned ablation per lesion id.
        zones: Zone per lesion id; the union of all under id 0 where only that is known.
        pet: A PET of the same frame and its window, None without one.
    """

    series: Series
    window: Window
    liver: Mask | None
    boxes: Mapping[int, tuple[slice, slice, slice]]
    labels: np.ndarray
    grid: Grid
    ablations: Mapping[int, Ablation]
    zones: Mapping[int, AblationZone]
    pet: tuple[Series, Window] | None

    def centre_mm(self, lesion_id: int) -> Float[np.ndarray, "3"]:
        """The voxel of the lesion that lies nearest to its centroid: inside it even where the
        lesion is a crescent (LPS).
        """
        box = self.boxes[lesion_id]
        index = np.argwhere(self.labels[box] == lesion_id) + [s.start for s in box]
        points = self.grid.to_mm(index)
        return points[np.argmin(((points - points.mean(axis=0)) ** 2).sum(axis=1))]

    def extent_mm(self, lesion_id: int) -> float:
        """Diagonal of the lesion's box."""
        box = self.boxes[lesion_id]
        sides = [(s.stop - s.start) * mm for s, mm in zip(box, self.grid.spacing_mm, strict=True)]
        return float(np.linalg.norm(sides))

    def scene(self, lesion_id: int, *, bare: bool = False, fused: bool = False) -> Scene:
        """The lesion's surroundings: its outline, its neighbours', the liver's, zones and needles."""
        if bare:
            return Scene(series=self.series, window=self.window)
        ablation = self.ablations.get(lesion_id)
        return Scene(
            series=self.series,
            window=self.window,
            outlines=(*self._surroundings(lesion_id), *self._zones(lesion_id)),
            probes=() if ablation is None or fused else ablation.probes,
            fusion=self.pet if fused else None,
        )

    def lesion_part(self, lesion_id: int) -> tuple[np.ndarray, Grid]:
        """The lesion's own voxels with one voxel of room, and where they lie."""
        box = self.boxes[lesion_id]
        start = tuple(s.start - 1 for s in box)
        inside = np.pad(self.labels[box] == lesion_id, 1)
        return inside, self.grid.crop((start[0], start[1], start[2]), inside.shape)

    def _surroundings(self, lesion_id: int) -> list[Outline]:
        outlines: list[Outline] = []
        if self.liver is not None:
            outlines.append(
                Outline(inside=self.liver.inside, grid=self.liver.grid, colour=GREEN, width=1.0)
            )
        for other in self.boxes:
            if other != lesion_id:
                inside, grid = self.lesion_part(other)
                outlines.append(Outline(inside=inside, grid=grid, colour=PURPLE, width=1.0))
        inside, grid = self.lesion_part(lesion_id)
        return [*outlines, Outline(inside=inside, grid=grid, colour=ORANGE, width=1.6)]

    def _zones(self, lesion_id: int) -> list[Outline]:
        zone = self.zones.get(lesion_id) or self.zones.get(0)
        if zone is None:
            return []
        mask = zone.mask
        return [Outline(inside=mask.inside, grid=mask.grid, colour=SKY, width=1.6, style="dashed")]


def set_stage(result: StudyResult) -> Stage:
    """Gather what can be drawn; images of another frame of reference are left out."""
    from scipy.ndimage import find_objects

    segmentation = result.segmentation
    labels, grid = segmentation.lesions.labels, segmentation.lesions.grid
    series = result.study.by_key()[segmentation.series_key]
    boxes = {n: box for n, box in enumerate(find_objects(labels), start=1) if box is not None}
    zones = {k: z for k, z in result.zones.items() if z.mask.grid.frame_uid == grid.frame_uid}
    if not zones and result.zone is not None and result.zone.mask.grid.frame_uid == grid.frame_uid:
        zones = {0: result.zone}
    pet = _pet(result)
    return Stage(
        series=series,
        window=window_of(series, segmentation.liver),
        liver=segmentation.liver,
        boxes=boxes,
        labels=labels,
        grid=grid,
        ablations={} if result.plan is None else {a.lesion_id: a for a in result.plan.ablations},
        zones=zones,
        pet=None if pet is None or pet is series else (pet, window_of(pet)),
    )


def pictured(result: StudyResult, stage: Stage, most: int) -> tuple[Lesion, ...]:
    """The `most` largest lesions that have voxels to show."""
    shown = [lesion for lesion in result.findings.lesions if lesion.id in stage.boxes]
    shown.sort(key=lambda lesion: (-lesion.volume_ml, lesion.id))
    return tuple(shown[:most])


def _pet(result: StudyResult) -> Series | None:
    frame = result.segmentation.lesions.grid.frame_uid
    of_frame = [s for s in result.study.series if s.volume.grid.frame_uid == frame]
    return next((s for s in of_frame if s.modality is Modality.PT), None)
