"""Image files without a DICOM header: one way in for NIfTI, NRRD and MetaImage."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.study.files import DETACHED, META, NIFTI, NRRD, empty_file, image_suffix

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jaxtyping import Float, Shaped

    from netseg.domain.errors import Notice

MAX_VOXELS = 1_500_000_000
"""More than the largest clinical CT that was met (1504 x 1504 x 561)."""
LEAST_SLICES = 5
_PERPENDICULAR = 2e-4  # largest cosine between two axes, 0.01 degrees, as Grid.is_orthogonal
_SPACING_RANGE_MM = (0.05, 50.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageFile:
    """Numbers and their place as one file states them, before they mean anything.

    Attributes:
        name: The file's name for messages.
        values: Numbers indexed (i, j, k), value scaling applied.
        affine_lps: Voxel index to LPS millimetres.
        sha256: Hash of the file's bytes.
        notices: What its header left open.
    """

    name: str
    values: Shaped[np.ndarray, "i j k"]
    affine_lps: Float[np.ndarray, "4 4"]
    sha256: str
    notices: tuple[Notice, ...] = ()

    @property
    def derived_frame_uid(self) -> str:
        """A frame of reference named by the file's content, for files that know none."""
        return uid_from(f"content {self.sha256}")


def read_image_file(path: Path, name: str | None = None) -> ImageFile:
    """Read NIfTI (.nii, .nii.gz), NRRD (.nrrd) or MetaImage (.mha) with data inside the file.

    Args:
        path: The file.
        name: Its name for messages; the last part of the path when absent.

    Raises:
        StudyRejectedError: NO_INPUT, EMPTY_FILE, PATH_OUTSIDE_ROOT (detached header),
            UNSUPPORTED_FORMAT, and what the format's reader refuses.
    """
    name = name or path.name
    if not path.is_file():
        raise StudyRejectedError(Code.NO_INPUT, "The file does not exist.", file=name)
    if path.stat().st_size == 0:
        raise empty_file(name)
    suffix = image_suffix(path)
    if suffix in NIFTI:
        from netseg.study.nifti import read_nifti

        return read_nifti(path, name)
    if suffix in NRRD:
        from netseg.study.nrrd import read_nrrd

        return read_nrrd(path, name)
    if suffix in META:
        from netseg.study.metaimage import read_metaimage

        return read_metaimage(path, name)
    if suffix in DETACHED:
        raise detached(name)
    raise StudyRejectedError(
        Code.UNSUPPORTED_FORMAT,
        "The file is neither DICOM nor NIfTI, NRRD or MetaImage by its name.",
        file=name,
        hint="Give .nii, .nii.gz, .nrrd, .mha or DICOM.",
    )


def detached(name: str) -> StudyRejectedError:
    """The refusal of a header whose voxels lie in another file."""
    return StudyRejectedError(
        Code.PATH_OUTSIDE_ROOT,
        "The header's voxels lie in another file, and such a header can name any file of the "
        "machine; the data must be inside the file.",
        file=name,
        hint="Save the image as .nii.gz, .nrrd or .mha.",
    )


def uid_from(text: str) -> str:
    """A UID-like name (root 2.25) that follows from `text` and from nothing else."""
    return f"2.25.{int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], 'big')}"


def file_sha256(path: Path) -> str:
    """Hash of the file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def require_shape(shape: Sequence[int], name: str) -> tuple[int, int, int]:
    """The three sizes of one image; trailing sizes of 1 are allowed.

    Raises:
        StudyRejectedError: GEOMETRY_INVALID for sizes below 1, NOT_3D, ALLOCATION_LIMIT.
    """
    found = [int(n) for n in shape]
    detail = {"shape": found}
    if any(n < 1 for n in found):
        raise StudyRejectedError(
            Code.GEOMETRY_INVALID,
            f"Image sizes must be positive; got {found}.",
            file=name,
            detail=detail,
        )
    while len(found) > 3 and found[-1] == 1:
        found.pop()
    if len(found) != 3:
        raise StudyRejectedError(
            Code.NOT_3D,
            f"One three-dimensional image is expected; the file holds sizes {found}.",
            file=name,
            detail=detail,
            hint="Save each phase or time point as a file of its own.",
        )
    i, j, k = found
    if i * j * k > MAX_VOXELS:
        raise StudyRejectedError(
            Code.ALLOCATION_LIMIT,
            f"The header announces {i} x {j} x {k} voxels; at most {MAX_VOXELS} are read.",
            file=name,
            detail=detail,
        )
    return i, j, k


def require_enough_slices(shape: tuple[int, int, int], name: str) -> None:
    """Refuse a scan of fewer than five voxels along an axis (TOO_FEW_SLICES)."""
    if min(shape) < LEAST_SLICES:
        raise StudyRejectedError(
            Code.TOO_FEW_SLICES,
            f"A volume needs at least {LEAST_SLICES} slices; the image has {min(shape)}.",
            file=name,
            detail={"expected": LEAST_SLICES, "found": min(shape)},
        )


def require_affine(affine: Float[np.ndarray, "4 4"], name: str) -> Float[np.ndarray, "4 4"]:
    """The affine, if it can be the place of voxels in a patient.

    Raises:
        StudyRejectedError: GEOMETRY_INVALID for numbers that are not finite, spacings outside
            0.05 to 50 mm, or axes more than 0.01 degrees off the right angle.
    """
    affine = np.asarray(affine, dtype=np.float64)
    if not np.isfinite(affine).all():
        raise _invalid("The affine holds numbers that are not finite.", name)
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    low, high = _SPACING_RANGE_MM
    if not ((spacing >= low) & (spacing <= high)).all():
        shown = "x".join(f"{s:.4g}" for s in spacing)
        raise _invalid(f"The spacing is {shown} mm; {low} to {high} mm is expected.", name)
    directions = affine[:3, :3] / spacing
    skew = float(np.abs(directions.T @ directions - np.eye(3)).max())
    if skew > _PERPENDICULAR:
        degrees = float(np.degrees(np.arcsin(min(skew, 1.0))))
        raise _invalid(f"The axes are {degrees:.2f} degrees off the right angle.", name)
    return affine


def require_finite(values: Shaped[np.ndarray, "i j k"], name: str) -> None:
    """Refuse NaN and infinite values (NON_FINITE_VALUES)."""
    if np.issubdtype(values.dtype, np.floating):
        bad = int(values.size - np.count_nonzero(np.isfinite(values)))
        if bad:
            raise StudyRejectedError(
                Code.NON_FINITE_VALUES,
                f"{bad} of {values.size} voxels are NaN or infinite.",
                file=name,
                detail={"voxels": bad},
                hint="Replace them in the tool that wrote the file; netseg does not guess values.",
            )


def _invalid(message: str, name: str) -> StudyRejectedError:
    return StudyRejectedError(Code.GEOMETRY_INVALID, message, file=name)
