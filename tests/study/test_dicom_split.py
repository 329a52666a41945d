"""Several volumes under one SeriesInstanceUID are parted by the tag that tells them apart."""

from __future__ import annotations

import pytest

from netseg.domain import Code, StudyRejectedError
from netseg.study import ReadHints, read_study
from tests.study.dicom_files import body, set_pixels, write_series

HINTS = ReadHints(case_id="case")


def write_twice(folder, first, second, *, modality="MR", lacking=None):
    """The same positions twice, told apart by the tags of `first` and `second`."""
    for number, tags in enumerate((first, second)):

        def edit(dataset, k, tags=tags, number=number):
            dataset.SeriesDescription = "ep2d_diff tra"
            dataset.SOPInstanceUID = f"1.2.3.{number}.{k}"
            set_pixels(dataset, body()[:, :, k] + number)
            for keyword, value in tags.items():
                setattr(dataset, keyword, value)

        paths = write_series(folder, modality=modality, edit=edit, prefix=f"V{number}_")
        if lacking == number:
            paths[-1].unlink()


def test_b_values_become_volumes(tmp_path):
    write_twice(tmp_path, {"DiffusionBValue": 50.0}, {"DiffusionBValue": 800.0})
    study = read_study(tmp_path, HINTS)
    assert [s.key for s in study.series] == ["mr_dwi_b50", "mr_dwi_b800"]
    assert [s.volume.values.max() for s in study.series] == [1074, 1075]
    assert study.warnings == ()


def test_two_acquisitions_of_one_ct_series_are_never_merged(tmp_path):
    write_twice(tmp_path, {"AcquisitionNumber": 1}, {"AcquisitionNumber": 2}, modality="CT")
    study = read_study(tmp_path, HINTS)
    assert [s.key for s in study.series] == ["ct", "ct_2"]
    assert Code.SERIES_AMBIGUOUS in [w.code for w in study.warnings]


@pytest.mark.parametrize(
    ("first", "second", "lacking"),
    [
        ({}, {}, None),
        ({"AcquisitionNumber": 1}, {"AcquisitionNumber": 1}, None),
        ({"AcquisitionNumber": 1}, {"AcquisitionNumber": 2}, 1),
    ],
)
def test_what_no_tag_parts_completely_is_ambiguous(tmp_path, first, second, lacking):
    write_twice(tmp_path, first, second, lacking=lacking)
    with pytest.raises(StudyRejectedError, match="AMBIGUOUS_SLICES"):
        read_study(tmp_path, HINTS)
