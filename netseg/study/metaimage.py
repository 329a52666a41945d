"""MetaImage (.mha) with its data inside the file; positions are LPS as ITK writes them."""

from __future__ import annotations

import hashlib
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
    "MET_UCHAR": "u1", "MET_CHAR": "i1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4",
    "MET_UINT": "u4", "MET_FLOAT": "f4", "MET_DOUBLE": "f8",
}  # fmt: skip


def read_metaimage(path: Path, name: str) -> ImageFile:
    """Read one .mha.

    Raises:
        StudyRejectedError: PATH_OUTSIDE_ROOT for a detached header, and what header and data give
            cause for.
    """
    content = path.read_bytes()
    text, rest = header_and_data(content, b"ElementDataFile", name)
    target, _, data = rest.partition(b"\n")
    if target.replace(b"=", b"").strip() != b"LOCAL":
        raise detached(name)
    fields = dict(_pair(line) for line in text.splitlines() if "=" in line)
    shape = require_shape(whole_numbers(fields.get("DimSize", ""), "DimSize", name) or [0], name)
    affine_lps = require_affine(_affine_lps(fields, name), name)
    dtype = _value_type(fields, name)
    if fields.get("CompressedData", "False") == "True":
        data = unpacked(data, int(np.prod(shape, dtype=np.int64)) * dtype.itemsize, 15, name)
    values = voxels(data, shape, dtype, name)
    require_finite(values, name)
    sha256 = hashlib.sha256(content).hexdigest()
    return ImageFile(name=name, values=values, affine_lps=affine_lps, sha256=sha256)


def _pair(line: str) -> tuple[str, str]:
    key, _, value = line.partition("=")
    return key.strip(), value.strip()


def _affine_lps(fields: dict[str, str], name: str) -> Float[np.ndarray, "4 4"]:
    offset = fields.get("Offset", fields.get("Position", fields.get("Origin")))
    matrix = fields.get("TransformMatrix", fields.get("Orientation", fields.get("Rotation")))
    spacing = fields.get("ElementSpacing")
    if offset is None or matrix is None or spacing is None:
        raise StudyRejectedError(
            Code.GEOMETRY_MISSING,
            "Offset, TransformMatrix and ElementSpacing must say where the voxels lie.",
            file=name,
        )
    steps = numbers(spacing, "ElementSpacing", 3, name)
    if (steps <= 0).any():
        raise StudyRejectedError(
            Code.GEOMETRY_INVALID, f"Spacing must be positive; got {steps.tolist()}.", file=name
        )
    affine = np.eye(4)
    directions = numbers(matrix, "TransformMatrix", 9, name).reshape(3, 3).T
    affine[:3, :3] = directions * steps
    affine[:3, 3] = numbers(offset, "Offset", 3, name)
    return affine


def _value_type(fields: dict[str, str], name: str) -> np.dtype[np.generic]:
    kind = _TYPES.get(fields.get("ElementType", ""))
    if kind is None or fields.get("ElementNumberOfChannels", "1") != "1":
        raise StudyRejectedError(
            Code.UNSUPPORTED_FORMAT, "One number per voxel of a plain type is expected.", file=name
        )
    order = fields.get("BinaryDataByteOrderMSB", fields.get("ElementByteOrderMSB", "False"))
    if fields.get("BinaryData", "True") != "True":
        raise malformed("The data must be binary.", name)
    return np.dtype(kind).newbyteorder(">" if order == "True" else "<")
