"""NIfTI files: every voxel at its place in the patient, and the same bytes on every run."""

import gzip
import itertools

import nibabel as nib
import numpy as np
import pytest

from netseg.domain import LabelMap, Mask
from netseg.export import write_image
from netseg.export.image import compact
from tests.export.made_results import grid_of

ORDERS = list(itertools.permutations((0, 1, 2)))
SIGNS = [(1, 1, 1), (-1, -1, 1), (1, -1, -1)]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("signs", SIGNS)
def test_a_marker_keeps_its_place_in_any_voxel_order(order, signs, tmp_path):
    """A point 60 mm to the patient's left is at x = -60 in the RAS of NIfTI."""
    grid = grid_of(order, signs, half_mm=(80.0, 40.0, 40.0))
    marker = np.array([62.0, -22.0, 12.5])
    labels = np.zeros(grid.shape, np.int64)
    labels[tuple(np.round(grid.to_index(marker)).astype(int))] = 7
    write_image(tmp_path / "a.nii.gz", LabelMap(labels, grid))
    image = nib.load(tmp_path / "a.nii.gz")
    assert isinstance(image, nib.Nifti1Image)
    (index,) = np.argwhere(np.asarray(image.dataobj) == 7)
    assert image.affine @ [*index, 1] == pytest.approx([-62.0, 22.0, 12.5, 1.0])


def test_the_same_mask_gives_the_same_bytes_without_name_or_time(tmp_path):
    grid = grid_of()
    mask = Mask(np.ones(grid.shape, bool), grid)
    for name in ("a.nii.gz", "b.nii.gz"):
        write_image(tmp_path / name, mask)
    first, second = ((tmp_path / n).read_bytes() for n in ("a.nii.gz", "b.nii.gz"))
    assert first == second
    assert first[3:8] == bytes(5), "no flags (so no file name) and no time in the gzip header"
    assert gzip.decompress(first)[344:347] == b"n+1"


@pytest.mark.parametrize(("highest", "kind"), [(0, np.uint8), (255, np.uint8), (256, np.uint16)])
def test_labels_take_the_smallest_type(highest, kind):
    grid = grid_of()
    labels = np.zeros(grid.shape, np.int32)
    labels[0, 0, 0] = highest
    assert compact(LabelMap(labels, grid)).labels.dtype == kind


def test_more_labels_than_fit_are_refused():
    grid = grid_of()
    labels = np.full(grid.shape, 65_536, np.int32)
    with pytest.raises(ValueError, match="labels up to 65535 can be written; got 65536"):
        compact(LabelMap(labels, grid))
