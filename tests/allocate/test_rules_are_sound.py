"""Proofs by enumeration: every patient has a row, no two rows quarrel, nothing unsafe is offered."""

from __future__ import annotations

import dataclasses
import itertools
import random
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from netseg.allocate import load_rules
from netseg.allocate.checks import check_rules
from netseg.allocate.compiling import compile_rules
from netseg.allocate.ruleset import RULES_FOLDER
from netseg.allocate.tables import RuleSource, RuleTableError, Table, all_rows, read_rule_source
from tests.allocate.by_hand import ByHand
from tests.real_data import absent

if TYPE_CHECKING:
    from netseg.allocate.cells import Variable
    from netseg.allocate.compiled import RuleSet

RULES = load_rules("seed-2020")
SEED = Path(__file__).resolve().parents[3] / "shared" / "seed" / "sentences.tsv"


def with_row(source: RuleSource, table: str, row_id: str, **changes: Any) -> RuleSource:
    """The rule set with one row changed; used to show that the checks see it."""

    def changed(t: Table) -> Table:
        if t.name != table:
            return t
        rows = tuple(dataclasses.replace(r, **changes) if r.id == row_id else r for r in t.rows)
        return dataclasses.replace(t, rows=rows)

    return dataclasses.replace(
        source,
        tables=tuple(map(changed, source.tables)),
        options=tuple(map(changed, source.options)),
    )


def test_the_rule_set_has_no_gap_no_overlap_no_idle_row_and_nothing_unsafe():
    assert check_rules(RULES) == ()


def test_a_published_grading_table_with_a_hole_is_found_with_its_witness():
    """G1 < 2, G2 3-20, G3 > 20, as one paper prints it, leaves Ki-67 of 2 without a grade."""
    holed = with_row(RULES.source, "grade", "grade.g2", when=({"ki67": "3..20"},))
    gaps = [p for p in check_rules(compile_rules(holed)) if (p.kind, p.table) == ("gap", "grade")]
    assert len(gaps) == 1
    assert 2 <= gaps[0].witness["ki67"] < 3


def test_two_rows_for_one_patient_are_found():
    doubled = with_row(RULES.source, "grade", "grade.g2", when=({"ki67": "1..20"},))
    overlaps = [p for p in check_rules(compile_rules(doubled)) if p.kind == "overlap"]
    assert any("grade.g1" in p.text and 1 <= p.witness["ki67"] < 2 for p in overlaps)


def test_a_row_behind_a_wider_one_is_found():
    shadowed = with_row(RULES.source, "prrt", "prrt.g3", when=({"grade": ["G1", "G2", "G3"]},))
    idle = [p.text for p in check_rules(compile_rules(shadowed)) if p.kind == "unreachable"]
    assert "nobody reaches row prrt.high_systemic" in idle


def test_an_option_offered_against_its_contraindication_is_found():
    unsafe = with_row(RULES.source, "tame", "tame.whipple", then="option")
    kinds = {(p.kind, p.table) for p in check_rules(compile_rules(unsafe))}
    assert ("offered_against_contraindication", "tame") in kinds


def test_local_cure_with_disease_outside_the_liver_is_found():
    unsafe = with_row(RULES.source, "route", "route.extrahepatic", then="local_curative")
    found = [p for p in check_rules(compile_rules(unsafe)) if p.kind == "unsafe"]
    assert any(p.witness["extrahepatic_disease"] and p.table == "route" for p in found)


def base_variables(table: Table, rules: RuleSet) -> list[Variable]:
    """The facts a table asks for, through the tables it looks through."""
    compiled = {**rules.tables, **rules.options}[table.name]
    places: set[int] = set()
    for row in compiled.rows:
        places |= rules.diagrams.support(row.holds)
    return [rules.variables[place] for place in sorted(places)]


def small_tables() -> list[Table]:
    """Tables whose patients can all be counted out."""
    found: list[Table] = []
    for table in (*RULES.source.tables, *RULES.source.options):
        count = 1
        for variable in base_variables(table, RULES):
            count *= len(variable.cells())
        if count <= 2_000 or table.name == "pattern":
            found.append(table)
    return found


def patient_of(variables: list[Variable], cells: tuple[int, ...]) -> dict[str, Any]:
    return {v.name: v.sample(c) for v, c in zip(variables, cells, strict=True)}


@pytest.mark.parametrize("table", small_tables(), ids=lambda t: t.name)
def test_counted_out_cell_by_cell_every_patient_has_the_row_that_the_diagram_gives(table: Table):
    """Brute force, by the naive reader, over every cell of the table's facts."""
    variables = base_variables(table, RULES)
    compiled = {**RULES.tables, **RULES.options}[table.name]
    reached: set[str] = set()
    for cells in itertools.product(*(sorted(v.cells()) for v in variables)):
        all_cells = [min(v.cells()) for v in RULES.variables]
        for variable, cell in zip(variables, cells, strict=True):
            all_cells[RULES.index[variable.name]] = cell
        hand = ByHand(RULES.source, patient_of(list(RULES.variables), tuple(all_cells)))
        rows = hand.rows(table)
        expected = rows[0].then if rows else None
        assert RULES.diagrams.at(compiled.by_outcome, all_cells) == expected
        assert table.policy == "first" or len(rows) <= 1
        reached |= {rows[0].id} if rows else set()
    assert reached == {row.id for row in table.rows}


def test_grade_pattern_and_window_are_among_those_counted_out():
    assert {"grade", "pattern", "ablation_window", "sstr_level"} <= {t.name for t in small_tables()}


def test_the_route_is_counted_out_too():
    """Every cell of its seven facts; a primary acts alike within a group of sites."""
    route = RULES.tables["route"]
    variables = base_variables(route.table, RULES)
    sites = {"primary": ["pancreas", "small_intestine", "rectum", "unknown"]}
    choices = [
        sorted(v.cells_named(sites[v.name]) if v.name in sites else v.cells()) for v in variables
    ]
    for cells in itertools.product(*choices):
        all_cells = [min(v.cells()) for v in RULES.variables]
        for variable, cell in zip(variables, cells, strict=True):
            all_cells[RULES.index[variable.name]] = cell
        hand = ByHand(RULES.source, patient_of(list(RULES.variables), tuple(all_cells)))
        rows = hand.rows(route.table)
        impossible = hand.patient["primary"] == "unknown" and hand.patient["primary_resected"]
        assert len(rows) == 1 or impossible
        assert RULES.diagrams.at(route.by_outcome, all_cells) == (rows[0].then if rows else None)


def test_random_patients_get_from_the_diagrams_what_the_naive_reader_reads():
    generator = random.Random(7)
    choices = [sorted(v.cells()) for v in RULES.variables]
    tables = (*RULES.source.tables, *RULES.source.options)
    for _ in range(100):
        cells = tuple(generator.choice(c) for c in choices)
        hand = ByHand(RULES.source, patient_of(list(RULES.variables), cells))
        consistent = all(RULES.diagrams.at(group, cells) for group in RULES.consistent)
        assert consistent == hand.is_consistent(RULES.source)
        for table in tables:
            compiled = {**RULES.tables, **RULES.options}[table.name]
            assert RULES.diagrams.at(compiled.by_outcome, cells) == hand.decide(table)


def expand(ranges: list[str], prefix: str) -> set[str]:
    """Every id between the ends of ranges such as "S027-S036"."""
    found: set[str] = set()
    for entry in ranges:
        first, _, last = entry.partition("-")
        numbers = range(int(first[1:]), int((last or first)[1:]) + 1)
        found |= {f"{prefix}{n:03d}" for n in numbers}
    return found


COVERAGE = yaml.safe_load((RULES_FOLDER / "seed-2020" / "coverage.yaml").read_text())


def test_every_listed_rule_of_the_source_is_a_row_or_has_a_written_reason():
    listed = expand(COVERAGE["listed_rules"], "R")
    in_rows = {rule for row in all_rows(RULES.source) for rule in row.rules}
    assert len(listed) == 112
    assert in_rows <= listed
    assert listed - in_rows == set(COVERAGE["without_row"])
    assert all(len(reason) > 20 for reason in COVERAGE["without_row"].values())


def cited_sentences() -> set[str]:
    rows = all_rows(RULES.source)
    texts = [row.text for row in rows] + [RULES.source.caveat]
    texts += [figure for option in RULES.source.options for figure in option.evidence]
    joined = " ".join(texts)
    cited = {sentence for row in rows for sentence in row.sentences} | set(
        re.findall(r"S\d{3}", joined)
    )
    return cited | expand(re.findall(r"S\d{3}-S\d{3}", joined), "S")


def test_every_sentence_of_the_body_leads_to_a_row_or_a_written_reason():
    body = expand(["-".join(COVERAGE["body_sentences"])], "S")
    reasons = expand(list(COVERAGE["without_row_sentences"]), "S")
    assert body - cited_sentences() - reasons == set()
    assert reasons & cited_sentences() == set()


def test_every_sentence_id_exists_in_the_source():
    if not SEED.is_file():
        absent("the source's sentence list is not part of the project")
    ids = {line.split("\t")[0] for line in SEED.read_text(encoding="utf-8").splitlines()[1:]}
    assert cited_sentences() <= ids
    assert expand(list(COVERAGE["without_row_sentences"]), "S") <= ids


def test_references_of_a_row_stand_in_the_sentences_it_cites():
    """[24, 25] on a row must be found in brackets in one of its sentences."""
    if not SEED.is_file():
        absent("the source's sentence list is not part of the project")
    lines = [line.split("\t") for line in SEED.read_text(encoding="utf-8").splitlines()[1:]]
    numbers = {
        line[0]: {
            int(n)
            for group in re.findall("\\[([\\d, \N{EN DASH}-]+)\\]", line[4])
            for part in group.split(",")
            for n in _span(part)
        }
        for line in lines
    }
    for sentence in ("S214", "S220", "S222", "S223", "S224", "S049", "S050", "S051", "S052"):
        numbers[sentence] |= numbers["S215"]  # figure 2, its caption and the patterns rest on [10]
    wrong = {
        row.id: sorted(set(row.references) - {n for s in row.sentences for n in numbers[s]})
        for row in all_rows(RULES.source)
        if row.sentences != (None,)
    }
    assert {row: missing for row, missing in wrong.items() if missing} == {}


def _span(part: str) -> range:
    ends = [int(n) for n in re.findall(r"\d+", part)]
    return range(ends[0], ends[-1] + 1) if ends else range(0)


def test_every_row_says_how_firmly_and_every_assumption_says_why():
    for row in all_rows(RULES.source):
        assert row.text
        assert row.strength
        assert row.rules, row.id
        assert row.sentences[0], row.id
        if row.assumption:
            assert row.rationale or "assum" in row.text or "taken" in row.text, row.id


def test_the_source_text_is_paraphrased_and_not_copied():
    """No eight words in a row of any row's text stand so in the source."""
    if not SEED.is_file():
        absent("the source's sentence list is not part of the project")
    text = SEED.read_text(encoding="utf-8").lower()
    source = " ".join(re.findall(r"[a-z0-9-]+", text))
    for row in all_rows(RULES.source):
        words = re.findall(r"[a-z0-9-]+", row.text.lower())
        for start in range(len(words) - 7):
            assert " ".join(words[start : start + 8]) not in source, (
                row.id,
                words[start : start + 8],
            )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('ki67: "< 2"', 'ki76: "< 2"', "no fact or earlier table is called 'ki76'"),
        ('ki67: "< 2"', 'ki67: "under 2"', "'under 2' is no condition on a number"),
        ("differentiation: poor", "differentiation: bad", "has no value 'bad'"),
        ("grade: [G1, G2]", "grade: [G1, G4]", "no outcome"),
        ("strength: defined, rules: [R001]", "strenght: defined, rules: [R001]", "unknown key"),
        ("id: grade.g2", "id: grade.g1", "stands twice"),
    ],
)
def test_a_mistake_in_a_table_is_named(tmp_path: Path, old: str, new: str, message: str):
    for file in (RULES_FOLDER / "seed-2020").glob("*.yaml"):
        text = file.read_text(encoding="utf-8")
        changed = text.replace(old, new, 1) if file.name == "tumour.yaml" else text
        assert file.name != "tumour.yaml" or changed != text
        (tmp_path / file.name).write_text(changed, encoding="utf-8")
    with pytest.raises(RuleTableError, match=re.escape(message)):
        compile_rules(read_rule_source(tmp_path))
