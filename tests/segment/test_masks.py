"""Masks of any tool as a segmentation."""

import numpy as np
import pytest

from netseg.domain import (
    Code,
    Grid,
    GridMismatchError,
    LabelMap,
    Mask,
    Modality,
    Quantity,
    Series,
    Study,
    StudyRejectedError,
    Volume,
)
from netseg.segment import MasksBackend

GRID = Grid(shape=(20, 20, 20), affine_lps=np.diag((2.0, 2.0, 2.0, 1.0)), frame_uid="1.2")


def study(labels=None, liver=None, grid=GRID):
    volume = Volume(np.zeros(grid.shape, np.int16), grid, Quantity.HU)
    return Study(
        case_id="p",
        series=(Series(key="ct", modality=Modality.CT, volume=volume),),
        liver=None if liver is None else Mask(liver, GRID),
        lesions=None if labels is None else LabelMap(labels, GRID),
    )


def block(*bounds, value=1):
    out = np.zeros(GRID.shape, np.uint8)
    out[tuple(slice(a, b) for a, b in bounds)] = value
    return out


def test_lesions_are_numbered_by_descending_volume():
    labels = block((3, 5), (3, 5), (3, 5), value=1) + block((10, 15), (10, 15), (10, 15), value=7)
    found = MasksBackend().segment(study(labels))
    assert found.lesions.region(1).volume_ml == pytest.approx(1.0)  # 125 voxels of 0.008 ml
    assert found.lesions.region(2).volume_ml == pytest.approx(0.064)
    assert found.liver is None
    assert found.series_key == "ct"


def test_the_liver_takes_its_lesions_in():
    """Some tools cut lesions out of the liver; the burden needs them inside."""
    liver = block((2, 18), (2, 18), (2, 18)) > 0
    lesion = block((6, 9), (6, 9), (6, 9))
    found = MasksBackend().segment(study(lesion, liver & (lesion == 0)))
    assert found.liver is not None
    assert np.array_equal(found.liver.inside, liver)
    assert found.warnings == ()


def test_a_lesion_that_reaches_out_of_the_liver_is_named():
    liver = block((0, 10), (0, 20), (0, 20)) > 0
    found = MasksBackend().segment(study(block((8, 12), (5, 9), (5, 9)), liver))
    (notice,) = found.warnings
    assert notice.code is Code.MASK_OUTSIDE_LIVER
    assert notice.detail["share_outside"] == {"1": 0.5}


def test_a_lesion_that_lies_outside_the_liver_is_refused():
    liver = block((0, 10), (0, 20), (0, 20)) > 0
    with pytest.raises(StudyRejectedError, match="MASK_OUTSIDE_LIVER: lesion 1 lies 75 % outside"):
        MasksBackend().segment(study(block((9, 13), (5, 9), (5, 9)), liver))


def test_an_empty_lesion_mask_means_looked_and_none_found():
    found = MasksBackend().segment(study(np.zeros(GRID.shape, np.uint8)))
    assert found.lesions.values == ()


def test_a_study_without_lesion_mask_is_refused():
    with pytest.raises(StudyRejectedError, match="no lesion mask came with the study"):
        MasksBackend().segment(study())


def test_an_empty_liver_is_refused():
    with pytest.raises(StudyRejectedError, match="the liver mask holds no voxel"):
        MasksBackend().segment(study(block((1, 2), (1, 2), (1, 2)), np.zeros(GRID.shape, bool)))


def test_masks_of_another_grid_are_refused():
    moved = GRID.crop((1, 0, 0), GRID.shape)
    with pytest.raises(GridMismatchError, match="scan and lesion mask: the grids differ"):
        MasksBackend().segment(study(block((5, 8), (5, 8), (5, 8)), grid=moved))
