"""The stored numbers of a series: decoded slice by slice, rescaled slice by slice."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.domain.study import Modality
from netseg.study.dicom_header import (
    parser_errors,
    quiet_pydicom,
    read_whole,
    text_of,
    value_of,
)
from netseg.study.jpeg_child import LOSSLESS, JpegChild
from netseg.study.values import CEILING_HU, FLOOR_HU, require_hounsfield

if TYPE_CHECKING:
    from jaxtyping import Shaped
    from pydicom import Dataset
    from pydicom.uid import UID

    from netseg.study.dicom_geometry import Stack
    from netseg.study.dicom_header import Header
    from netseg.study.remarks import Remarks

_PIXEL_TAG = b"\xe0\x7f\x10\x00"


def read_pixels(
    stack: Stack, modality: Modality, remarks: Remarks
) -> tuple[Shaped[np.ndarray, "i j k"], str]:
    """All slices of a stack as rescaled numbers, and the hash of their files in slice order.

    MONOCHROME1 is a matter of display and inverts nothing. All HU below -1024 become -1024: what
    lies outside the field of view, whatever padding (-2000, -3024) was declared or not. A declared
    PixelPaddingValue that could be tissue is left alone.

    Returns:
        HU as int16 where slope and intercept are whole numbers, else float32; and the hash.

    Raises:
        StudyRejectedError: What the decoding refuses; HU_UNDEFINED, HU_IMPLAUSIBLE for CT.
    """
    whole = all(_is_whole(h) for h in stack.slices)
    stored = np.empty(stack.shape[::-1], np.int32 if whole else np.float32)
    digest = hashlib.sha256()
    with JpegChild() as child:
        for k, header in enumerate(stack.slices):
            tags, content = read_whole(header)
            digest.update(content)
            pixels = decode(header, tags, content, remarks, child)
            if pixels.shape != stored.shape[1:]:
                raise _decode_failed(header.name, f"it decoded to {pixels.shape} pixels")
            stored[k] = _rescaled(pixels, header, modality)
    values = stored.transpose(2, 1, 0)
    if modality is Modality.CT:
        require_hounsfield(values, stack.slices[0].name)
        np.clip(stored, FLOOR_HU, CEILING_HU, out=stored)
    return (_narrowed(values), digest.hexdigest())


def decode(
    header: Header, tags: Dataset, content: bytes, remarks: Remarks, child: JpegChild
) -> Shaped[np.ndarray, "rows columns"]:
    """The stored pixel values of one image, unused high bits masked.

    Raises:
        StudyRejectedError: NO_PIXEL_DATA, TRUNCATED_FILE, UNSUPPORTED_TRANSFER_SYNTAX,
            DECODE_FAILED, MALFORMED_HEADER.
    """
    if "PixelData" not in tags:
        raise _no_pixels(header, content)
    _require_one_grey_image(header)
    syntax = _syntax(header, tags)
    stored = value_of(tags, "PixelData")
    if not isinstance(stored, bytes):
        raise _decode_failed(header.name, "its pixel data are no bytes")
    if not syntax.is_compressed:
        _check_length(header, len(stored), remarks)
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.pixels.utils import pixel_array

    with quiet_pydicom():
        try:
            if syntax in LOSSLESS:
                return _masked(child.decode(tags, syntax), header)
            if not get_decoder(syntax).is_available:
                raise _unsupported_syntax(header.name, syntax.name)
            return pixel_array(tags, raw=True)
        except NotImplementedError as error:
            raise _unsupported_syntax(header.name, syntax.name) from error
        except (RuntimeError, *parser_errors()) as error:
            raise _decode_failed(header.name, "the stream is damaged") from error


def _syntax(header: Header, tags: Dataset) -> UID:
    from pydicom.uid import UID, ImplicitVRLittleEndian

    meta = getattr(tags, "file_meta", None)
    syntax = UID(text_of(meta, "TransferSyntaxUID")) if meta else UID("")
    if not syntax and not header.has_magic:
        return ImplicitVRLittleEndian  # DICOM's default, for files from before the file header
    if not syntax:
        raise _unsupported_syntax(header.name, "none is stated")
    if syntax.is_private or not syntax.is_transfer_syntax:
        raise _unsupported_syntax(header.name, "a private one")
    return syntax


def _masked(
    pixels: Shaped[np.ndarray, "rows columns"], header: Header
) -> Shaped[np.ndarray, "rows columns"]:
    """The bits that are stored, sign-extended where they are signed; pydicom does so itself."""
    bits, stored = header.whole("BitsAllocated") or 0, header.whole("BitsStored") or 0
    unused = bits - stored
    signed = header.whole("PixelRepresentation") == 1
    wide = pixels.astype(f"{'i' if signed else 'u'}{bits // 8}", copy=False)
    return (wide << unused) >> unused if unused else wide


def same_image(first: Header, second: Header) -> bool:
    """Whether two files hold the same pixels under the same rescale."""
    return _fingerprint(first) == _fingerprint(second)


def _fingerprint(header: Header) -> tuple[Any, ...]:
    tags, _ = read_whole(header)
    keywords = ("RescaleSlope", "RescaleIntercept", "PixelRepresentation", "ImagePositionPatient")
    return value_of(tags, "PixelData"), *(text_of(tags, k) for k in keywords)


def _require_one_grey_image(header: Header) -> None:
    bits, stored, high = (header.whole(k) for k in ("BitsAllocated", "BitsStored", "HighBit"))
    if bits not in (8, 16, 32) or stored is None or not 1 <= stored <= bits or high != stored - 1:
        raise StudyRejectedError(
            Code.MALFORMED_HEADER,
            f"BitsAllocated {bits}, BitsStored {stored}, HighBit {high} do not fit together.",
            file=header.name,
        )


def _check_length(header: Header, found: int, remarks: Remarks) -> None:
    rows, columns = header.whole("Rows") or 0, header.whole("Columns") or 0
    wanted = rows * columns * (header.whole("BitsAllocated") or 0) // 8
    if found < wanted:
        raise StudyRejectedError(
            Code.TRUNCATED_FILE,
            f"The pixel data hold {found} of {wanted} bytes.",
            file=header.name,
            detail={"expected_bytes": wanted, "found_bytes": found},
            hint="Copy the file again from its source.",
        )
    if found > wanted + wanted % 2:
        remarks.warn(
            Code.PIXELDATA_LENGTH,
            f"The pixel data are {found - wanted} bytes longer than the image; the rest was left.",
            file=header.name,
            detail={"expected_bytes": wanted, "found_bytes": found},
        )


def _rescaled(
    pixels: Shaped[np.ndarray, "rows columns"], header: Header, modality: Modality
) -> Shaped[np.ndarray, "rows columns"]:
    slope, intercept = _rescale(header, modality)
    if _is_whole(header):
        return pixels.astype(np.int32) * np.int32(slope) + np.int32(intercept)
    return pixels.astype(np.float64) * slope + intercept


def _rescale(header: Header, modality: Modality) -> tuple[float, float]:
    slope, intercept = header.number("RescaleSlope"), header.number("RescaleIntercept")
    if modality is Modality.MR and slope is None and intercept is None:
        return 1.0, 0.0  # MR signal has no unit
    if slope is None or intercept is None:
        code = Code.HU_UNDEFINED if modality is Modality.CT else Code.VALUE_SCALING_INVALID
        raise StudyRejectedError(
            code,
            f"RescaleSlope or RescaleIntercept of this {modality} image is absent or no number.",
            file=header.name,
            hint="Export the original series; these values cannot be guessed.",
        )
    if slope == 0:
        raise StudyRejectedError(Code.VALUE_SCALING_INVALID, "RescaleSlope is 0.", file=header.name)
    kind = header.text("RescaleType").upper()
    if modality is Modality.CT and kind not in ("", "HU", "HU_MOD", "US"):
        raise StudyRejectedError(
            Code.HU_UNDEFINED, "RescaleType names another unit than HU.", file=header.name
        )
    return slope, intercept


def _is_whole(header: Header) -> bool:
    """Whether the rescaled numbers are whole and fit into 32 bits."""
    scaling = header.number("RescaleSlope"), header.number("RescaleIntercept")
    small = all(s is None or (s.is_integer() and abs(s) < 1 << 15) for s in scaling)
    return small and (header.whole("BitsAllocated") or 0) <= 16


def _narrowed(values: Shaped[np.ndarray, "i j k"]) -> Shaped[np.ndarray, "i j k"]:
    bounds = np.iinfo(np.int16)
    whole = np.issubdtype(values.dtype, np.integer)
    fits = whole and values.min() >= bounds.min and values.max() <= bounds.max
    return values.astype(np.int16 if fits else np.float32)


def _no_pixels(header: Header, content: bytes) -> StudyRejectedError:
    if _PIXEL_TAG in content:
        return StudyRejectedError(
            Code.TRUNCATED_FILE,
            "The file ends within its pixel data.",
            file=header.name,
            hint="Copy the file again from its source.",
        )
    return StudyRejectedError(Code.NO_PIXEL_DATA, "The image has no pixel data.", file=header.name)


def _unsupported_syntax(name: str, which: str) -> StudyRejectedError:
    return StudyRejectedError(
        Code.UNSUPPORTED_TRANSFER_SYNTAX,
        f"The transfer syntax ({which}) cannot be decoded here.",
        file=name,
        hint="Export the series uncompressed (Explicit VR Little Endian).",
    )


def _decode_failed(name: str, why: str) -> StudyRejectedError:
    return StudyRejectedError(
        Code.DECODE_FAILED,
        f"The image could not be decoded: {why}.",
        file=name,
        hint="Copy the file again from its source.",
    )
