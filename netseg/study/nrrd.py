"""NRRD with its data inside the file. Format: https://teem.sourceforge.net/nrrd/format.html."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

import numpy as np

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.study.image_file import (
    ImageFile,
    detached,
    require_affine,
    require_finite,
    require_shape,
)
from netseg.study.raw_header import (
    header_and_data,
    malformed,
    numbers,
    unpacked,
    voxels,
    whole_numbers,
)

if TYPE_CHECKING:
    from pathlib import Path

    from jaxtyping import Float

_TYPES = {
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "i1": ("signed char", "int8", "int8_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i4": ("int", "signed int", "int32", "int32_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "f4": ("float",),
    "f8": ("double",),
}
_TO_LPS = {
    "left-posterior-superior": (1, 1), "lps": (1, 1),
    "right-anterior-superior": (-1, -1), "ras": (-1, -1),
    "left-anterior-superior": (1, -1), "las": (1, -1),
}  # fmt: skip


def read_nrrd(path: Path, name: str) -> ImageFile:
    """Read one .nrrd (raw or gzip encoding).

    Raises:
        StudyRejectedError: PATH_OUTSIDE_ROOT for a detached header, GEOMETRY_MISSING without a
            space, and what header and data give cause for.
    """
    content = path.read_bytes()
    if not content.startswith(b"NRRD000"):
        raise malformed("The file does not begin with NRRD000.", name)
    end = b"\r\n\r\n" if b"\r\n\r\n" in content[:4096] else b"\n\n"
    text, data = header_and_data(content, end, name)
    fields = _fields(text)
    if "data file" in fields or "datafile" in fields:
        raise detached(name)
    shape = require_shape(whole_numbers(fields.get("sizes", ""), "sizes", name) or [0], name)
    affine_lps = require_affine(_affine_lps(fields, name), name)
    dtype = _value_type(fields, name)
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    encoding = fields.get("encoding", "")
    if encoding in ("gzip", "gz"):
        data = unpacked(data, size, 31, name)
    elif encoding != "raw":
        raise StudyRejectedError(
            Code.UNSUPPORTED_FORMAT, "NRRD is read in raw or gzip encoding.", file=name
        )
    values = voxels(data, shape, dtype, name)
    require_finite(values, name)
    sha256 = hashlib.sha256(content).hexdigest()
    return ImageFile(name=name, values=values, affine_lps=affine_lps, sha256=sha256)


def _fields(text: str) -> dict[str, str]:
    pairs = (line.split(": ", 1) for line in text.splitlines()[1:] if not line.startswith("#"))
    return {p[0].strip().lower(): p[1].strip() for p in pairs if len(p) == 2 and ":=" not in p[0]}


def _affine_lps(fields: dict[str, str], name: str) -> Float[np.ndarray, "4 4"]:
    space = fields.get("space", "").lower()
    if space not in _TO_LPS or "space directions" not in fields or "space origin" not in fields:
        raise StudyRejectedError(
            Code.GEOMETRY_MISSING,
            "space, space directions and space origin must say where the voxels lie.",
            file=name,
        )
    vectors = re.findall(r"\(([^)]*)\)", fields["space directions"])
    if len(vectors) != 3:
        raise StudyRejectedError(
            Code.GEOMETRY_INVALID, "space directions must hold three vectors.", file=name
        )
    affine = np.eye(4)
    for axis, vector in enumerate(vectors):
        affine[:3, axis] = numbers(vector, "space directions", 3, name)
    affine[:3, 3] = numbers(fields["space origin"].strip("()"), "space origin", 3, name)
    x, y = _TO_LPS[space]
    return np.diag([x, y, 1.0, 1.0]) @ affine


def _value_type(fields: dict[str, str], name: str) -> np.dtype[np.generic]:
    kind = next((k for k, names in _TYPES.items() if fields.get("type") in names), None)
    if kind is None:
        raise StudyRejectedError(
            Code.UNSUPPORTED_FORMAT, "The NRRD data type is not read.", file=name
        )
    endian = fields.get("endian", "")
    if kind[1] != "1" and endian not in ("little", "big"):
        raise malformed("endian must be little or big.", name)
    return np.dtype(kind).newbyteorder(">" if endian == "big" else "<")
