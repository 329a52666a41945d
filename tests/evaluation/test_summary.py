"""Many cases together: means, sizes, intervals over patients, two models."""

import numpy as np
import pytest

from netseg.domain import Grid, Quantity, Volume
from netseg.evaluation import (
    Outlines,
    Overlap,
    compare_models,
    figures_of,
    froc,
    paired_bootstrap,
    score_case,
    summarise,
    volume_agreement,
)
from netseg.evaluation.figures import in_bin
from tests.evaluation.shapes import GRID, ball, blocks, fine_grid


def case(predicted, truth, name="a", patient=None):
    return score_case(predicted, truth, id=name, patient=patient)


def sure(mask, confidence):
    return Outlines(lesions=mask, confidence=confidence)


def test_recall_precision_and_f1_over_two_cases_by_hand():
    """Case a: 2 lesions, 1 found, 1 false. Case b: 1 lesion, found. So 2/3, 2/3, 2/3."""
    cases = [
        case(blocks((2, 6), (15, 17)), blocks((2, 6), (10, 12)), "a"),
        case(blocks((2, 6)), blocks((2, 6)), "b"),
    ]
    told = summarise(cases)
    found = told.detection[Overlap.ANY]
    assert (found.recall.mean, found.precision.mean) == (pytest.approx(2 / 3),) * 2
    assert found.f1.mean == pytest.approx(2 / 3)
    assert (told.lesions, told.predicted, found.found, found.false_positives) == (3, 3, 2, 1)
    assert told.figures["false_positives_per_case"].mean == pytest.approx(0.5)
    assert told.figures["lesion_dice"].mean == pytest.approx(2 / 3), "the miss counts as 0"


def test_empty_cases_are_one_or_zero_and_counted_apart():
    cases = [case(blocks(), blocks(), "both"), case(blocks((2, 4)), blocks(), "alarm")]
    told = summarise([*cases, case(blocks((2, 6)), blocks((2, 6)), "lesion")])
    assert told.figures["dice"].mean == pytest.approx((1 + 0 + 1) / 3)
    assert told.figures["dice_where_lesions"].mean == 1.0
    assert told.figures["clean_kept_empty"].mean == 0.5
    assert (told.both_empty, told.false_alarms) == (1, 1)


def test_without_any_lesion_there_is_no_recall():
    told = summarise([case(blocks(), blocks())])
    assert told.detection[Overlap.ANY].recall.mean is None
    assert told.detection[Overlap.ANY].precision.mean is None
    assert told.detection[Overlap.ANY].f1.mean is None


def test_nothing_predicted_where_lesions_are_is_f1_zero():
    assert summarise([case(blocks(), blocks((2, 4)))]).detection[Overlap.ANY].f1.mean == 0.0


@pytest.mark.parametrize(
    ("diameter_mm", "bins"),
    [
        (4.9, {"<5", "<10"}),
        (5.0, {"5-10", "<10"}),
        (9.9, {"5-10", "<10"}),
        (10.0, {"10-20"}),
        (20.0, {"10-20"}),
        (20.1, {">20"}),
    ],
)
def test_size_bins(diameter_mm, bins):
    assert {b for b in ("<5", "5-10", "<10", "10-20", ">20") if in_bin(diameter_mm, b)} == bins


def test_recall_by_size_of_balls():
    grid = fine_grid((1.0, 1.0, 1.0), 40.0)
    sizes = {6.0: (-30.0, 0, 0), 15.0: (0.0, 0, 0), 24.0: (26.0, 0, 0)}
    inside = sum(ball(grid, at, d / 2).inside.astype(int) for d, at in sizes.items())
    truth = type(ball(grid, (0, 0, 0), 1))(inside > 0, grid)
    told = summarise([case(ball(grid, (0.0, 0, 0), 7.0), truth)]).by_diameter_mm
    assert {n: b.lesions for n, b in told.items()} == {
        "<5": 0, "5-10": 1, "<10": 1, "10-20": 1, ">20": 1,
    }  # fmt: skip
    recall = {n: b.recall[Overlap.ANY].mean for n, b in told.items()}
    assert recall == {"<5": None, "5-10": 0.0, "<10": 0.0, "10-20": 1.0, ">20": 0.0}


def test_an_interval_covers_the_spread_of_patients():
    """Half of 40 patients have Dice 1, half 0: the mean's standard error is 0.5 / sqrt(40)."""
    good, bad = (blocks((2, 6)), blocks((2, 6))), (blocks((10, 12)), blocks((2, 6)))
    cases = [case(*(good if n % 2 else bad), f"p{n}") for n in range(40)]
    half_width = 1.96 * 0.5 / np.sqrt(40)
    assert summarise(cases).figures["dice"].ci95 == (
        pytest.approx(0.5 - half_width, abs=0.03),
        pytest.approx(0.5 + half_width, abs=0.03),
    )


def test_scans_of_one_patient_are_drawn_together():
    good, bad = (blocks((2, 6)), blocks((2, 6))), (blocks((10, 12)), blocks((2, 6)))
    cases = [case(*(good if n % 2 else bad), f"c{n}", "one patient") for n in range(40)]
    assert summarise(cases).figures["dice"].ci95 is None, "one patient has no spread"
    two = [*cases, case(*good, "other", "another")]
    assert summarise(two).figures["dice"].ci95 == (pytest.approx(0.5), pytest.approx(1.0))


def test_the_same_seed_gives_the_same_interval():
    cases = [case(blocks((2, 3 + n)), blocks((2, 8)), f"p{n}") for n in range(6)]
    first, again = summarise(cases).figures["dice"], summarise(cases).figures["dice"]
    assert first == again
    other = summarise(cases, rng=np.random.default_rng(1)).figures["dice"]
    assert other.mean == first.mean
    assert other.ci95 != first.ci95


def test_a_better_model_is_told_from_an_equal_one():
    truth = [blocks((2, 10 + n % 3)) for n in range(20)]
    worse = [case(blocks((2, 6 + n % 3)), t, f"p{n}") for n, t in enumerate(truth)]
    better = [case(blocks((2, 9 + n % 3)), t, f"p{n}") for n, t in enumerate(truth)]
    told = compare_models(worse, better)["dice"]
    assert told.difference > 0.2
    assert told.ci95[0] > 0.2
    assert told.p_value < 0.01
    same = compare_models(worse, worse)["dice"]
    assert (same.difference, same.ci95, same.p_value) == (0.0, (0.0, 0.0), 1.0)


def test_a_distance_is_compared_only_where_both_models_have_one():
    """The second model finds nothing in b, where the first is 20 mm off: that is no improvement."""
    truth = blocks((2, 6))
    first = [case(truth, truth, "a"), case(blocks((12, 16)), truth, "b")]
    second = [case(truth, truth, "a"), case(blocks(), truth, "b")]
    told = compare_models(first, second)
    assert (told["hd95_mm"].first, told["hd95_mm"].second) == (0.0, 0.0)
    assert told["dice"].difference == 0.0
    assert told["lesion_precision"].difference == pytest.approx(0.5), "its own predictions count"


def test_paired_intervals_are_narrower_than_the_models_own():
    """Patients differ a lot, the models hardly: pairing takes the patients' spread away."""
    truth = [blocks((2, 3 + n)) for n in range(12)]
    first = [case(blocks((2, 8)), t, f"p{n}") for n, t in enumerate(truth)]
    second = [case(blocks((2, 9)), t, f"p{n}") for n, t in enumerate(truth)]
    dice = figures_of(first)["dice"]
    told = paired_bootstrap(first, second, dice)
    own = summarise(first).figures["dice"].ci95
    assert told.ci95[1] - told.ci95[0] < own[1] - own[0]


def test_models_on_different_cases_are_not_compared():
    one, two = case(blocks(), blocks(), "a"), case(blocks(), blocks(), "b")
    with pytest.raises(ValueError, match="a, b stand on one side only"):
        compare_models([one], [two])
    with pytest.raises(ValueError, match="on one side only or twice"):
        compare_models([one], [one, one])
    with pytest.raises(ValueError, match="at least one case"):
        summarise([])


def test_froc_by_hand():
    """Sure 0.9: one lesion. 0.6: a false alarm. 0.3: the second lesion. The third is missed."""
    found = blocks((1, 3), (5, 6), (9, 10))
    truth = blocks((1, 3), (9, 10), (14, 15))
    curve = froc([case(sure(found, {1: 0.9, 2: 0.6, 3: 0.3}), truth)])
    points = [(p.confidence, p.sensitivity, p.false_positives_per_case) for p in curve.points]
    assert points == [
        (0.9, pytest.approx(1 / 3), 0.0),
        (0.6, pytest.approx(1 / 3), 1.0),
        (0.3, pytest.approx(2 / 3), 1.0),
    ]
    assert curve.sensitivity_at(0.5) == pytest.approx(1 / 3)
    assert curve.sensitivity_at(1.0) == pytest.approx(2 / 3)
    assert curve.mean_sensitivity == pytest.approx((3 * 1 / 3 + 4 * 2 / 3) / 7)


def test_froc_needs_every_confidence_and_a_lesion():
    assert froc([case(blocks((1, 3)), blocks((1, 3)))]) is None
    assert froc([case(sure(blocks((1, 3)), {1: 0.5}), blocks())]) is None
    assert froc([case(blocks(), blocks((1, 3)))]) is None
    half = sure(blocks((1, 3), (5, 6)), {1: 0.9})
    assert froc([case(half, blocks((1, 3)))]) is None


def test_two_pieces_reach_an_iou_only_when_both_are_taken():
    pieces = sure(blocks((2, 6), (8, 12)), {1: 0.9, 2: 0.2})
    scored = [case(pieces, blocks((2, 12)))]
    assert [p.sensitivity for p in froc(scored, Overlap.IOU_50).points] == [0.0, 1.0]
    assert [p.sensitivity for p in froc(scored).points] == [1.0, 1.0]


def test_volume_agreement_by_hand():
    """Errors 1, 1, 4: bias 2, standard deviation sqrt(3)."""
    told = volume_agreement([(10, 11), (20, 21), (30, 34)])
    assert told.bias_ml == pytest.approx(2.0)
    assert told.limits_ml[1] == pytest.approx(2.0 + 1.96 * np.sqrt(3))
    assert volume_agreement([(1, 1), (2, 2)]).icc == pytest.approx(1.0)
    shifted = volume_agreement([(1, 3), (2, 4), (3, 5)])
    assert shifted.icc == pytest.approx(1 / 3), "a constant error is no agreement"
    assert volume_agreement([(1, 2)]).limits_ml is None
    with pytest.raises(ValueError, match="at least one case"):
        volume_agreement([])


def test_regions_and_calibration_of_a_case():
    truth = Outlines(lesions=blocks((4, 8)), regions={"liver": blocks((2, 12))})
    values = np.where(blocks((4, 8)).inside, 0.9, 0.1).astype(np.float32)
    model = Outlines(
        lesions=blocks((4, 8)),
        regions={"liver": blocks((2, 10)), "spleen": blocks((14, 16))},
        probability=Volume(values, GRID, Quantity.PROBABILITY),
    )
    scored = case(model, truth)
    assert list(scored.regions) == ["liver"]
    assert scored.regions["liver"].dice == pytest.approx(16 / 18)
    assert {n: c.ece for n, c in scored.calibration.items()} == {
        "whole": pytest.approx(0.1), "liver": pytest.approx(0.1), "lesion": pytest.approx(0.1),
    }  # fmt: skip
    assert scored.calibration["lesion"].voxels < scored.calibration["liver"].voxels < 8000
    told = summarise([scored, case(model, truth, "b")])
    assert told.calibration["whole"].voxels == 16000
    assert told.regions["liver"]["dice"].mean == pytest.approx(16 / 18)


def test_outlines_on_two_grids_are_refused():
    other = Grid(shape=GRID.shape, affine_lps=np.eye(4), frame_uid="1.2")
    from netseg.domain import GridMismatchError

    with pytest.raises(GridMismatchError, match="outlines of one case"):
        Outlines(lesions=blocks(), regions={"liver": blocks(grid=other)})
    with pytest.raises(GridMismatchError, match="evaluation: the grids differ"):
        score_case(blocks(), blocks(grid=other))
