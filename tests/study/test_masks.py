"""Which voxels a mask argument means."""

from __future__ import annotations

import numpy as np
import pytest

from netseg.domain import Code, GridMismatchError, Modality, StudyRejectedError
from netseg.study import ReadHints, read_study
from netseg.study.masks import read_instances, read_labels, read_mask
from tests.study.nifti_files import hounsfield, ras, write_nifti


@pytest.fixture
def labels() -> np.ndarray:
    """Liver 1 with two lesions 2: a block of 8 voxels and a single one."""
    values = np.zeros((12, 10, 8), np.uint8)
    values[2:10, 2:8, 1:7] = 1
    values[3:5, 3:5, 2:4] = 2
    values[8, 6, 5] = 2
    return values


@pytest.fixture
def scan(tmp_path):
    path = write_nifti(tmp_path / "ct.nii")
    return read_study(path, ReadHints(modality=Modality.CT)).series[0].volume.grid


def code_of(spec, on=None) -> Code:
    with pytest.raises(StudyRejectedError) as caught:
        read_mask(spec, on)
    return caught.value.notice.code


def test_a_label_names_its_voxels(tmp_path, labels):
    path = write_nifti(tmp_path / "m.nii.gz", labels)
    assert np.array_equal(read_mask(f"{path}:2").inside, labels == 2)
    assert np.array_equal(read_mask(f"{path}:1,2").inside, labels > 0)
    assert np.array_equal(read_mask(f"{path}:instances").inside, labels > 0)
    assert read_mask(f"{path}:2").volume_ml == pytest.approx(9 * 12 / 1000)


def test_several_values_without_a_suffix_are_ambiguous(tmp_path, labels):
    assert code_of(str(write_nifti(tmp_path / "m.nii.gz", labels))) is Code.LABEL_AMBIGUOUS


def test_one_value_needs_no_suffix_whatever_it_is(tmp_path, labels):
    path = write_nifti(tmp_path / "m.nii.gz", (labels == 2).astype(np.uint8) * 255)
    assert np.array_equal(read_mask(str(path)).inside, labels == 2)


@pytest.mark.parametrize("suffix", [":7", ":1,7", ":liver", ":1;2"])
def test_a_label_that_is_not_there_is_unknown(tmp_path, labels, suffix):
    path = write_nifti(tmp_path / "m.nii.gz", labels)
    assert code_of(f"{path}{suffix}") is Code.LABEL_UNKNOWN


def test_a_probability_map_is_no_mask(tmp_path, labels):
    path = write_nifti(tmp_path / "m.nii.gz", (labels * 0.3).astype(np.float32))
    assert code_of(str(path)) is Code.LABEL_NOT_INTEGER


def test_negative_labels_are_refused(tmp_path, labels):
    path = write_nifti(tmp_path / "m.nii.gz", -labels.astype(np.int16))
    assert code_of(str(path)) is Code.LABEL_NOT_INTEGER


def test_whole_numbers_stored_as_floats_are_labels(tmp_path, labels):
    path = write_nifti(tmp_path / "m.nii.gz", labels.astype(np.float32))
    assert np.array_equal(read_mask(f"{path}:2").inside, labels == 2)


def test_a_mask_without_a_voxel_is_empty(tmp_path, labels):
    assert code_of(str(write_nifti(tmp_path / "m.nii.gz", labels * 0))) is Code.MASK_EMPTY


def test_a_mask_that_does_not_exist_is_no_input(tmp_path):
    assert code_of(str(tmp_path / "none.nii.gz:2")) is Code.NO_INPUT


def test_a_file_name_may_hold_a_colon(tmp_path, labels):
    path = write_nifti(tmp_path / "m.nii.gz", labels)
    odd = path.rename(tmp_path / "lesion:2.nii.gz")
    assert np.array_equal(read_mask(f"{odd}:2").inside, labels == 2)


def test_parts_are_numbered_by_volume(tmp_path, labels):
    path = write_nifti(tmp_path / "m.nii.gz", labels)
    instances = read_instances(f"{path}:2")
    assert instances.values == (1, 2)
    assert np.count_nonzero(instances.labels == 1) == 8
    assert np.count_nonzero(instances.labels == 2) == 1


def test_a_label_map_keeps_its_numbers(tmp_path, labels, scan):
    path = write_nifti(tmp_path / "m.nii.gz", labels)
    assert np.array_equal(read_labels(str(path)).labels, labels)
    assert read_labels(f"{path}:2").values == (2,)
    assert read_labels(str(path), on=scan).grid is scan
    empty = write_nifti(tmp_path / "empty.nii.gz", labels * 0)
    assert read_labels(str(empty)).values == ()
    with pytest.raises(StudyRejectedError, match="LABEL_UNKNOWN"):
        read_labels(f"{path}:9")


def test_instances_stay_apart_although_they_touch(tmp_path):
    """Two lesions that share a face, numbered 9 (small) and 4 (large)."""
    values = np.zeros((12, 10, 8), np.uint8)
    values[2:4, 2:4, 2:4] = 9
    values[4:8, 2:4, 2:4] = 4
    path = write_nifti(tmp_path / "m.nii.gz", values)
    instances = read_instances(f"{path}:instances")
    assert np.array_equal(instances.labels == 1, values == 4)
    assert np.array_equal(instances.labels == 2, values == 9)
    with pytest.raises(StudyRejectedError, match="LABEL_AMBIGUOUS"):
        read_instances(str(path))


def test_a_mask_on_its_scan_shares_the_scans_grid_and_frame(tmp_path, labels, scan):
    path = write_nifti(tmp_path / "m.nii.gz", labels)
    assert read_mask(f"{path}:2", on=scan).grid is scan


@pytest.mark.parametrize(("shift_mm", "accepted"), [(0.04, True), (0.2, False)])
def test_float32_rounding_is_the_same_grid_and_a_shift_is_not(
    tmp_path, labels, scan, shift_mm, accepted
):
    affine = ras()
    affine[0, 3] += shift_mm
    path = write_nifti(tmp_path / "m.nii.gz", labels, affine)
    if accepted:
        assert read_mask(f"{path}:2", on=scan).grid is scan
    else:
        with pytest.raises(GridMismatchError, match="GRID_MISMATCH"):
            read_mask(f"{path}:2", on=scan)


def test_a_mask_of_another_size_is_refused(tmp_path, labels, scan):
    path = write_nifti(tmp_path / "m.nii.gz", labels[:-1])
    assert code_of(f"{path}:2", scan) is Code.GRID_MISMATCH


def test_the_same_voxels_in_another_order_are_the_same_grid(tmp_path, labels, scan):
    """A tool that stores its masks as PSR instead of the scan's RAS."""
    stored = labels.transpose(1, 2, 0)[::-1, :, :]
    affine = np.eye(4)
    affine[:3, :3] = ras()[:3, [1, 2, 0]] * [-1, 1, 1]
    affine[:3, 3] = ras()[:3, 3] + ras()[:3, 1] * 9
    path = write_nifti(tmp_path / "m.nii.gz", np.ascontiguousarray(stored), affine)
    assert np.array_equal(read_mask(f"{path}:2", on=scan).inside, labels == 2)


def test_two_bare_masks_of_one_grid_share_a_frame(tmp_path, labels):
    """`netseg verify --lesion A --zone B` without a scan."""
    first = read_mask(f"{write_nifti(tmp_path / 'a.nii.gz', labels)}:2").grid
    second = read_mask(f"{write_nifti(tmp_path / 'b.nii.gz', labels)}:1").grid
    affine = ras()
    affine[2, 3] += 5
    elsewhere = read_mask(f"{write_nifti(tmp_path / 'c.nii.gz', labels, affine)}:1").grid
    assert first.is_same_as(second)
    assert first.frame_uid != elsewhere.frame_uid


def test_masks_named_beside_a_scan_come_with_the_study(tmp_path, labels):
    scan_file = write_nifti(tmp_path / "ct.nii.gz", hounsfield())
    mask = write_nifti(tmp_path / "m.nii.gz", labels)
    study = read_study(
        scan_file,
        ReadHints(modality=Modality.CT, liver=f"{mask}:1,2", lesions=f"{mask}:2"),
    )
    assert study.liver is not None
    assert study.lesions is not None
    assert study.liver.grid is study.series[0].volume.grid
    assert study.lesions.values == (1, 2)


def test_an_empty_lesion_file_says_none_was_found(tmp_path):
    """A reader who looked and outlined nothing is heard; a label that is not there is a mistake."""
    write_nifti(tmp_path / "ct.nii")
    nothing = np.zeros(hounsfield().shape, np.uint8)
    empty = str(write_nifti(tmp_path / "none.nii.gz", nothing))
    study = read_study(tmp_path / "ct.nii", ReadHints(modality=Modality.CT, lesions=empty))
    assert study.lesions is not None
    assert study.lesions.values == ()
    with pytest.raises(StudyRejectedError, match="not"):
        read_study(tmp_path / "ct.nii", ReadHints(modality=Modality.CT, lesions=f"{empty}:2"))
