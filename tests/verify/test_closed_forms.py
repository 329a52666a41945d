"""The analytic cases of margin measurement, each with its true value worked out on paper."""

import numpy as np
import pytest

from netseg.domain.margin import MarginErrors, Verdict
from netseg.domain.volume import LabelMap, Mask
from netseg.verify.uncertainty import Draws
from netseg.verify.verdict import from_draws, slice_error_mm
from tests.geometry.shapes import ball, block, grid
from tests.verify.checking import A0, margin, zone_of

OUTLINES = MarginErrors(registration_mm=0.0, lesion_boundary_sd_mm=0.3, zone_boundary_sd_mm=0.3)


def ellipsoid(on, centre_mm, axes_mm):
    index = np.moveaxis(np.indices(on.shape), 0, -1)
    away = (on.to_mm(index) - np.asarray(centre_mm)) / np.asarray(axes_mm)
    return Mask((away**2).sum(axis=-1) <= 1, on)


def around(size_mm, spacing_mm):
    return grid(tuple(int(np.ceil(size_mm / s)) for s in spacing_mm), spacing_mm)


@pytest.mark.parametrize(("slice_mm", "within_mm"), [(1.0, 0.2), (2.5, 0.3), (5.0, 0.6)])
def test_the_hard_boundary_on_thin_and_thick_slices(slice_mm, within_mm):
    """R 10 in R 18, 3 mm off along the slices' normal: 5.00 mm."""
    on = around(52, (0.8, 0.8, slice_mm))
    found = margin(ball(on, (0.1, 0.2, 0.3), 10), ball(on, (0.1, 0.2, 3.3), 18))
    assert found.smallest_margin_mm == pytest.approx(5.0, abs=within_mm)


def test_on_thick_slices_a_bare_distance_near_the_cut_off_is_uncertain():
    """5.3 mm on slices of 5 mm: the pole of a lesion is known to half of that only."""
    on = around(52, (0.8, 0.8, 5.0))
    found = margin(ball(on, (0, 0, 0), 10), ball(on, (0, 0, 0), 15.3))
    assert 5.0 <= found.smallest_margin_mm < 5.5
    assert found.verdict is Verdict.A0_UNCERTAIN
    assert any("A0 from 5.50 mm" in sentence for sentence in found.why)
    assert margin(ball(on, (0, 0, 0), 10), ball(on, (0, 0, 0), 16.5)).verdict is Verdict.A0


def test_with_an_error_model_too_thick_slices_make_an_a0_uncertain():
    """6.9 mm and outlines to 0.1 mm: A0 on slices of 1 mm, not on slices of 5 mm, which hide poles."""
    exact = MarginErrors(registration_mm=0.0, lesion_boundary_sd_mm=0.1, zone_boundary_sd_mm=0.1)
    thin, thick = (
        A0.check(
            ball(on, (0.1, 0.2, 0.3), 10), zone_of(ball(on, (0.1, 0.2, 0.3), 16.9)), observed=True,
            errors=exact, details=False,
        ).lesions[0]
        for on in (around(48, (0.8, 0.8, 1.0)), around(48, (0.8, 0.8, 5.0)))
    )  # fmt: skip
    assert thin.verdict is Verdict.A0
    assert not any("hide poles" in sentence for sentence in thin.why)
    assert thick.smallest_margin_mm > 5.2  # with the outlines' deviation alone P(A0) is 0.99
    assert thick.verdict is Verdict.A0_UNCERTAIN
    assert any("0.4 mm too long, give or take 0.6 mm" in sentence for sentence in thick.why)


@pytest.mark.parametrize(("slice_mm", "p_a0"), [(2.5, 1.0), (5.0, 0.872), (4.0, 0.944)])
def test_what_slices_hide_is_taken_off_the_draws(slice_mm, p_a0):
    """Draws of exactly 6 mm: P(N(0.075 t, 0.11 t) <= 1 mm), by a table of the normal distribution."""
    six = Draws(given_mm=np.full(9, 6.0), mirrored_mm=np.full(9, 6.0), repeated_mm=np.full(9, 6.0))
    said = from_draws(six, (5.0,), slice_error_mm(slice_mm, as_field=False))
    assert said.p_margin[5.0] == pytest.approx(p_a0, abs=0.011)
    assert said.expected_mm == pytest.approx(
        6.0 - (0.075 * slice_mm if slice_mm > 2.5 else 0), abs=0.02
    )


def test_a_lesion_known_better_than_the_slices_is_not_taken_to_be_too_long():
    """Cut once only: nothing is taken off on average, the spread is smaller, thin slices add none."""
    assert slice_error_mm(5.0, as_field=True) == pytest.approx((0.0, 0.325))
    assert slice_error_mm(5.0, as_field=False) == pytest.approx((0.375, 0.55))
    assert slice_error_mm(2.5, as_field=False) == (0.0, 0.0)


@pytest.mark.parametrize("big_r", [14.9, 15.1])
def test_a_tenth_of_a_millimetre_decides_nothing_on_slices_of_2_5_mm(big_r):
    on = around(44, (0.8, 0.8, 2.5))
    report = A0.check(
        ball(on, (0.1, 0.2, 0.3), 10), zone_of(ball(on, (0.1, 0.2, 0.3), big_r)), observed=True,
        errors=OUTLINES, details=False,
    )  # fmt: skip
    assert report.lesions[0].verdict is Verdict.A0_UNCERTAIN
    assert 0.1 < report.lesions[0].p_a0 < 0.8


def test_coaxial_ellipsoids_have_the_difference_of_their_least_different_axes():
    """Semi-axes 12, 9, 7 in 18, 14, 15: 5 mm along the second."""
    on = grid((48, 48, 48))
    found = margin(ellipsoid(on, (0, 0, 0), (12, 9, 7)), ellipsoid(on, (0, 0, 0), (18, 14, 15)))
    assert found.smallest_margin_mm == pytest.approx(5.0, abs=0.25)
    assert found.thinnest.direction in {"dorsal", "ventral"}


def test_turned_ellipsoids_follow_a_dense_sample():
    """No closed form: against the nearest of 40,000 points of the zone's surface."""
    on = grid((52, 52, 52))
    small, large, off = np.array((12, 9, 7)), np.array((15, 18, 16)), np.array((1.0, -1.0, 2.0))
    at = np.arange(40_000) + 0.5
    polar, turn = np.arccos(1 - 2 * at / len(at)), np.pi * (1 + 5**0.5) * at
    ways = np.stack(
        [np.cos(turn) * np.sin(polar), np.sin(turn) * np.sin(polar), np.cos(polar)], axis=1
    )
    from scipy.spatial import cKDTree

    truth = cKDTree(off + large * ways).query(small * ways[::10])[0].min()
    found = margin(ellipsoid(on, (0, 0, 0), small), ellipsoid(on, off, large))
    assert found.smallest_margin_mm == pytest.approx(truth, abs=0.25)


def test_the_slice_thickness_moves_the_margin_less_than_what_is_stated():
    truth = 4.0
    thin, thick = (
        margin(ball(on, (0, 0, 0.7), 9), ball(on, (0, 1, 0.7), 14))
        for on in (around(48, (0.8, 0.8, 1.0)), around(48, (0.8, 0.8, 5.0)))
    )
    assert thin.smallest_margin_mm == pytest.approx(truth, abs=0.2)
    assert abs(thin.smallest_margin_mm - thick.smallest_margin_mm) < 0.8


def test_one_lesion_in_two_zones_that_meet_is_measured_against_both():
    """Two balls of 12 mm, 8 mm apart: beside the waist the zone is sqrt(12² - 4²) wide."""
    on = grid((60, 48, 48))
    zone = Mask(ball(on, (-4, 0, 0), 12).inside | ball(on, (4, 0, 0), 12).inside, on)
    found = margin(ball(on, (0, 0, 0), 6), zone)
    waist = np.sqrt(12**2 - 4**2)
    assert found.smallest_margin_mm == pytest.approx(waist - 6, abs=0.25)
    one = margin(ball(on, (0, 0, 0), 6), ball(on, (-4, 0, 0), 12))
    assert one.smallest_margin_mm == pytest.approx(2.0, abs=0.2)


def test_two_zones_apart_leave_what_lies_between():
    zone = np.zeros((60, 40, 40), np.bool_)
    zone[10:25, 10:30, 10:30] = True
    zone[35:50, 10:30, 10:30] = True
    on = grid((60, 40, 40))
    lesion = np.zeros_like(zone)
    lesion[20:40, 15:25, 15:25] = True
    found = margin(Mask(lesion, on), Mask(zone, on))
    assert found.verdict is Verdict.RESIDUAL
    assert found.covered_fraction == pytest.approx(0.5)
    assert found.residual_volume_ml == pytest.approx(1.0)


def test_many_lesions_of_one_zone_have_each_their_own_margin():
    on = grid((70, 40, 40))
    labels = np.zeros(on.shape, np.uint8)
    for number, x in enumerate((-18, 0, 18), start=1):
        labels[ball(on, (x, 0, 0), 4).inside] = number
    zone = ellipsoid(on, (3, 0, 0), (29, 13, 13))
    report = A0.check(LabelMap(labels, on), zone_of(zone), observed=True, details=False)
    assert [m.id for m in report.lesions] == [1, 2, 3]
    margins = [m.smallest_margin_mm for m in report.lesions]
    assert margins[1] == pytest.approx(9.0, abs=0.3)
    assert margins[0] < margins[2] < margins[1]
    assert report.smallest_mm == margins[0]


def test_a_lesion_partly_outside_the_livers_outline_is_liver_all_the_same_and_it_is_said():
    inside = block(1, 39).inside.copy()
    inside[:, :, 20:] = False  # the outline ends in the middle of the lesion
    found = margin(block(15, 25), block(10, 30), liver=Mask(inside, grid()))
    assert any("50% of the lesion lies outside the liver's outline" in s for s in found.why)
    assert found.smallest_margin_mm >= 5.0


def test_a_lesion_within_the_outline_needs_no_such_sentence():
    found = margin(block(15, 25), block(10, 30), liver=block(1, 39))
    assert not any("outside the liver's outline" in s for s in found.why)
