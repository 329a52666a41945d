# pyright: standard
# (the types of matplotlib and scipy are partial)
"""The key pictures of one lesion: three planes, the needle's plane and PET fusion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netseg.report.panel import Picture, draw_panel, encode, new_figure, short_name
from netseg.report.plane import Plane

if TYPE_CHECKING:
    from netseg.domain import Ablation
    from netseg.report.scene import Stage

PANEL_IN = 2.25
PIXEL_MM = 0.6
AROUND_MM = 70.0  # anatomy shown around a lesion's own extent
LEAST_MM, MOST_MM = 110.0, 220.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionPictures:
    """Pictures of one lesion.

    Attributes:
        planes: The bare axial slice, then axial, coronal and sagittal with contours.
        needle: The plane of each needle, empty without a plan.
        others: The same axial slice in the study's other series, PET in colour over the first;
            None without any of the same frame.
    """

    planes: Picture
    needle: Picture | None
    others: Picture | None


def lesion_pictures(stage: Stage, lesion_id: int) -> LesionPictures:
    """Draw all pictures of one lesion."""
    ablation = stage.ablations.get(lesion_id)
    return LesionPictures(
        planes=_three_planes(stage, lesion_id),
        needle=None if ablation is None else _needle(stage, lesion_id, ablation),
        others=_others(stage, lesion_id),
    )


def _three_planes(stage: Stage, lesion_id: int) -> Picture:
    centre = stage.centre_mm(lesion_id)
    size = _size_mm(stage, lesion_id)
    axial = Plane.axial(centre, size, size)
    scene = stage.scene(lesion_id)
    phase = short_name(stage.series)
    panels = (
        (axial, stage.scene(lesion_id, bare=True), phase),
        (axial, scene, "axial"),
        (Plane.coronal(centre, size, size), scene, "coronal"),
        (Plane.sagittal(centre, size, size), scene, "sagittal"),
    )
    figure = new_figure(PANEL_IN * len(panels), PANEL_IN)
    for n, (plane, shown, title) in enumerate(panels):
        axes = figure.add_axes((n / len(panels) + 0.001, 0.0, 1 / len(panels) - 0.002, 1.0))
        draw_panel(axes, plane, shown, pixel_mm=max(PIXEL_MM, size / 260), title=title)
    return encode(
        figure,
        f"Lesion {lesion_id} in axial, coronal and sagittal slices with the outlines of liver, "
        "lesions and expected zone",
        notes=(
            stage.window.caption,
            f"slices through x {centre[0]:.0f}, y {centre[1]:.0f}, z {centre[2]:.0f} mm (LPS)",
            f"field {size:.0f} mm",
        ),
    )


def _needle(stage: Stage, lesion_id: int, ablation: Ablation) -> Picture:
    probes = ablation.probes[:2]
    figure = new_figure(PANEL_IN * 1.15 * len(probes), PANEL_IN * 1.15)
    scene = stage.scene(lesion_id)
    for n, probe in enumerate(probes):
        size = probe.length_mm + 90.0
        plane = Plane.through_needle(probe.entry_mm.as_array(), probe.tip_mm.as_array(), size)
        axes = figure.add_axes((n / len(probes) + 0.001, 0.0, 1 / len(probes) - 0.002, 1.0))
        title = f"plane of needle {probe.id}"
        draw_panel(axes, plane, scene, pixel_mm=max(PIXEL_MM, size / 300), title=title)
    return encode(
        figure,
        f"Planned needle of lesion {lesion_id} from skin to tip in its own plane",
        notes=(stage.window.caption,),
    )


def _others(stage: Stage, lesion_id: int) -> Picture | None:
    size = _size_mm(stage, lesion_id)
    plane = Plane.axial(stage.centre_mm(lesion_id), size, size)
    outlined = stage.scene(lesion_id, bare=True).with_outlines(stage.lesion_outline(lesion_id))
    scenes = [
        (outlined.of_series(series, window), short_name(series)) for series, window in stage.others
    ]
    if stage.pet is not None:
        scenes.append((outlined.fused_with(*stage.pet), "PET in colour"))
    if not scenes:
        return None
    figure = new_figure(PANEL_IN * len(scenes), PANEL_IN)
    for n, (scene, title) in enumerate(scenes):
        axes = figure.add_axes((n / len(scenes) + 0.001, 0.0, 1 / len(scenes) - 0.002, 1.0))
        draw_panel(axes, plane, scene, pixel_mm=max(PIXEL_MM, size / 260), title=title)
    windows = [f"{short_name(series)} {window.caption}" for series, window in stage.others]
    if stage.pet is not None:
        windows.append(f"PET {stage.pet[1].caption}")
    return encode(
        figure,
        f"The axial slice through lesion {lesion_id} in the study's other series",
        notes=tuple(windows),
    )


def _size_mm(stage: Stage, lesion_id: int) -> float:
    size = stage.extent_mm(lesion_id) + AROUND_MM
    return float(np.clip(size, LEAST_MM, MOST_MM))
