"""CSV tables: the contract's columns, and nothing that a spreadsheet would run."""

import csv
import io
from dataclasses import replace

import pytest

from netseg.domain import Findings
from netseg.export import lesions_csv, summary_row
from netseg.export.table import SUMMARY_COLUMNS, to_csv
from tests.export.made_results import findings_of, result_of

CONTRACT = (
    "id,volume_ml,longest_axial_diameter_mm,longest_diameter_mm,centroid_x_mm,centroid_y_mm,"
    "centroid_z_mm,segment,lobe,confidence"
)


def rows_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode())))


def test_the_columns_are_the_contracts_then_the_measures():
    header = lesions_csv(findings_of()).decode().splitlines()[0]
    assert header == f"{CONTRACT},mean_hu_portal_venous,suv_max"


def test_no_lesion_still_gives_the_header():
    empty = Findings(lesions=(), liver_volume_ml=1500.0, lesion_volume_ml=0.0)
    assert lesions_csv(empty).decode() == CONTRACT + "\n"


def test_values_stand_in_their_columns_and_unknown_is_empty():
    first, second = rows_of(lesions_csv(findings_of()))
    assert (first["id"], first["segment"], first["lobe"], first["suv_max"]) == (
        "1", "VIII", "right", "20",
    )  # fmt: skip
    assert float(first["centroid_x_mm"]) == -50.0
    assert (second["segment"], second["confidence"], second["suv_max"]) == ("", "", "")


def test_a_measure_named_like_a_column_does_not_replace_it():
    findings = findings_of()
    lesion = replace(findings.lesions[0], measures={"volume_ml": 99.0})
    content = lesions_csv(replace(findings, lesions=(lesion,)))
    assert content.decode().splitlines()[0] == CONTRACT
    assert float(rows_of(content)[0]["volume_ml"]) == pytest.approx(lesion.volume_ml, rel=1e-5)


@pytest.mark.parametrize(
    "text", ["=cmd|' /C calc'!A0", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "  =1+1", "|x", "%x"]
)
def test_a_formula_in_a_text_is_disarmed(text):
    cell = rows_of(to_csv(("case",), [{"case": text}]))[0]["case"]
    assert cell.startswith("'")


def test_a_negative_number_is_no_formula():
    assert rows_of(to_csv(("x",), [{"x": -3.5}]))[0]["x"] == "-3.5"


def test_terminal_escapes_and_line_breaks_do_not_reach_the_table():
    content = to_csv(("case", "x"), [{"case": 'a\x1b[2J"b\r\nc', "x": 1}])
    assert b"\x1b" not in content
    assert content.count(b"\n") == 2
    assert rows_of(content)[0] == {"case": 'a [2J"b  c', "x": "1"}


def test_a_summary_row_says_that_the_margin_is_a_prediction():
    row = summary_row(result_of(), "warn")
    assert (row["margin_evidence"], row["margin_observed"]) == ("simulated", False)
    assert (row["smallest_margin_mm"], row["route"], row["lesions"]) == (
        -22.0, "local_curative", 2,
    )  # fmt: skip
    assert set(row) | {"errors"} == set(SUMMARY_COLUMNS)
