"""A CSV table of many patients: one row a case, one column a field of the findings document."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import TYPE_CHECKING, Any

from netseg.allocate.document import FIELDS, FindingsRejectedError, parse_case
from netseg.allocate.kinds import did_you_mean
from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from netseg.domain.clinical import ClinicalFindings

TEXT_FIELDS = frozenset({"primary_part", "histology_text"})
_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?")
_NOTHING = frozenset({"", "null"})


def read_clinical_table(path: Path) -> Mapping[str, ClinicalFindings]:
    """Findings by case.

    An empty cell is unknown. Nested values stand as JSON (`[1, 3]`, `{"below": 2}`). Nothing
    becomes a default: what cannot be read is refused with its row.

    Args:
        path: UTF-8 CSV, comma as separator, with a `case` column.

    Raises:
        StudyRejectedError: TABLE_ENCODING, TABLE_VALUE, TABLE_DUPLICATE, NO_INPUT.
    """
    rows = list(csv.reader(io.StringIO(_text(path)), strict=True))
    if not rows:
        raise _refused(path, 1, "the table is empty; a header with `case` is expected.")
    header = [name.strip() for name in rows[0]]
    _check_header(path, header)
    found: dict[str, ClinicalFindings] = {}
    first_row: dict[str, int] = {}
    for number, row in enumerate(rows[1:], start=2):
        if not any(cell.strip() for cell in row):
            continue
        case, findings = _row(path, number, header, row)
        if case in found:
            raise StudyRejectedError(
                Code.TABLE_DUPLICATE,
                f"case {case!r} stands in row {first_row[case]} and in row {number}.",
                file=path.name,
                detail={"case": case, "rows": [first_row[case], number]},
                hint="Keep one row per case.",
            )
        found[case], first_row[case] = findings, number
    return found


def _text(path: Path) -> str:
    if not path.is_file():
        raise StudyRejectedError(
            Code.NO_INPUT, "the clinical table is not there.", file=path.name, hint="Name a CSV."
        )
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as problem:
        raise StudyRejectedError(
            Code.TABLE_ENCODING,
            f"byte {problem.start} is not UTF-8 ({problem.reason}).",
            file=path.name,
            hint='Save the table as "CSV UTF-8".',
        ) from problem


def _check_header(path: Path, header: list[str]) -> None:
    if len(header) == 1 and ";" in header[0]:
        raise _refused(path, 1, "the columns are separated by ';', a comma is expected.")
    if "case" not in header:
        raise _refused(path, 1, f"no `case` column among {header}.")
    for name in header:
        if name != "case" and name not in FIELDS:
            advice = did_you_mean(name, list(FIELDS)) or "see the fields of the findings document"
            raise _refused(path, 1, f"unknown column {name!r}; {advice}.", name)
        if header.count(name) > 1:
            raise _refused(path, 1, f"the column {name!r} stands twice.", name)


def _row(
    path: Path, number: int, header: list[str], row: list[str]
) -> tuple[str, ClinicalFindings]:
    if len(row) != len(header):
        sentence = f"{len(row)} cells, the header has {len(header)}; is there a decimal comma?"
        raise _refused(path, number, sentence)
    cells = dict(zip(header, (cell.strip() for cell in row), strict=True))
    case = cells.pop("case")
    if not case:
        raise _refused(path, number, "the row names no case.", "case")
    document = {
        name: _cell(path, number, name, cell)
        for name, cell in cells.items()
        if cell.lower() not in _NOTHING
    }
    try:
        return case, parse_case(document, file=path.name)
    except FindingsRejectedError as problem:
        raise StudyRejectedError(
            Code.TABLE_VALUE,
            f"row {number}, case {case!r}: " + " ".join(e.message for e in problem.errors),
            file=path.name,
            detail={"row": number, "case": case, "fields": [e.field for e in problem.errors]},
            hint=problem.notice.hint,
        ) from problem


def _cell(path: Path, number: int, name: str, cell: str) -> Any:
    """The cell in JSON types; text that is no number, boolean or JSON stays text."""
    if name in TEXT_FIELDS:
        return cell
    if cell in {"true", "false"}:
        return cell == "true"
    if _NUMBER.fullmatch(cell):
        return float(cell) if any(sign in cell for sign in ".eE") else int(cell)
    if cell[0] in "[{":
        try:
            return json.loads(cell)
        except ValueError as problem:
            raise _refused(
                path, number, f"{name}: {cell!r} is no JSON ({problem}).", name
            ) from problem
    return cell


def _refused(path: Path, row: int, sentence: str, column: str | None = None) -> StudyRejectedError:
    return StudyRejectedError(
        Code.TABLE_VALUE,
        f"row {row}: {sentence}",
        file=path.name,
        detail={"row": row, "column": column},
        hint="Correct the table; an empty cell means unknown.",
    )
