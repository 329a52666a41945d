"""What must hold for any lesion and zone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netseg.domain.grid import Grid
from netseg.domain.volume import Mask
from tests.geometry.shapes import ball, grid
from tests.verify.checking import margin

ON = grid((44, 44, 44))
few = settings(max_examples=12, deadline=None, derandomize=True)
place = st.tuples(*(st.floats(-2, 2) for _ in range(3)))
radius = st.floats(3, 8)


@few
@given(r=radius, big_r=st.floats(4, 13), at=place, second_at=place, second_r=st.floats(4, 13))
def test_a_larger_zone_never_has_a_smaller_margin(r, big_r, at, second_at, second_r):
    lesion, zone = ball(ON, (0, 0, 0), r), ball(ON, at, big_r)
    larger = Mask(zone.inside | ball(ON, second_at, second_r).inside, ON)
    before = margin(lesion, zone).smallest_margin_mm
    assert margin(lesion, larger).smallest_margin_mm >= before - 0.15


@few
@given(r=radius, less=st.floats(0.5, 2.5), big_r=st.floats(4, 13), at=place)
def test_a_part_of_the_lesion_never_has_a_smaller_margin(r, less, big_r, at):
    whole, part = ball(ON, (0, 0, 0), r), ball(ON, (0.3, 0, 0), r - less)
    zone = ball(ON, at, big_r)
    before = margin(whole, zone).smallest_margin_mm
    assert margin(part, zone).smallest_margin_mm >= before - 0.15


@few
@given(r=radius, big_r=st.floats(4, 13), at=place, scale=st.sampled_from([0.5, 2.0]))
def test_twice_the_millimetres_are_twice_the_margin(r, big_r, at, scale):
    lesion, zone = ball(ON, (0, 0, 0), r), ball(ON, at, big_r)
    affine = ON.affine_lps.copy()
    affine[:3] *= scale
    scaled = Grid(ON.shape, affine, ON.frame_uid)
    found = margin(Mask(lesion.inside, scaled), Mask(zone.inside, scaled)).smallest_margin_mm
    assert found == pytest.approx(scale * margin(lesion, zone).smallest_margin_mm, abs=0.02)


@few
@given(r=radius, big_r=st.floats(4, 13), at=place, turn=st.permutations([0, 1, 2]))
def test_the_order_and_sense_of_the_axes_do_not_matter(r, big_r, at, turn):
    lesion, zone = ball(ON, (0, 0, 0), r).inside, ball(ON, at, big_r).inside
    turned = [Mask(np.flip(m, 1).transpose(turn).copy(), ON) for m in (lesion, zone)]
    straight = margin(Mask(lesion, ON), Mask(zone, ON))
    assert margin(*turned).smallest_margin_mm == pytest.approx(
        straight.smallest_margin_mm, abs=0.06
    )


@few
@given(r=radius, big_r=st.floats(4, 13), at=place)
def test_the_box_bound_is_a_lower_bound_of_what_is_said(r, big_r, at):
    found = margin(ball(ON, (0, 0, 0), r), ball(ON, at, big_r))
    assert found.box_lower_bound_mm <= found.smallest_margin_mm + 0.05
    assert found.smallest_margin_mm - found.box_lower_bound_mm <= 2.0
    assert found.smallest_margin_mm <= found.p5_margin_mm <= found.median_margin_mm
