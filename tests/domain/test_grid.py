"""A grid says where voxels lie; grids of two frames never meet."""

import numpy as np
import pytest

from netseg.domain.errors import FrameMismatchError, GridMismatchError
from netseg.domain.grid import Grid, describe, require_same_frame, require_same_grid

AXIAL = np.array(
    [[0.8, 0.0, 0.0, -100.0], [0.0, 0.8, 0.0, -80.0], [0.0, 0.0, 2.5, 500.0], [0.0, 0.0, 0.0, 1.0]]
)


def axial(shape=(10, 11, 12), frame_uid="1.2.3", affine=AXIAL):
    return Grid(shape, affine, frame_uid)


def test_ten_steps_of_0_8_mm_are_8_mm():
    assert axial().to_mm([10, 0, 0]).tolist() == pytest.approx([-92.0, -80.0, 500.0])


def test_there_and_back():
    points = np.random.default_rng(1).normal(size=(5, 3)) * 50
    np.testing.assert_allclose(axial().to_mm(axial().to_index(points)), points, atol=1e-9)


def test_spacing_is_the_length_of_the_columns_whatever_their_order():
    permuted = AXIAL[:, [2, 0, 1, 3]]
    assert axial(affine=permuted).spacing_mm == pytest.approx((2.5, 0.8, 0.8))


def test_a_voxel_of_0_8_by_0_8_by_2_5_mm_holds_1_6_microlitres():
    assert axial().voxel_volume_ml == pytest.approx(0.0016)


def test_shear_does_not_change_the_volume_of_a_voxel():
    sheared = AXIAL.copy()
    sheared[1, 2] = 0.9
    assert axial(affine=sheared).voxel_volume_ml == pytest.approx(0.0016)
    assert not axial(affine=sheared).is_orthogonal
    assert axial().is_orthogonal


def test_a_tilt_of_a_fiftieth_of_a_degree_is_seen():
    tilted = AXIAL.copy()
    tilted[1, 2] = 2.5 * np.tan(np.radians(0.02))
    assert not axial(affine=tilted).is_orthogonal


def test_the_corners_are_voxel_centres():
    corners = axial().corners_mm()
    assert corners.shape == (8, 3)
    np.testing.assert_allclose(corners.min(axis=0), (-100, -80, 500))
    np.testing.assert_allclose(corners.max(axis=0), (-92.8, -72, 527.5))


def test_a_cropped_voxel_keeps_its_place():
    part = axial().crop((2, 3, 4), (5, 5, 5))
    np.testing.assert_allclose(part.to_mm([1, 1, 1]), axial().to_mm([3, 4, 5]))
    assert part.frame_uid == "1.2.3"


def test_a_hundredth_of_a_millimetre_is_the_same_place_and_a_tenth_is_not():
    for shift_mm, same in ((0.009, True), (0.1, False)):
        moved = AXIAL.copy()
        moved[0, 3] += shift_mm
        assert axial().is_same_as(axial(affine=moved)) is same


def test_a_slightly_wrong_spacing_adds_up_over_the_image():
    """0.001 mm per slice is nothing over 3 slices and 0.1 mm over 100."""
    stretched = AXIAL.copy()
    stretched[2, 2] += 0.001
    assert axial((9, 9, 3)).is_same_as(axial((9, 9, 3), affine=stretched))
    assert not axial((9, 9, 101)).is_same_as(axial((9, 9, 101), affine=stretched))


def test_the_same_voxels_in_another_frame_are_another_place():
    assert not axial().is_same_as(axial(frame_uid="9.9"))


def test_the_affine_cannot_be_changed_afterwards():
    source = AXIAL.copy()
    grid = axial(affine=source)
    source[0, 3] = 0
    assert grid.affine_lps[0, 3] == -100.0
    with pytest.raises(ValueError, match="read-only"):
        grid.affine_lps[0, 3] = 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shape": (0, 4, 4)}, "three positive sizes"),
        ({"shape": (4, 4)}, "three positive sizes"),
        ({"affine": np.eye(3)}, "finite 4x4"),
        ({"affine": np.full((4, 4), np.nan)}, "finite 4x4"),
        ({"affine": np.diag([1.0, 1.0, 0.0, 1.0])}, "invertible"),
        ({"affine": np.diag([1.0, 1.0, 1.0, 2.0])}, "last row"),
        ({"frame_uid": ""}, "frame_uid must not be empty"),
    ],
)
def test_an_impossible_grid_cannot_exist(change, message):
    with pytest.raises(ValueError, match=message):
        axial(**change)


def test_two_scans_that_were_never_registered_are_refused():
    with pytest.raises(FrameMismatchError, match=r"1\.2\.3 is not 9\.9.*never registered"):
        require_same_frame("margin check", axial(), axial(frame_uid="9.9"))


def test_two_shapes_are_refused_with_both_named():
    with pytest.raises(GridMismatchError, match=r"10x11x12 voxels.*against 10x11x13 voxels"):
        require_same_grid("margin check", axial(), axial((10, 11, 13)))


def test_frames_are_looked_at_before_voxels():
    with pytest.raises(FrameMismatchError):
        require_same_grid("margin check", axial(), axial((10, 11, 13), frame_uid="9.9"))


def test_a_grid_in_a_few_words():
    assert describe(axial()) == "10x11x12 voxels of 0.8x0.8x2.5 mm from (-100.0, -80.0, 500.0)"


def test_a_scanners_uid_is_not_printed():
    """A Frame of Reference UID identifies a patient; the message shows its hash."""
    uid = "1.2.840.113619.2.55.3.604688119.971.1234567890.1"
    with pytest.raises(FrameMismatchError, match="never registered") as refused:
        require_same_frame("margin check", axial(frame_uid=uid), axial(frame_uid="9.9"))
    assert uid not in str(refused.value)
    assert "is not 9.9" in str(refused.value)
