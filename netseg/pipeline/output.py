"""A study's folder: all of it or none of it."""

from __future__ import annotations

import json
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from netseg.allocate import allocation_document, combine, findings_document
from netseg.domain import Code, EnvironmentFaultError
from netseg.export import (
    RunRecord,
    lesions_csv,
    make_folder,
    require_no_secrets,
    run_document,
    state_of,
    status_document,
    write_atomically,
    write_document,
    write_image,
    write_results,
)
from netseg.pipeline.clinical import told_by_images
from netseg.report import write_report

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from netseg.domain import Findings, Notice, Segmentation, Study
    from netseg.domain.result import StudyResult


def write_study(
    result: StudyResult,
    folder: Path,
    *,
    started_at: str,
    station_wall_s: dict[str, float],
    settings: dict[str, Any],
) -> None:
    """Write everything about one study; an older result is replaced in one step.

    Args:
        result: What the stations said.
        folder: `OUT/<case>`.
        started_at: When the study began, ISO 8601 in UTC.
        station_wall_s: Wall seconds by station.
        settings: Facts of the run for `run.json`: device, fingerprint, summary.

    Raises:
        StudyRejectedError: If an output would hold an identifier of the patient.
        EnvironmentFaultError: If the output cannot be written.
    """
    documents = {
        "findings": findings_document(result.clinical),
        "allocation": allocation_document(result.allocation),
    }
    with staged(folder) as part:
        write_results(result, part, documents)
        write_report(result, part)
        status = _status(result.study, result.segmentation, result.warnings)
        write_document(part / "status.json", status)
        require_no_secrets(part, result.study.secrets)
        record = RunRecord(
            started_at=started_at,
            station_wall_s=station_wall_s,
            device=str(settings["device"]),
            provenance=result.provenance,
            settings=settings,
        )
        write_document(part / "run.json", run_document(record, part))


def write_segmentation(
    study: Study, segmentation: Segmentation, findings: Findings, folder: Path
) -> None:
    """Write what `netseg segment` answers: masks, probabilities, lesions and their measures.

    Raises:
        StudyRejectedError: If an output would hold an identifier of the patient.
        EnvironmentFaultError: If the output cannot be written.
    """
    warnings = (*study.warnings, *segmentation.warnings, *findings.warnings)
    with staged(folder) as part:
        for name, image in (
            ("liver", segmentation.liver),
            ("lesions", segmentation.lesions),
            ("lesion_probability", segmentation.lesion_probability),
            ("segments", segmentation.segments),
        ):
            if image is not None:
                write_image(part / f"{name}.nii.gz", image)
        with write_atomically(part / "lesions.csv") as file:
            file.write(lesions_csv(findings))
        clinical = told_by_images(combine(None, findings, None), study, segmentation, findings)
        write_document(part / "findings.json", findings_document(clinical))
        write_document(part / "status.json", _status(study, segmentation, warnings))
        require_no_secrets(part, study.secrets)


def write_plan(result: StudyResult, folder: Path) -> None:
    """Write what `netseg plan` answers: needles, predicted zone and margin, masks they rest on.

    Raises:
        StudyRejectedError: If an output would hold an identifier of the patient.
        EnvironmentFaultError: If the output cannot be written.
    """
    with staged(folder) as part:
        write_results(result, part, {})
        status = _status(result.study, result.segmentation, result.warnings)
        write_document(part / "status.json", status)
        require_no_secrets(part, result.study.secrets)


def write_rejection(folder: Path, notice: Notice, warnings: tuple[Notice, ...] = ()) -> None:
    """Say why a study was rejected; results of an earlier run do not stay beside it."""
    with staged(folder) as part:
        write_document(part / "status.json", status_document("rejected", (notice,), warnings))


def kept_row(folder: Path, fingerprint: str) -> dict[str, Any] | None:
    """The summary of an earlier run's results, if they are whole and of the same making.

    Args:
        folder: `OUT/<case>`.
        fingerprint: Hash over input, configuration, clinical facts and version.

    Returns:
        The study's row of the batch's table; None if the study must be processed.
    """
    try:
        run = json.loads((folder / "run.json").read_text())
        same = run["settings"]["fingerprint"] == fingerprint
        whole = all((folder / f["file"]).stat().st_size == f["bytes"] for f in run["files"])
        row = run["settings"]["summary"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return row if same and whole else None


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """A folder that appears at `folder` when its content is complete, and replaces an older one.

    Raises:
        EnvironmentFaultError: If the output cannot be written.
    """
    part = folder.with_name(f".{folder.name}.part")
    old = folder.with_name(f".{folder.name}.old")
    try:
        shutil.rmtree(part, ignore_errors=True)
        make_folder(part)
        yield part
        shutil.rmtree(old, ignore_errors=True)
        if folder.exists():
            folder.rename(old)
        part.rename(folder)
    except OSError as error:
        raise EnvironmentFaultError(
            Code.OUTPUT_UNWRITABLE,
            f"{folder.name} could not be written: {error.strerror or type(error).__name__}.",
            hint="Check that the output folder exists and may be written to.",
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def _status(
    study: Study, segmentation: Segmentation, warnings: tuple[Notice, ...]
) -> dict[str, Any]:
    factors = [s.suv_factor for s in study.series if s.suv_factor is not None]
    return status_document(
        state_of((), warnings),
        (),
        warnings,
        segmentation.lesions.grid,
        factors[0] if factors else None,
    )
