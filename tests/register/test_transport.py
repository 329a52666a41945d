"""Points and lesions carried by registrations that are known on paper."""

from __future__ import annotations

import numpy as np
import pytest

from netseg.domain import FrameMismatchError, LabelMap
from netseg.domain.registration import Registration
from netseg.register.transport import carry_distance, carry_lesions, to_fixed, to_moving
from tests.geometry.shapes import ball, block, grid, turned

BEFORE, AFTER = "2.25.1", "2.25.2"


def registration(*, turn=None, shift_mm=(0.0, 0.0, 0.0), bend=None):
    matrix = np.eye(4)
    matrix[:3, :3] = np.eye(3) if turn is None else turn
    matrix[:3, 3] = shift_mm
    fixed = grid((40, 40, 40), frame_uid=AFTER)
    moving = grid((40, 40, 40), frame_uid=BEFORE)
    field = None
    if bend is not None:
        field = bend(fixed.to_mm(np.stack(np.indices(fixed.shape), axis=-1)))
    return Registration(
        method="on paper",
        fixed=fixed,
        moving=moving,
        matrix=matrix,
        bend_grid=None if bend is None else fixed,
        bend_mm=field,
    )


def wave(points):
    return 1.5 * np.sin(points[..., ::-1] / 6.0)


def test_first_the_bend_then_the_motion():
    found = registration(shift_mm=(10.0, 0, 0), turn=turned(90, (0, 0, 1)), bend=lambda p: p * 0.1)
    assert to_moving(found, np.array([[2.0, 0, 0]])) == pytest.approx(np.array([[10.0, 2.2, 0]]))


def test_the_way_back_ends_where_it_began():
    found = registration(turn=turned(15), shift_mm=(3, 4, 5), bend=wave)
    points = np.random.default_rng(0).uniform(-14, 14, (200, 3))
    assert to_fixed(found, to_moving(found, points)) == pytest.approx(points, abs=0.01)


@pytest.mark.parametrize("spacing_mm", [(1.0, 1.0, 1.0), (0.8, 0.8, 2.5)])
def test_a_ball_shifted_by_half_a_voxel_keeps_its_volume_and_arrives_to_a_tenth(spacing_mm):
    planned = grid((50, 50, 24), spacing_mm, frame_uid=BEFORE)
    lesion = LabelMap(3 * ball(planned, (0, 0, 0), 9.0).inside.astype(np.uint8), planned)
    onto = grid((60, 60, 60), (0.7, 0.7, 0.7), axes=turned(30), frame_uid=AFTER)
    found = carry_lesions(registration(shift_mm=(0.5, -0.5, 0.5)), lesion, onto)
    assert found.values == (3,)
    assert found.region().volume_ml == pytest.approx(lesion.region().volume_ml, rel=0.04)
    centre = onto.to_mm(np.argwhere(found.labels)).mean(axis=0)
    assert centre == pytest.approx(np.array([-0.5, 0.5, -0.5]), abs=0.1)


def test_distances_are_carried_below_the_voxel():
    """A block's face 0.3 mm away from a voxel centre stays 0.3 mm away."""
    lesion = block(15, 25, grid(frame_uid=BEFORE))  # faces at -5 and 5 mm, seen from the middle
    onto = grid((41, 1, 1), frame_uid=AFTER)
    distance = carry_distance(registration(shift_mm=(0.3, 0, 0)), lesion, onto)[:, 0, 0]
    assert distance[22:30] == pytest.approx(np.arange(2, 10) + 0.3 - 5, abs=0.02)
    assert distance.max() <= 20.0


def test_where_two_lesions_meet_each_keeps_its_side():
    planned = grid(frame_uid=BEFORE)
    labels = np.zeros(planned.shape, np.uint8)
    labels[10:20, 10:30, 10:30] = 1
    labels[20:30, 10:30, 10:30] = 2
    found = carry_lesions(registration(), LabelMap(labels, planned), grid(frame_uid=AFTER))
    assert np.array_equal(found.labels, labels)


def test_a_lesion_smaller_than_a_voxel_is_not_lost():
    planned = grid(frame_uid=BEFORE)
    labels = np.zeros(planned.shape, np.uint8)
    labels[20, 20, 20] = 1
    found = carry_lesions(
        registration(), LabelMap(labels, planned), grid((8, 8, 8), (5, 5, 5), frame_uid=AFTER)
    )
    assert np.count_nonzero(found.labels) >= 1


def test_lesions_are_not_carried_from_or_to_the_wrong_scan():
    lesion = block(15, 25, grid(frame_uid=BEFORE))
    with pytest.raises(FrameMismatchError, match="carrying a lesion"):
        carry_distance(registration(), lesion, grid(frame_uid=BEFORE))
    with pytest.raises(FrameMismatchError, match="carrying a lesion"):
        carry_distance(registration(), block(15, 25, grid(frame_uid=AFTER)), grid(frame_uid=AFTER))
