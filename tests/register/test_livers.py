"""Livers moved by a known rigid motion, on grids of other voxels and order."""

from __future__ import annotations

import numpy as np
import pytest

from netseg.domain import Code, Mask, StudyRejectedError
from netseg.register.livers import align_livers
from tests.geometry.shapes import FLIPPED, ball, grid, turned

SHIFT_MM = np.array([14.0, -9.0, 22.0])


def liver(on, turn=None, shift_mm=(0.0, 0.0, 0.0)):
    """A wedge-shaped body of about 1.4 litres: three balls, no symmetry; moved as asked."""
    turn = np.eye(3) if turn is None else turn
    inside = np.zeros(on.shape, np.bool_)
    for centre, radius in (((-45, 5, 0), 55), ((25, -15, 20), 42), ((75, -25, 30), 28)):
        inside |= ball(on, turn @ np.array(centre, float) + shift_mm, radius).inside
    return Mask(inside, on)


@pytest.fixture(scope="module")
def before():
    return liver(grid((80, 60, 40), (3.5, 3.5, 4.0)))


def test_a_known_motion_is_found_to_a_millimetre(before):
    turn = turned(8.0)
    on = grid((90, 80, 40), (3.0, 3.0, 5.0), axes=FLIPPED, centre_mm=(15, 0, 20), frame_uid="2.2")
    found = align_livers(before, liver(on, turn, SHIFT_MM))
    points = np.array([(-45.0, 5, 0), (25, -15, 20), (75, -25, 30), (-90, 0, -30)])
    error_mm = np.linalg.norm(found.to_second(points) - (points @ turn.T + SHIFT_MM), axis=1)
    assert error_mm.max() < 1.5
    assert found.residual_mm < 1.0
    assert found.overlap > 0.96
    assert found.turned_degrees == pytest.approx(8.0, abs=0.7)


def test_the_same_livers_give_the_same_numbers_twice(before):
    after = liver(before.grid, turned(4.0), (5.0, 0, 0))
    first, again = align_livers(before, after), align_livers(before, after)
    assert np.array_equal(first.matrix, again.matrix)
    assert first.residual_mm == again.residual_mm


def test_a_liver_cut_off_by_the_image_is_aligned_by_the_rest(before):
    """The upper third is missing; taken for a surface, the cut would pull the liver down."""
    part = before.grid.crop((0, 0, 0), (80, 60, 26))
    cut = Mask(before.inside[:, :, :26].copy(), part)
    found = align_livers(cut, before)
    centre = np.array([(-45.0, 5, 0)])
    assert np.linalg.norm(found.to_second(centre) - centre) < 2.0
    assert found.residual_mm < 1.5


def test_bodies_that_are_no_two_outlines_of_one_liver_are_refused(before):
    other = ball(before.grid, (0, 0, 0), 22.0)
    with pytest.raises(
        StudyRejectedError, match=r"still \d+\.\d mm apart .* at most 10 mm"
    ) as refused:
        align_livers(before, other)
    assert refused.value.notice.code is Code.LIVERS_DIFFER


def test_an_empty_liver_is_refused(before):
    with pytest.raises(StudyRejectedError, match="holds no voxel"):
        align_livers(Mask(np.zeros(before.grid.shape, np.bool_), before.grid), before)
