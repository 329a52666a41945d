"""Every way an array can be stored shows the same patient."""

import itertools

import numpy as np
import pytest

from netseg.domain import Grid
from netseg.segment.orient import Orientation

STORED = [
    (order, flips)
    for order in itertools.permutations(range(3))
    for flips in itertools.product((False, True), repeat=3)
]


def stored(values, spacing_mm, order, flips):
    """An LPS array and its grid, stored with other axes."""
    affine = np.diag((*spacing_mm, 1.0))
    affine[:3, 3] = (10.0, 20.0, 30.0)
    columns, origin = affine[:3, :3].copy(), affine[:3, 3].copy()
    for axis, flip in enumerate(flips):
        if flip:
            values = np.flip(values, axis)
            origin += columns[:, axis] * (values.shape[axis] - 1)
            columns[:, axis] *= -1
    affine[:3, :3], affine[:3, 3] = columns[:, order], origin
    values = values.transpose(order)
    return values, Grid(shape=values.shape, affine_lps=affine, frame_uid="1.2")


@pytest.mark.parametrize(("order", "flips"), STORED)
def test_the_landmark_is_at_one_place_however_the_scan_is_stored(order, flips):
    values = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    array, grid = stored(values, (1.0, 2.0, 3.0), order, flips)
    turn = Orientation.of(grid)
    assert np.array_equal(turn.turn(array), values)
    assert np.array_equal(turn.turn_back(turn.turn(array)), array)
    assert [a.spacing_mm for a in turn.axes(grid)] == pytest.approx([1.0, 2.0, 3.0])


def test_an_oblique_scan_turns_to_its_nearest_axes():
    angle = np.radians(30.0)
    turned = np.array(
        [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, -1.0]]
    )
    affine = np.eye(4)
    affine[:3, :3] = turned
    turn = Orientation.of(Grid(shape=(3, 4, 5), affine_lps=affine, frame_uid="1.2"))
    assert turn.order == (0, 1, 2)
    assert turn.flipped == (False, False, True)
