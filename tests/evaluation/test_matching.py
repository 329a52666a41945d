"""Which prediction belongs to which lesion, where they do not pair off one to one."""

from typing import Any

import numpy as np
import pytest
import scipy.ndimage

from netseg.domain import Grid, GridMismatchError, Mask, Quantity, Volume
from netseg.evaluation import Overlap, score_lesions
from tests.evaluation.shapes import GRID, blocks, numbered


def test_iou_and_dice_of_one_lesion():
    """4 of 4 + 4 layers are common: IoU 2/6, Dice 1/2."""
    (lesion,) = score_lesions(blocks((4, 8)), blocks((2, 6))).lesions
    assert lesion.iou == pytest.approx(1 / 3)
    assert lesion.dice == pytest.approx(0.5)
    assert [lesion.found_at(o) for o in Overlap] == [True, True, False]


def test_a_missed_lesion_has_dice_zero():
    (lesion,) = score_lesions(blocks((10, 12)), blocks((2, 6))).lesions
    assert (lesion.iou, lesion.dice, lesion.matched) == (0.0, 0.0, ())
    assert not any(lesion.found_at(o) for o in Overlap)


def test_two_pieces_in_one_lesion_are_put_together():
    """Each piece alone has IoU 0.4, both together 0.8."""
    score = score_lesions(blocks((2, 6), (8, 12)), blocks((2, 12)))
    (lesion,) = score.lesions
    assert lesion.iou == pytest.approx(0.8)
    assert lesion.partners == (1, 2)
    assert [score.false_at(o) for o in Overlap] == [0, 0, 0]


def test_one_prediction_over_two_lesions_counts_for_each_by_its_own_iou():
    """10 layers over lesions of 6 and 2: IoU 0.6 and 0.2."""
    score = score_lesions(blocks((2, 12)), blocks((2, 8), (10, 12)))
    large, small = score.lesions
    assert (large.iou, small.iou) == (pytest.approx(0.6), pytest.approx(0.2))
    assert [large.found_at(o) for o in Overlap] == [True, True, True]
    assert [small.found_at(o) for o in Overlap] == [True, True, False]
    assert [score.false_at(o) for o in Overlap] == [0, 0, 0]


def test_a_neighbour_that_only_touches_does_not_spoil_a_good_match():
    """The prediction 2 … 10 belongs to the lesion it covers, not to the one it touches by a layer."""
    truth = numbered((2, 9, 1), (9, 13, 2))
    found = numbered((2, 10, 1), (10, 13, 2))
    first, second = score_lesions(found, truth).lesions
    assert first.iou == pytest.approx(7 / 8)
    assert second.iou == pytest.approx(3 / 4), "not 3/11, with the neighbour's prediction added"
    assert second.matched == (1, 2)
    assert second.partners == (2,)


def test_a_prediction_that_only_grazes_is_true_at_any_overlap_and_false_at_iou():
    score = score_lesions(blocks((5, 15)), blocks((2, 6)))
    assert score.predictions[0].iou == pytest.approx(1 / 13)
    assert [score.false_at(o) for o in Overlap] == [0, 1, 1]


def test_instances_that_touch_stay_apart_in_a_label_map_and_merge_in_a_mask():
    instances = numbered((2, 6, 7), (6, 8, 3))
    assert [one.truth_id for one in score_lesions(blocks(), instances).lesions] == [7, 3]
    assert len(score_lesions(blocks(), instances.region()).lesions) == 1


def test_lesions_that_share_a_corner_are_one():
    inside = np.zeros(GRID.shape, bool)
    inside[2:4, 2:4, 2:4] = inside[4:6, 4:6, 4:6] = True
    assert score_lesions(blocks(), Mask(inside, GRID)).lesions[0].volume_ml == pytest.approx(0.128)


def test_confidence_is_the_mean_probability_and_a_given_one_wins():
    values = np.zeros(GRID.shape, np.float32)
    values[2:4], values[4:6] = 0.6, 1.0
    probability = Volume(values, GRID, Quantity.PROBABILITY)
    (one,) = score_lesions(blocks((2, 6)), blocks(), probability=probability).predictions
    assert one.confidence == pytest.approx(0.8)
    given = score_lesions(blocks((2, 6)), blocks(), probability=probability, confidence={1: 0.3})
    assert given.predictions[0].confidence == 0.3
    assert score_lesions(blocks((2, 6)), blocks()).predictions[0].confidence is None


def test_a_probability_on_another_grid_is_refused():
    other = Grid(shape=(20, 20, 20), affine_lps=np.eye(4), frame_uid="1.2")
    probability = Volume(np.zeros(other.shape, np.float32), other, Quantity.PROBABILITY)
    with pytest.raises(GridMismatchError, match="lesion confidence"):
        score_lesions(blocks((2, 6)), blocks(), probability=probability)


@pytest.mark.parametrize("seed", range(5))
def test_every_count_agrees_with_a_plain_loop(seed):
    """Random blobs: recall at any overlap and false positives counted with scipy, lesion by lesion."""
    ndimage: Any = scipy.ndimage
    rng = np.random.default_rng(seed)
    truth, found = (
        ndimage.gaussian_filter(rng.normal(size=GRID.shape), 1.2) > 0.12 for _ in range(2)
    )
    score = score_lesions(Mask(found, GRID), Mask(truth, GRID))
    cube = np.ones((3, 3, 3))
    true_labels, true_count = ndimage.label(truth, cube)
    labels, count = ndimage.label(found, cube)
    assert len(score.lesions) == true_count
    hit = [n for n in range(1, true_count + 1) if found[true_labels == n].any()]
    assert score.found_at(Overlap.ANY) == len(hit)
    false = [n for n in range(1, count + 1) if not truth[labels == n].any()]
    assert score.false_positives == len(false)
    assert sum(one.covered * one.volume_ml for one in score.lesions) == pytest.approx(
        np.count_nonzero(truth & found) * GRID.voxel_volume_ml
    )
