"""NRRD and MetaImage agree with SimpleITK about every voxel, and never follow a data file."""

from __future__ import annotations

import numpy as np
import pytest

from netseg.domain import Code, Modality, StudyRejectedError
from netseg.study import ReadHints, read_study
from netseg.study.image_file import read_image_file

CT = ReadHints(modality=Modality.CT)


def write(path, *, compressed: bool, dtype=np.int16):
    import SimpleITK

    values = np.random.default_rng(3).integers(0, 200, (7, 6, 9)).astype(dtype)
    image = SimpleITK.GetImageFromArray(values)
    image.SetSpacing((1.5, 2.5, 4.0))
    image.SetOrigin((-10.0, 20.0, 33.0))
    image.SetDirection((0, 0, -1, 1, 0, 0, 0, -1, 0))
    SimpleITK.WriteImage(image, str(path), useCompression=compressed)
    return image, values.transpose(2, 1, 0)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_every_voxel_lies_where_simpleitk_puts_it(tmp_path, suffix, dtype, compressed):
    image, values = write(tmp_path / f"a{suffix}", compressed=compressed, dtype=dtype)
    read = read_image_file(tmp_path / f"a{suffix}")
    assert np.array_equal(read.values, values)
    for index in ((0, 0, 0), (8, 0, 0), (0, 5, 0), (0, 0, 6), (3, 2, 1)):
        place = read.affine_lps @ [*index, 1]
        assert place[:3] == pytest.approx(image.TransformIndexToPhysicalPoint(index), abs=1e-6)


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
@pytest.mark.parametrize("compressed", [False, True])
def test_a_cut_file_is_refused(tmp_path, suffix, compressed):
    path = tmp_path / f"a{suffix}"
    write(path, compressed=compressed)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(StudyRejectedError) as caught:
        read_image_file(path)
    assert caught.value.notice.code in (Code.TRUNCATED_FILE, Code.CORRUPT_FILE)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.nrrd", b"NRRD0004\ntype: short\ndimension: 3\nsizes: 5 5 5\ndata file: ../x\n\n"),
        ("a.mha", b"NDims = 3\nDimSize = 5 5 5\nElementDataFile = ../../secret.raw\n"),
        ("a.mhd", b"NDims = 3\nElementDataFile = LIST\n"),
        ("a.nhdr", b"NRRD0004\n"),
        ("a.hdr", b"\x00" * 348),
    ],
)
def test_a_header_that_names_another_file_is_never_followed(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(StudyRejectedError, match="data must be inside the file") as caught:
        read_study(tmp_path / name, CT)
    assert caught.value.notice.code is Code.PATH_OUTSIDE_ROOT


def test_an_nrrd_without_a_space_does_not_say_where_it_lies(tmp_path):
    path = tmp_path / "a.nrrd"
    header = "NRRD0004\ntype: short\ndimension: 3\nsizes: 5 5 5\nendian: little\nencoding: raw\n\n"
    path.write_bytes(header.encode() + bytes(250))
    with pytest.raises(StudyRejectedError, match="GEOMETRY_MISSING"):
        read_image_file(path)


def test_a_negative_spacing_is_refused(tmp_path):
    path = tmp_path / "a.mha"
    write(path, compressed=False)
    content = path.read_bytes().replace(
        b"ElementSpacing = 1.5 2.5 4", b"ElementSpacing = -1 2.5 4."
    )
    path.write_bytes(content)
    with pytest.raises(StudyRejectedError, match="GEOMETRY_INVALID"):
        read_image_file(path)
