"""26-connected, numbered by volume."""

import numpy as np

from netseg.domain.volume import Mask
from netseg.geometry.components import components
from tests.geometry.shapes import block, grid


def test_voxels_that_share_a_corner_are_one_lesion():
    inside = np.zeros((4, 4, 4), bool)
    inside[1, 1, 1] = inside[2, 2, 2] = True
    assert components(Mask(inside, grid((4, 4, 4)))).values == (1,)


def test_a_gap_of_one_voxel_makes_two():
    inside = np.zeros((5, 5, 5), bool)
    inside[1, 1, 1] = inside[3, 3, 3] = True
    assert components(Mask(inside, grid((5, 5, 5)))).values == (1, 2)


def test_the_largest_is_number_one():
    inside = block(1, 3).inside | block(10, 15).inside | block(20, 23).inside
    labels = components(Mask(inside, grid())).labels
    assert (labels[12, 12, 12], labels[21, 21, 21], labels[1, 1, 1]) == (1, 2, 3)


def test_equal_volumes_are_numbered_in_the_order_of_their_first_voxel():
    inside = np.zeros((9, 9, 9), bool)
    inside[6, 0, 0] = inside[0, 6, 6] = inside[3, 3, 3] = True
    labels = components(Mask(inside, grid((9, 9, 9)))).labels
    assert (labels[0, 6, 6], labels[3, 3, 3], labels[6, 0, 0]) == (1, 2, 3)


def test_nothing_has_no_components():
    assert components(Mask(np.zeros((4, 4, 4), bool), grid((4, 4, 4)))).values == ()


def test_more_than_255_lesions_keep_their_numbers():
    inside = np.zeros((20, 20, 20), bool)
    inside[::2, ::2, ::2] = True
    assert components(Mask(inside, grid((20, 20, 20)))).values == tuple(range(1, 1001))
