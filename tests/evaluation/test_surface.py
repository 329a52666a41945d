"""Surfaces of balls against closed forms.

Two equal balls whose centres lie d apart: a point of one sphere at the angle t to the shift keeps
|sqrt(r² + d² - 2 r d cos t) - r| from the other sphere. cos t is uniform over a sphere (Archimedes),
so the share of the surface within x is exactly x / d: NSD(x) = x / d and HD95 = 0.95 d.
"""

from functools import partial

import numpy as np
import pytest

from netseg.domain import FrameMismatchError, Grid, GridMismatchError, Mask, StudyRejectedError
from netseg.evaluation import score_region, surface_distances
from netseg.evaluation.box import slabs
from tests.evaluation.shapes import GRID, ball, blocks, fine_grid

R_MM, SHIFT_MM = 15.0, 4.0


def shifted_balls(spacing_mm, way):
    grid = fine_grid(spacing_mm, 21.0)
    shifted = ball(grid, tuple(SHIFT_MM * w for w in way), R_MM)
    return score_region(shifted, ball(grid, (0.0, 0.0, 0.0), R_MM), (1.0, 2.0, 3.0))


@pytest.mark.parametrize("way", [(1.0, 0.0, 0.0), (0.48, 0.6, 0.64)])
def test_shifted_balls_come_out_first_order_in_the_voxel_size(way):
    """The nearest of many steps is nearer than a smooth surface: agreement is flattered a little."""
    coarse, fine = shifted_balls((1.0, 1.0, 1.0), way), shifted_balls((0.5, 0.5, 0.5), way)
    for tolerance_mm, share in fine.nsd.items():
        error = share - tolerance_mm / SHIFT_MM
        assert 0.0 < error < 0.08
        assert 1.5 < (coarse.nsd[tolerance_mm] - tolerance_mm / SHIFT_MM) / error < 3.0
    assert fine.hd95_from_truth_mm == pytest.approx(0.95 * SHIFT_MM, abs=0.35)
    assert fine.hd95_from_predicted_mm == pytest.approx(0.95 * SHIFT_MM, abs=0.35)


@pytest.mark.parametrize("spacing_mm", [(0.5, 0.5, 0.5), (0.7, 0.7, 1.0)])
def test_dice_and_volume_of_shifted_balls(spacing_mm):
    score = shifted_balls(spacing_mm, (0.48, 0.6, 0.64))
    whole = 4 / 3 * np.pi * R_MM**3
    common = np.pi * (4 * R_MM + SHIFT_MM) * (2 * R_MM - SHIFT_MM) ** 2 / 12
    assert score.dice == pytest.approx(common / whole, abs=0.003)
    assert score.truth_ml == pytest.approx(whole / 1000, rel=0.003)


def test_a_ball_in_a_larger_one_keeps_its_distance_everywhere():
    grid = fine_grid((0.5, 0.5, 0.5), 15.0)
    small, large = (ball(grid, (0.1, 0.2, 0.3), r) for r in (9.0, 12.0))
    score = score_region(large, small, (2.0, 4.0))
    assert score.nsd == {2.0: 0.0, 4.0: 1.0}
    assert score.hd95_mm == pytest.approx(3.0, abs=0.3)
    assert score.volume_error_ml == pytest.approx(4 / 3 * np.pi * (12**3 - 9**3) / 1000, rel=0.01)
    assert score_region(small, large).volume_error_ml == pytest.approx(-score.volume_error_ml)


def test_both_directions_are_told_apart():
    """A prediction with a far spur: the truth lies near it everywhere, but not the other way."""
    grid = fine_grid((1.0, 1.0, 1.0), 20.0)
    truth = ball(grid, (0.0, 0.0, 0.0), 8.0)
    spur = Mask(truth.inside | ball(grid, (14.0, 0.0, 0.0), 5.0).inside, grid)
    score = score_region(spur, truth)
    assert score.hd95_from_truth_mm < 1.0
    assert score.hd95_from_predicted_mm > 8.0
    assert score.hd95_mm == score.hd95_from_predicted_mm
    assert surface_distances(spur, truth).hausdorff_mm() == score.hd95_mm
    assert surface_distances(truth, spur).hausdorff_mm() == score.hd95_mm


def test_a_face_two_voxels_off_counts_by_its_area():
    """A block of 20 x 8 x 8 mm grows by 4 mm at one end: nothing within 0 mm but what they share."""
    truth, longer = blocks((5, 15)), blocks((5, 17))
    found = surface_distances(longer, truth)
    assert found.nsd(4.0) == 1.0
    assert found.nsd(3.9) < 1.0
    assert found.from_truth_mm(100) == pytest.approx(4.0)
    assert found.from_predicted_mm(100) == pytest.approx(4.0)


def test_two_empty_regions_agree_and_have_no_distance():
    score = score_region(blocks(), blocks())
    assert score.dice == 1.0
    assert score.nsd == {2.0: 1.0}
    assert score.hd95_mm is None


@pytest.mark.parametrize("swap", [False, True])
def test_one_empty_region_is_no_agreement(swap):
    pair = (blocks(), blocks((2, 6)))
    score = score_region(*(pair[::-1] if swap else pair))
    assert score.dice == 0.0
    assert score.nsd == {2.0: 0.0}
    assert score.hd95_mm is None


def test_no_tolerance_leaves_surfaces_out():
    score = score_region(blocks((2, 6)), blocks((2, 6)), ())
    assert score.dice == 1.0
    assert score.nsd == {}
    assert score.hd95_mm is None


def test_looking_slab_by_slab_finds_the_same_surface(monkeypatch):
    grid = fine_grid((1.0, 1.0, 1.0), 12.0)
    pair = ball(grid, (0.0, 1.0, 2.0), 7.0), ball(grid, (0.0, 0.0, 0.0), 8.0)
    whole = score_region(*pair)
    monkeypatch.setattr("netseg.evaluation.surface.slabs", partial(slabs, voxels=1000))
    pieces = score_region(*pair)
    assert pieces.nsd == pytest.approx(whole.nsd)
    assert pieces.hd95_from_truth_mm == pytest.approx(whole.hd95_from_truth_mm)
    assert pieces.hd95_from_predicted_mm == pytest.approx(whole.hd95_from_predicted_mm)


def test_a_region_at_the_border_of_the_image_has_a_surface_there():
    inside = np.zeros((6, 6, 6), bool)
    inside[:3] = True
    grid = Grid(shape=(6, 6, 6), affine_lps=np.eye(4), frame_uid="1.2")
    half, whole = Mask(inside, grid), Mask(np.ones((6, 6, 6), bool), grid)
    assert surface_distances(half, whole).from_truth_mm(100) == pytest.approx(3.0)


def test_a_negative_tolerance_is_refused():
    with pytest.raises(ValueError, match=r"from 0 up; got -1"):
        surface_distances(blocks((2, 4)), blocks((2, 4))).nsd(-1.0)


def test_sheared_axes_are_refused():
    affine = np.eye(4)
    affine[0, 1] = 0.2
    grid = Grid(shape=(20, 20, 20), affine_lps=affine, frame_uid="1.2")
    with pytest.raises(StudyRejectedError, match=r"GANTRY_TILT.*surface distance"):
        score_region(blocks((2, 4), grid=grid), blocks((2, 4), grid=grid))
    assert score_region(blocks((2, 4), grid=grid), blocks((2, 4), grid=grid), ()).dice == 1.0


def test_other_grids_and_frames_are_refused():
    with pytest.raises(GridMismatchError, match="evaluation: the grids differ"):
        score_region(blocks((2, 4)), blocks((2, 4), grid=GRID.crop((1, 0, 0), GRID.shape)))
    other = Grid(shape=GRID.shape, affine_lps=GRID.affine_lps, frame_uid="9.9")
    with pytest.raises(FrameMismatchError, match="surface distance: frame of reference"):
        surface_distances(blocks((2, 4)), blocks((2, 4), grid=other))
