"""Boxes hold what they must and keep every voxel in its place."""

import numpy as np
import pytest

from netseg.domain.errors import StudyRejectedError
from netseg.domain.volume import LabelMap, Mask, Quantity, Volume
from netseg.geometry.resample import bounding_box, crop, isotropic_grid
from tests.geometry.shapes import FRAME, ORIENTATIONS, block, grid


@pytest.mark.parametrize("name", ORIENTATIONS)
def test_cubic_voxels_cover_the_same_field_of_view(name):
    here = grid((50, 40, 20), (0.8, 0.8, 2.5), axes=ORIENTATIONS[name], centre_mm=(1, 2, 3))
    cubic = isotropic_grid(here, 1.0)
    assert cubic.spacing_mm == pytest.approx((1.0, 1.0, 1.0))
    assert cubic.shape == (40, 32, 50)
    np.testing.assert_allclose(cubic.to_mm((np.array(cubic.shape) - 1) / 2), (1, 2, 3), atol=1e-9)
    np.testing.assert_allclose(cubic.directions, here.directions, atol=1e-12)
    assert cubic.frame_uid == FRAME


def test_a_field_of_view_that_does_not_divide_gets_one_voxel_more():
    assert isotropic_grid(grid((3, 3, 3), (1.0, 1.0, 1.1)), 1.0).shape == (3, 3, 4)


def test_no_spacing_is_no_grid():
    with pytest.raises(ValueError, match=r"positive number; got 0\.0"):
        isotropic_grid(grid(), 0.0)


def test_the_box_reaches_as_far_as_asked_in_millimetres():
    mask = block(10, 20, grid((40, 40, 40), (1.0, 2.0, 5.0)))
    assert bounding_box(mask, 6.0) == ((4, 7, 8), (22, 16, 14))


def test_the_box_ends_with_the_image():
    assert bounding_box(block(1, 39), 5.0) == ((0, 0, 0), (40, 40, 40))


def test_a_box_around_nothing_is_refused():
    with pytest.raises(StudyRejectedError, match=r"MASK_EMPTY.*holds no voxel"):
        bounding_box(Mask(np.zeros((4, 4, 4), bool), grid((4, 4, 4))), 0.0)


def test_a_cropped_voxel_keeps_its_place_in_the_patient():
    on = grid((10, 11, 12), (0.8, 0.9, 2.5), axes=ORIENTATIONS["turned"])
    volume = Volume(np.arange(1320, dtype=np.int16).reshape(on.shape), on, Quantity.HU)
    part = crop(volume, (2, 3, 4), (5, 6, 7))
    assert part.values[1, 2, 3] == volume.values[3, 5, 7]
    np.testing.assert_allclose(part.grid.to_mm([1, 2, 3]), on.to_mm([3, 5, 7]))
    assert np.shares_memory(part.values, volume.values)


def test_masks_and_labels_are_cropped_alike():
    mask = block(2, 5, grid((8, 8, 8)))
    assert crop(mask, (2, 2, 2), (3, 3, 3)).inside.all()
    labels = LabelMap(mask.inside.astype(np.uint8) * 7, mask.grid, {7: "VII"})
    assert crop(labels, (2, 2, 2), (3, 3, 3)).names == {7: "VII"}


def test_a_box_beyond_the_image_is_refused():
    with pytest.raises(ValueError, match="reaches beyond"):
        crop(block(2, 5, grid((8, 8, 8))), (6, 0, 0), (3, 3, 3))
