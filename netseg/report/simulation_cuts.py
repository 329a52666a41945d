# pyright: standard
# (the types of matplotlib and scipy are partial)
"""Cuts through a simulated ablation: colours for the field, lines for the zones, bars for needles."""

from __future__ import annotations

import math
from itertools import cycle
from typing import TYPE_CHECKING, Literal

import numpy as np

from netseg.report.panel import (
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    YELLOW,
    Picture,
    encode,
    new_figure,
)
from netseg.report.plane import Plane, sample
from netseg.report.simulation_plane import other_planes, pixel_mm

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jaxtyping import Float
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage
    from matplotlib.lines import Line2D

    from netseg.domain import Probe
    from netseg.report.simulation import Scale, SimulationView

NEAR_MM = 3.0  # a needle this close to the plane is drawn in it
Style = Literal["solid", "dashed", "dashdot", "dotted"]
STYLES: tuple[Style, ...] = ("solid", "dashed", "dashdot", "dotted", "solid")
ON_DARK = ("white", SKY, YELLOW, PURPLE, ORANGE)
ON_PALE = ("black", VERMILLION, PURPLE, GREEN, ORANGE)
COLUMNS = 5
HEIGHT_IN = 5.2


def draw_cut(view: SimulationView) -> Picture:
    """The leading map along the first needle, with the zones of all damage models."""
    plane = view.plane
    wide = HEIGHT_IN * plane.width_mm / plane.height_mm
    figure = _white(wide + 2.1, HEIGHT_IN + 0.9)
    axes = figure.add_axes(_box(figure, 0.75, 0.55, wide, HEIGHT_IN))
    image = draw_map(axes, plane, view)
    axes.set_xlabel("mm across the needle")
    axes.set_ylabel("mm along the needle")
    axes.legend(
        handles=_zone_handles(view), loc="lower right", fontsize=7, framealpha=0.75,
        facecolor="white" if view.scale.pale else "0.25",
        labelcolor="black" if view.scale.pale else "white",
    )  # fmt: skip
    bar = figure.add_axes(_box(figure, wide + 0.95, 0.55, 0.16, HEIGHT_IN))
    _bar(figure, image, bar, view.scale)
    figure.suptitle(f"{view.title}: {view.scale.what}", fontsize=10, y=0.985)
    return encode(figure, f"{view.scale.what} {plane.name}, with zones and needles", png=True)


def draw_planes(view: SimulationView) -> Picture:
    """Three planes at right angles: two along the first needle, one across its active part."""
    planes = (view.plane, *other_planes(view.plane, view.probes[0], view.leading.grid))
    height = 3.4
    widths = [height * p.width_mm / p.height_mm for p in planes]
    figure = _white(sum(widths) + 0.55 * 3 + 0.9, height + 0.8)
    start, image = 0.55, None
    for plane, wide in zip(planes, widths, strict=True):
        axes = figure.add_axes(_box(figure, start, 0.35, wide, height))
        image = draw_map(axes, plane, view)
        axes.set_title(plane.name, fontsize=8)
        start += wide + 0.5
    if image is not None:
        _bar(
            figure,
            image,
            figure.add_axes(_box(figure, start - 0.3, 0.35, 0.14, height)),
            view.scale,
        )
    return encode(figure, "Three planes through the first needle at right angles", png=True)


def draw_strip(view: SimulationView) -> Picture:
    """The plane of the first needle at several times."""
    plane, scale = view.plane, view.frame_scale or view.scale
    rows = math.ceil(len(view.frames) / COLUMNS)
    wide = 2.1
    tall = wide * plane.height_mm / plane.width_mm
    columns = min(COLUMNS, len(view.frames))
    figure = _white(columns * (wide + 0.08) + 0.9, rows * (tall + 0.28) + 0.35)
    image = None
    for n, (time_s, values) in enumerate(view.frames):
        row, column = divmod(n, COLUMNS)
        bottom = (rows - 1 - row) * (tall + 0.28) + 0.05
        axes = figure.add_axes(_box(figure, 0.05 + column * (wide + 0.08), bottom, wide, tall))
        image = _paint(axes, plane, values, scale)
        _levels(axes, plane, values, scale, width=0.7)
        for probe in view.probes:
            draw_needle(axes, plane, probe, name=False, pale=scale.pale)
        axes.set_axis_off()
        axes.set_title(clock(time_s), fontsize=8, pad=2)
    if image is not None:
        bar = figure.add_axes(_box(figure, columns * (wide + 0.08) + 0.1, 0.1, 0.12, rows * tall))
        _bar(figure, image, bar, scale)
    figure.suptitle(f"{scale.what}; lines at {_listed(scale)}", fontsize=9, y=0.995, va="top")
    return encode(figure, f"{scale.what} at {len(view.frames)} times", png=True)


def draw_map(axes: Axes, plane: Plane, view: SimulationView) -> AxesImage:
    """The leading map in colour, zones and needles on it; one millimetre as long in both ways."""
    points = plane.points_mm(pixel_mm(plane))
    grid = view.leading.grid
    values = sample(view.leading.values, grid, points, outside=np.nan)
    image = _paint(axes, plane, values, view.scale)
    for (colour, style), depth in zip(zone_lines(view.scale), view.depth.values(), strict=False):
        seen = sample(depth.values, depth.grid, points, outside=np.nan)
        _contour(axes, plane, seen, (0.0,), colour=colour, style=style, width=1.5)
    for vessel in view.vessels:
        inside = vessel.depth_mm(points)
        _contour(axes, plane, inside, (0.0,), colour=VERMILLION, style="solid", width=1.0)
    for probe in view.probes:
        draw_needle(axes, plane, probe, pale=view.scale.pale)
    axes.tick_params(labelsize=7)
    return image


def zone_lines(scale: Scale) -> Iterator[tuple[str, Style]]:
    """Colour and style of the line of each damage model, told apart on this scale."""
    return cycle(zip(ON_PALE if scale.pale else ON_DARK, STYLES, strict=True))


def draw_needle(
    axes: Axes, plane: Plane, probe: Probe, *, name: bool = True, pale: bool = False
) -> None:
    """A needle: thick where it is active, thin its shaft; faint where it leaves the plane."""
    tip, along = probe.tip_mm.as_array(), np.array(probe.direction)
    steps, grey = np.linspace(0.0, probe.length_mm, 401), "0.35" if pale else "0.85"
    seen = plane.project(tip + steps[:, None] * along)
    inside = (np.abs(seen[:, 0]) <= plane.width_mm / 2) & (
        np.abs(seen[:, 1]) <= plane.height_mm / 2
    )
    near = np.abs(seen[:, 2]) <= NEAR_MM
    active = steps <= probe.active_length_mm
    for where, width, alpha in (
        (inside & near, 1.0, 0.9),
        (inside & near & active, 2.8, 1.0),
        (inside & ~near & active, 2.2, 0.35),
    ):
        x, y = (np.where(where, seen[:, n], np.nan) for n in (0, 1))
        if where.sum() == 1:
            axes.plot(x[where], -y[where], ".", color=grey, alpha=alpha)
        axes.plot(x, -y, color=grey, linewidth=width, alpha=alpha, solid_capstyle="butt")
    if name and inside[0] and near[0]:
        axes.annotate(
            probe.id, (seen[0, 0], -seen[0, 1]), xytext=(0, -12), textcoords="offset points",
            color="black" if pale else "white", fontsize=8, fontweight="bold", ha="center",
            annotation_clip=True,
        )  # fmt: skip


def clock(time_s: float) -> str:
    """Seconds below two minutes, else minutes and seconds."""
    if time_s < 120:
        return f"{time_s:.0f} s"
    minutes, seconds = divmod(round(time_s), 60)
    return f"{minutes} min" if seconds == 0 else f"{minutes} min {seconds:02d} s"


def _paint(
    axes: Axes, plane: Plane, values: Float[np.ndarray, "rows columns"], scale: Scale
) -> AxesImage:
    left, right, bottom, top = plane.extent_mm
    axes.set_facecolor("0.5")
    axes.set_aspect("equal")
    image = axes.imshow(
        values,
        cmap=scale.colours,
        vmin=scale.low,
        vmax=scale.high,
        extent=(left, right, -bottom, -top),
        interpolation="bilinear",
    )
    axes.set_xlim(left, right)
    axes.set_ylim(-bottom, -top)
    return image


def _contour(
    axes: Axes,
    plane: Plane,
    values: Float[np.ndarray, "rows columns"],
    levels: tuple[float, ...],
    *,
    colour: str,
    style: str,
    width: float,
) -> None:
    known = values[np.isfinite(values)]
    crossed = tuple(v for v in levels if known.size and known.min() < v < known.max())
    if not crossed:
        return
    rows, columns = values.shape
    x = ((np.arange(columns) + 0.5) / columns - 0.5) * plane.width_mm
    y = (0.5 - (np.arange(rows) + 0.5) / rows) * plane.height_mm
    axes.contour(
        x, y, np.ma.masked_invalid(values), levels=sorted(crossed), colors=(colour,),
        linestyles=style, linewidths=width,
    )  # fmt: skip


def _levels(
    axes: Axes,
    plane: Plane,
    values: Float[np.ndarray, "rows columns"],
    scale: Scale,
    *,
    width: float,
) -> None:
    colour = "black" if scale.pale else "white"
    _contour(axes, plane, values, scale.levels, colour=colour, style="solid", width=width)


def _zone_handles(view: SimulationView) -> list[Line2D]:
    from matplotlib.lines import Line2D as Line

    volumes = view.document.get("volumes_ml", {})
    handles = []
    for (colour, style), name in zip(zone_lines(view.scale), view.depth, strict=False):
        size = f", {volumes[name]:.1f} ml" if name in volumes else ""
        handles.append(
            Line([], [], color=colour, linestyle=style, linewidth=1.5, label=f"{name}{size}")
        )
    if view.vessels:
        handles.append(Line([], [], color=VERMILLION, linewidth=1.0, label="vessel"))
    return handles


def _bar(figure: Figure, image: AxesImage, axes: Axes, scale: Scale) -> None:
    bar = figure.colorbar(image, cax=axes, extend="both")
    bar.ax.tick_params(labelsize=7)
    bar.set_label(scale.unit, fontsize=8)
    for level in scale.levels:
        if scale.low < level < scale.high:
            bar.ax.axhline(level, color="black" if scale.pale else "white", linewidth=0.8)


def _listed(scale: Scale) -> str:
    return ", ".join(f"{v:g}" for v in scale.levels) + f" {scale.unit}"


def _box(
    figure: Figure, left: float, bottom: float, width: float, height: float
) -> tuple[float, float, float, float]:
    """Inches to shares of the figure."""
    wide, tall = figure.get_size_inches()
    return left / wide, bottom / tall, width / wide, height / tall


def _white(width_in: float, height_in: float) -> Figure:
    figure = new_figure(width_in, height_in)
    figure.set_facecolor("white")
    return figure
