"""A child process that decodes JPEG Lossless frames, and may die of one.

pydicom has no free decoder for the most common compression of CT archives; the one inside
SimpleITK (GDCM) ends the process on some damaged frames and fills others with zeros after a remark
on stderr. So it runs apart, one child per series: a death, a remark or a silence of a minute is
`DECODE_FAILED`, and the study that asked is refused.

The child gets the pixel module alone: no tag of the patient reaches it. GDCM reads paths only, so a
frame lies in memory that has a path and ends with the child (`memfd_create`), whoever kills it. Where
the system has none, it lies in a folder of the parent's, which goes with the parent's `close`; a
child that has lost its parent empties it itself.
"""

from __future__ import annotations

import io
import os
import select
import struct
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jaxtyping import Shaped
    from pydicom import Dataset

LOSSLESS = ("1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70")
_PIXEL_MODULE = (
    "SamplesPerPixel", "PhotometricInterpretation", "Rows", "Columns", "BitsAllocated",
    "BitsStored", "HighBit", "PixelRepresentation", "PixelData",
)  # fmt: skip
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_LENGTH = struct.Struct("<Q")
_MOST_SECONDS = 60.0
_END_OF_IMAGE = b"\xff\xd9"


class JpegChild:
    """The parent's end: `decode` one frame after the other, `close` at the end.

    Use it as a context manager; the process starts with the first frame.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def decode(self, tags: Dataset, syntax: str) -> Shaped[np.ndarray, "rows columns"]:
        """The stored values of one JPEG Lossless image.

        Raises:
            ValueError: If the frame is damaged, whatever that did to the child.
        """
        from pydicom.encaps import generate_frames

        frame = next(generate_frames(tags.PixelData, number_of_frames=1))
        if not frame.rstrip(b"\x00").endswith(_END_OF_IMAGE):
            raise ValueError("the JPEG stream ends before its end mark")
        answer = self._ask(_minimal(tags, syntax))
        if not answer:
            self.close()
            raise ValueError("the decoder gave up")
        return np.load(io.BytesIO(answer), allow_pickle=False)

    def close(self) -> None:
        """End the child; nothing of a frame is left on the disk."""
        try:
            if self._process is not None:
                self._process.kill()
                self._process.communicate()
                self._process = None
        finally:
            if self._folder is not None:
                self._folder.cleanup()
                self._folder = None

    def _ask(self, message: bytes) -> bytes:
        process = self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(_LENGTH.pack(len(message)) + message)
            process.stdin.flush()
        except BrokenPipeError:
            return b""
        if not select.select([process.stdout], [], [], _MOST_SECONDS)[0]:
            return b""
        return _received(process.stdout)

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            command = [sys.executable, "-P", "-m", "netseg.study.jpeg_child"]
            if not hasattr(os, "memfd_create"):
                self._folder = tempfile.TemporaryDirectory(prefix="netseg-jpeg-")
                command.append(self._folder.name)
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
            )
        return self._process


def _minimal(tags: Dataset, syntax: str) -> bytes:
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import UID

    small: Any = Dataset()
    small.file_meta = FileMetaDataset()
    small.file_meta.TransferSyntaxUID = UID(syntax)
    small.file_meta.MediaStorageSOPClassUID = small.SOPClassUID = UID(_SECONDARY_CAPTURE)
    small.file_meta.MediaStorageSOPInstanceUID = small.SOPInstanceUID = UID("2.25.1")
    for keyword in _PIXEL_MODULE:
        small[keyword] = tags[keyword]
    small.PhotometricInterpretation = "MONOCHROME2"  # GDCM would invert MONOCHROME1
    buffer = io.BytesIO()
    small.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _received(stream: BinaryIO | Any) -> bytes:
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return b""
    (length,) = _LENGTH.unpack(head)
    body = stream.read(length)
    return body if len(body) == length else b""


@contextmanager
def _frame_file(folder: str | None) -> Iterator[tuple[BinaryIO, str]]:
    """A file for one frame after the other, and its path; in memory where no folder is given."""
    if folder is None:
        with os.fdopen(os.memfd_create("frame"), "wb", buffering=0) as file:
            yield file, f"/proc/self/fd/{file.fileno()}"
        return
    path = Path(folder, "frame.dcm")
    try:
        with path.open("wb", buffering=0) as file:
            yield file, str(path)
    finally:
        path.unlink(missing_ok=True)


def serve(folder: str | None = None) -> None:
    """The child's end: frames from stdin, arrays to stdout, nothing for a frame with a remark.

    Args:
        folder: Where a frame may lie while it is decoded; None keeps it in memory (Linux).
    """
    import SimpleITK

    source, target = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    with tempfile.TemporaryFile() as remarks, _frame_file(folder) as (frame, path):
        os.dup2(remarks.fileno(), 1)
        os.dup2(remarks.fileno(), 2)
        while message := _received(source):
            frame.seek(0)
            frame.truncate()
            frame.write(message)
            answer = io.BytesIO()
            try:
                image = SimpleITK.ReadImage(path, imageIO="GDCMImageIO")
                np.save(answer, SimpleITK.GetArrayFromImage(image)[0], allow_pickle=False)
            except (RuntimeError, IndexError):
                answer = io.BytesIO()
            if os.fstat(remarks.fileno()).st_size:
                answer = io.BytesIO()
                os.ftruncate(remarks.fileno(), 0)
            target.write(_LENGTH.pack(len(answer.getvalue())) + answer.getvalue())
            target.flush()


if __name__ == "__main__":
    serve(*sys.argv[1:2])
