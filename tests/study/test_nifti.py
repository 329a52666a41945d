"""NIfTI: what the header promises is compared with the bytes before a voxel is believed."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from netseg.domain import Code, Modality, Quantity, StudyRejectedError
from netseg.study import ReadHints, read_study
from netseg.study.nifti import read_volume_file
from tests.study.nifti_files import hounsfield, ras, write_nifti

CT = ReadHints(modality=Modality.CT, case_id="case")
NAN = float("nan")


def refusal(path, hints=CT) -> StudyRejectedError:
    with pytest.raises(StudyRejectedError) as caught:
        read_study(path, hints)
    return caught.value


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("endian", ["<", ">"])
@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32, np.float64])
def test_every_sound_file_gives_the_same_int16(tmp_path, suffix, endian, dtype):
    path = write_nifti(tmp_path / f"a{suffix}", hounsfield().astype(dtype), endian=endian)
    volume = read_volume_file(path, Quantity.HU, "1.2.3")
    assert volume.values.dtype == np.int16
    assert np.array_equal(volume.values, hounsfield())
    assert volume.grid.frame_uid == "1.2.3"


def test_value_scaling_is_applied(tmp_path):
    stored = ((hounsfield() + 1000) / 2).astype(np.int16)
    path = write_nifti(tmp_path / "a.nii", stored, scl_slope=2.0, scl_inter=-1000.0)
    assert np.array_equal(read_volume_file(path, Quantity.HU, "1.2.3").values, hounsfield())


@pytest.mark.parametrize(
    ("code", "fields"),
    [
        (Code.GEOMETRY_MISSING, {"qform_code": 0, "sform_code": 0}),
        (Code.GEOMETRY_CONFLICT, {"srow_x": (-2.0, 0.0, 0.0, 32.0)}),
        (Code.GEOMETRY_CONFLICT, {"qform_code": 0, "pixdim": (1.0, 1.0, 1.0, 1.0, 0, 0, 0, 0)}),
        (Code.GEOMETRY_INVALID, {"pixdim": (1.0, NAN, 2.0, 3.0, 0, 0, 0, 0), "sform_code": 0}),
        (Code.GEOMETRY_INVALID, {"pixdim": (1.0, -2.0, 2.0, 3.0, 0, 0, 0, 0), "sform_code": 0}),
        (Code.GEOMETRY_INVALID, {"srow_x": (NAN, 0.0, 0.0, 0.0), "qform_code": 0}),
        (Code.GEOMETRY_INVALID, {"srow_x": (2.0, 0.5, 0.0, 10.0), "qform_code": 0}),
        (Code.GEOMETRY_INVALID, {"quatern_b": 3.0, "sform_code": 0}),
        (Code.GEOMETRY_INVALID, {"dim": (3, 0, 10, 8, 1, 1, 1, 1)}),
        (Code.GEOMETRY_INVALID, {"dim": (3, 12, -10, 8, 1, 1, 1, 1)}),
        (Code.UNITS, {"xyzt_units": 1}),
        (Code.UNITS, {"xyzt_units": 3}),
        (Code.VALUE_SCALING_INVALID, {"scl_slope": NAN}),
        (Code.ALLOCATION_LIMIT, {"dim": (3, 32767, 32767, 32767, 1, 1, 1, 1)}),
        (Code.TRUNCATED_FILE, {"dim": (3, 12, 1000, 1000, 1, 1, 1, 1)}),
        (Code.TRUNCATED_FILE, {"vox_offset": 1_000_000.0}),
        (Code.MALFORMED_HEADER, {"vox_offset": NAN}),
        (Code.MALFORMED_HEADER, {"dim": (9, 12, 10, 8, 1, 1, 1, 1)}),
        (Code.MALFORMED_HEADER, {"bitpix": 8}),
        (Code.MALFORMED_HEADER, {"magic": b"ni1\x00"}),
        (Code.UNSUPPORTED_FORMAT, {"datatype": 32}),
        (Code.NOT_MONOCHROME, {"datatype": 128}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_header_that_cannot_be_believed_is_refused(tmp_path, suffix, code, fields):
    assert refusal(write_nifti(tmp_path / f"a{suffix}", **fields)).notice.code is code


def test_no_unit_is_taken_as_millimetres_of_a_body_and_said(tmp_path):
    study = read_study(write_nifti(tmp_path / "a.nii", xyzt_units=0), CT)
    assert Code.UNITS in [w.code for w in study.warnings]


def test_no_unit_and_spacings_of_metres_are_refused(tmp_path):
    path = write_nifti(tmp_path / "a.nii", affine=ras((0.06, 0.06, 0.06)), xyzt_units=0)
    assert refusal(path).notice.code is Code.UNITS


def test_a_truncated_gzip_is_never_read_as_zeros(tmp_path):
    path = write_nifti(tmp_path / "a.nii.gz", _noise())
    whole = path.read_bytes()
    for share in (0.1, 0.6, 0.9, 0.999):
        path.write_bytes(whole[: int(len(whole) * share)])
        assert refusal(path).notice.code in (Code.TRUNCATED_FILE, Code.CORRUPT_FILE)


def test_a_truncated_plain_file_is_refused(tmp_path):
    path = write_nifti(tmp_path / "a.nii")
    path.write_bytes(path.read_bytes()[:-1])
    assert refusal(path).notice.code is Code.TRUNCATED_FILE


def test_a_changed_byte_breaks_the_checksum(tmp_path):
    path = write_nifti(tmp_path / "a.nii.gz", _noise())
    content = bytearray(path.read_bytes())
    content[-6] ^= 0xFF  # within the CRC: the data decompress without complaint
    path.write_bytes(bytes(content))
    assert refusal(path).notice.code is Code.CORRUPT_FILE


def test_zero_bytes_are_an_empty_file(tmp_path):
    path = tmp_path / "a.nii.gz"
    path.write_bytes(b"")
    assert refusal(path).notice.code is Code.EMPTY_FILE


def test_an_html_page_called_nifti_is_refused(tmp_path):
    for name, code in (("a.nii", Code.MALFORMED_HEADER), ("a.nii.gz", Code.CORRUPT_FILE)):
        (tmp_path / name).write_bytes(b"<html>404</html>" * 40)
        assert refusal(tmp_path / name).notice.code is code


def test_a_gzip_that_goes_on_and_on_is_bounded(tmp_path):
    path = write_nifti(tmp_path / "a.nii")
    bomb = tmp_path / "b.nii.gz"
    bomb.write_bytes(gzip.compress(path.read_bytes() + bytes(1 << 27)))
    assert refusal(bomb).notice.code is Code.ALLOCATION_LIMIT


@pytest.mark.parametrize(
    ("shape", "code"),
    [
        ((12, 10), Code.NOT_3D),
        ((12, 10, 8, 2), Code.NOT_3D),
        ((12, 10, 1), Code.TOO_FEW_SLICES),
        ((12, 10, 4), Code.TOO_FEW_SLICES),
    ],
)
def test_only_a_volume_is_a_volume(tmp_path, shape, code):
    values = np.full(shape, -1000, np.int16)
    assert refusal(write_nifti(tmp_path / "a.nii", values)).notice.code is code


def test_nan_voxels_are_refused_with_their_number(tmp_path):
    values = hounsfield().astype(np.float32)
    values[3, 3, 3] = np.nan
    notice = refusal(write_nifti(tmp_path / "a.nii", values)).notice
    assert (notice.code, notice.detail["voxels"]) == (Code.NON_FINITE_VALUES, 1)


def test_hounsfield_units_without_their_offset_are_refused(tmp_path):
    """Water at 1024, air at 24: the intercept got lost on the way."""
    values = hounsfield() + 1024
    values[5:7] = 2200
    path = write_nifti(tmp_path / "a.nii", values)
    assert refusal(path).notice.code is Code.HU_IMPLAUSIBLE


def test_an_empty_image_is_refused(tmp_path):
    path = write_nifti(tmp_path / "a.nii", np.zeros((12, 10, 8), np.int16))
    assert refusal(path).notice.code is Code.HU_IMPLAUSIBLE


def test_padding_becomes_the_floor(tmp_path):
    values = hounsfield()
    values[0] = -3024
    study = read_study(write_nifti(tmp_path / "a.nii", values), CT)
    assert study.series[0].volume.values.min() == -1024


def test_values_that_look_like_hounsfield_are_taken_as_ct_and_said(tmp_path):
    study = read_study(write_nifti(tmp_path / "scan.nii.gz"))
    assert study.case_id == "scan"
    assert study.series[0].modality is Modality.CT
    assert Code.MODALITY_ASSUMED in [w.code for w in study.warnings]


def test_anything_else_must_be_named(tmp_path):
    path = write_nifti(tmp_path / "scan.nii.gz", hounsfield() + 1000)
    assert refusal(path, ReadHints()).notice.code is Code.MODALITY_UNKNOWN


def test_a_bare_pet_file_does_not_say_its_unit(tmp_path):
    path = write_nifti(tmp_path / "pet.nii", hounsfield() + 1000)
    assert refusal(path, ReadHints(modality=Modality.PT)).notice.code is Code.SUV_UNAVAILABLE


def test_one_content_has_one_frame(tmp_path):
    first = read_study(write_nifti(tmp_path / "a.nii"), CT).series[0].volume.grid
    again = read_study(write_nifti(tmp_path / "b.nii"), CT).series[0].volume.grid
    other = read_study(write_nifti(tmp_path / "c.nii", hounsfield() + 1), CT).series[0].volume.grid
    assert first.frame_uid == again.frame_uid
    assert first.frame_uid != other.frame_uid


def _noise() -> np.ndarray:
    return np.random.default_rng(7).integers(-1000, 400, (32, 32, 16)).astype(np.int16)
