# pyright: standard
# (the types of matplotlib and scipy are partial)
"""A lesion in its control scan: both scans in three planes, and its margins drawn."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from netseg.domain import Mask
from netseg.geometry.distance import signed_distance_mm
from netseg.register.transport import to_moving
from netseg.report.margin_pictures import margin_map, margin_solid, shell_curve
from netseg.report.panel import (
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    Outline,
    Picture,
    Region,
    Scene,
    draw_panel,
    encode,
    new_figure,
)
from netseg.report.plane import Plane
from netseg.report.window import window_of

if TYPE_CHECKING:
    from netseg.domain import LesionMargin
    from netseg.domain.control import ControlCheck

PANEL_IN = 2.6
PIXEL_MM = 0.6
AROUND_MM = 70.0
LEAST_MM, MOST_MM = 100.0, 200.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPictures:
    """Pictures of one lesion in its control scan.

    Attributes:
        fusion: The planning scan brought onto the control scan above the control scan itself, with
            lesion, required margin and zone, in three planes.
        surface: The margin over the lesion's surface as a map of the globe; None without its data.
        solid: The lesion's surface in its zone, coloured by the margin; None without that data.
        shells: Share of each shell around the lesion that the zone covers; None without its data.
    """

    fusion: Picture
    surface: Picture | None
    solid: Picture | None
    shells: Picture | None


def control_pictures(check: ControlCheck, margin: LesionMargin) -> ControlPictures:
    """Draw all pictures of one lesion that lies in the control scan."""
    seen = margin.surface_map
    return ControlPictures(
        fusion=_fusion(check, margin.id),
        surface=None if seen is None else margin_map(margin, seen),
        solid=None if seen is None else margin_solid(check, margin.id, seen),
        shells=shell_curve(margin, check.margin.cutoff_mm) if margin.shell_coverage else None,
    )


def _fusion(check: ControlCheck, lesion_id: int) -> Picture:
    lesion = check.lesions.region(lesion_id)
    region = Region.of(lesion.inside, lesion.grid)
    if region is None:
        raise ValueError(f"lesion {lesion_id} does not lie in the control scan.")
    points = region.grid.to_mm(np.argwhere(region.inside))
    centre = points[np.argmin(((points - points.mean(axis=0)) ** 2).sum(axis=1))]
    size = float(np.clip(np.ptp(points, axis=0).max() + AROUND_MM, LEAST_MM, MOST_MM))
    before, after = _scenes(check, region, lesion)
    planes = (
        Plane.axial(centre, size, size),
        Plane.coronal(centre, size, size),
        Plane.sagittal(centre, size, size),
    )
    figure = new_figure(PANEL_IN * 3, PANEL_IN * 2)
    for row, (scene, when) in enumerate(((before, "planning"), (after, "control"))):
        for column, plane in enumerate(planes):
            axes = figure.add_axes((column / 3 + 0.001, 0.5 - row / 2 + 0.001, 0.331, 0.498))
            title = f"{when}, {plane.name}"
            draw_panel(axes, plane, scene, pixel_mm=max(PIXEL_MM, size / 260), title=title)
    return encode(
        figure,
        f"Lesion {lesion_id}: the planning scan brought onto the control scan, and the control "
        "scan, with lesion, required margin and ablation zone",
        notes=(
            f"planning {before.window.caption}, control {after.window.caption}",
            "slices through x {:.0f}, y {:.0f}, z {:.0f} mm (LPS, control scan)".format(*centre),
            f"field {size:.0f} mm",
        ),
    )


def _scenes(check: ControlCheck, region: Region, lesion: Mask) -> tuple[Scene, Scene]:
    """The planning scan as it comes to lie, and the control scan, with the same outlines."""
    margin = _grown(lesion, check.margin.cutoff_mm)
    zone = Region.of(check.zone.mask.inside, check.zone.mask.grid)
    liver = Region.of(check.liver.inside, check.liver.grid)
    outlines = [Outline(region=region, colour=ORANGE, width=1.7)]
    if zone is not None:
        outlines.insert(0, Outline(region=zone, colour=SKY, width=1.6, style="dashed"))
    if margin is not None:
        outlines.insert(0, Outline(region=margin, colour=PURPLE, width=1.0, style="dashed"))
    if liver is not None:
        outlines.insert(0, Outline(region=liver, colour=GREEN, width=0.8))
    after = Scene(
        series=check.control,
        window=window_of(check.control, check.liver),
        outlines=tuple(outlines),
    )
    before = Scene(
        series=check.planning,
        window=window_of(check.planning),
        outlines=tuple(outlines),
        through=partial(to_moving, check.registration),
    )
    return before, after


def _grown(lesion: Mask, by_mm: float) -> Region | None:
    """The lesion with the required margin around it."""
    box = ndimage.find_objects(lesion.inside.astype(np.uint8))[0]
    more = [int(np.ceil((by_mm + 2) / s)) + 1 for s in lesion.grid.spacing_mm]
    part = tuple(
        slice(max(0, s.start - m), min(n, s.stop + m))
        for s, m, n in zip(box, more, lesion.inside.shape, strict=True)
    )
    cut = Region.cut(lesion.inside[part], lesion.grid, part)
    return Region.of(signed_distance_mm(Mask(cut.inside, cut.grid)) <= by_mm, cut.grid)
