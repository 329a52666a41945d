"""Which files of a folder can hold images: links, failed copies and bystanders told apart."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netseg.study.remarks import Remarks

NIFTI = (".nii", ".nii.gz")
NRRD = (".nrrd",)
META = (".mha",)
DETACHED = (".mhd", ".nhdr", ".hdr", ".img")
"""Headers whose voxels lie in another file, which could be any file of the machine."""
IMAGES = NIFTI + NRRD + META + DETACHED
DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")
STUDY_FILE = "study.yaml"

_BYSTANDER_NAMES = {"dicomdir", "readme", "license", "version", "thumbs.db", "lockfile"}
_BYSTANDER_SUFFIXES = {
    ".bmp", ".bat", ".cfg", ".css", ".csv", ".db", ".doc", ".docx", ".exe", ".gif", ".htm", ".html",
    ".inf", ".ini", ".jar", ".jpeg", ".jpg", ".js", ".json", ".log", ".md", ".md5", ".pdf", ".png",
    ".ps", ".rtf", ".sha256", ".svg", ".tif", ".tiff", ".toml", ".tsv", ".txt", ".xls", ".xlsx",
    ".xml", ".yaml", ".yml", ".zip",
}  # fmt: skip
_FIRST_TAGS = (b"\x08\x00", b"\x02\x00", b"\x00\x08", b"\x00\x02")


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFiles:
    """What a folder holds.

    Attributes:
        root: The folder.
        dicom: DICOM files, sorted by name.
        images: Image files of other formats, sorted by name.
    """

    root: Path
    dicom: tuple[Path, ...]
    images: tuple[Path, ...]


def image_suffix(path: Path) -> str | None:
    """The suffix by which netseg knows an image file that is not DICOM; None for other names."""
    name = path.name.lower()
    return next((s for s in sorted(IMAGES, key=len, reverse=True) if name.endswith(s)), None)


def stem(path: Path) -> str:
    """The file's name without the image suffix: "p01" for p01.nii.gz."""
    suffix = image_suffix(path)
    return path.name[: -len(suffix)] if suffix else path.stem


def look_through(root: Path, remarks: Remarks) -> FoundFiles:
    """Sort the files below `root`; links that leave it are named and not followed.

    Raises:
        StudyRejectedError: EMPTY_FILE for a file of zero bytes that could have been an image,
            MALFORMED_HEADER for a file called .dcm that is no DICOM.
    """
    dicom: list[Path] = []
    images: list[Path] = []
    for path in _regular_files(root, remarks):
        if _is_bystander(path):
            continue
        name = path.relative_to(root).as_posix()
        if path.stat().st_size == 0:
            raise empty_file(name)
        if image_suffix(path) and not _has_magic(path):
            images.append(path)
        elif is_dicom(path, name):
            dicom.append(path)
        elif b"\x00" in _head(path):
            remarks.warn(
                Code.UNSUPPORTED_FORMAT,
                "A binary file that is no image netseg reads was left out.",
                file=name,
            )
    return FoundFiles(root=root, dicom=tuple(dicom), images=tuple(images))


def is_dicom(path: Path, name: str) -> bool:
    """Whether the file is DICOM, by its content; a preamble may be missing.

    Raises:
        StudyRejectedError: MALFORMED_HEADER if the name says DICOM and the content does not.
    """
    if _has_magic(path):
        return True
    head = _head(path)
    if head[:2] in _FIRST_TAGS and len(head) >= 16 and b"\x00" in head[:8]:
        return True
    if path.suffix.lower() in DICOM_SUFFIXES:
        raise StudyRejectedError(
            Code.MALFORMED_HEADER,
            f"The file is called {path.suffix} but holds no DICOM data; expected DICM at byte 128.",
            file=name,
            hint="Copy the file again from its source.",
        )
    return False


def empty_file(name: str) -> StudyRejectedError:
    """The refusal of a file of zero bytes."""
    return StudyRejectedError(
        Code.EMPTY_FILE,
        "The file has 0 bytes: a failed copy. What it should hold is missing.",
        file=name,
        detail={"size_bytes": 0},
        hint="Copy the study again from its source.",
    )


def require_inside(path: Path, root: Path, name: str) -> Path:
    """The resolved path, if it lies below `root`.

    Raises:
        StudyRejectedError: PATH_OUTSIDE_ROOT otherwise.
    """
    resolved = path.resolve()
    if not resolved.is_relative_to(root.resolve()):
        raise StudyRejectedError(
            Code.PATH_OUTSIDE_ROOT,
            "The file lies outside the study's folder; every file of a study must lie in it.",
            file=name,
            hint="Move the file into the study's folder.",
        )
    return resolved


def _regular_files(root: Path, remarks: Remarks) -> Iterator[Path]:
    """Regular files below `root` in the order of their names; links inside it are followed."""
    inside = root.resolve()
    for folder, folders, files in os.walk(root, followlinks=False):
        folders.sort()
        for name in [n for n in folders if (Path(folder) / n).is_symlink()]:
            _ignore_link(Path(folder) / name, root, remarks)
        for name in sorted(files):
            path = Path(folder) / name
            if path.is_symlink() and not _leads_inside(path, inside):
                _ignore_link(path, root, remarks)
            elif path.is_file():
                yield path


def _leads_inside(link: Path, inside: Path) -> bool:
    try:
        return link.resolve(strict=True).is_relative_to(inside)
    except (OSError, RuntimeError):  # dangling, or a loop
        return False


def _ignore_link(path: Path, root: Path, remarks: Remarks) -> None:
    remarks.warn(
        Code.SYMLINK_IGNORED,
        "A link to a folder, or to something outside the study's folder, was not followed.",
        file=path.relative_to(root).as_posix(),
        hint="Copy the files themselves into the study's folder.",
    )


def _is_bystander(path: Path) -> bool:
    name = path.name.lower()
    return (
        name.startswith(".")
        or name in _BYSTANDER_NAMES
        or (path.suffix.lower() in _BYSTANDER_SUFFIXES and not _has_magic(path))
    )


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(1024)


def _has_magic(path: Path) -> bool:
    return _head(path)[128:132] == b"DICM"
