"""P(A0) and the interval of the smallest margin: what must hold whatever the errors are."""

from dataclasses import replace

import numpy as np
import pytest

from netseg.domain.margin import MarginErrors, Verdict
from netseg.domain.volume import Mask
from netseg.verify.lesion import around_lesion
from netseg.verify.uncertainty import draw_margins, thinned
from tests.geometry.shapes import ORIENTATIONS, ball, block, grid
from tests.verify.checking import A0, zone_of

NOTHING = MarginErrors(registration_mm=0.0, lesion_boundary_sd_mm=0.0, zone_boundary_sd_mm=0.0)
SMALL = MarginErrors(registration_mm=0.5, lesion_boundary_sd_mm=0.3, zone_boundary_sd_mm=0.3)
LARGE = MarginErrors(registration_mm=2.0, lesion_boundary_sd_mm=1.0, zone_boundary_sd_mm=1.0)
ON = grid((56, 56, 56))


def checked(lesion, zone, errors, **masks):
    report = A0.check(lesion, zone_of(zone), observed=True, errors=errors, details=False, **masks)
    return report.lesions[0]


def interval(lesion, zone, errors):
    found = checked(lesion, zone, errors).interval_mm
    assert found is not None
    return found


def rim(margin_mm, off=(1.0, 0.5, -0.5), on=ON):
    """A lesion of 8 mm radius and a zone around it with this smallest margin."""
    return ball(on, (0, 0, 0), 8), ball(on, off, 8 + margin_mm + float(np.linalg.norm(off)))


@pytest.mark.parametrize("margin_mm", [4.0, 6.0, -1.0])
def test_errors_of_zero_give_the_hard_rule(margin_mm):
    lesion, zone = rim(margin_mm)
    hard = checked(lesion, zone, None)
    found = checked(lesion, zone, NOTHING)
    assert found.verdict is hard.verdict
    assert found.interval_mm == (hard.smallest_margin_mm, hard.smallest_margin_mm)
    assert found.p_a0 == float(margin_mm >= 5)


def test_a_wide_margin_is_surely_a0_and_a_narrow_one_surely_not():
    assert checked(*rim(9.0), SMALL).verdict is Verdict.A0
    found = checked(*rim(2.0), SMALL)
    assert found.verdict is Verdict.NOT_A0
    assert found.p_a0 == 0.0


def test_at_the_cut_off_nobody_can_tell():
    found = checked(*rim(5.2), LARGE)
    assert found.verdict is Verdict.A0_UNCERTAIN
    assert 0.1 < found.p_a0 < 0.9
    assert any("What would settle it" in sentence for sentence in found.why)


def test_residual_needs_the_whole_interval_below_zero():
    assert checked(*rim(-6.0), SMALL).verdict is Verdict.RESIDUAL
    shallow = checked(*rim(-0.3), LARGE)
    assert shallow.interval_mm[1] > 0
    assert shallow.verdict is Verdict.NOT_A0


def test_larger_errors_widen_the_interval():
    lesion, zone = rim(5.0)
    widths = []
    for size in (0.5, 1.0, 2.0):
        errors = replace(
            LARGE,
            registration_mm=size,
            lesion_boundary_sd_mm=size / 2,
            zone_boundary_sd_mm=size / 2,
        )
        low, high = interval(lesion, zone, errors)
        widths.append(high - low)
    assert widths[0] < widths[1] < widths[2]


def test_a_wider_zone_is_never_less_surely_a0():
    chances = [checked(*rim(m), LARGE).p_a0 for m in (2.0, 4.0, 6.0, 8.0, 10.0)]
    assert chances == sorted(chances)
    assert chances[0] < 0.1
    assert chances[-1] > 0.9


def test_further_cut_offs_have_falling_probabilities():
    chances = checked(*rim(5.0), LARGE).p_margin
    assert sorted(chances) == [3.0, 4.0, 5.0, 10.0]
    assert [chances[c] for c in sorted(chances)] == sorted(chances.values(), reverse=True)


def test_the_same_seed_gives_the_same_answer_and_another_one_nearly():
    lesion, zone = rim(5.5)
    first, again = (checked(lesion, zone, LARGE) for _ in range(2))
    assert first == again
    other = checked(lesion, zone, replace(LARGE, seed=7))
    assert other.p_a0 != first.p_a0
    assert other.p_a0 == pytest.approx(first.p_a0, abs=0.15)


def test_a_lesions_own_deviation_goes_before_the_common_one():
    lesion, zone = rim(5.5)
    certain = replace(NOTHING, lesion_boundary_sd_mm=2.0, lesion_boundary_sd_by_id_mm={1: 0.0})
    low, high = interval(lesion, zone, certain)
    assert low == high


@pytest.mark.parametrize("name", ["flipped", "turned"])
def test_the_patients_probability_does_not_depend_on_the_order_of_the_voxels(name):
    straight = checked(*rim(5.5), LARGE)
    other = checked(*rim(5.5, on=grid((56, 56, 56), axes=ORIENTATIONS[name])), LARGE)
    assert other.p_a0 == pytest.approx(straight.p_a0, abs=0.15)
    assert other.interval_mm == pytest.approx(straight.interval_mm, abs=0.5)


def test_errors_made_once_more_lower_the_smallest_margin():
    """The smallest of many noisy distances is too small; by about the shift between two balls."""
    lesion, zone = ball(ON, (0, 0, 0), 8), ball(ON, (0, 0, 0), 15)
    numbered = A0.check(lesion, zone_of(zone), observed=True, details=False)
    assert numbered.smallest_mm == pytest.approx(7.0, abs=0.2)
    from netseg.geometry.components import components

    around = A0.surroundings(components(lesion), zone_of(zone))
    shift_only = replace(NOTHING, registration_mm=2.0)
    draws = draw_margins(around_lesion(lesion, around), around, shift_only, 1)
    # |shift| of a Gaussian with 2 / sqrt(3) mm per axis is 1.84 mm on average.
    assert 7.0 - draws.repeated_mm.mean() == pytest.approx(1.84, abs=0.2)
    assert draws.mirrored_mm.mean() - 7.0 == pytest.approx(1.84, abs=0.3)


def test_beside_the_capsule_no_error_makes_a_margin_of_the_liver_that_is_not_there():
    """The zone ends at the capsule, as the lesion does: only the way to viable liver counts."""
    k = np.arange(56)
    z = ON.to_mm(np.stack([0 * k, 0 * k, k], axis=1))[:, 2]
    inside = np.zeros(ON.shape, np.bool_)
    inside[:, :, z < 9] = True
    liver = Mask(inside, ON)
    zone = Mask(ball(ON, (0, 0, 0), 16).inside & inside, ON)
    found = checked(ball(ON, (0, 0, 0), 8), zone, SMALL, liver=liver)
    assert found.smallest_margin_to_zone_mm < 2
    assert found.verdict is Verdict.A0


def test_the_chosen_points_hold_the_thinnest_place():
    rng = np.random.default_rng(1)
    points, margins = rng.normal(size=(2000, 3)) * 10, rng.normal(size=2000)
    chosen = thinned(points, margins, 200)
    assert len(chosen) <= 200
    assert margins.argmin() in chosen


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"registration_mm": -1.0}, "registration_mm must be a finite number of at least 0"),
        ({"zone_boundary_sd_mm": float("nan")}, "zone_boundary_sd_mm must be"),
        ({"lesion_boundary_sd_by_id_mm": {3: -2.0}}, "of lesion 3 must be"),
        ({"correlation_mm": 0.0}, "correlation_mm must be"),
        ({"contraction": (0.6, 0.1)}, "contraction is a share"),
        ({"draws": 5}, "at least 40 draws"),
    ],
)
def test_an_impossible_error_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        replace(LARGE, **wrong)


def test_a_block_one_voxel_large_has_an_interval():
    low, high = interval(block(27, 28, ON), block(20, 35, ON), LARGE)
    assert low < 7 < high + 1
    assert low < high
