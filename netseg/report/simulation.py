"""`simulation.html` and its pictures: what a plan of needles is expected to destroy.

The page needs no other file, no script and no network. Every number on it is a prediction; no
page of this kind certifies anything.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from netseg.report.html import TEMPLATES, plain
from netseg.report.plane import Plane
from netseg.report.simulation_cuts import draw_cut, draw_planes, draw_strip
from netseg.report.simulation_traces import draw_coverage, draw_traces

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from jaxtyping import Float
    from jinja2 import Environment

    from netseg.domain import Grid, PointMm, Probe, Volume
    from netseg.report.panel import Picture

MARGIN_MM = 30.0  # tissue shown around the active parts
PIXELS = 220  # along the longer edge of a picture
EXTREMES = (
    ("max_temperature_c", "Hottest tissue", "°C"),
    ("min_temperature_c", "Coldest tissue", "°C"),
    ("max_field_v_cm", "Strongest field", "V/cm"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How the leading map of a physics is shown.

    Attributes:
        what: What it is: "highest temperature".
        unit: Its unit.
        low: Value of the first colour.
        high: Value of the last.
        colours: matplotlib's name of the colours.
        levels: Values worth a line of their own.
    """

    what: str
    unit: str
    low: float
    high: float
    colours: str
    levels: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceNote:
    """A device as the reader must know it.

    Attributes:
        probes: The probes of this kind.
        name: Its file's name.
        label: What it is; says "generic" where it is no product.
        source: Where its numbers are from.
    """

    probes: tuple[str, ...]
    name: str
    label: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tube:
    """A straight piece of vessel.

    Attributes:
        from_mm: One end (LPS).
        to_mm: The other.
        diameter_mm: Inner diameter.
    """

    from_mm: PointMm
    to_mm: PointMm
    diameter_mm: float

    def depth_mm(self, points_mm: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n"]:
        """How deep points lie in it; negative outside."""
        start, end = self.from_mm.as_array(), self.to_mm.as_array()
        along = (end - start) / max(float((end - start) @ (end - start)), 1e-12)
        share = np.clip((points_mm - start) @ along, 0.0, 1.0)
        away = points_mm - start - share[..., None] * (end - start)
        return 0.5 * self.diameter_mm - np.linalg.norm(away, axis=-1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SimulationView:
    """Everything the pictures and the page show.

    Attributes:
        title: "Radiofrequency ablation, simulated".
        leading: The map that the pictures show in colour.
        scale: How.
        depth: Depth of the zone by damage model; the first is the zone.
        probes: The needles; what lies beyond the grid is not drawn.
        plane: The plane of the pictures, from `needle_plane`.
        frames: The same plane over time: seconds and values.
        document: Content of zone.json.
        devices: What was used.
        tissue: Name and source of the tissue's numbers.
        protocol: The energy, as pairs of words.
        vessels: Blood vessels, outlined.
        run: What was computed, as pairs of words.
        coverage: Probability per voxel, where an ensemble was run.
        frame_scale: How the frames are shown; as the leading map where None.
        notes: What the reader must know besides.
    """

    title: str
    leading: Volume
    scale: Scale
    depth: Mapping[str, Volume]
    probes: tuple[Probe, ...]
    plane: Plane
    frames: tuple[tuple[float, Float[np.ndarray, "rows columns"]], ...]
    document: Mapping[str, Any]
    devices: tuple[DeviceNote, ...]
    tissue: tuple[str, str]
    protocol: tuple[tuple[str, str], ...]
    vessels: tuple[Tube, ...] = ()
    run: tuple[tuple[str, str], ...] = ()
    coverage: Volume | None = None
    frame_scale: Scale | None = None
    notes: tuple[str, ...] = field(default=())

    def extremes(self) -> Iterator[tuple[str, str]]:
        """The most extreme values that the document holds, in words."""
        for key, words, unit in EXTREMES:
            if self.document.get(key) is not None:
                yield words, f"{self.document[key]:.0f} {unit}"


def needle_plane(probes: Sequence[Probe], grid: Grid) -> Plane:
    """The plane along the first needle that comes closest to the others, tip down.

    It shows all active parts with some tissue around them, and nothing beyond the grid.
    """
    along = np.array(probes[0].direction)
    tips = np.array([p.tip_mm.as_array() for p in probes])
    ends = tips + np.array([np.array(p.direction) * p.active_length_mm for p in probes])
    right = _sideways(along, (tips + ends) / 2)
    points, down = np.concatenate((tips, ends)), -along
    origin = points[0]
    seen = np.stack(((points - origin) @ right, (points - origin) @ down), axis=1)
    low, high = seen.min(0) - MARGIN_MM, seen.max(0) + MARGIN_MM
    corners = grid.corners_mm() - origin
    reach = np.stack((corners @ right, corners @ down), axis=1)
    low, high = np.maximum(low, reach.min(0)), np.minimum(high, reach.max(0))
    middle = (low + high) / 2
    width, height = np.maximum(high - low, 2 * max(grid.spacing_mm))
    return Plane(
        name="along the needle" if len(probes) == 1 else f"along needle {probes[0].id}",
        centre_mm=origin + middle[0] * right + middle[1] * down,
        right=right,
        down=down,
        width_mm=float(width),
        height_mm=float(height),
    )


def _sideways(
    along: Float[np.ndarray, "3"], middles: Float[np.ndarray, "n 3"]
) -> Float[np.ndarray, "3"]:
    """Unit vector across a needle: towards the farthest other one, else towards the patient's left."""
    away = middles - middles[0]
    away -= (away @ along)[:, None] * along
    distance = np.linalg.norm(away, axis=1)
    if distance.max() < 1.0:
        axis = np.eye(3)[0] if abs(along[0]) < 0.9 else np.eye(3)[1]
        side = axis - (axis @ along) * along
    else:
        side = away[int(distance.argmax())]
    return side / np.linalg.norm(side)


def pixel_mm(plane: Plane) -> float:
    """Pixel size that gives pictures of one resolution."""
    return max(plane.width_mm, plane.height_mm) / PIXELS


def write_simulation(view: SimulationView, folder: Path) -> None:
    """Write the pictures and `simulation.html` into `folder`.

    The same view gives the same bytes.
    """
    from markupsafe import Markup

    pictures = dict(_pictures(view))
    for name, picture in pictures.items():
        (folder / f"{name}.png").write_bytes(picture.content)
    page = (
        _environment()
        .get_template("simulation.html.j2")
        .render(
            view=view,
            document=view.document,
            energies=tuple(_energies(view.document["energy_j"])),
            pictures=pictures,
            style=Markup((TEMPLATES / "style.css").read_text(encoding="utf-8")),
        )
    )
    (folder / "simulation.html").write_text(page, encoding="utf-8")


def _pictures(view: SimulationView) -> Iterator[tuple[str, Picture]]:
    yield "cut", draw_cut(view)
    yield "planes", draw_planes(view)
    if view.frames:
        yield "strip", draw_strip(view)
    if view.document["trace"].get("time_s"):
        yield "trace", draw_traces(view.document["trace"])
    if view.coverage is not None:
        yield "coverage", draw_coverage(view, view.coverage)


def _energies(energy: Mapping[str, float]) -> Iterator[tuple[str, float, float]]:
    """Name, kilojoules and share of what was delivered (or drawn, where nothing was)."""
    whole = max(abs(energy.get("delivered", 0.0)), abs(energy.get("coolant", 0.0)), 1e-9)
    for name, joules in energy.items():
        if name != "balance_error":
            yield name, joules / 1000.0, 100.0 * joules / whole


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    def shown(value: Any) -> Any:
        return (
            plain(str(value)) if isinstance(value, str) and not isinstance(value, Markup) else value
        )

    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=shown,
    )
