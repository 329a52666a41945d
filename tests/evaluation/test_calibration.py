"""Probabilities against what was there, worked out by hand."""

import numpy as np
import pytest

from netseg.domain import Mask, StudyRejectedError
from netseg.evaluation import Calibration, calibration
from netseg.evaluation.band import within_mm
from tests.evaluation.shapes import GRID, ball, blocks, fine_grid


def test_four_voxels_by_hand():
    """Bins of 0.5: (0.2, 0.4) with one true, (0.6, 1.0) with one true."""
    told = calibration(np.array([0.2, 0.4, 0.6, 1.0]), np.array([True, False, False, True]), bins=2)
    assert told.ece == pytest.approx((abs(0.6 - 1) + abs(1.6 - 1)) / 4)
    assert told.largest_gap == pytest.approx(0.3)
    assert told.brier == pytest.approx((0.64 + 0.16 + 0.36 + 0.0) / 4)
    assert told.table()[0] == {
        "from": 0.0, "to": 0.5, "voxels": 2, "mean_probability": pytest.approx(0.3), "observed": 0.5,
    }  # fmt: skip


def test_an_honest_probability_has_no_error_and_an_overconfident_one_has():
    """Of 10 000 voxels called p, p are true: the gap is chance (0.005); called 0.95 it is 0.95 - p."""
    rng = np.random.default_rng(7)
    p = np.repeat(np.linspace(0.05, 0.95, 10), 10_000)
    truth = rng.random(p.shape) < p
    assert calibration(p, truth, bins=10).ece < 0.006
    sure = calibration(np.where(p > 0.5, 0.95, 0.05), truth)
    assert sure.ece == pytest.approx(0.2, abs=0.01)  # mean of 0.9-0.5 … over the ten


def test_only_the_voxels_asked_for_count():
    p, truth = np.array([[0.0, 1.0], [0.5, 0.5]]), np.array([[True, True], [True, False]])
    assert calibration(p, truth, np.array([[False, True], [True, True]])).voxels == 3
    nothing = calibration(p, truth, np.zeros((2, 2), bool))
    assert (nothing.ece, nothing.brier, nothing.largest_gap) == (None, None, None)


def test_cases_add_up_to_the_same_as_all_voxels_at_once():
    rng = np.random.default_rng(3)
    p, truth = rng.random((2, 50)), rng.random((2, 50)) < 0.3
    pooled = Calibration.pooled(calibration(a, t) for a, t in zip(p, truth, strict=True))
    whole = calibration(p, truth)
    assert pooled.ece == pytest.approx(whole.ece)
    assert pooled.brier == pytest.approx(whole.brier)
    assert Calibration.pooled([]) is None


def test_calibrations_of_different_bins_are_not_added():
    p, truth = np.array([0.5]), np.array([True])
    with pytest.raises(ValueError, match=r"\[5, 10\] bins"):
        Calibration.pooled([calibration(p, truth, bins=5), calibration(p, truth, bins=10)])


@pytest.mark.parametrize(
    ("value", "code"),
    [(np.nan, "NON_FINITE_VALUES"), (1.5, "PROBABILITY_RANGE"), (-0.1, "PROBABILITY_RANGE")],
)
def test_what_is_no_probability_is_refused(value, code):
    with pytest.raises(StudyRejectedError, match=f"{code}.*0 to 1"):
        calibration(np.array([0.5, value]), np.array([True, False]))


def test_other_shapes_and_no_bins_are_refused():
    with pytest.raises(ValueError, match="truth has shape"):
        calibration(np.zeros(3), np.zeros(4, bool))
    with pytest.raises(ValueError, match="where has shape"):
        calibration(np.zeros(3), np.zeros(3, bool), np.zeros(4, bool))
    with pytest.raises(ValueError, match="from 1 up; got 0"):
        calibration(np.zeros(3), np.zeros(3, bool), bins=0)


def test_the_surroundings_of_a_ball_are_a_larger_ball(monkeypatch):
    grid = fine_grid((0.8, 1.0, 2.0), 20.0)
    small = ball(grid, (0.0, 0.0, 0.0), 0.1)
    monkeypatch.setattr("netseg.evaluation.band.SLAB_VOXELS", 3000)  # several slabs
    grown = within_mm(small, 9.0)
    assert np.array_equal(grown.inside, ball(grid, (0.0, 0.0, 0.0), 9.0).inside)


def test_nothing_surrounds_nothing_and_a_negative_reach_is_refused():
    assert within_mm(blocks(), 5.0).is_empty
    at_border = Mask(np.pad(np.ones((2, 2, 2), bool), ((0, 18),) * 3), GRID)
    assert within_mm(at_border, 4.0).inside[:4, 0, 0].all()
    with pytest.raises(ValueError, match="from 0 up; got -1"):
        within_mm(blocks((2, 4)), -1.0)
