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
from netseg.report.simulation_cuts import draw_cut, draw_planes, draw_strip
from netseg.report.simulation_traces import draw_coverage, draw_traces

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from jaxtyping import Float
    from jinja2 import Environment

    from netseg.domain import PointMm, Probe, Volume
    from netseg.report.panel import Picture
    from netseg.report.plane import Plane

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
        pale: Whether the colours around the zone are light, so that lines must be dark.
    """

    what: str
    unit: str
    low: float
    high: float
    colours: str
    levels: tuple[float, ...]
    pale: bool = False


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
