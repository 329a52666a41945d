"""A volume of DICOM slices that share nothing but a folder, and PNG pictures drawn on them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from netseg.domain import Code, Modality, StudyRejectedError
from netseg.study.remarks import Remarks

if TYPE_CHECKING:
    from pathlib import Path

    from jaxtyping import Float, Shaped

    from netseg.study.dicom_geometry import Stack
    from netseg.study.dicom_header import Header


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Placed:
    """Numbers and where they lie.

    Attributes:
        name: File or folder, for messages.
        values: Indexed (i, j, k).
        affine_lps: Voxel index to LPS millimetres.
        sha256: Hash of the bytes they came from.
    """

    name: str
    values: Shaped[np.ndarray, "i j k"]
    affine_lps: Float[np.ndarray, "4 4"]
    sha256: str


def read_slices(folder: Path, modality: Modality) -> Placed:
    """All DICOM slices of a folder as one volume; series UIDs play no part.

    Raises:
        StudyRejectedError: What the station `study` refuses of a series.
    """
    from netseg.study.dicom_header import quiet_pydicom
    from netseg.study.dicom_pixels import read_pixels

    with quiet_pydicom():
        found = _stack(folder)
        values, sha256 = read_pixels(found, modality, Remarks())
    return Placed(name=_short(folder), values=values, affine_lps=found.affine_lps, sha256=sha256)


def read_pictures(folder: Path, slices: Path) -> Placed:
    """PNG pictures on the grid of the DICOM slices they were drawn on.

    A picture belongs to the slice whose name it has. Where no name is shared, both are taken in the
    order of their names, and only if the slices' instance numbers run in that order too.

    Raises:
        StudyRejectedError: GRID_MISMATCH for another number or size, AMBIGUOUS_SLICES if the order
            of names is not that of the instance numbers, CORRUPT_FILE for a broken picture.
    """
    from netseg.study.dicom_header import quiet_pydicom

    with quiet_pydicom():
        found = _stack(folder=slices)
        picture_of = _picture_of(folder, found)
    digest = hashlib.sha256()
    values = np.zeros(found.shape, np.uint8)
    for k, header in enumerate(found.slices):
        path = picture_of[header.path.name]
        digest.update(path.read_bytes())
        picture = _greys(path)
        if picture.shape != found.shape[1::-1]:
            raise StudyRejectedError(
                Code.GRID_MISMATCH,
                f"The picture has {picture.shape[1]}x{picture.shape[0]} pixels, its slice "
                f"{found.shape[0]}x{found.shape[1]}.",
                file=path.name,
            )
        values[:, :, k] = picture.T
    return Placed(
        name=_short(folder),
        values=values,
        affine_lps=found.affine_lps,
        sha256=digest.hexdigest(),
    )


def _stack(folder: Path) -> Stack:
    from netseg.study.dicom_geometry import stack
    from netseg.study.dicom_header import read_header
    from netseg.study.dicom_pixels import same_image

    paths = sorted(p for p in folder.glob("*.dcm") if not p.name.startswith("."))
    return stack([read_header(path, path.name) for path in paths], same_image)


def _picture_of(folder: Path, found: Stack) -> dict[str, Path]:
    pictures = sorted(p for p in folder.glob("*.png") if not p.name.startswith("."))
    headers = sorted(found.slices, key=lambda header: header.path.name)
    if len(pictures) != len(headers):
        raise StudyRejectedError(
            Code.GRID_MISMATCH,
            f"{len(pictures)} pictures for {len(headers)} slices; one each is expected.",
            file=_short(folder),
        )
    stems = {p.stem: p for p in pictures}
    if all(h.path.stem in stems for h in headers):
        return {h.path.name: stems[h.path.stem] for h in headers}
    _require_one_order(headers, folder)
    return {h.path.name: p for h, p in zip(headers, pictures, strict=True)}


def _require_one_order(headers: list[Header], folder: Path) -> None:
    numbers = [h.whole("InstanceNumber") for h in headers]
    known = [n for n in numbers if n is not None]
    if len(known) < len(numbers) or known != sorted(known) or len(set(known)) < len(known):
        raise StudyRejectedError(
            Code.AMBIGUOUS_SLICES,
            "The pictures are not named like the slices, and the slices' names and instance numbers "
            "run in different orders: nothing tells which picture belongs to which slice.",
            file=_short(folder),
        )


def _greys(path: Path) -> Shaped[np.ndarray, "rows columns"]:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            picture: Any = np.asarray(image)
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise StudyRejectedError(
            Code.CORRUPT_FILE, "The picture cannot be read.", file=path.name
        ) from error
    if picture.ndim != 2:
        raise StudyRejectedError(
            Code.NOT_MONOCHROME, f"A grey picture is expected; got {picture.shape}.", file=path.name
        )
    return picture.astype(np.uint8)


def _short(folder: Path) -> str:
    return "/".join(folder.parts[-3:])
