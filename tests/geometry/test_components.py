"""26-connected, numbered by volume."""

import tracemalloc

import numpy as np
import pytest

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


@pytest.mark.parametrize("share", [0.02, 0.05, 0.1])
def test_the_numbers_are_those_of_a_sort_over_all_voxels(share):
    """Volume first, first voxel second, told here by looking at every part by itself."""
    inside = np.random.default_rng(5).random((9, 14, 11)) < share
    labels = components(Mask(inside, grid(inside.shape))).labels
    assert np.array_equal(labels > 0, inside)
    parts = [np.flatnonzero(labels == n) for n in range(1, int(labels.max()) + 1)]
    keys = [(-len(part), int(part[0])) for part in parts]
    assert len(parts) > 5
    assert keys == sorted(keys)


def test_a_large_region_costs_few_bytes_per_voxel_of_its_box():
    """Sorting its voxels would cost 8 bytes of place and 4 of number for each, beside the 6 here."""
    inside = np.zeros((100, 120, 110), bool)
    inside[5:95, 5:115, 5:105] = True
    mask = Mask(inside, grid(inside.shape))
    components(mask)  # the library loads
    tracemalloc.start()
    components(mask)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 9 * inside.size
