"""A heap of DICOM files to the series of one patient."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.study.dicom_header import quiet_pydicom, read_header
from netseg.study.dicom_series import group, read_series
from netseg.study.privacy import identifiers

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from netseg.domain.study import Series
    from netseg.study.dicom_header import Header
    from netseg.study.remarks import Remarks


def read_dicom_study(root: Path, paths: Sequence[Path], remarks: Remarks) -> tuple[Series, ...]:
    """Read all series of one patient.

    Args:
        root: Folder the names in messages are relative to.
        paths: DICOM files of any series and kind.
        remarks: Takes warnings and the identifiers met.

    Raises:
        StudyRejectedError: PATIENT_MISMATCH, and what `read_series` refuses.
    """
    with quiet_pydicom():  # tags are parsed when they are asked for, not when they are read
        return _read(root, paths, remarks)


def _read(root: Path, paths: Sequence[Path], remarks: Remarks) -> tuple[Series, ...]:
    headers = [read_header(path, path.relative_to(root).as_posix()) for path in paths]
    for header in headers:
        remarks.secrets.update(identifiers(header))
    _require_one_patient(headers)
    studies = {h.text("StudyInstanceUID") for h in headers} - {""}
    series = read_series(group(headers), remarks)
    if len(studies) > 1:
        remarks.warn(
            Code.STUDY_MISMATCH,
            f"Series of {len(studies)} examinations of one patient lie together; only those of one "
            "frame of reference are ever compared without a registration.",
            detail={"studies": len(studies)},
        )
    return series


def _require_one_patient(headers: Sequence[Header]) -> None:
    """Refuse two patients: other ids, other birth dates, or other names where there is no id.

    Raises:
        StudyRejectedError: PATIENT_MISMATCH.
    """
    for what in ("PatientID", "PatientBirthDate"):
        if _how_many(headers, what) > 1:
            raise _two_patients(_how_many(headers, what), what)
    nameless = [h for h in headers if not h.text("PatientID")]
    if nameless and _how_many(headers, "PatientName") > 1:
        raise _two_patients(_how_many(headers, "PatientName"), "PatientName")


def _how_many(headers: Sequence[Header], keyword: str) -> int:
    return len({" ".join(re.findall(r"\w+", h.text(keyword).lower())) for h in headers} - {""})


def _two_patients(count: int, tag: str) -> StudyRejectedError:
    return StudyRejectedError(
        Code.PATIENT_MISMATCH,
        f"The files name {count} patients (different {tag}); one study belongs to one patient.",
        detail={"patients": count, "tag": tag},
        hint="Give one patient's folder, or use --many for a folder of studies.",
    )
