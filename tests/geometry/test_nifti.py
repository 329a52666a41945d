"""What nibabel reads back lies at the same place in the patient."""

import nibabel
import numpy as np
import pytest

from netseg.domain.grid import Grid
from netseg.domain.volume import LabelMap, Quantity, Volume
from netseg.geometry.nifti import to_nifti
from tests.geometry.shapes import FRAME, block, grid, turned


def test_a_landmark_keeps_its_value_and_place(tmp_path):
    on = grid((6, 7, 8), (0.8, 0.9, 2.5), axes=turned(25), centre_mm=(31.0, -42.0, 530.0))
    values = np.zeros(on.shape, np.int16)
    values[4, 2, 6] = 1234
    nibabel.save(to_nifti(Volume(values, on, Quantity.HU)), tmp_path / "ct.nii.gz")
    read = nibabel.load(tmp_path / "ct.nii.gz")
    found = np.argwhere(read.get_fdata() == 1234)
    right, anterior, superior = nibabel.affines.apply_affine(read.affine, found[0])
    np.testing.assert_allclose((-right, -anterior, superior), on.to_mm([4, 2, 6]), atol=1e-4)


def test_the_header_says_millimetres_in_the_scanners_coordinates():
    header = to_nifti(block(1, 3, grid((4, 4, 4)))).header
    assert header.get_xyzt_units()[0] == "mm"
    assert (int(header["sform_code"]), int(header["qform_code"])) == (1, 1)


def test_sform_and_qform_agree():
    nifti = to_nifti(block(1, 3, grid((4, 4, 4), (0.7, 0.7, 3.0), axes=turned(40))))
    np.testing.assert_allclose(nifti.get_qform(), nifti.get_sform(), atol=1e-5)


def test_a_sheared_grid_has_no_qform_for_it_would_lie():
    affine = np.diag([1.0, 1.0, 2.0, 1.0])
    affine[1, 2] = 0.5
    nifti = to_nifti(LabelMap.empty(Grid((4, 4, 4), affine, FRAME)))
    assert int(nifti.header["qform_code"]) == 0
    assert int(nifti.header["sform_code"]) == 1
    assert nifti.affine[1, 2] == pytest.approx(-0.5)


@pytest.mark.parametrize(
    ("highest", "kind"), [(255, np.uint8), (256, np.uint16), (70_000, np.int32)]
)
def test_labels_take_the_smallest_type_that_holds_them(highest, kind):
    labels = np.zeros((3, 3, 3), np.int64)
    labels[1, 1, 1] = highest
    nifti = to_nifti(LabelMap(labels, grid((3, 3, 3))))
    assert nifti.get_data_dtype() == kind
    assert int(np.asanyarray(nifti.dataobj).max()) == highest


def test_negative_labels_are_refused():
    with pytest.raises(ValueError, match="smallest is -1"):
        to_nifti(LabelMap(np.full((3, 3, 3), -1, np.int16), grid((3, 3, 3))))
