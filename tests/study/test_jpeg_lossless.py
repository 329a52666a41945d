"""The commonest compression of CT archives: exact numbers, or a refusal, and never a crash."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING

import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate, generate_frames

from netseg.domain import Code, StudyRejectedError
from netseg.study import ReadHints, read_study
from netseg.study.jpeg_child import JpegChild
from tests.study.dicom_files import write_series

if TYPE_CHECKING:
    from pathlib import Path

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


@pytest.fixture
def temporary(tmp_path, monkeypatch) -> Path:
    """Where this process and its children leave what they leave."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def everything_in(folder: Path) -> list[Path]:
    """Files and folders, in any depth."""
    return sorted(folder.rglob("*"))


def first_frame(folder: Path) -> tuple[pydicom.Dataset, str]:
    write_lossless(folder, noisy())
    tags = pydicom.dcmread(folder / "IM0003.dcm")
    return tags, tags.file_meta.TransferSyntaxUID


def test_no_pixel_is_left_when_a_series_is_read(tmp_path, temporary):
    """Every child is ended by force when its series has been read."""
    write_lossless(tmp_path / "ct", noisy())
    read_study(tmp_path / "ct", HINTS)
    assert everything_in(temporary) == []


def test_a_killed_child_leaves_nothing(tmp_path, temporary):
    """Nothing even before the parent notices: the frame never was on the disk."""
    with JpegChild() as child:
        child.decode(*first_frame(tmp_path / "ct"))
        assert child._process is not None
        child._process.kill()
        child._process.wait()
        assert everything_in(temporary) == []


def test_where_no_file_lies_in_memory_the_parent_cleans_up_after_a_killed_child(
    tmp_path, temporary, monkeypatch
):
    monkeypatch.delattr(os, "memfd_create")
    frame = first_frame(tmp_path / "ct")
    with JpegChild() as child:
        child.decode(*frame)
        assert [p.name for p in everything_in(temporary)][1:] == ["frame.dcm"]
        assert child._process is not None
        child._process.kill()
        child._process.wait()
        with pytest.raises(ValueError, match="the decoder gave up"):
            child.decode(*frame)
        assert everything_in(temporary) == []
        assert child.decode(*frame).shape == (20, 24)
    assert everything_in(temporary) == []


PARENT = """
import os, sys, time, pydicom
from netseg.cli.main import guarded, _interrupt
from netseg.study.jpeg_child import JpegChild
import signal
signal.signal(signal.SIGTERM, _interrupt)
if sys.argv[2] == "disk":
    del os.memfd_create
def work():
    tags = pydicom.dcmread(sys.argv[1])
    with JpegChild() as child:
        child.decode(tags, tags.file_meta.TransferSyntaxUID)
        print("decoded", flush=True)
        time.sleep(60)
    return 0
sys.exit(guarded("netseg", work))
"""


@pytest.mark.parametrize("where", ["memory", "disk"])
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_parent_leaves_no_pixel(tmp_path, temporary, end, where):
    """By Ctrl-C, by a scheduler's TERM, by KILL: the child empties the folder of a dead parent."""
    first_frame(tmp_path / "ct")
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path / "ct" / "IM0003.dcm"), where],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert parent.stdout is not None
    with parent.stdout:
        assert parent.stdout.readline() == b"decoded\n"
        parent.send_signal(end)
        assert parent.wait(30) == (-9 if end == signal.SIGKILL else 130)
    until = time.monotonic() + 10
    while any(path.is_file() for path in everything_in(temporary)) and time.monotonic() < until:
        time.sleep(0.1)
    assert not any(path.is_file() for path in everything_in(temporary))
