"""Files of a batch: `status.json`, `summary.csv`, `errors.jsonl`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netseg.export.atomic import make_folder, write_atomically
from netseg.export.document import to_json_line, write_document
from netseg.export.status import batch_status_document, error_document
from netseg.export.table import SUMMARY_COLUMNS, to_csv

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from netseg.domain import Notice
    from netseg.export.status import State


def write_batch(
    folder: Path,
    studies: Mapping[str, State],
    rows: Iterable[Mapping[str, Any]],
    errors: Mapping[str, Sequence[Notice]],
) -> None:
    """Write a batch's three files.

    Args:
        folder: The batch's output folder; created when absent.
        studies: State by case.
        rows: Rows of `summary.csv`, from `summary_row` for studies that were processed; a
            rejected study has "case" and "state" alone.
        errors: Why studies were rejected, by case.

    Raises:
        EnvironmentFaultError: DISK_FULL or OUTPUT_UNWRITABLE.
    """
    make_folder(folder)
    counted = [{"errors": len(errors.get(row["case"], ())), **row} for row in rows]
    counted.sort(key=lambda row: str(row["case"]))
    lines = [to_json_line(error_document(c, e)) for c in sorted(errors) for e in errors[c]]
    for name, content in (
        ("summary.csv", to_csv(SUMMARY_COLUMNS, counted)),
        ("errors.jsonl", b"".join(lines)),
    ):
        with write_atomically(folder / name) as file:
            file.write(content)
    write_document(folder / "status.json", batch_status_document(studies))
