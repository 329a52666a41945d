"""One study or a batch: which cases a path holds."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError, UsageError
from netseg.study.dicom_header import quiet_pydicom, read_header
from netseg.study.files import STUDY_FILE, image_suffix, is_dicom, stem

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_MANIFEST_COLUMNS = ("case", "path")


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundStudy:
    """One case of a run.

    Attributes:
        case_id: Its name; the child's or file's own name, or the manifest's.
        path: Where it lies.
    """

    case_id: str
    path: Path


def find_studies(
    path: Path, how: Literal["auto", "one", "many"] = "auto"
) -> tuple[FoundStudy, ...]:
    """The cases of a path, in the order of their names.

    A batch is a manifest (a .csv with the columns case and path), or a folder that has no image
    and no study.yaml of its own and whose children (folders and image files) are studies. Anything
    else is one study. Children that together are one DICOM examination, by their
    StudyInstanceUID, are its series and not a batch; a single child folder is a batch only if it
    holds a study.yaml. A child that turns out to be no study is refused when it is read.

    Args:
        path: File or folder.
        how: "one" and "many" overrule the rule.

    Raises:
        StudyRejectedError: NO_INPUT if the path does not exist or a batch is empty.
        UsageError: If a manifest cannot be read, names a case twice or holds nothing.
    """
    if not path.exists():
        raise StudyRejectedError(
            Code.NO_INPUT, "The input path does not exist.", hint="Check -i/--input."
        )
    if path.is_file() and path.suffix.lower() == ".csv" and how != "one":
        return _manifest(path)
    if how == "one" or path.is_file():
        return (_study(path),)
    children = _children(path)
    if how == "many":
        children = sorted([*children, *(f for f in path.iterdir() if _is_image(f))])
        if not children:
            raise StudyRejectedError(Code.NO_INPUT, "The folder holds no study.")
        return tuple(_study(c) for c in children)
    if _has_own_image(path) or not children or _is_one_study(children):
        return (_study(path),)
    return tuple(_study(c) for c in children)


def _study(path: Path) -> FoundStudy:
    resolved = path.resolve()
    return FoundStudy(case_id=stem(resolved) if path.is_file() else resolved.name, path=path)


def _children(path: Path) -> list[Path]:
    """Sub-folders. Image files beside each other are children only if the user says "many"."""
    visible = sorted(c for c in path.iterdir() if not c.name.startswith("."))
    return [c for c in visible if c.is_dir() and not c.is_symlink()]


def _has_own_image(path: Path) -> bool:
    files = [c for c in sorted(path.iterdir()) if c.is_file() and c.stat().st_size > 0]
    return any(f.name == STUDY_FILE or _is_image(f) or _is_dicom(f) for f in files)


def _is_image(file: Path) -> bool:
    return file.is_file() and not file.name.startswith(".") and image_suffix(file) is not None


def _is_one_study(children: list[Path]) -> bool:
    if any((c / STUDY_FILE).is_file() for c in children):
        return False
    if len(children) == 1:
        return True
    uids = {_study_uid(c) for c in children}
    return len(uids) == 1 and None not in uids


def _study_uid(folder: Path) -> str | None:
    """Study and patient of the first DICOM file below `folder`; None where there is none."""
    for file in sorted(p for p in folder.rglob("*") if p.is_file() and p.stat().st_size > 0):
        if not _is_dicom(file):
            continue
        try:
            header = read_header(file, file.name)
        except StudyRejectedError:
            continue
        with quiet_pydicom():
            uid, patient = header.text("StudyInstanceUID"), header.text("PatientID")
        return f"{uid} {patient}" if uid else None
    return None


def _is_dicom(file: Path) -> bool:
    try:
        return is_dicom(file, file.name)
    except StudyRejectedError:
        return True  # it says so itself; reading will refuse it by name


def _manifest(path: Path) -> tuple[FoundStudy, ...]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            columns = tuple(reader.fieldnames or ())
            rows = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError(
            Code.TABLE_ENCODING, "The manifest must be a CSV in UTF-8.", file=path.name
        ) from error
    if not set(_MANIFEST_COLUMNS) <= set(columns):
        raise UsageError(
            Code.TABLE_VALUE,
            f"A manifest has the columns case and path; found {', '.join(columns) or 'none'}.",
            file=path.name,
        )
    studies = tuple(_row(row, number, path) for number, row in enumerate(rows, start=2))
    if not studies:
        raise UsageError(Code.TABLE_MISSING, "The manifest names no study.", file=path.name)
    _require_different((s.case_id for s in studies), path.name)
    return studies


def _row(row: dict[str, str | None], line: int, manifest: Path) -> FoundStudy:
    case, where = (row.get(c) or "" for c in _MANIFEST_COLUMNS)
    if not case.strip() or not where.strip():
        raise UsageError(Code.TABLE_VALUE, f"Line {line} lacks case or path.", file=manifest.name)
    return FoundStudy(case_id=case.strip(), path=manifest.parent / where.strip())


def _require_different(cases: Iterable[str], name: str) -> None:
    seen: set[str] = set()
    for case in cases:
        if case in seen:
            raise UsageError(
                Code.TABLE_DUPLICATE, "A case stands twice in the manifest.", file=name
            )
        seen.add(case)
