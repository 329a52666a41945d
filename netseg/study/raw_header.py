"""Text headers with binary data behind them: what NRRD and MetaImage have in common."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float, Shaped

_MOST_HEADER_BYTES = 1 << 16


def header_and_data(content: bytes, end: bytes, name: str) -> tuple[str, bytes]:
    """Split a file at the end of its text header.

    Args:
        content: The whole file.
        end: What ends the header; it belongs to neither part.
        name: The file's name for messages.

    Raises:
        StudyRejectedError: MALFORMED_HEADER if the end is not found or the text is not ASCII.
    """
    at = content[:_MOST_HEADER_BYTES].find(end)
    if at < 0:
        raise malformed("The end of its header was not found.", name)
    try:
        return content[:at].decode("ascii"), content[at + len(end) :]
    except UnicodeDecodeError as error:
        raise malformed("Its header holds bytes that are no ASCII text.", name) from error


def numbers(text: str, what: str, count: int, name: str) -> Float[np.ndarray, "*n"]:
    """Exactly `count` finite numbers of a header field.

    Raises:
        StudyRejectedError: GEOMETRY_INVALID otherwise.
    """
    try:
        found = np.array([float(word) for word in text.replace(",", " ").split()])
    except ValueError:
        found = np.array([])
    if len(found) != count or not np.isfinite(found).all():
        raise StudyRejectedError(
            Code.GEOMETRY_INVALID, f"{what} must hold {count} finite numbers.", file=name
        )
    return found


def whole_numbers(text: str, what: str, name: str) -> list[int]:
    """The whole numbers of a header field.

    Raises:
        StudyRejectedError: MALFORMED_HEADER for anything else.
    """
    try:
        return [int(word) for word in text.split()]
    except ValueError as error:
        raise malformed(f"{what} must hold whole numbers.", name) from error


def unpacked(data: bytes, size: int, wbits: int, name: str) -> bytes:
    """Unpack at most `size` bytes of a zlib (15) or gzip (31) stream, checksum included.

    Raises:
        StudyRejectedError: CORRUPT_FILE or TRUNCATED_FILE.
    """
    stream = zlib.decompressobj(wbits)
    try:
        out = stream.decompress(data, size + 1)
        out += stream.flush(1) if stream.eof else b""
    except zlib.error as error:
        raise StudyRejectedError(
            Code.CORRUPT_FILE, f"The compressed stream is damaged ({error}).", file=name
        ) from error
    if len(out) < size or (len(out) == size and not stream.eof):
        raise truncated(len(out), size, name)
    return out


def voxels(
    data: bytes, shape: Sequence[int], dtype: np.dtype[Any], name: str
) -> Shaped[np.ndarray, "i j k"]:
    """The first axis runs fastest, as both formats store it.

    Raises:
        StudyRejectedError: TRUNCATED_FILE if there are fewer bytes than voxels, CORRUPT_FILE if
            there are more.
    """
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    if len(data) < size:
        raise truncated(len(data), size, name)
    if len(data) > size:
        raise StudyRejectedError(
            Code.CORRUPT_FILE, f"{len(data)} bytes of data for {size} bytes of voxels.", file=name
        )
    stored = np.frombuffer(data, dtype).reshape(tuple(shape), order="F")
    return stored.astype(dtype.newbyteorder("="), copy=False)


def malformed(message: str, name: str) -> StudyRejectedError:
    """The refusal of a header that cannot be parsed."""
    return StudyRejectedError(Code.MALFORMED_HEADER, message, file=name)


def truncated(present: int, wanted: int, name: str) -> StudyRejectedError:
    """The refusal of data that end too early."""
    return StudyRejectedError(
        Code.TRUNCATED_FILE,
        f"The data end after {present} of {wanted} bytes.",
        file=name,
        detail={"expected_bytes": wanted, "found_bytes": present},
        hint="Copy the file again from its source.",
    )
