"""Writes small NIfTI files, and spoils their headers byte by byte."""

from __future__ import annotations

import gzip
import struct
from typing import TYPE_CHECKING

import nibabel
import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

FIELDS = {
    "dim": (40, "8h"), "datatype": (70, "h"), "bitpix": (72, "h"), "pixdim": (76, "8f"),
    "vox_offset": (108, "f"), "scl_slope": (112, "f"), "scl_inter": (116, "f"),
    "xyzt_units": (123, "B"), "qform_code": (252, "h"), "sform_code": (254, "h"),
    "quatern_b": (256, "f"), "srow_x": (280, "4f"), "magic": (344, "4s"),
}  # fmt: skip


def hounsfield(shape: tuple[int, int, int] = (12, 10, 8)) -> np.ndarray:
    """A box of soft tissue in air."""
    values = np.full(shape, -1000, np.int16)
    values[2:-2, 2:-2, :] = 50
    return values


def ras(spacing_mm: tuple[float, float, float] = (2.0, 2.0, 3.0)) -> np.ndarray:
    affine = np.diag([*spacing_mm, 1.0])
    affine[:3, 3] = 10, -20, 30
    return affine


def write_nifti(
    path: Path,
    values: np.ndarray | None = None,
    affine: np.ndarray | None = None,
    *,
    endian: str = "<",
    **fields: object,
) -> Path:
    """A scan in mm with equal qform and sform; `fields` then overwrite the header's bytes."""
    values = hounsfield() if values is None else values
    affine = ras() if affine is None else affine
    image = nibabel.Nifti1Image(values, affine, nibabel.Nifti1Header(endianness=endian))
    image.header.set_data_dtype(values.dtype)
    image.header.set_xyzt_units("mm")
    image.set_sform(affine, code=1)
    image.set_qform(affine, code=1)
    plain = bytearray(image.to_bytes())
    for name, value in fields.items():
        offset, form = FIELDS[name]
        parts = value if isinstance(value, tuple) else (value,)
        struct.pack_into(endian + form, plain, offset, *parts)
    path.write_bytes(gzip.compress(bytes(plain)) if path.name.endswith(".gz") else bytes(plain))
    return path
