# pyright: standard
# (the types of matplotlib and scipy are partial)
"""One picture: a cut through a series with contours, needles, orientation letters and a scale."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from netseg.report.plane import Plane, sample

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Shaped
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from netseg.domain import Grid, Probe, Series
    from netseg.report.window import Window

# Okabe & Ito: eight colours that colour-blind readers tell apart
ORANGE, SKY, GREEN, YELLOW = "#E69F00", "#56B4E9", "#009E73", "#F0E442"
BLUE, VERMILLION, PURPLE = "#0072B2", "#D55E00", "#CC79A7"
NEAR_MM = 4.0  # a needle this close to the plane is drawn solid
BARS_MM = (100, 50, 20, 10, 5)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Region:
    """Voxels of interest with one voxel of room around them.

    Attributes:
        inside: Booleans indexed (i, j, k).
        grid: Where they lie.
    """

    inside: Shaped[np.ndarray, "i j k"]
    grid: Grid

    @classmethod
    def of(cls, inside: Shaped[np.ndarray, "i j k"], grid: Grid) -> Self | None:
        """The part of a mask that is not empty; None where there is none."""
        spans = [np.flatnonzero(inside.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
        if any(len(span) == 0 for span in spans):
            return None
        box = tuple(slice(int(span[0]), int(span[-1]) + 1) for span in spans)
        return cls.cut(inside[box], grid, box)

    @classmethod
    def cut(cls, part: Shaped[np.ndarray, "i j k"], grid: Grid, box: tuple[slice, ...]) -> Self:
        """A region of the voxels that were cut out of a larger grid at `box`."""
        padded = np.pad(part, 1)
        i, j, k = (s.start - 1 for s in box)
        di, dj, dk = padded.shape
        return cls(inside=padded, grid=grid.crop((i, j, k), (di, dj, dk)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outline:
    """The border of a region, drawn where it meets the plane.

    Attributes:
        region: What is outlined.
        colour: Line colour.
        width: Line width in points.
        style: "solid" or "dashed".
    """

    region: Region
    colour: str
    width: float = 1.4
    style: Literal["solid", "dashed"] = "solid"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene:
    """What a picture shows besides its plane.

    Attributes:
        series: The image.
        window: Its display range.
        outlines: Borders drawn on top.
        probes: Needles drawn on top.
        fusion: A PET and its window, laid over the image in colour.
        through: Where points of the picture lie in the image (LPS both), for an image of another
            frame that was registered; None for an image of the picture's own frame.
    """

    series: Series
    window: Window
    outlines: tuple[Outline, ...] = ()
    probes: tuple[Probe, ...] = ()
    fusion: tuple[Series, Window] | None = None
    through: Callable[[np.ndarray], np.ndarray] | None = None

    def of_series(self, series: Series, window: Window) -> Self:
        """The same on another series."""
        return replace(self, series=series, window=window)

    def fused_with(self, series: Series, window: Window) -> Self:
        """The same with a PET laid over it."""
        return replace(self, fusion=(series, window))

    def with_outlines(self, *outlines: Outline) -> Self:
        """The same with these outlines alone."""
        return replace(self, outlines=outlines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """An encoded picture.

    Attributes:
        kind: "jpeg" or "png".
        content: Its bytes; the same scene gives the same bytes.
        alt: What it shows, in words.
        notes: Caption parts (window, position).
    """

    kind: Literal["jpeg", "png"]
    content: bytes
    alt: str
    notes: tuple[str, ...] = field(default=())

    @property
    def uri(self) -> str:
        """The picture as a `data:` address."""
        return f"data:image/{self.kind};base64,{base64.b64encode(self.content).decode('ascii')}"


def short_name(series: Series) -> str:
    """A series in two words: its phase or sequence where known, else its modality."""
    what = series.phase or series.sequence
    return str(series.modality) if what is None else what.replace("_", " ")


def new_figure(width_in: float, height_in: float) -> Figure:
    """A black figure that draws into memory; no global state, so threads may draw side by side."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_in, height_in), facecolor="black")
    FigureCanvasAgg(figure)
    return figure


def encode(
    figure: Figure, alt: str, *, notes: tuple[str, ...] = (), png: bool = False, dpi: int = 120
) -> Picture:
    """The figure as JPEG (photographs of the body) or PNG, without time or software in it."""
    out = io.BytesIO()
    if png:
        figure.savefig(
            out,
            format="png",
            dpi=dpi,
            facecolor=figure.get_facecolor(),
            metadata={"Software": None},
        )
        return Picture(kind="png", content=out.getvalue(), alt=alt, notes=notes)
    options: dict[str, Any] = {"quality": 86, "subsampling": 0, "optimize": True}
    figure.savefig(
        out, format="jpeg", dpi=dpi, facecolor=figure.get_facecolor(), pil_kwargs=options
    )
    return Picture(kind="jpeg", content=out.getvalue(), alt=alt, notes=notes)


def draw_panel(axes: Axes, plane: Plane, scene: Scene, *, pixel_mm: float, title: str = "") -> None:
    """Draw a cut with everything on it into `axes`, one millimetre as long right as down."""
    points = plane.points_mm(pixel_mm)
    volume = scene.series.volume
    there = points if scene.through is None else scene.through(points)
    image = sample(volume.values, volume.grid, there, outside=np.nan)
    prepare(axes, plane)
    axes.imshow(
        image,
        cmap="gray",
        vmin=scene.window.low,
        vmax=scene.window.high,
        extent=plane.extent_mm,
        interpolation="bilinear",
    )
    if scene.fusion is not None:
        _lay_over(axes, plane, points, scene.fusion)
    for outline in scene.outlines:
        _draw_outline(axes, plane, points, outline)
    for probe in scene.probes:
        draw_needle(axes, plane, probe)
    label(axes, plane, title or plane.name)


def prepare(axes: Axes, plane: Plane) -> None:
    """Empty black axes that span the plane at a true aspect."""
    left, right, bottom, top = plane.extent_mm
    axes.set_facecolor("black")
    axes.set_axis_off()
    axes.set_aspect("equal")
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)


def draw_needle(axes: Axes, plane: Plane, probe: Probe, *, projected: bool = False) -> None:
    """A needle on a plane: solid where it runs in it, dotted in front and behind.

    With `projected` the picture is a projection: the needle is solid all along.
    """
    entry, tip = probe.entry_mm.as_array(), probe.tip_mm.as_array()
    steps = np.linspace(0.0, 1.0, 161)[:, None]
    along = plane.project(tip + steps * (entry - tip))
    near = (np.abs(along[:, 2]) <= NEAR_MM) | projected
    axes.plot(along[:, 0], along[:, 1], color=YELLOW, linewidth=0.9, linestyle=":", alpha=0.9)
    x, y = (np.where(near, along[:, n], np.nan) for n in (0, 1))
    axes.plot(x, y, color=YELLOW, linewidth=1.3)
    heating = (steps[:, 0] * probe.length_mm <= probe.active_length_mm) & near
    x, y = (np.where(heating, along[:, n], np.nan) for n in (0, 1))
    axes.plot(x, y, color=YELLOW, linewidth=3.2, solid_capstyle="butt")
    axes.plot(along[0, 0], along[0, 1], marker=".", color=YELLOW, markersize=5)


def label(axes: Axes, plane: Plane, title: str, *, scale: bool = True) -> None:
    """Orientation letters at the four edges, a title and a scale bar."""
    left, right, up, down = plane.edge_letters()
    places = ((left, 0.02, 0.5, "left", "center"), (right, 0.98, 0.5, "right", "center"))
    places += ((up, 0.5, 0.985, "center", "top"), (down, 0.5, 0.02, "center", "bottom"))
    for letters, x, y, horizontal, vertical in places:
        write(axes, (x, y), letters, align=(horizontal, vertical), bold=True)
    write(axes, (0.02, 0.985), title, align=("left", "top"))
    if scale:
        bar = next(b for b in BARS_MM if b <= plane.width_mm / 3 or b == BARS_MM[-1])
        _, x1, y1, _ = plane.extent_mm
        x, y = x1 - 0.04 * plane.width_mm, y1 - 0.04 * plane.height_mm
        for colour, width in (("black", 4), ("white", 2)):
            axes.plot((x - bar, x), (y, y), color=colour, linewidth=width, solid_capstyle="butt")
        write(axes, (0.96, 0.06), f"{bar} mm", align=("right", "bottom"))


def write(
    axes: Axes,
    place: tuple[float, float],
    text: str,
    *,
    align: tuple[str, str],
    bold: bool = False,
    colour: str = "white",
) -> None:
    """Text with a dark halo at a place given as shares of the axes' width and height."""
    from matplotlib.patheffects import withStroke

    drawn = axes.text(
        *place,
        text,
        transform=axes.transAxes,
        color=colour,
        fontsize=8,
        fontweight="bold" if bold else "normal",
        ha=align[0],
        va=align[1],
        parse_math=False,
    )
    drawn.set_path_effects([withStroke(linewidth=2, foreground="black")])


def _draw_outline(axes: Axes, plane: Plane, points: np.ndarray, outline: Outline) -> None:
    soft = sample(outline.region.inside, outline.region.grid, points, outside=0.0)
    if not soft.min() < 0.5 <= soft.max():
        return
    left, right, bottom, top = plane.extent_mm
    rows, columns = soft.shape
    x = left + (np.arange(columns) + 0.5) / columns * (right - left)
    y = top + (np.arange(rows) + 0.5) / rows * (bottom - top)
    axes.contour(
        x,
        y,
        soft,
        levels=(0.5,),
        colors=(outline.colour,),
        linewidths=outline.width,
        linestyles=outline.style,
    )


def _lay_over(axes: Axes, plane: Plane, points: np.ndarray, fusion: tuple[Series, Window]) -> None:
    series, window = fusion
    uptake = sample(series.volume.values, series.volume.grid, points, outside=0.0)
    share = np.clip((uptake - window.low) / (window.high - window.low), 0.0, 1.0)
    axes.imshow(
        share,
        cmap="inferno",
        vmin=0.0,
        vmax=1.0,
        alpha=np.clip(1.6 * share, 0.0, 0.75),
        extent=plane.extent_mm,
        interpolation="bilinear",
    )
