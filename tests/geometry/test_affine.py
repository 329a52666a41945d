"""LPS and RAS differ by the signs of x and y; sheared grids are refused by name."""

import numpy as np
import pytest

from netseg.domain.errors import StudyRejectedError
from netseg.domain.grid import Grid
from netseg.geometry.affine import (
    lps_from_ras,
    ras_from_lps,
    require_orthogonal,
    voxels_per_mm,
)
from tests.geometry.shapes import FRAME, grid, turned


def test_the_patients_left_is_plus_x_in_lps_and_minus_x_in_ras():
    lps = grid((3, 3, 3), (2.0, 3.0, 4.0), centre_mm=(10.0, 20.0, 30.0)).affine_lps
    x, y, z, _ = ras_from_lps(lps) @ (1, 1, 1, 1)
    assert (x, y, z) == pytest.approx((-10.0, -20.0, 30.0))


def test_there_and_back_is_where_one_was():
    lps = grid((5, 6, 7), (0.8, 0.9, 2.5), axes=turned(33)).affine_lps
    np.testing.assert_allclose(lps_from_ras(ras_from_lps(lps)), lps, atol=1e-12)


def test_a_turned_grid_is_orthogonal():
    require_orthogonal("test", grid(axes=turned(20)))


def test_a_tilted_gantry_is_refused_with_its_angle():
    affine = np.diag([1.0, 1.0, 2.0, 1.0])
    affine[1, 2] = 2.0 * np.tan(np.radians(10))
    with pytest.raises(StudyRejectedError, match=r"GANTRY_TILT.*10\.00 degrees off"):
        require_orthogonal("signed distance", Grid((4, 4, 4), affine, FRAME))


def test_one_millimetre_is_two_steps_of_half_a_millimetre():
    np.testing.assert_allclose(voxels_per_mm(grid(spacing_mm=(0.5, 1.0, 2.0))), (2, 1, 0.5))
