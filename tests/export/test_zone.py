"""Sizes of zones against bodies whose sizes are known on paper."""

import math

import numpy as np
import pytest

from netseg.domain import AblationZone, Evidence, FrameMismatchError, Grid, Mask
from netseg.export import zone_document, zone_on
from netseg.export.shape import diameters_mm, sphericity
from tests.export.made_results import ball, grid_of, zone_of

BALL_22_ML = 4 / 3 * math.pi * 22.0**3 / 1000  # 44.6 ml


def block(*edges_mm: float, spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> Mask:
    grid = grid_of(half_mm=(40.0, 40.0, 40.0), spacing_mm=spacing_mm)
    points = grid.to_mm(np.moveaxis(np.indices(grid.shape), 0, -1).reshape(-1, 3))
    inside = (np.abs(points) < np.array(edges_mm) / 2).all(axis=1)
    return Mask(inside.reshape(grid.shape), grid)


def test_a_blocks_diameters_are_its_edges_longest_first():
    assert diameters_mm(block(20.0, 60.0, 30.0)) == pytest.approx((60.0, 30.0, 20.0), abs=0.01)


def test_diameters_do_not_depend_on_the_voxel_order():
    grid = grid_of((2, 0, 1), (-1, 1, -1), half_mm=(40.0,) * 3, spacing_mm=(2.0, 1.0, 1.0))
    assert diameters_mm(Mask(ball(grid, (0, 0, 0), 15.0), grid)) == pytest.approx((30,) * 3, abs=2)


def test_a_ball_is_round_and_a_cube_is_not():
    """A cube's sphericity is the cube root of pi / 6: 0.806; smoothing rounds its edges a little."""
    grid = grid_of(half_mm=(40.0,) * 3, spacing_mm=(1.0, 1.0, 2.0))
    round_one = sphericity(Mask(ball(grid, (0, 0, 0), 20.0), grid))
    square_one = sphericity(block(30.0, 30.0, 30.0))
    assert round_one == pytest.approx(1.0, abs=0.03)
    assert square_one == pytest.approx((math.pi / 6) ** (1 / 3), abs=0.04)


def test_a_bar_is_less_round_than_a_cube_on_thick_slices_too():
    """60 x 30 x 30 mm: cube root of pi times (6 * 54000)^(2/3), over 9000 mm2, is 0.768."""
    bar = block(60.0, 30.0, 30.0, spacing_mm=(2.0, 1.0, 1.0))
    assert sphericity(bar) == pytest.approx(0.768, abs=0.04)


def test_nothing_has_no_size():
    grid = grid_of()
    empty = Mask(np.zeros(grid.shape, bool), grid)
    assert diameters_mm(empty) is None
    assert sphericity(empty) is None


def test_one_zone_is_told_as_it_is():
    document = zone_document(zone_of(1))
    assert document["volume_ml"] == pytest.approx(BALL_22_ML, rel=0.02)
    assert document["diameters_mm"] == pytest.approx([44.0] * 3, abs=2.0)
    assert document["max_temperature_c"] == 101.0
    assert document["trace"]["time_s"] == [0.0, 600.0]


def test_zones_apart_add_up():
    """The balls' centres lie 41 mm apart; with radii of 15 mm they do not touch."""
    document = zone_document({1: zone_of(1, 15.0), 2: zone_of(2, 15.0)})
    assert document["volume_ml"] == pytest.approx(2 * 4 / 3 * math.pi * 3.375, rel=0.03)
    assert document["volume_band_ml"] == [70.0, 110.0]
    assert document["max_temperature_c"] == 102.0
    assert document["energy_j"] == {"delivered": 72_000.0, "balance_error": 2e-5}
    assert document["diameters_mm"] is None
    assert [a["lesion_id"] for a in document["ablations"]] == [1, 2]


def test_overlapping_zones_are_counted_once_and_their_band_is_unknown():
    """Two balls of radius r at distance d share the lens pi (4 r + d) (2 r - d)^2 / 12."""
    distance = math.sqrt(30.0**2 + 20.0**2 + 20.0**2)
    shared_ml = math.pi * (120.0 + distance) * (60.0 - distance) ** 2 / 12_000  # 14.9 ml
    document = zone_document({1: zone_of(1, 30.0), 2: zone_of(2, 30.0)})
    both = sum(a["volume_ml"] for a in document["ablations"])
    assert both - document["volume_ml"] == pytest.approx(shared_ml, abs=0.7)
    assert document["volume_band_ml"] is None


def test_a_union_made_elsewhere_is_taken():
    grid = grid_of()
    union = AblationZone(
        mask=Mask(ball(grid, (0, 0, 0), 10.0), grid), evidence=Evidence.CONTROL_SCAN
    )
    assert zone_document({}, union)["evidence"] == "control_scan"
    together = zone_document({1: zone_of(1), 2: zone_of(2)}, union)
    assert together["volume_ml"] == pytest.approx(union.mask.volume_ml)
    assert together["evidence"] == "simulated", "a simulated part makes the whole a prediction"


def test_no_zone_is_refused():
    with pytest.raises(ValueError, match="at least one zone"):
        zone_document({})


def test_a_zone_comes_onto_the_scans_grid_at_its_place():
    grid = grid_of((1, 2, 0), (-1, 1, -1), spacing_mm=(1.9, 2.1, 2.3))
    there = zone_on(grid, {1: zone_of(1)})
    assert there.volume_ml == pytest.approx(BALL_22_ML, rel=0.03)
    assert grid.to_mm(np.argwhere(there.inside)).mean(axis=0) == pytest.approx((-50, -10, 5), abs=1)


def test_a_zone_of_another_frame_is_refused():
    grid = zone_of(1).mask.grid
    elsewhere = Grid(shape=grid.shape, affine_lps=grid.affine_lps, frame_uid="9.9")
    with pytest.raises(FrameMismatchError, match="never registered"):
        zone_on(elsewhere, {1: zone_of(1)})
