"""Pictures are taken in the patient's coordinates: no voxel order can turn left into right."""

import itertools

import numpy as np
import pytest

from netseg.domain import Grid, PointMm, Probe, Quantity, Volume
from netseg.report.panel import Outline, Region, Scene, draw_panel, encode, new_figure
from netseg.report.plane import Plane, direction_letters, sample
from netseg.report.window import Window, window_of
from tests.export.made_results import FRAME, ball, ct_of, grid_of, pet_of

ORIGIN = np.zeros(3)
ORDERS = list(itertools.permutations((0, 1, 2)))
SIGNS = list(itertools.product((1, -1), repeat=3))
LEFT, BACK, HEAD = (30.0, 0.0, 0.0), (0.0, 30.0, 0.0), (0.0, 0.0, 30.0)

# where a marker at the patient's left, back and head stands in the picture: (right half?, lower?)
EXPECTED = [
    (Plane.axial, LEFT, "right"),
    (Plane.axial, BACK, "bottom"),
    (Plane.coronal, LEFT, "right"),
    (Plane.coronal, HEAD, "top"),
    (Plane.sagittal, BACK, "right"),
    (Plane.sagittal, HEAD, "top"),
]


def side_of(image: np.ndarray) -> str:
    """The side of the picture towards which its bright part lies."""
    rows, columns = (
        np.argwhere(image > 0.5 * image.max()).mean(axis=0) / np.array(image.shape) - 0.5
    )
    if abs(columns) > abs(rows):
        return "right" if columns > 0 else "left"
    return "bottom" if rows > 0 else "top"


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("signs", SIGNS)
def test_a_marker_stands_on_its_side_in_every_voxel_order(order, signs):
    grid = grid_of(order, signs, half_mm=(50.0, 45.0, 48.0), spacing_mm=(2.0, 3.0, 4.0))
    for make, centre, side in EXPECTED:
        marker = ball(grid, centre, 8.0)
        image = sample(marker, grid, make(ORIGIN, 90.0, 90.0).points_mm(1.0), outside=0.0)
        assert side_of(image) == side, make.__name__


@pytest.mark.parametrize("order", ORDERS[:3])
@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, 1, -1)])
def test_the_patients_left_is_on_the_right_of_the_finished_picture(order, signs):
    """Through matplotlib and into pixels: the last place where a flip could hide."""
    import io

    from PIL import Image

    grid = grid_of(order, signs, half_mm=(60.0, 60.0, 60.0), spacing_mm=(3.0, 3.0, 3.0))
    marker = Volume(ball(grid, (35.0, 20.0, 0.0), 10.0).astype(np.int16), grid, Quantity.HU)
    series = ct_of(grid)
    scene = Scene(
        series=type(series)(key="m", modality=series.modality, volume=marker),
        window=Window(low=0.0, high=1.0, unit="HU"),
    )
    figure = new_figure(2.0, 2.0)
    draw_panel(
        figure.add_axes((0, 0, 1, 1)), Plane.axial(ORIGIN, 120.0, 120.0), scene, pixel_mm=1.0
    )
    pixels = np.asarray(Image.open(io.BytesIO(encode(figure, "", png=True).content)).convert("L"))
    height, width = pixels.shape
    there = pixels[int(height * (0.5 + 20 / 120)), int(width * (0.5 + 35 / 120))]
    mirrored = pixels[int(height * (0.5 + 20 / 120)), int(width * (0.5 - 35 / 120))]
    assert (there, mirrored) == (255, 0)


def test_needle_and_outline_lie_where_the_image_is():
    """A needle from the left front to a ball at the patient's left: both right of the middle."""
    import io

    from PIL import Image

    grid = grid_of(half_mm=(60.0, 60.0, 60.0), spacing_mm=(3.0, 3.0, 3.0))
    region = Region.of(ball(grid, (30.0, 20.0, 0.0), 10.0), grid)
    entry, tip = PointMm(50.0, -40.0, 0.0), PointMm(30.0, 20.0, 0.0)
    probe = Probe(id="A", device="d", entry_mm=entry, tip_mm=tip, active_length_mm=20.0)
    assert region is not None
    scene = Scene(
        series=ct_of(grid),
        window=Window(low=3000.0, high=4000.0, unit="HU"),
        outlines=(Outline(region=region, colour="#ff0000"),),
        probes=(probe,),
    )
    figure = new_figure(2.0, 2.0)
    plane = Plane.axial(ORIGIN, 120.0, 120.0)
    draw_panel(figure.add_axes((0, 0, 1, 1)), plane, scene, pixel_mm=1.0)
    image = Image.open(io.BytesIO(encode(figure, "", png=True).content)).convert("RGB")
    red, green, blue = np.moveaxis(np.asarray(image).astype(int), -1, 0)
    outline = np.argwhere((red > 200) & (green < 60) & (blue < 60)).mean(axis=0)
    needle = np.argwhere((red > 200) & (green > 200) & (blue < 120)).mean(axis=0)
    mm = 120.0 / red.shape[0]
    assert outline * mm - 60.0 == pytest.approx([20.0, 30.0], abs=2.5), "down, right"
    assert needle[1] * mm - 60.0 > 30.0
    assert -40.0 < needle[0] * mm - 60.0 < 20.0


def test_letters_at_the_edges_are_those_of_radiology():
    assert Plane.axial(ORIGIN, 9.0, 9.0).edge_letters() == ("R", "L", "A", "P")
    assert Plane.coronal(ORIGIN, 9.0, 9.0).edge_letters() == ("R", "L", "H", "F")
    assert Plane.sagittal(ORIGIN, 9.0, 9.0).edge_letters() == ("A", "P", "H", "F")


@pytest.mark.parametrize(
    ("direction", "letters"),
    [
        ((1, 0, 0), "L"),
        ((0, -1, 0), "A"),
        ((0, 0, 1), "H"),
        ((-0.8, -0.6, 0), "RA"),
        ((0.1, 0.99, 0), "P"),
    ],
)
def test_an_oblique_direction_has_two_letters(direction, letters):
    assert direction_letters(np.array(direction, dtype=float)) == letters


def test_a_ball_stays_round_on_thick_slices():
    """Voxels of 2 x 2 x 8 mm: the picture's pixels are square all the same."""
    grid = grid_of(half_mm=(60.0, 60.0, 64.0), spacing_mm=(2.0, 2.0, 8.0))
    image = sample(
        ball(grid, (0, 0, 0), 30.0),
        grid,
        Plane.coronal(ORIGIN, 100.0, 100.0).points_mm(1.0),
        outside=0,
    )
    rows, columns = np.nonzero(image >= 0.5)
    assert np.ptp(columns) == pytest.approx(60, abs=3)
    assert np.ptp(rows) == pytest.approx(60, abs=8)


def test_a_linear_field_is_sampled_exactly():
    """Values of x + 2 y + 3 z mm come back at any point, to the rounding of float32."""
    grid = grid_of((1, 2, 0), (-1, 1, -1), half_mm=(40.0,) * 3, spacing_mm=(2.0, 3.0, 4.0))
    points = grid.to_mm(np.moveaxis(np.indices(grid.shape), 0, -1).reshape(-1, 3))
    values = (points @ (1.0, 2.0, 3.0)).reshape(grid.shape).astype(np.float32)
    asked = np.array([[1.3, -7.7, 12.1], [30.0, 0.5, -20.25]])
    assert sample(values, grid, asked, outside=0) == pytest.approx(
        asked @ (1.0, 2.0, 3.0), abs=1e-3
    )


def test_beyond_the_image_is_outside_it():
    """The image ends half a voxel beyond its last voxel's centre."""
    grid = grid_of(half_mm=(20.0,) * 3, spacing_mm=(2.0,) * 3)
    points = np.array([[19.9, 0, 0], [20.1, 0, 0], [0, 0, 500.0]])
    values = sample(np.ones(grid.shape, bool), grid, points, outside=np.nan)
    assert values[0] == 1
    assert np.isnan(values[1:]).all()


def test_an_oblique_grid_shows_the_patient_upright():
    """A stack tilted by 30 degrees about x: a marker at the head is still at the top."""
    c, s = np.cos(np.pi / 6), np.sin(np.pi / 6)
    affine = np.eye(4)
    affine[:3, :3] = np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) * 3.0
    affine[:3, 3] = affine[:3, :3] @ (-20.0, -20.0, -20.0)
    grid = Grid(shape=(41, 41, 41), affine_lps=affine, frame_uid=FRAME)
    image = sample(
        ball(grid, HEAD, 8.0), grid, Plane.coronal(ORIGIN, 90, 90).points_mm(1), outside=0
    )
    assert side_of(image) == "top"


@pytest.mark.parametrize(
    ("entry", "tip"),
    [((-90, 10, 5), (-40, 0, 0)), ((-60, -70, 40), (-30, 0, 0)), ((0, 5, 100), (0, 0, 0))],
)
def test_the_plane_of_a_needle_holds_both_its_ends_and_the_patient_upright(entry, tip):
    entry, tip = np.array(entry, float), np.array(tip, float)
    plane = Plane.through_needle(entry, tip, 200.0)
    assert np.abs(plane.project(np.array([entry, tip]))[:, 2]).max() < 1e-9
    assert plane.right @ plane.down == pytest.approx(0.0, abs=1e-12)
    assert np.linalg.norm(plane.down) == pytest.approx(1.0)
    assert plane.right[0] > 0.5 or plane.right[1] > 0.5, "left, or the back, is on the right"
    assert plane.down[1] > 0.3 or plane.down[2] < -0.5, "the back, or the feet, are down"


def test_an_axial_needle_is_shown_in_the_axial_plane():
    plane = Plane.through_needle(np.array([-90.0, 20, 7]), np.array([-40.0, 0, 7]), 100.0)
    assert plane.edge_letters() == ("R", "L", "A", "P")


def test_windows_are_named_as_radiologists_do():
    grid = grid_of()
    assert window_of(ct_of(grid)).caption == "W 300 L 60 HU"
    assert window_of(pet_of()).caption == "0 to 20 SUVbw"
