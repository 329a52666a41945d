"""Which lesion is which: balls of known place and size on grids one can work out on paper."""

from __future__ import annotations

import numpy as np
import pytest

from netseg.domain import LabelMap
from netseg.domain.comparison import Alignment, Fate
from netseg.findings.timeline import match_lesions
from tests.findings.bodies import ellipsoid, grid_of

HERE = Alignment(method="same_frame", matrix=np.eye(4))
GRID = grid_of((80, 60, 40), (1.0, 1.0, 2.0))


def balls(*places, grid=GRID):
    """A label map of balls (centre, radius), numbered in the order given."""
    labels = np.zeros(grid.shape, np.uint8)
    for number, (centre, radius) in enumerate(places, start=1):
        labels[ellipsoid(grid, np.array(centre, float), (radius,) * 3)] = number
    return LabelMap(labels, grid)


def fates(groups):
    return [(str(g.fate), g.first, g.second) for g in groups]


def test_a_lesion_that_moved_less_than_the_gate_is_the_same():
    before, after = balls(((20, 30, 40), 6)), balls(((26, 30, 40), 6))
    (group,) = match_lesions(before, after, HERE, gate_mm=15)
    assert group.fate is Fate.MATCHED
    assert group.distance_mm == pytest.approx(6.0)


def test_a_lesion_farther_away_than_the_gate_is_gone_and_another_is_new():
    before, after = balls(((20, 30, 40), 6)), balls(((38, 30, 40), 6))
    assert fates(match_lesions(before, after, HERE, gate_mm=15)) == [
        ("gone", (1,), ()),
        ("new", (), (1,)),
    ]


def test_one_sided_growth_widens_the_gate_by_the_difference_of_the_radii():
    """From 4 to 14 mm about a fixed left edge the centre moves by 10 mm: more than a gate of 8."""
    before, after = balls(((24, 30, 40), 4)), balls(((34, 30, 40), 14))
    (group,) = match_lesions(before, after, HERE, gate_mm=8)
    assert group.fate is Fate.MATCHED
    assert group.overlap == pytest.approx(1.0, abs=0.02)
    assert len(match_lesions(before, balls(((34, 30, 40), 4)), HERE, gate_mm=8)) == 2


def test_neighbours_are_assigned_together_and_not_one_by_one():
    """The nearest pair taken first (b to a', 3 mm) would leave a and b' 21 mm apart."""
    before = balls(((20, 30, 40), 4), ((32, 30, 40), 4))
    after = balls(((29, 30, 40), 4), ((41, 30, 40), 4))
    pairs = {(g.first, g.second) for g in match_lesions(before, after, HERE, gate_mm=15)}
    assert pairs == {((1,), (1,)), ((2,), (2,))}


def test_a_good_pair_is_not_torn_apart_to_make_two_poor_ones():
    """a-b' and b-c are 11 mm each, b-b' 1 mm: one sure pair, one gone, one new."""
    before = balls(((20, 30, 40), 4), ((32, 30, 40), 4))
    after = balls(((31, 30, 40), 4), ((43, 30, 40), 4))
    assert fates(match_lesions(before, after, HERE, gate_mm=11.5)) == [
        ("gone", (1,), ()),
        ("matched", (2,), (1,)),
        ("new", (), (2,)),
    ]


def test_parts_inside_the_old_outline_are_a_split():
    before = balls(((30, 30, 40), 14))
    after = balls(((25, 30, 40), 5), ((38, 30, 40), 4))
    (group,) = match_lesions(before, after, HERE, gate_mm=15)
    assert (group.fate, group.second) == (Fate.SPLIT, (1, 2))


def test_a_lesion_beside_the_old_outline_is_new_and_no_split():
    before = balls(((30, 30, 40), 10))
    after = balls(((30, 30, 40), 10), ((46, 30, 40), 4))
    assert fates(match_lesions(before, after, HERE, gate_mm=15)) == [
        ("matched", (1,), (1,)),
        ("new", (), (2,)),
    ]


def test_two_that_grow_into_one_have_merged():
    before = balls(((24, 30, 40), 5), ((38, 30, 40), 4))
    after = balls(((30, 30, 40), 14))
    (group,) = match_lesions(before, after, HERE, gate_mm=15)
    assert (group.fate, group.first, group.second) == (Fate.MERGED, (1, 2), (1,))


def test_two_that_become_two_others_are_regrouped():
    """The small new one lies inside the large old one, the small old one in the large new one."""
    before = balls(((30, 30, 40), 13), ((52, 30, 40), 4))
    after = balls(((38, 30, 40), 19), ((18, 30, 40), 1.5))
    (group,) = match_lesions(before, after, HERE, gate_mm=10)
    assert (group.fate, group.first, group.second) == (Fate.REGROUPED, (1, 2), (1, 2))


def test_a_place_outside_the_other_scan_is_neither_gone_nor_new():
    upper = grid_of((80, 60, 20), (1.0, 1.0, 2.0), (0, 0, 40.0))
    before = balls(((20, 30, 10), 5), ((60, 30, 60), 5))
    after = balls(((60, 30, 60), 5), grid=upper)
    assert fates(match_lesions(before, after, HERE, gate_mm=15)) == [
        ("not_imaged", (1,), ()),
        ("matched", (2,), (1,)),
    ]
    assert fates(match_lesions(after, before, HERE, gate_mm=15))[-1] == ("not_imaged", (), (1,))


def test_places_are_brought_to_the_second_date_before_they_are_compared():
    """A quarter turn about the body axis and a shift of 200 mm; the second grid is flipped."""
    turn = np.array([[0.0, -1, 0, 200], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    there = Alignment(method="livers", matrix=turn, residual_mm=0.0)
    grid = grid_of((60, 80, 40), (1, 1, 2), (200, 0, 78), np.diag([-1.0, 1.0, -1.0]))
    before = balls(((20, 30, 40), 6), ((60, 20, 60), 4))
    after = balls(((180, 60, 60), 4), ((170, 20, 40), 6), grid=grid)
    pairs = {(g.first, g.second) for g in match_lesions(before, after, there, gate_mm=5)}
    assert pairs == {((1,), (2,)), ((2,), (1,))}
    assert there.to_first(there.to_second(np.array([1.0, 2, 3]))) == pytest.approx([1, 2, 3])


def test_the_alignment_s_residual_forgives_a_part_just_outside_the_outline():
    """A part of 3 mm radius whose near half lies within 2 mm of the old outline's edge."""
    before = balls(((30, 30, 40), 12))
    after = balls(((26, 30, 40), 6), ((43, 30, 40), 3))
    assert len(match_lesions(before, after, HERE, gate_mm=15)) == 2
    rough = Alignment(method="livers", matrix=np.eye(4), residual_mm=3.0)
    (group,) = match_lesions(before, after, rough, gate_mm=15)
    assert group.fate is Fate.SPLIT


def test_without_lesions_there_is_nothing_to_match():
    assert match_lesions(balls(), balls(), HERE, gate_mm=15) == ()
    assert fates(match_lesions(balls(), balls(((30, 30, 40), 5)), HERE, gate_mm=15)) == [
        ("new", (), (1,))
    ]


@pytest.mark.parametrize("gate_mm", [0.0, -1.0, float("nan")])
def test_a_gate_that_is_no_distance_is_refused(gate_mm):
    with pytest.raises(ValueError, match="gate_mm must be a positive number"):
        match_lesions(balls(), balls(), HERE, gate_mm=gate_mm)
