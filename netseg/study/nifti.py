"""NIfTI-1 and NIfTI-2: the header is checked and the stream read to its end, CRC included.

The usual readers return zeros for a truncated .nii.gz or never look at its checksum. Here the
header's promise is compared with the bytes before a single voxel is believed. nibabel only turns
the quaternion into a matrix. Format: https://nifti.nimh.nih.gov/nifti-1.
"""

from __future__ import annotations

import gzip
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from netseg.domain.codes import Code
from netseg.domain.errors import Notice, StudyRejectedError
from netseg.geometry.affine import lps_from_ras
from netseg.study.image_file import (
    ImageFile,
    file_sha256,
    read_image_file,
    require_affine,
    require_enough_slices,
    require_finite,
    require_shape,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from jaxtyping import Float, Shaped

    from netseg.domain.volume import Quantity, Volume

_HEADER_BYTES = {1: 348, 2: 540}
_TYPES = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8",
          1280: "u8"}  # fmt: skip
_COLOUR_TYPES = {128, 2304}
_MILLIMETRES, _UNIT_NOT_STATED = 2, 0
_UNITS = {1: "metres", 3: "micrometres"}
_AGREE_MM = 0.1  # sform and qform may differ by float32 rounding and quaternion rounding
_MOST_TRAILING_BYTES = 1 << 26
_BODY_SPACING_MM = (0.1, 20.0)


def read_volume_file(path: Path, quantity: Quantity, frame_uid: str | None = None) -> Volume:
    """Read a scan from an image file (NIfTI, NRRD or MetaImage).

    Args:
        path: The file.
        quantity: What its numbers measure; HU are checked for plausibility.
        frame_uid: Frame of reference of the file's coordinates; named by its content when absent.

    Returns:
        CT as int16 where its values are whole numbers, else float32.

    Raises:
        StudyRejectedError: With the code of what is wrong with header, data or values.
    """
    from netseg.study.values import volume_of

    image = read_image_file(path)
    require_enough_slices(image.values.shape, image.name)
    return volume_of(image, quantity, frame_uid or image.derived_frame_uid)


def read_nifti(path: Path, name: str) -> ImageFile:
    """Read one .nii or .nii.gz with all checks of header, size and checksum.

    Raises:
        StudyRejectedError: TRUNCATED_FILE, CORRUPT_FILE, MALFORMED_HEADER, ALLOCATION_LIMIT,
            NOT_3D, UNITS, GEOMETRY_*, VALUE_SCALING_INVALID, NON_FINITE_VALUES.
    """
    with _opened(path, name) as file:
        header = _read_header(file, name)
        shape = require_shape(_sizes(header, name), name)
        dtype = _value_type(header, name)
        affine_ras = _affine_ras(header, name)
        notices = _check_units(header, name)
        scaling = _scaling(header, name)
        _require_bytes(path, header, shape, dtype, name)
        stored = _read_voxels(file, header, shape, dtype, name)
    values = _scaled(stored, scaling)
    require_finite(values, name)
    return ImageFile(
        name=name,
        values=values,
        affine_lps=lps_from_ras(affine_ras),
        sha256=file_sha256(path),
        notices=notices,
    )


@contextmanager
def _opened(path: Path, name: str) -> Iterator[BinaryIO]:
    """The file's bytes, unpacked; what a broken stream raises becomes a refusal."""
    opener: Any = gzip.open if path.name.lower().endswith(".gz") else open
    try:
        with opener(path, "rb") as file:
            yield file
    except EOFError as error:
        raise _truncated("The compressed stream ends before its end mark.", name) from error
    except (zlib.error, gzip.BadGzipFile) as error:
        raise StudyRejectedError(
            Code.CORRUPT_FILE,
            f"The compressed stream is damaged ({error}).",
            file=name,
            hint="Copy the file again from its source.",
        ) from error


def _read_header(file: BinaryIO, name: str) -> Any:
    import nibabel

    block = file.read(_HEADER_BYTES[1])
    if len(block) < _HEADER_BYTES[1]:
        raise _truncated(f"The file holds {len(block)} bytes; a NIfTI header has 348.", name)
    sizes = {int.from_bytes(block[:4], "little"), int.from_bytes(block[:4], "big")}
    if _HEADER_BYTES[2] in sizes:
        block += file.read(_HEADER_BYTES[2] - len(block))
        header: Any = nibabel.Nifti2Header(block, check=False)
        magic = block[4:8]
    elif _HEADER_BYTES[1] in sizes:
        header = nibabel.Nifti1Header(block, check=False)
        magic = block[344:348]
    else:
        raise _malformed("The first number is neither 348 nor 540: no NIfTI header.", name)
    if magic not in (b"n+1\x00", b"n+2\x00"):
        raise _malformed(f"The magic word is {magic!r}; a single-file NIfTI says n+1 or n+2.", name)
    return header


def _sizes(header: Any, name: str) -> list[int]:
    rank = int(header["dim"][0])
    if not 1 <= rank <= 7:
        raise _malformed(f"The header announces {rank} dimensions.", name)
    return [int(n) for n in header["dim"][1 : rank + 1]]


def _value_type(header: Any, name: str) -> np.dtype[Any]:
    code = int(header["datatype"])
    if code in _COLOUR_TYPES:
        raise StudyRejectedError(
            Code.NOT_MONOCHROME, "The file holds colours, not values.", file=name
        )
    if code not in _TYPES:
        raise StudyRejectedError(
            Code.UNSUPPORTED_FORMAT, f"NIfTI data type {code} is not read.", file=name
        )
    dtype = np.dtype(_TYPES[code]).newbyteorder(header.endianness)
    if int(header["bitpix"]) != dtype.itemsize * 8:
        raise _malformed(
            f"bitpix is {int(header['bitpix'])}, its data type has {dtype.itemsize * 8} bits.", name
        )
    return dtype


def _affine_ras(header: Any, name: str) -> Float[np.ndarray, "4 4"]:
    """The one matrix both statements of the header agree on."""
    qform_code, sform_code = int(header["qform_code"]), int(header["sform_code"])
    if qform_code <= 0 and sform_code <= 0:
        raise StudyRejectedError(
            Code.GEOMETRY_MISSING,
            "qform and sform codes are both 0: the header does not say how the image lies.",
            file=name,
            hint="Convert the scan again with a tool that writes the orientation.",
        )
    pixdim = np.asarray(header["pixdim"][1:4], dtype=np.float64)
    if not (np.isfinite(pixdim).all() and (pixdim > 0).all()):
        raise StudyRejectedError(
            Code.GEOMETRY_INVALID, f"pixdim must be positive; got {pixdim.tolist()}.", file=name
        )
    qform = require_affine(_qform(header, name), name) if qform_code > 0 else None
    sform = require_affine(header.get_sform(), name) if sform_code > 0 else None
    if qform is not None and sform is not None:
        _require_agreement(header, qform, sform, name)
    if sform is None:
        return qform if qform is not None else header.get_sform()
    spacing = np.linalg.norm(sform[:3, :3], axis=0)
    if np.abs(spacing - pixdim).max() > 0.01 * spacing.max():
        raise _conflict(
            f"pixdim says {np.round(pixdim, 4).tolist()} mm, sform {np.round(spacing, 4).tolist()}.",
            name,
        )
    return sform


def _qform(header: Any, name: str) -> Float[np.ndarray, "4 4"]:
    """The qform's matrix; a qfac of 0 means 1, as the format's documentation has it."""
    from nibabel.spatialimages import HeaderDataError

    if header["pixdim"][0] == 0:
        header["pixdim"][0] = 1
    try:
        return header.get_qform()
    except (ValueError, HeaderDataError) as error:  # quaternion longer than 1, or qfac not ±1
        raise StudyRejectedError(
            Code.GEOMETRY_INVALID, "The qform's quaternion is no rotation.", file=name
        ) from error


def _require_agreement(header: Any, qform: Any, sform: Any, name: str) -> None:
    last = [int(n) - 1 for n in header["dim"][1:4]]
    corners = np.array([[*c, 1.0] for c in np.ndindex(2, 2, 2)]) * [*last, 1.0]
    apart = float(np.linalg.norm(corners @ (qform - sform).T, axis=1).max())
    if apart > _AGREE_MM:
        raise _conflict(f"qform and sform place a corner {apart:.1f} mm apart.", name, apart)


def _check_units(header: Any, name: str) -> tuple[Notice, ...]:
    unit = int(header["xyzt_units"]) & 7
    if unit == _MILLIMETRES:
        return ()
    if unit != _UNIT_NOT_STATED:
        raise _units(f"Lengths are given in {_UNITS.get(unit, f'unit code {unit}')}.", name)
    low, high = _BODY_SPACING_MM
    pixdim = np.asarray(header["pixdim"][1:4], dtype=np.float64)
    if not ((pixdim >= low) & (pixdim <= high)).all():
        raise _units(
            f"No unit is stated, and {np.round(pixdim, 6).tolist()} are no millimetres of a body "
            f"scan ({low} to {high}).",
            name,
        )
    notice = Notice(
        code=Code.UNITS,
        message="The header states no unit of length; NIfTI's customary millimetres were taken.",
        file=name,
    )
    return (notice,)


def _scaling(header: Any, name: str) -> tuple[float, float]:
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0:  # the format's way to say "no scaling"
        return 1.0, 0.0
    if not (np.isfinite(slope) and np.isfinite(intercept)):
        raise StudyRejectedError(
            Code.VALUE_SCALING_INVALID,
            f"scl_slope is {slope}, scl_inter {intercept}; finite numbers are expected.",
            file=name,
        )
    return slope, intercept


def _require_bytes(path: Path, header: Any, shape: Any, dtype: np.dtype[Any], name: str) -> None:
    """Compare the header's promise with the file's length before memory is asked for."""
    offset = float(header["vox_offset"])
    if not np.isfinite(offset) or offset < header.sizeof_hdr or offset != int(offset):
        raise _malformed(f"vox_offset is {offset}.", name)
    wanted = int(offset) + int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    present = path.stat().st_size
    if path.name.lower().endswith(".gz"):
        present *= 1032  # no deflate stream unpacks to more
    if wanted > present:
        raise _truncated(
            f"The header announces {wanted} bytes; the file can hold at most {present}.", name
        )


def _read_voxels(
    file: BinaryIO, header: Any, shape: tuple[int, int, int], dtype: np.dtype[Any], name: str
) -> Shaped[np.ndarray, "i j k"]:
    offset = int(header["vox_offset"])
    skipped = file.read(offset - int(header.sizeof_hdr))
    stored = np.empty(int(np.prod(shape)), dtype)
    buffer = memoryview(stored.view(np.uint8).data)
    filled = 0
    while filled < len(buffer):
        count = file.readinto(buffer[filled:])  # pyright: ignore[reportAttributeAccessIssue]
        if not count:
            raise _truncated(
                f"The data end after {filled + len(skipped)} of {len(buffer)} bytes.", name
            )
        filled += count
    if len(file.read(_MOST_TRAILING_BYTES)) == _MOST_TRAILING_BYTES:  # to the end: CRC is checked
        raise StudyRejectedError(
            Code.ALLOCATION_LIMIT, "The file goes on long after its last voxel.", file=name
        )
    native = stored.astype(dtype.newbyteorder("="), copy=False)
    return native.reshape(shape, order="F")


def _scaled(
    stored: Shaped[np.ndarray, "i j k"], scaling: tuple[float, float]
) -> Shaped[np.ndarray, "i j k"]:
    slope, intercept = scaling
    if (slope, intercept) == (1.0, 0.0):
        return stored
    return (stored * np.float64(slope) + intercept).astype(np.float32)


def _truncated(message: str, name: str) -> StudyRejectedError:
    return StudyRejectedError(
        Code.TRUNCATED_FILE, message, file=name, hint="Copy the file again from its source."
    )


def _malformed(message: str, name: str) -> StudyRejectedError:
    return StudyRejectedError(Code.MALFORMED_HEADER, message, file=name)


def _units(message: str, name: str) -> StudyRejectedError:
    return StudyRejectedError(
        Code.UNITS, message, file=name, hint="Write the file in millimetres (xyzt_units 2)."
    )


def _conflict(message: str, name: str, apart_mm: float | None = None) -> StudyRejectedError:
    return StudyRejectedError(
        Code.GEOMETRY_CONFLICT,
        f"The header contradicts itself: {message}",
        file=name,
        detail={} if apart_mm is None else {"apart_mm": round(apart_mm, 3)},
        hint="Convert the scan again; netseg does not choose between two places.",
    )
