"""Scores of block-shaped masks, worked out by hand."""

import numpy as np
import pytest

from netseg.domain import FrameMismatchError, Grid, GridMismatchError, Mask
from netseg.evaluation import dice, score_lesions

GRID = Grid(shape=(20, 20, 20), affine_lps=np.diag((2.0, 2.0, 2.0, 1.0)), frame_uid="1.2")


def blocks(*bounds, grid=GRID):
    inside = np.zeros(grid.shape, bool)
    for low, high in bounds:
        inside[low:high, 5:9, 5:9] = True
    return Mask(inside, grid)


def test_half_overlapping_blocks_have_dice_one_half():
    assert dice(blocks((2, 6)), blocks((4, 8))) == pytest.approx(0.5)


def test_two_empty_regions_agree_and_one_empty_does_not():
    assert dice(blocks(), blocks()) == 1.0
    assert dice(blocks((2, 6)), blocks()) == 0.0


def test_a_lesion_counts_as_found_at_any_overlap():
    score = score_lesions(blocks((5, 9), (15, 17)), blocks((2, 6), (10, 12)))
    large, small = score.lesions
    assert large.volume_ml == pytest.approx(0.512)  # 64 voxels of 0.008 ml
    assert large.covered == pytest.approx(0.25)
    assert large.detected
    assert not small.detected
    assert score.false_positives == 1
    assert score.predicted == 2
    assert score.recall == pytest.approx(0.5)


def test_the_diameter_is_that_of_the_sphere_of_its_volume():
    (lesion,) = score_lesions(blocks(), blocks((2, 6))).lesions
    assert lesion.equivalent_diameter_mm == pytest.approx(9.925, abs=1e-3)  # (6*512/pi)^(1/3)


def test_a_case_without_lesions_has_no_recall_but_may_have_false_positives():
    score = score_lesions(blocks((2, 4)), blocks())
    assert score.recall is None
    assert score.false_positives == 1


def test_one_prediction_over_two_lesions_finds_both():
    score = score_lesions(blocks((2, 12)), blocks((2, 4), (8, 12)))
    assert [lesion.matched for lesion in score.lesions] == [(1,), (1,)]
    assert score.false_positives == 0


def test_masks_of_different_grids_are_refused():
    other = GRID.crop((1, 0, 0), GRID.shape)
    with pytest.raises(GridMismatchError, match="Dice: the grids differ"):
        dice(blocks((2, 4)), blocks((2, 4), grid=other))


def test_masks_of_different_frames_are_refused():
    other = Grid(shape=GRID.shape, affine_lps=GRID.affine_lps, frame_uid="9.9")
    with pytest.raises(FrameMismatchError, match="lesion detection: frame of reference"):
        score_lesions(blocks((2, 4)), blocks((2, 4), grid=other))
