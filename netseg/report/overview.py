# pyright: standard
# (the types of matplotlib and scipy are partial)
"""The whole liver at one glance: projections with numbered lesions and needles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netseg.domain import Modality
from netseg.report.lesion_pictures import LEAST_MM
from netseg.report.panel import (
    GREEN,
    ORANGE,
    SKY,
    Picture,
    draw_needle,
    draw_panel,
    encode,
    label,
    new_figure,
    prepare,
    write,
)
from netseg.report.plane import Plane, sample

if TYPE_CHECKING:
    from jaxtyping import Float
    from matplotlib.axes import Axes

    from netseg.domain import Volume
    from netseg.report.panel import Region
    from netseg.report.scene import Stage

BODY_HU = (-150.0, 450.0)
COARSE_MM, DEEP_MM = 2.5, 6.0
AROUND_MM = 45.0
MOST_MM = 480.0


class Overview:
    """Projections of one study; each is computed once and drawn in report and preview alike."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._coronal, self._sagittal = _planes(stage)
        self._films = {
            plane.name: _radiograph(stage, plane) for plane in (self._coronal, self._sagittal)
        }
        self._shadows = {
            plane.name: _shadows(stage, plane) for plane in (self._coronal, self._sagittal)
        }

    def picture(self) -> Picture:
        """Coronal and sagittal projections, and the PET's where there is one."""
        stage, height = self._stage, 3.4
        planes = [self._coronal, self._sagittal]
        if stage.pet is not None:
            planes.append(self._coronal)
        widths = [height * plane.width_mm / plane.height_mm for plane in planes]
        figure = new_figure(sum(widths), height)
        start = 0.0
        for n, (plane, width) in enumerate(zip(planes, widths, strict=True)):
            axes = figure.add_axes((start / sum(widths), 0, width / sum(widths) - 0.002, 1))
            self._draw(axes, plane, pet=n == 2)
            start += width
        notes = ("projection through the body, as on a plain film",)
        if stage.pet is not None:
            notes += (f"right: PET maximum projection, {stage.pet[1].caption}",)
        alt = "Projections of the liver with numbered lesions and needles"
        return encode(figure, alt, notes=notes)

    def preview(self, lesion_id: int | None, headline: str) -> Picture:
        """One summary picture: projections, and two planes of one lesion where there is one."""
        rows = 1 if lesion_id is None else 2
        figure = new_figure(8.0, 4.1 * rows + 0.4)
        foot = 0.4 / (4.1 * rows + 0.4)
        tall = (1 - foot) / rows
        for n, plane in enumerate((self._coronal, self._sagittal)):
            axes = figure.add_axes((n / 2 + 0.001, 1 - tall, 0.498, tall - 0.002))
            self._draw(axes, plane)
        for n, plane in enumerate(() if lesion_id is None else _cuts(self._stage, lesion_id)):
            axes = figure.add_axes((n / 2 + 0.001, foot, 0.498, tall - 0.002))
            scene = self._stage.scene(lesion_id or 0)
            heading = f"lesion {lesion_id}, {plane.name}"
            draw_panel(axes, plane, scene, pixel_mm=plane.width_mm / 320, title=heading)
        axes = figure.add_axes((0.0, 0.0, 1.0, foot))
        axes.set_axis_off()
        write(axes, (0.01, 0.5), headline, align=("left", "center"))
        write(axes, (0.99, 0.5), "netseg: research use only", align=("right", "center"))
        return encode(figure, "Summary of the study", png=True, dpi=100)

    def _draw(self, axes: Axes, plane: Plane, *, pet: bool = False) -> None:
        prepare(axes, plane)
        if pet and self._stage.pet is not None:
            series, window = self._stage.pet
            image = _through(series.volume, plane).max(axis=0)
            limits, colours, heading = (
                (window.low, window.high),
                "gray_r",
                "PET, coronal projection",
            )
        else:
            image, colours, heading = self._films[plane.name], "gray", f"{plane.name} projection"
            low, high = np.percentile(image, (2, 99.7))
            limits = (float(low), float(max(high, low + 1e-6)))
        axes.imshow(
            image,
            cmap=colours,
            vmin=limits[0],
            vmax=limits[1],
            extent=plane.extent_mm,
            interpolation="bilinear",
        )
        for shadow in self._shadows[plane.name]:
            shadow.draw(axes, filled=shadow.colour == ORANGE and not pet)
        for ablation in self._stage.ablations.values():
            for probe in () if pet else ablation.probes:
                draw_needle(axes, plane, probe, projected=True)
        for lesion_id in self._stage.lesions:
            _number(axes, plane, self._stage, lesion_id)
        label(axes, plane, heading)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shadow:
    """A region as seen through the body: x and y in picture millimetres, share of tissue."""

    x: np.ndarray
    y: np.ndarray
    dark: np.ndarray
    colour: str

    def draw(self, axes: Axes, *, filled: bool) -> None:
        """Draw its border, and its face when it is filled."""
        if not self.dark.min() < 0.5 <= self.dark.max():
            return
        if filled:
            axes.contourf(
                self.x, self.y, self.dark, levels=(0.5, 2.0), colors=(self.colour,), alpha=0.45
            )
        axes.contour(
            self.x, self.y, self.dark, levels=(0.5,), colors=(self.colour,), linewidths=1.2
        )


def _cuts(stage: Stage, lesion_id: int) -> tuple[Plane, Plane]:
    centre = stage.centre_mm(lesion_id)
    size = max(LEAST_MM, stage.extent_mm(lesion_id) + 70.0)
    return Plane.axial(centre, size, size), Plane.coronal(centre, size, size)


def _shadows(stage: Stage, plane: Plane) -> list[Shadow]:
    """Liver, zones and lesions, in the order they are drawn."""
    liver = () if stage.liver is None else (stage.liver,)
    return [
        _shadow(plane, region, colour)
        for regions, colour in (
            (liver, GREEN),
            (stage.zones.values(), SKY),
            (stage.lesions.values(), ORANGE),
        )
        for region in regions
    ]


def _planes(stage: Stage) -> tuple[Plane, Plane]:
    """Coronal and sagittal rectangles around liver, lesions and needles, within the image."""
    points = _points_to_show(stage)
    image = stage.series.volume.grid.corners_mm()
    low = np.maximum(points.min(axis=0) - AROUND_MM, np.minimum(image, points.min(axis=0)).min(0))
    high = np.minimum(points.max(axis=0) + AROUND_MM, np.maximum(image, points.max(axis=0)).max(0))
    centre = (low + high) / 2
    wide, deep, tall = np.clip(high - low, LEAST_MM / 2, MOST_MM)
    return Plane.coronal(centre, wide, tall), Plane.sagittal(centre, deep, tall)


def _points_to_show(stage: Stage) -> Float[np.ndarray, "n 3"]:
    regions = [r for r in (stage.liver, stage.all_lesions) if r is not None]
    points = [region.grid.corners_mm() for region in regions]
    for ablation in stage.ablations.values():
        points.extend(p.entry_mm.as_array()[None] for p in ablation.probes)
    return np.concatenate(points) if points else stage.series.volume.grid.corners_mm()


def _radiograph(stage: Stage, plane: Plane) -> Float[np.ndarray, "rows columns"]:
    """Mean along the line of sight, as on a plain film; CT is clipped to tissue and bone first."""
    values = _through(stage.series.volume, plane)
    if stage.series.modality is Modality.CT:
        values = np.clip(values, *BODY_HU) - BODY_HU[0]
    return values.mean(axis=0)


def _through(volume: Volume, plane: Plane) -> Float[np.ndarray, "depth rows columns"]:
    """The image on coarse sheets parallel to the plane, as far as it reaches."""
    depth = plane.project(volume.grid.corners_mm())[:, 2]
    sheets = np.arange(depth.min(), depth.max() + 1e-6, DEEP_MM)
    points = plane.points_mm(COARSE_MM)
    floor = float(volume.values.min())
    return np.stack(
        [
            sample(volume.values, volume.grid, points + d * plane.normal, outside=floor)
            for d in sheets
        ]
    )


def _shadow(plane: Plane, region: Region, colour: str) -> Shadow:
    """The largest value along each line of sight, sampled some eighty times across the region."""
    corners = plane.project(region.grid.corners_mm())
    low, high = corners.min(axis=0), corners.max(axis=0)
    step = float(np.clip((high - low).max() / 80, min(region.grid.spacing_mm), 2.5))
    x, y = np.arange(low[0], high[0] + step, step), np.arange(low[1], high[1] + step, step)
    sheet = plane.centre_mm + x[None, :, None] * plane.right + y[:, None, None] * plane.down
    depths = np.arange(low[2], high[2] + step, step)
    points = sheet + depths[:, None, None, None] * plane.normal
    dark = sample(region.inside, region.grid, points, outside=0.0).max(axis=0)
    return Shadow(x=x, y=y, dark=dark, colour=colour)


def _number(axes: Axes, plane: Plane, stage: Stage, lesion_id: int) -> None:
    x, y, _ = plane.project(stage.centre_mm(lesion_id)[None])[0]
    left, right, bottom, top = plane.extent_mm
    place = ((x - left) / (right - left), (y - bottom) / (top - bottom))
    if all(0 <= p <= 1 for p in place):
        write(axes, place, str(lesion_id), align=("center", "center"), bold=True)
