"""Diameters in millimetres, whatever the voxels."""

import numpy as np
import pytest

from netseg.findings.size import longest_axial_diameter_mm, longest_diameter_mm, slice_axis
from tests.findings.bodies import ellipsoid, grid_around, grid_of

TURNED = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])  # i, j, k run along y, z, x
FLIPPED = np.diag([-1.0, -1.0, 1.0])
COS, SIN = np.cos(0.3), np.sin(0.3)
OBLIQUE = np.array([[COS, -SIN, 0.0], [SIN, COS, 0.0], [0.0, 0.0, 1.0]])


def test_a_row_of_seven_voxels_of_two_millimetres_lies_between_twelve_and_fourteen():
    """Six steps between the centres, seven between the outer faces: the middle is 13 mm."""
    grid = grid_of((9, 3, 3), (2.0, 1.0, 1.0))
    inside = np.zeros(grid.shape, bool)
    inside[1:8, 1, 1] = True
    assert longest_diameter_mm(inside, grid) == pytest.approx(13.0)
    assert longest_axial_diameter_mm(inside, grid) == pytest.approx(13.0)


def test_one_voxel_is_half_as_long_as_its_longest_edge():
    """Its centre alone has no length, its faces are 5 mm apart."""
    grid = grid_of((1, 1, 1), (0.7, 0.7, 5.0))
    assert longest_diameter_mm(np.ones((1, 1, 1), bool), grid) == pytest.approx(2.5)
    assert longest_axial_diameter_mm(np.ones((1, 1, 1), bool), grid) == pytest.approx(0.35)


@pytest.mark.parametrize("turn", [np.eye(3), TURNED, FLIPPED, OBLIQUE])
@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.8, 0.8, 2.5), (0.74, 0.74, 5.0)])
@pytest.mark.parametrize("semi_axes", [(10.0, 10.0, 10.0), (15.0, 8.0, 6.0), (6.0, 7.0, 20.0)])
def test_an_ellipsoid_is_measured_to_within_one_voxel(turn, spacing, semi_axes):
    """Axial slices cut across z, so the axial diameter is the longer of the x and y axes."""
    centre = np.array([3.1, -7.3, 40.2])
    grid = grid_around(centre, 50.0, spacing, turn)
    inside = ellipsoid(grid, centre, semi_axes)
    voxel = max(spacing)
    assert longest_diameter_mm(inside, grid) == pytest.approx(2 * max(semi_axes), abs=voxel)
    in_plane = 2 * max(semi_axes[:2])
    assert longest_axial_diameter_mm(inside, grid) == pytest.approx(in_plane, abs=voxel)


def test_a_sphere_of_twenty_millimetres_is_measured_to_half_a_millimetre():
    """Twenty placements on 1 mm voxels: no error beyond half a voxel."""
    rng = np.random.default_rng(5)
    errors = []
    for _ in range(20):
        centre = rng.uniform(-0.5, 0.5, 3)
        grid = grid_around(np.zeros(3), 26.0, (1.0, 1.0, 1.0), np.eye(3))
        errors.append(longest_diameter_mm(ellipsoid(grid, centre, (10.0, 10.0, 10.0)), grid) - 20)
    assert np.abs(errors).max() < 0.5


def test_axial_slices_of_a_sagittal_series_are_not_its_own_slices():
    """Stored as (y, z, x): the axis along z is the second one."""
    assert slice_axis(grid_of((3, 3, 3), directions=TURNED)) == 1
