"""The clinical table: what cannot be read is named with its row and never becomes a default."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from netseg.allocate import read_clinical_table
from netseg.domain.clinical import Ki67
from netseg.domain.errors import StudyRejectedError

if TYPE_CHECKING:
    from pathlib import Path


def table(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    file = folder / "table.csv"
    file.write_bytes(text.encode(encoding))
    return file


def test_rows_become_findings_and_empty_cells_stay_unknown(tmp_path: Path):
    text = (
        "case,primary,ki67,functioning,lesions,primary_part,sstr\r\n"
        'p01,pancreas,2.5,true,"[{""segment"": ""VI"", ""diameter_cm"": 2}]",5,3\r\n'
        'p02,,"[1, 3]",,,,positive\r\n'
        'p03,lung,"{""below"": 2}",false,[],"body, tail",null\r\n'
        "\r\n"
    )
    found = read_clinical_table(table(tmp_path, text))
    assert list(found) == ["p01", "p02", "p03"]
    assert found["p01"].ki67 == Ki67.exactly(2.5)
    assert found["p01"].primary_part == "5"
    assert found["p01"].sstr == 3
    assert found["p02"].primary is None
    assert found["p02"].functioning is None
    assert found["p02"].ki67 == Ki67.between(1, 3)
    assert found["p03"].ki67 == Ki67.below(2)
    assert found["p03"].lesions == ()
    assert found["p03"].primary_part == "body, tail"


def test_a_byte_order_mark_is_no_part_of_the_header(tmp_path: Path):
    assert "a" in read_clinical_table(table(tmp_path, "case,ki67\na,1\n", "utf-8-sig"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("case,ki67\na,1\na,2\n", r"TABLE_DUPLICATE: .*case 'a' stands in row 2 and in row 3"),
        ("case,ki67\na,2,5\n", r"TABLE_VALUE: .*row 2: 3 cells, the header has 2; .*decimal comma"),
        ('case,ki67\na,1\nb,"2,5"\n', r"TABLE_VALUE: .*row 3, case 'b': ki67: '2,5' .* not ','"),
        ("case,ki67\na,high\n", r"TABLE_VALUE: .*row 2, case 'a': ki67: 'high'"),
        ("case,ki67\na,120\n", r"TABLE_VALUE: .*ki67: 120 is not"),
        ("case,ki67\na,nan\n", r"TABLE_VALUE: .*ki67: 'nan' is not"),
        ("case,functioning\na,no\n", r"functioning: 'no' is not true or false"),
        ("case,functioning\na,1\n", r"functioning: 1 is not true or false"),
        ("case,primary\na,ileum\n", r"primary: 'ileum' is not one of"),
        ("case,primry\na,lung\n", r"row 1: unknown column 'primry'; did you mean primary"),
        ("case,ki67,ki67\na,1,2\n", r"row 1: the column 'ki67' stands twice"),
        ("id,ki67\na,1\n", r"row 1: no `case` column"),
        ("case;ki67\na;1\n", r"separated by ';', a comma is expected"),
        ("case,ki67\n,1\n", r"row 2: the row names no case"),
        ("case,lesions\na,[{\n", r"row 2: lesions: .* is no JSON"),
        ("", r"the table is empty"),
    ],
    ids=lambda t: t[:30],
)
def test_every_mistake_is_named_with_its_row(tmp_path: Path, text: str, message: str):
    with pytest.raises(StudyRejectedError, match=message):
        read_clinical_table(table(tmp_path, text))


def test_a_table_that_is_not_utf8_is_refused(tmp_path: Path):
    text = "case,primary_part\na,Dünndarm\n"
    with pytest.raises(StudyRejectedError, match="TABLE_ENCODING"):
        read_clinical_table(table(tmp_path, text, "latin-1"))


def test_a_missing_table_is_named(tmp_path: Path):
    with pytest.raises(StudyRejectedError, match="NO_INPUT"):
        read_clinical_table(tmp_path / "none.csv")
