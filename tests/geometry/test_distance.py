"""Distances are those of the surfaces, not of the voxel centres."""

import numpy as np
import pytest

from netseg.domain.errors import StudyRejectedError
from netseg.domain.grid import Grid
from netseg.domain.volume import Mask
from netseg.geometry.distance import box_gap_mm, signed_distance_mm
from tests.geometry.shapes import FRAME, ORIENTATIONS, ball, block, grid

ONE_MM = (1.0, 1.0, 1.0)


@pytest.mark.parametrize("spacing_mm", [ONE_MM, (0.8, 0.8, 2.5), (5.0, 0.7, 0.7)])
@pytest.mark.parametrize("name", ORIENTATIONS)
def test_a_flat_face_lies_half_way_between_two_voxels(spacing_mm, name):
    distance = signed_distance_mm(
        block(15, 25, grid(spacing_mm=spacing_mm, axes=ORIENTATIONS[name]))
    )
    for axis, step in enumerate(spacing_mm):
        line = distance[tuple(slice(None) if a == axis else 20 for a in range(3))]
        assert line[15] == pytest.approx(-step / 2)
        assert line[14] == pytest.approx(step / 2)
        assert line[5] == pytest.approx(9.5 * step)


@pytest.mark.parametrize("spacing_mm", [ONE_MM, (0.8, 0.8, 2.5)])
def test_on_a_sphere_the_surface_is_right_and_far_ways_are_short_by_half_a_voxel_at_most(
    spacing_mm,
):
    on = grid((70, 70, 28), spacing_mm)
    centre = np.array([0.3, -0.2, 0.1])
    index = np.argwhere(np.ones(on.shape, bool))
    truth = (np.linalg.norm(on.to_mm(index) - centre, axis=1) - 12.0).reshape(on.shape)
    found = signed_distance_mm(ball(on, centre, 12.0))
    near = np.abs(truth) < 1
    assert abs((found - truth)[near].mean()) < 0.05
    assert np.abs(found - truth)[near].mean() < 0.25
    short = (np.abs(truth) - np.abs(found))[np.abs(truth) > 3]
    assert 0 < short.mean() < 0.35 + 0.1 * max(spacing_mm)
    assert np.abs(short).max() < max(spacing_mm) / 2 + 0.1


def test_inside_is_negative_and_the_type_is_float32():
    distance = signed_distance_mm(block(15, 25))
    assert distance.dtype == np.float32
    np.testing.assert_array_equal(distance < 0, block(15, 25).inside)


def test_beyond_the_array_is_outside():
    full = Mask(np.ones((5, 5, 5), bool), grid((5, 5, 5)))
    assert signed_distance_mm(full)[2, 2, 2] == pytest.approx(-2.5)
    assert signed_distance_mm(full)[0, 2, 2] == pytest.approx(-0.5)


def test_no_distance_to_nothing():
    with pytest.raises(StudyRejectedError, match="MASK_EMPTY"):
        signed_distance_mm(Mask(np.zeros((4, 4, 4), bool), grid((4, 4, 4))))


def test_a_tilted_gantry_has_no_distances():
    affine = np.diag([1.0, 1.0, 2.0, 1.0])
    affine[1, 2] = 0.4
    with pytest.raises(StudyRejectedError, match="GANTRY_TILT"):
        signed_distance_mm(Mask(np.ones((4, 4, 4), bool), Grid((4, 4, 4), affine, FRAME)))


@pytest.mark.parametrize(("zone", "gap_mm"), [((10, 30), 5.0), ((11, 29), 4.0), ((15, 25), 0.0)])
def test_the_shell_of_a_block_is_as_thick_as_it_is(zone, gap_mm):
    """Voxel centres are one millimetre farther apart than the boxes."""
    assert box_gap_mm(block(15, 25).inside, block(*zone).inside, ONE_MM) == gap_mm


def test_each_axis_has_its_own_step():
    inner, outer = block(15, 25).inside, block(13, 27).inside
    assert box_gap_mm(inner, outer, (5.0, 5.0, 0.8)) == pytest.approx(1.6)


def test_boxes_that_meet_at_a_corner_touch():
    inner = np.zeros((6, 6, 6), bool)
    inner[2, 2, 2] = True
    outer = np.ones((6, 6, 6), bool)
    outer[3, 3, 3] = False
    assert box_gap_mm(inner, outer, ONE_MM) == 0.0


def test_a_hole_across_a_corner_is_a_diagonal_away():
    inner = np.zeros((20, 20, 20), bool)
    inner[9, 9, 9] = True
    outer = np.ones((20, 20, 20), bool)
    outer[12, 13, 9] = False  # faces at 10 and 12 along i, at 10 and 13 along j
    assert box_gap_mm(inner, outer, ONE_MM) == pytest.approx(np.hypot(2, 3))


def test_two_millimetres_of_lesion_outside_are_minus_two():
    inner, outer = block(15, 25).inside.copy(), block(10, 30).inside.copy()
    outer[23:] = False
    assert box_gap_mm(inner, outer, ONE_MM) == -2.0


def test_beyond_the_array_nothing_is_ablated():
    full = np.ones((20, 20, 20), bool)
    assert box_gap_mm(block(3, 17, grid((20, 20, 20))).inside, full, ONE_MM) == 3.0


def test_without_a_zone_the_lesion_is_infinitely_far_outside():
    assert box_gap_mm(block(3, 5).inside, np.zeros((40, 40, 40), bool), ONE_MM) == -np.inf


def test_there_is_no_margin_around_nothing():
    with pytest.raises(ValueError, match="no margin around nothing"):
        box_gap_mm(np.zeros((4, 4, 4), bool), np.ones((4, 4, 4), bool), ONE_MM)


def test_two_shapes_are_refused():
    with pytest.raises(ValueError, match=r"\(4, 4, 4\), outer \(5, 5, 5\)"):
        box_gap_mm(np.ones((4, 4, 4), bool), np.ones((5, 5, 5), bool), ONE_MM)


def test_the_box_gap_is_never_more_than_the_true_margin_of_spheres():
    """Concentric, 10 and 15 mm: 5 mm of shell, less up to one voxel on either side."""
    on = grid((40, 40, 40))
    gap = box_gap_mm(ball(on, (0, 0, 0), 10).inside, ball(on, (0, 0, 0), 15).inside, ONE_MM)
    assert 3.2 <= gap <= 5.0
