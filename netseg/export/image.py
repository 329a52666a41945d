"""Masks and label maps as NIfTI files with reproducible bytes."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import numpy as np

from netseg.domain import LabelMap, Mask, Volume
from netseg.export.atomic import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

COMPRESSION = 3  # masks shrink a hundredfold already; higher levels only cost time


def write_image(path: Path, image: Volume | Mask | LabelMap) -> None:
    """Write `image` as `.nii.gz`, whole or not at all.

    Label maps take the smallest unsigned type that holds them. The gzip header carries neither a
    name nor a time, so that the same voxels are the same bytes.
    """
    from netseg.geometry.nifti import to_nifti

    if isinstance(image, LabelMap):
        image = compact(image)
    content = to_nifti(image).to_bytes()
    with (
        write_atomically(path) as file,
        gzip.GzipFile("", "wb", compresslevel=COMPRESSION, fileobj=file, mtime=0) as packed,
    ):
        packed.write(content)


def compact(labels: LabelMap) -> LabelMap:
    """The same labels in uint8 where they fit, else uint16.

    Raises:
        ValueError: If a label exceeds 65535.
    """
    highest = int(labels.labels.max(initial=0))
    if highest > np.iinfo(np.uint16).max:
        raise ValueError(f"labels up to 65535 can be written; got {highest}.")
    kind = np.uint8 if highest <= np.iinfo(np.uint8).max else np.uint16
    return LabelMap(labels.labels.astype(kind), labels.grid, labels.names)
