"""One DICOM file's header: read without its pixels, and asked without defaults."""

from __future__ import annotations

import io
import logging
import struct
import warnings
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jaxtyping import Float
    from pydicom import Dataset

_DEFLATED = "1.2.840.10008.1.2.1.99"
_MOST_UNPACKED_BYTES = 1 << 28
_UNDEFINED_LENGTH = 0xFFFFFFFF


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Header:
    """The tags of one file.

    Attributes:
        path: The file.
        name: Its name within the study, for messages.
        tags: All elements before the pixel data.
        has_magic: Whether it begins as DICOM files do since 1993, with a preamble and DICM.
        has_preamble: Whether its first 128 bytes hold anything.
    """

    path: Path
    name: str
    tags: Dataset
    has_magic: bool
    has_preamble: bool

    def text(self, keyword: str) -> str:
        """The value of a text tag without outer blanks; empty when absent or unreadable."""
        return text_of(self.tags, keyword)

    def words(self, keyword: str) -> tuple[str, ...]:
        """The values of a multi-valued text tag in upper case."""
        value = value_of(self.tags, keyword)
        values: Any = value if _is_multi(value) else [value]
        return tuple(str(v).strip().upper() for v in values if v not in (None, ""))

    def number(self, keyword: str) -> float | None:
        """The value of a numeric tag; None when absent, unreadable or not finite."""
        return number_of(self.tags, keyword)

    def whole(self, keyword: str) -> int | None:
        """The value of a whole-number tag; None when absent or unreadable."""
        value = self.number(keyword)
        return int(value) if value is not None and value == int(value) else None

    def numbers(self, keyword: str, count: int) -> Float[np.ndarray, "*n"]:
        """Exactly `count` finite numbers of a geometry tag.

        Raises:
            StudyRejectedError: GEOMETRY_MISSING if the tag is absent or empty, GEOMETRY_INVALID
                if it holds anything else than `count` finite numbers.
        """
        try:
            value = self.tags.get(keyword)
            if value is None or value == "" or (_is_multi(value) and len(value) == 0):
                raise StudyRejectedError(
                    Code.GEOMETRY_MISSING,
                    f"The tag {keyword} is absent; it is needed and never assumed.",
                    file=self.name,
                    detail={"tag": keyword},
                )
            found = np.array([float(v) for v in (value if _is_multi(value) else [value])])
        except parser_errors():
            found = np.array([np.nan])
        if len(found) != count or not np.isfinite(found).all():
            raise StudyRejectedError(
                Code.GEOMETRY_INVALID,
                f"The tag {keyword} must hold {count} finite numbers.",
                file=self.name,
                detail={"tag": keyword},
            )
        return found


def text_of(tags: Dataset, keyword: str) -> str:
    """The value of a text tag without outer blanks; empty when absent or unreadable."""
    value = value_of(tags, keyword)
    return "" if value is None else str(value).strip().strip("\x00").strip()


def number_of(tags: Dataset, keyword: str) -> float | None:
    """The value of a numeric tag; None when absent, unreadable or not finite."""
    try:
        value = float(value_of(tags, keyword))
    except (TypeError, ValueError, OverflowError):
        return None
    return value if np.isfinite(value) else None


def items_of(tags: Dataset, keyword: str) -> tuple[Dataset, ...]:
    """The items of a sequence; none when absent or unreadable."""
    from pydicom.sequence import Sequence

    value = value_of(tags, keyword)
    return tuple(value) if isinstance(value, Sequence) else ()


def parser_errors() -> tuple[type[Exception], ...]:
    """What pydicom and its decoders raise on hostile files; pydicom itself is loaded late."""
    from pydicom.errors import BytesLengthException, InvalidDicomError

    return (
        ArithmeticError, AttributeError, BytesLengthException, EOFError, InvalidDicomError,
        LookupError, MemoryError, NotImplementedError, OSError, RecursionError, struct.error,
        TypeError, ValueError, zlib.error,
    )  # fmt: skip


def read_header(path: Path, name: str) -> Header:
    """Read the tags before the pixel data.

    Raises:
        StudyRejectedError: MALFORMED_HEADER whatever the parser stumbled over.
    """
    content_begin = _begin(path, name)
    has_magic = content_begin[128:132] == b"DICM"
    with quiet_pydicom():
        import pydicom

        try:
            _refuse_bomb(path, name)
            tags = pydicom.dcmread(path, stop_before_pixels=True, force=not has_magic)
            _require_whole_elements(tags, name)
            _ = tags.get("Modality"), tags.get("SeriesInstanceUID")
        except parser_errors() as error:
            raise malformed(name) from error
    if "Modality" not in tags and "SOPClassUID" not in tags and "Rows" not in tags:
        raise malformed(name)
    has_preamble = has_magic and any(content_begin[:128])
    return Header(path=path, name=name, tags=tags, has_magic=has_magic, has_preamble=has_preamble)


def read_whole(header: Header) -> tuple[Dataset, bytes]:
    """Read the file again with its pixels.

    Returns:
        The data set and the file's bytes, so that what is hashed is what is used.

    Raises:
        StudyRejectedError: INPUT_CHANGED if the file is gone or another, MALFORMED_HEADER.
    """
    import pydicom

    try:
        content = header.path.read_bytes()
    except OSError as error:
        raise _changed(header.name) from error
    with quiet_pydicom():
        try:
            tags = pydicom.dcmread(io.BytesIO(content), force=True)
        except parser_errors() as error:
            raise malformed(header.name) from error
    for keyword in ("SOPInstanceUID", "ImagePositionPatient"):
        if text_of(tags, keyword) != header.text(keyword):
            raise _changed(header.name)
    return tags, content


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """Keep pydicom's own remarks, which quote tag values, off the terminal."""
    log = logging.getLogger("pydicom")
    before = log.disabled
    log.disabled = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.disabled = before


def malformed(name: str) -> StudyRejectedError:
    """The refusal of a header that cannot be parsed."""
    return StudyRejectedError(
        Code.MALFORMED_HEADER,
        "The DICOM header cannot be parsed.",
        file=name,
        hint="Copy the file again from its source.",
    )


def _begin(path: Path, name: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(132)
    except OSError as error:
        raise _changed(name) from error


def _require_whole_elements(tags: Dataset, name: str) -> None:
    """Every element holds as many bytes as it announces; pydicom cuts such a file off in silence.

    Raises:
        StudyRejectedError: MALFORMED_HEADER.
    """
    for tag in list(tags.keys()):
        element: Any = tags.get_item(tag)
        if element is None or not element.is_raw or not isinstance(element.value, bytes):
            continue
        if element.length not in (len(element.value), _UNDEFINED_LENGTH):
            raise malformed(name)


def _refuse_bomb(path: Path, name: str) -> None:
    """A deflated file is unpacked by pydicom as a whole: bound it first."""
    from pydicom.filereader import read_file_meta_info

    if _begin(path, name)[128:] != b"DICM":
        return
    meta: Any = read_file_meta_info(path)
    if meta.get("TransferSyntaxUID") != _DEFLATED:
        return
    start = 132 + 12 + int(meta.FileMetaInformationGroupLength)
    unpacked = zlib.decompressobj(-zlib.MAX_WBITS).decompress(
        path.read_bytes()[start:], _MOST_UNPACKED_BYTES
    )
    if len(unpacked) >= _MOST_UNPACKED_BYTES:
        raise StudyRejectedError(
            Code.ALLOCATION_LIMIT,
            f"The deflated file unpacks to more than {_MOST_UNPACKED_BYTES >> 20} MiB.",
            file=name,
        )


def _changed(name: str) -> StudyRejectedError:
    return StudyRejectedError(
        Code.INPUT_CHANGED,
        "The file changed or vanished while the study was read.",
        file=name,
        hint="Wait until the transfer has finished, then run again.",
    )


def value_of(tags: Dataset, keyword: str) -> Any:
    """The value of any tag; None when absent or unreadable."""
    try:
        return tags.get(keyword)
    except parser_errors():
        return None


def _is_multi(value: Any) -> bool:
    from pydicom.multival import MultiValue

    return isinstance(value, (list, tuple, MultiValue))
