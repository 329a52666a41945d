"""Where surfaces lie, and how far points are from triangles."""

import numpy as np
import pytest

from netseg.domain.volume import Mask
from netseg.verify.surface import Surface, smooth_field, surface_of, window
from netseg.verify.viable import wide_lumens
from tests.geometry.shapes import ball, block, grid

TRIANGLE = Surface(np.array([[0.0, 0, 0], [3, 0, 0], [0, 3, 0]]), np.array([[0, 1, 2]]))


@pytest.mark.parametrize(
    ("point", "way_mm"),
    [((1, 1, 2), 2.0), ((-3, -4, 0), 5.0), ((1.5, -2, 0), 2.0), ((3, 3, 0), np.sqrt(4.5))],
    ids=["above the face", "off a corner", "beside an edge", "beside the slanting edge"],
)
def test_the_way_to_a_triangle(point, way_mm):
    assert TRIANGLE.distance_mm(np.array([point], float))[0] == pytest.approx(way_mm)


def test_nothing_is_infinitely_far():
    nothing = Surface(np.empty((0, 3)), np.empty((0, 3), int))
    assert nothing.distance_mm(np.zeros((2, 3))).tolist() == [np.inf, np.inf]


def test_the_area_of_a_triangle():
    assert np.linalg.norm(TRIANGLE.normals_mm2(), axis=1) == pytest.approx([4.5])


def test_a_sphere_has_its_area_and_radius():
    on = grid((40, 40, 40))
    surface = surface_of(smooth_field(ball(on, (0.2, 0.1, -0.3), 12)))
    area = np.linalg.norm(surface.normals_mm2(), axis=1).sum()
    assert area == pytest.approx(4 * np.pi * 12**2, rel=0.04)
    radius = np.linalg.norm(surface.points_mm - (0.2, 0.1, -0.3), axis=1)
    assert radius.mean() == pytest.approx(12, abs=0.12)
    assert radius.std() < 0.15


def test_no_vertex_of_a_block_lies_outside_it():
    """Smoothing a convex distance can only shrink the region."""
    surface = surface_of(smooth_field(block(15, 25)))
    index = grid().to_index(surface.points_mm)
    assert index.min() >= 14.5 - 1e-5
    assert index.max() <= 24.5 + 1e-5


def test_the_smallest_region_survives_smoothing():
    one = np.zeros((9, 9, 9), np.bool_)
    one[4, 4, 4] = True
    surface = surface_of(smooth_field(Mask(one, grid((9, 9, 9), (0.8, 0.8, 5.0)))))
    assert not surface.is_empty


def test_a_window_beyond_the_image_is_empty_there_and_keeps_its_place():
    part = window(block(0, 4, grid((6, 6, 6))), (-2, -2, -2), (5, 5, 5))
    assert part.volume_ml == pytest.approx(0.027)
    assert part.inside[2, 2, 2]
    assert not part.inside[1, 2, 2]
    np.testing.assert_allclose(part.grid.to_mm([2, 2, 2]), grid((6, 6, 6)).to_mm([0, 0, 0]))


def test_a_window_beside_the_image_is_empty():
    assert window(block(0, 4, grid((6, 6, 6))), (10, 0, 0), (3, 3, 3)).is_empty


def test_of_a_vessel_tree_only_the_wide_trunk_counts():
    tree = np.zeros((40, 40, 40), np.bool_)
    tree[10:16, 10:16, :20] = True  # 6 mm wide
    tree[12:14, 12:14, 20:] = True  # 2 mm wide
    wide = wide_lumens(Mask(tree, grid()))
    assert wide.inside[12, 12, 10]
    assert not wide.inside[12, 12, 30]
    assert wide.inside[:, :, :20].sum() > 0.9 * tree[:, :, :20].sum()


def test_a_tree_of_thin_vessels_has_no_wide_lumen():
    thin = np.zeros((20, 20, 20), np.bool_)
    thin[9:11, 9:11] = True
    assert wide_lumens(Mask(thin, grid((20, 20, 20)))).is_empty
