"""Pictures of a simulated ablation: planes, traces and the page."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from netseg.domain import Grid, PointMm, Probe, Quantity, Volume
from netseg.report.simulation import (
    DeviceNote,
    Scale,
    SimulationView,
    Tube,
    write_simulation,
)
from netseg.report.simulation_cuts import clock, draw_cut, draw_strip
from netseg.report.simulation_plane import needle_plane, other_planes, pixel_mm
from netseg.report.simulation_traces import axis_words, grouped

if TYPE_CHECKING:
    from pathlib import Path

GRID = Grid(shape=(41, 41, 41), affine_lps=np.diag([2.0, 2.0, 2.0, 1.0]), frame_uid="x")


def probe(name: str, tip: tuple[float, float, float], entry: tuple[float, float, float]) -> Probe:
    return Probe(
        id=name, device="generic", tip_mm=PointMm(*tip), entry_mm=PointMm(*entry),
        active_length_mm=20.0,
    )  # fmt: skip


A = probe("A", (40.0, 40.0, 30.0), (40.0, 40.0, 430.0))
B = probe("B", (52.0, 40.0, 30.0), (52.0, 40.0, 430.0))


def ball(radius_mm: float) -> np.ndarray:
    points = GRID.to_mm(np.moveaxis(np.indices(GRID.shape), 0, -1).reshape(-1, 3))
    return (radius_mm - np.linalg.norm(points - 40.0, axis=1)).reshape(GRID.shape)


def view(**changes) -> SimulationView:
    heat = Volume((37 + 3 * ball(20).clip(0)).astype(np.float32), GRID, Quantity.CELSIUS)
    plane = needle_plane((A, B), GRID)
    points = plane.points_mm(pixel_mm(plane))
    made = SimulationView(
        title="Radiofrequency ablation, simulated",
        leading=heat,
        scale=Scale(
            what="Highest temperature", unit="°C", low=37, high=105, colours="inferno",
            levels=(60.0,),
        ),
        depth={
            "arrhenius": Volume(ball(15).astype(np.float32), GRID, Quantity.ARBITRARY),
            "oneill": Volume(ball(10).astype(np.float32), GRID, Quantity.ARBITRARY),
        },
        probes=(A, B),
        plane=plane,
        frames=tuple((60.0 * n, np.full(points.shape[:2], 37.0 + 10 * n)) for n in range(1, 4)),
        document={
            "volume_ml": 14.1, "volume_band_ml": [4.2, 14.1], "sphericity": 0.9,
            "volumes_ml": {"arrhenius": 14.1, "oneill": 4.2}, "diameters_mm": [30.0, 30.0, 30.0],
            "max_temperature_c": 97.0, "energy_j": {"delivered": 2000.0, "balance_error": 1e-6},
            "trace": {"time_s": [0, 60], "power_w": [50, 0], "impedance_ohm": [80, 90]},
        },
        devices=(DeviceNote(probes=("A", "B"), name="g", label="a generic <needle>", source="s"),),
        tissue=("liver_in_vivo", "measured"),
        protocol=(("Power", "50 W"),),
    )  # fmt: skip
    return replace(made, **changes)


def test_the_plane_holds_both_needles_and_stays_in_the_grid():
    plane = needle_plane((A, B), GRID)
    for needle in (A, B):
        points = np.array([needle.tip_mm.as_array(), needle.entry_mm.as_array()])
        seen = plane.project(points)
        assert np.abs(seen[:, 2]).max() < 1e-9
        assert seen[1, 1] < seen[0, 1]  # the handle is up
    corners = plane.points_mm(2.0).reshape(-1, 3)
    assert corners.min() > -1
    assert corners.max() < 81


def test_the_plane_of_one_oblique_needle_holds_it():
    oblique = probe("A", (40.0, 40.0, 40.0), (140.0, 120.0, 190.0))
    plane = needle_plane((oblique,), GRID)
    seen = plane.project(np.array([[40.0, 40.0, 40.0], [50.0, 48.0, 55.0]]))
    assert np.abs(seen[:, 2]).max() < 1e-9
    assert abs(float(plane.right @ plane.down)) < 1e-12


def test_the_three_planes_are_at_right_angles():
    shown = view()
    planes = (shown.plane, *other_planes(shown.plane, A, GRID))
    for n, first in enumerate(planes):
        for second in planes[n + 1 :]:
            assert abs(float(first.normal @ second.normal)) < 1e-9
    across = planes[2].project(np.array([[40.0, 40.0, 40.0]]))  # the middle of A's active part
    assert abs(float(across[0, 2])) < 1e-9


def test_a_hot_spot_right_of_the_needle_is_bright_right_of_the_middle():
    """Warm tissue at x = 62 and nowhere else: the picture's right half is brighter."""
    heat = np.full(GRID.shape, 37.0, np.float32)
    heat[28:34] = 100.0
    picture = draw_cut(
        view(leading=Volume(heat, GRID, Quantity.CELSIUS), probes=(A, B), depth={})
    ).content
    pixels = np.asarray(Image.open(io.BytesIO(picture)).convert("L"), float)
    rows, columns = pixels.shape
    inner = pixels[rows // 4 : 3 * rows // 4]
    left, right = inner[:, columns // 6 : columns // 3], inner[:, columns // 2 : 2 * columns // 3]
    assert right.mean() > left.mean() + 50


def test_a_strip_has_one_picture_per_time():
    three = Image.open(io.BytesIO(draw_strip(view()).content)).size
    one = Image.open(io.BytesIO(draw_strip(view(frames=view().frames[:1])).content)).size
    assert three[0] > 2 * one[0]
    assert three[1] == one[1]


def test_series_of_single_electrodes_share_a_panel():
    trace = {
        "time_s": [0, 1], "power_w": [1, 2], "power_w_A": [1, 0], "power_w_B": [0, 2],
        "temperature_c": [37, 50], "odd": [1],
    }  # fmt: skip
    groups = grouped(trace)
    assert list(groups) == ["power_w", "temperature_c"]
    assert list(groups["power_w"]) == ["power_w", "power_w_A", "power_w_B"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("impedance_ohm", "impedance (ohm)"),
        ("field_v_cm", "field (V/cm)"),
        ("temperature_c", "temperature (°C)"),
        ("pauses", "pauses"),
    ],
)
def test_a_series_is_named_with_its_unit(name: str, words: str):
    assert axis_words(name) == words


def test_times_read_like_a_clock():
    assert [clock(t) for t in (36.0, 119.0, 180.0, 215.6)] == [
        "36 s", "119 s", "3 min", "3 min 36 s",
    ]  # fmt: skip


def test_depth_in_a_vessel_is_half_its_diameter_at_most():
    tube = Tube(from_mm=PointMm(0, 0, 0), to_mm=PointMm(0, 0, 50), diameter_mm=6.0)
    points = np.array([[0, 0, 25], [3, 0, 25], [7, 0, 25], [0, 0, 60]], float)
    assert tube.depth_mm(points).tolist() == pytest.approx([3.0, 0.0, -4.0, -7.0])


def test_the_page_stands_alone_and_says_what_it_is(tmp_path: Path):
    write_simulation(view(), tmp_path)
    page = (tmp_path / "simulation.html").read_text("utf-8")
    assert "Research use only" in page
    assert "never certifies a margin" in page
    assert "a generic &lt;needle&gt;" in page
    assert "14.1 ml" in page
    assert page.count("data:image/png;base64,") == 4
    assert 'src="http' not in page
    assert {f.name for f in tmp_path.iterdir()} == {
        "cut.png", "planes.png", "strip.png", "trace.png", "simulation.html",
    }  # fmt: skip


def test_an_empty_zone_can_be_drawn(tmp_path: Path):
    nothing = Volume(np.full(GRID.shape, -5, np.float32), GRID, Quantity.ARBITRARY)
    document = {**view().document, "volume_ml": 0.0, "diameters_mm": [0.0] * 3, "trace": {}}
    write_simulation(view(depth={"arrhenius": nothing}, frames=(), document=document), tmp_path)
    assert not (tmp_path / "strip.png").exists()
    assert "0.0 ml" in (tmp_path / "simulation.html").read_text("utf-8")
