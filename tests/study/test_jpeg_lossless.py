"""The commonest compression of CT archives: exact numbers, or a refusal, and never a crash."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate, generate_frames

from netseg.domain import Code, StudyRejectedError
from netseg.study import ReadHints, read_study
from tests.study.dicom_files import write_series

HINTS = ReadHints(case_id="case")


def noisy(dtype=np.int16) -> np.ndarray:
    values = np.random.default_rng(5).integers(-1000, 400, (24, 20, 6))
    return values.astype(np.int16) if dtype == np.int16 else (values + 1024).astype(np.uint16)


def write_lossless(folder, values, *, spoil=None, photometric="MONOCHROME2"):
    """A CT whose frames SimpleITK compressed as JPEG Lossless SV1 (1.2.840.10008.1.2.4.70)."""
    import SimpleITK

    paths = write_series(folder, values=values)
    for k, path in enumerate(paths):
        writer = SimpleITK.ImageFileWriter()
        writer.SetImageIO("GDCMImageIO")
        writer.UseCompressionOn()
        writer.SetCompressor("JPEG")
        writer.SetFileName(str(folder.parent / "frame.dcm"))
        writer.Execute(SimpleITK.GetImageFromArray(values[:, :, k].T[None]))
        compressed = pydicom.dcmread(folder.parent / "frame.dcm")
        dataset = pydicom.dcmread(path)
        frame = next(generate_frames(compressed.PixelData, number_of_frames=1))
        dataset.PixelData = encapsulate([spoil(frame) if spoil and k == 3 else frame])
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = True
        dataset.file_meta.TransferSyntaxUID = compressed.file_meta.TransferSyntaxUID
        dataset.RescaleIntercept = 0 if values.dtype == np.int16 else -1024
        dataset.PhotometricInterpretation = photometric
        dataset.save_as(path, implicit_vr=False, little_endian=True)


@pytest.mark.parametrize("photometric", ["MONOCHROME2", "MONOCHROME1"])
@pytest.mark.parametrize("dtype", [np.int16, np.uint16])
def test_every_value_comes_back(tmp_path, dtype, photometric):
    write_lossless(tmp_path / "ct", noisy(dtype), photometric=photometric)
    read = read_study(tmp_path / "ct", HINTS).series[0].volume.values
    assert np.array_equal(read, noisy())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda frame: frame[: len(frame) // 4 * 2],
        lambda frame: frame[: len(frame) // 4 * 2] + b"\xff\xd9",
        lambda frame: frame[:2] + bytes(200) + b"\xff\xd9",
        lambda frame: frame[:30] + b"\x39" * 10 + frame[40:],
    ],
    ids=["cut", "cut but ended", "empty", "garbage header"],
)
def test_a_damaged_frame_refuses_the_study_and_nothing_dies(tmp_path, spoil):
    write_lossless(tmp_path / "ct", noisy(), spoil=spoil)
    with pytest.raises(StudyRejectedError) as caught:
        read_study(tmp_path / "ct", HINTS)
    assert caught.value.notice.code is Code.DECODE_FAILED
    assert caught.value.notice.file == "IM0003.dcm"
