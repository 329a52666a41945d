"""Images keep values and grid together and cannot be changed under somebody's hands."""

import numpy as np
import pytest

from netseg.domain.grid import Grid
from netseg.domain.volume import LabelMap, Mask, Quantity, Volume

GRID = Grid((4, 5, 6), np.diag([1.0, 1.0, 2.0, 1.0]), "1.2.3")


def test_a_thousand_voxels_of_two_microlitres_are_two_millilitres():
    grid = Grid((10, 10, 10), np.diag([1.0, 1.0, 2.0, 1.0]), "1.2.3")
    assert Mask(np.ones((10, 10, 10), bool), grid).volume_ml == pytest.approx(2.0)


@pytest.mark.parametrize(
    "make",
    [
        lambda array: Volume(array.astype(np.int16), GRID, Quantity.HU),
        lambda array: Mask(array.astype(bool), GRID),
        lambda array: LabelMap(array.astype(np.uint8), GRID),
    ],
    ids=["volume", "mask", "labels"],
)
def test_values_of_another_shape_than_the_grid_are_refused(make):
    with pytest.raises(ValueError, match=r"\(6, 5, 4\), its grid \(4, 5, 6\)"):
        make(np.zeros((6, 5, 4)))


def test_values_are_read_only():
    volume = Volume(np.zeros(GRID.shape, np.int16), GRID, Quantity.HU)
    with pytest.raises(ValueError, match="read-only"):
        volume.values[0, 0, 0] = 1


def test_making_an_image_leaves_the_callers_array_alone():
    mine = np.zeros(GRID.shape, np.int16)
    Volume(mine, GRID, Quantity.HU)
    mine[0, 0, 0] = 1


def test_a_probability_is_no_mask():
    with pytest.raises(ValueError, match="booleans; got float32"):
        Mask(np.ones(GRID.shape, np.float32), GRID)


def test_a_label_is_a_whole_number():
    with pytest.raises(ValueError, match="whole numbers; got float64"):
        LabelMap(np.ones(GRID.shape), GRID)


def test_the_regions_of_a_map():
    labels = np.zeros(GRID.shape, np.uint8)
    labels[0], labels[1] = 7, 3
    found = LabelMap(labels, GRID)
    assert found.values == (3, 7)
    assert np.count_nonzero(found.region(3).inside) == 30
    assert np.count_nonzero(found.region(3, 7).inside) == 60
    assert np.count_nonzero(found.region().inside) == 60
    assert found.region(5).is_empty


def test_an_empty_map_has_no_region():
    assert LabelMap.empty(GRID).values == ()
    assert LabelMap.empty(GRID).region().is_empty
