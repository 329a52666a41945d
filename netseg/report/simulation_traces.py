# pyright: standard
# (the types of matplotlib and scipy are partial)
"""What the generator did over time, and how sure the zone is over an ensemble."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netseg.report.panel import (
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    Picture,
    encode,
    new_figure,
)
from netseg.report.plane import sample
from netseg.report.simulation_plane import pixel_mm

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes

    from netseg.domain import Volume
    from netseg.report.simulation import SimulationView

LINES = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY)
UNITS = (
    ("_w", "W"), ("_ohm", "ohm"), ("_c", "°C"), ("_v", "V"), ("_a", "A"), ("_s_m", "S/m"),
    ("_v_cm", "V/cm"), ("_ml", "ml"),
)  # fmt: skip


def grouped(trace: Mapping[str, Sequence[float]]) -> dict[str, dict[str, Sequence[float]]]:
    """Series by quantity: "power_w" with "power_w_A", "power_w_B" of single electrodes.

    Args:
        trace: Series by name; `time_s` is what they run over and in no group.
    """
    groups: dict[str, dict[str, Sequence[float]]] = {}
    for name in sorted(trace, key=len):
        if name == "time_s" or len(trace[name]) != len(trace["time_s"]):
            continue
        stem = next((s for s in groups if name.startswith(f"{s}_")), name)
        groups.setdefault(stem, {})[name] = trace[name]
    return {name: groups[name] for name in trace if name in groups}


def draw_traces(trace: Mapping[str, Sequence[float]]) -> Picture:
    """Power, impedance and temperature over time, one panel per quantity."""
    groups = grouped(trace)
    figure = new_figure(7.0, 1.55 * max(1, len(groups)) + 0.55)
    figure.set_facecolor("white")
    panels = figure.subplots(max(1, len(groups)), 1, sharex=True, squeeze=False)[:, 0]
    time_min = np.array(trace["time_s"]) / 60.0
    for axes, (stem, series) in zip(panels, groups.items(), strict=False):
        _panel(axes, stem, series, time_min)
    panels[-1].set_xlabel("minutes", fontsize=8)
    figure.tight_layout()
    return encode(figure, f"Over time: {', '.join(groups)}", png=True)


def _panel(
    axes: Axes, stem: str, series: Mapping[str, Sequence[float]], time_min: np.ndarray
) -> None:
    single = {name: values for name, values in series.items() if name != stem}
    for n, (name, values) in enumerate((single or series).items()):
        label = name[len(stem) + 1 :] or "all"
        held = "steps-post" if "power" in stem or "voltage" in stem else "default"
        axes.plot(
            time_min, np.array(values, dtype=float), color=LINES[n % len(LINES)], linewidth=1.2,
            drawstyle=held, label=label,
        )  # fmt: skip
    axes.set_ylabel(axis_words(stem), fontsize=8)
    axes.tick_params(labelsize=7)
    axes.grid(color="0.9")
    axes.margins(x=0.01)
    if len(series) > 1:
        axes.legend(fontsize=7, ncols=min(4, len(series)), loc="best")


def axis_words(stem: str) -> str:
    """A series' name and unit in words: "impedance_ohm" is "impedance (ohm)"."""
    for suffix, unit in sorted(UNITS, key=lambda pair: -len(pair[0])):
        if stem.endswith(suffix):
            return f"{stem.removesuffix(suffix).replace('_', ' ')} ({unit})"
    return stem.replace("_", " ")


def draw_coverage(view: SimulationView, coverage: Volume) -> Picture:
    """Probability that tissue dies, over the draws, in the plane of the first needle."""
    from netseg.report.simulation_cuts import draw_needle

    plane = view.plane
    points = plane.points_mm(pixel_mm(plane))
    share = sample(coverage.values, coverage.grid, points, outside=np.nan)
    height = 4.2
    figure = new_figure(height * plane.width_mm / plane.height_mm + 1.6, height + 0.7)
    figure.set_facecolor("white")
    axes = figure.subplots()
    left, right, bottom, top = plane.extent_mm
    image = axes.imshow(share, cmap="viridis", vmin=0, vmax=1, extent=(left, right, -bottom, -top))
    x = ((np.arange(share.shape[1]) + 0.5) / share.shape[1] - 0.5) * plane.width_mm
    y = (0.5 - (np.arange(share.shape[0]) + 0.5) / share.shape[0]) * plane.height_mm
    levels = [v for v in (0.05, 0.5, 0.95) if np.nanmin(share) < v < np.nanmax(share)]
    if levels:
        lines = axes.contour(x, y, np.ma.masked_invalid(share), levels=levels, colors="white")
        axes.clabel(lines, fontsize=7, fmt=lambda v: f"{100 * v:.0f} %")
    for probe in view.probes:
        draw_needle(axes, plane, probe)
    axes.tick_params(labelsize=7)
    bar = figure.colorbar(image, ax=axes, shrink=0.9)
    bar.set_label("probability that tissue dies", fontsize=8)
    figure.tight_layout()
    return encode(figure, "Probability that tissue dies, over the draws", png=True)
