"""Newer sources as overlays: what they change, and that nothing else moves."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import pytest

from netseg.allocate import allocate, load_rules, parse_case
from netseg.allocate.compare import compare_rules, difference_document, tell_differences
from netseg.allocate.overlay import RuleTableError
from netseg.allocate.records import TREATMENTS
from netseg.allocate.ruleset import RULES_FOLDER, available_rules, open_rules
from netseg.allocate.tables import read_rule_source
from netseg.cli.main import main
from netseg.domain.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

DIFFUSE = {"liver_pattern_reported": "diffuse", "extrahepatic_disease": False, "sstr": 3}


def grade(rules: str, **document: Any) -> list[str]:
    return [str(g) for g in allocate(parse_case(document), load_rules(rules)).possible_grades]


@pytest.mark.parametrize(
    ("ki67", "mitoses", "expected"),
    [(2.9, 1.9, "G1"), (3, 1.9, "G2"), (2.9, 2, "G2"), (20, 20, "G2"), (20.1, 0, "G3"),
     (0, 20.1, "G3")],
)  # fmt: skip
def test_who_2022_cuts_at_three_and_takes_the_higher_of_the_two(ki67, mitoses, expected):
    assert grade("who-2022", ki67=ki67, mitoses_per_2mm2=mitoses) == [expected]


def test_who_2022_leaves_the_grade_open_where_mitoses_are_not_counted():
    assert grade("who-2022", ki67=10) == ["G2", "G3"]
    found = allocate(parse_case({"ki67": 10, "extrahepatic_disease": False, "r0_a0_possible": True,
                                 "liver_pattern_reported": "simple"}), load_rules("who-2022"))  # fmt: skip
    assert found.must_ask[0] == "mitoses_per_2mm2"
    assert grade("seed-2020", ki67=10, mitoses_per_2mm2=30) == ["G2"]


@pytest.mark.parametrize(
    ("ki67", "status"), [(20.1, "recommended"), (55, "recommended"), (55.1, "not_supported")]
)
def test_netter2_supports_prrt_up_to_a_ki67_of_55(ki67: float, status: str):
    case = parse_case(DIFFUSE | {"ki67": ki67, "differentiation": "well"})
    assert str(allocate(case, load_rules("netter2-2024")).option("prrt").status) == status
    assert str(allocate(case, load_rules()).option("prrt").status) == "not_supported"


def test_netter2_is_no_reason_for_prrt_of_a_carcinoma_or_with_low_uptake():
    rules = load_rules("netter2-2024")
    nec = parse_case(DIFFUSE | {"ki67": 40, "differentiation": "poor"})
    low = parse_case(DIFFUSE | {"ki67": 40, "differentiation": "well", "sstr": 2})
    assert str(allocate(nec, rules).option("prrt").status) == "not_supported"
    assert str(allocate(low, rules).option("prrt").status) == "not_supported"


def test_enets_2023_names_carboplatin_and_a_second_line():
    rules = load_rules("enets-nec-2023")
    nec = DIFFUSE | {"ki67": 60, "differentiation": "poor"}
    first = allocate(parse_case(nec), rules)
    assert str(first.option("chemo_carbo_eto").status) == "recommended"
    assert str(first.option("chemo_iri_fp").status) == "not_supported"
    history = [{"treatment": "chemo_carbo_eto", "outcome": "progressive"}]
    second = allocate(parse_case(nec | {"history": history}), rules)
    assert str(second.option("chemo_carbo_eto").status) == "not_supported"
    assert str(second.option("chemo_iri_fp").status) == "option"


def test_overlays_join_in_one_name_and_their_statements_go_along():
    both = load_rules("who-2022+netter2-2024")
    assert both.id == "who-2022+netter2-2024"
    assert {"W01", "N01"} <= set(both.source.statements)
    assert "NETTER-2" in allocate(parse_case({}), both).caveat


@pytest.mark.parametrize(
    ("name", "message"),
    [("who-2023", "no rule set 'who-2023'"), ("who-2022+who-2022", "do not belong together")],
)
def test_a_name_that_means_nothing_is_refused(name: str, message: str):
    with pytest.raises(UsageError, match=message):
        load_rules(name)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("changes:\n  - {in: prrt, instead_of: g4, rows: []}\n", "no row 'g4' in 'prrt'"),
        ("changes:\n  - {in: prtt, instead_of: g3, rows: []}\n", "no table, option or section"),
        ("chnages: []\n", "unknown key 'chnages'"),
        ("inputs:\n  - {name: x, type: flag, after: ki76}\n", "no input 'ki76'"),
    ],
)
def test_a_mistake_in_an_overlay_is_named(tmp_path: Path, change: str, message: str):
    head = "id: mine\nextends: seed-2020\nsource: none\nread: nothing.\n"
    (tmp_path / "rules.yaml").write_text(head + change, encoding="utf-8")
    with pytest.raises(RuleTableError, match=message):
        read_rule_source(RULES_FOLDER / "seed-2020", tmp_path)


def test_a_folder_of_ones_own_is_opened_and_compared(tmp_path: Path):
    head = "id: mine\nextends: seed-2020\nsource: none\nread: nothing.\n"
    change = "changes:\n  - {in: tare, instead_of: shunt, rows: []}\n"
    (tmp_path / "rules.yaml").write_text(head + change, encoding="utf-8")
    found = compare_rules(load_rules(), open_rules(str(tmp_path)))
    assert {d.table for d in found.differences} == {"tare"}
    assert all(d.document["hepatopulmonary_shunt_pct"] > 10 for d in found.differences)


def test_a_rule_set_is_the_same_as_itself():
    found = compare_rules(load_rules(), load_rules())
    assert found.differences == ()
    assert {"route", "prrt"} <= set(found.same)


def test_netter2_changes_prrt_alone_and_says_for_whom():
    found = compare_rules(load_rules(), load_rules("netter2-2024"))
    assert {(d.table, d.first, d.second) for d in found.differences} == {
        ("prrt", "not_supported", "considered"), ("prrt", "not_supported", "recommended"),
    }  # fmt: skip
    for d in found.differences:
        assert d.first_says == d.first
        assert d.second_says == d.second
        assert 20 < d.document["ki67"] <= 55
    assert json.loads(json.dumps(difference_document(found)))
    assert "the same for every patient: grade" in tell_differences(found)


def test_with_few_mitoses_who_2022_moves_labels_and_no_route():
    """Ki-67 of 2 to below 3 is G2 in the one and G1 in the other; the route is proven the same."""
    given = parse_case({"mitoses_per_2mm2": 1})
    found = compare_rules(load_rules(), load_rules("who-2022"), given)
    assert {"route", "prrt", "resection", "follow_up"} <= set(found.same)
    grades = [d for d in found.differences if d.table == "grade"]
    assert [(d.first, d.second) for d in grades] == [("G2", "G1")]
    assert 2 <= grades[0].document["ki67"] < 3


def test_the_difference_is_printed_by_the_command(capsys: pytest.CaptureFixture[str]):
    assert main(["rules", "diff", "seed-2020", "enets-nec-2023", "--format", "json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["only_second"] == ["chemo_carbo_eto", "chemo_iri_fp"]
    assert any(d["table"] == "chemo_cis_eto" for d in said["differences"])


def test_a_reported_grade_that_one_rule_set_contradicts_is_told_as_a_flag():
    """Ki-67 of 0 is G1 in both; "reported G2" contradicts it where mitoses are not counted."""
    told = tell_differences(compare_rules(load_rules(), load_rules("who-2022")))
    first = told.split("constraints: contradiction -> possible")[1].split("\n")
    assert "grade_reported" in first[1]
    assert first[2].strip() == (
        "seed-2020 says undetermined, flagged grade_vs_ki67_mismatch; who-2022 says undetermined"
    )


def test_every_option_of_every_rule_set_can_stand_in_a_history():
    for name in available_rules():
        assert set(load_rules(name).options) <= set(TREATMENTS)


def test_a_row_of_an_overlay_names_statements_that_it_carries():
    for name in available_rules():
        source = load_rules(name).source
        for table in (*source.tables, *source.options):
            for row in table.rows:
                for sentence in row.sentences:
                    assert sentence.startswith("S") or sentence in source.statements, row.id
        assert all(dataclasses.asdict(s)["read"] for s in source.statements.values())
