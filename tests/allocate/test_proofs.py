"""The proofs: formulas say what the tables say, broken tables are caught, certificates are current."""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from netseg.allocate import allocate, load_rules, parse_case
from netseg.allocate.checks import check_rules
from netseg.allocate.compiling import compile_rules
from netseg.allocate.proofs import (
    Finding,
    ProofReport,
    Z3Solver,
    certificate_of,
    obligations_of,
    prove,
    shipped_certificate,
)
from netseg.allocate.proofs.smt import Formulas
from netseg.allocate.proofs.telling import tell_certificate, tell_problems, tell_proofs
from netseg.allocate.proofs.verify import script_of
from netseg.allocate.ruleset import available_rules
from netseg.allocate.witness import witness_document
from netseg.cli.main import main
from netseg.domain.codes import Code
from netseg.domain.errors import EnvironmentFaultError
from tests.allocate.by_hand import ByHand
from tests.allocate.smt_reader import SmtReader
from tests.real_data import absent

if TYPE_CHECKING:
    from netseg.allocate.compiled import RuleSet
    from netseg.allocate.tables import RuleSource, Table

RULES = load_rules("seed-2020")


def solver() -> Z3Solver:
    if importlib.util.find_spec("z3") is None:
        absent("z3-solver is not installed (extra `rules`)")
    return Z3Solver()


@functools.cache
def proof_of(name: str) -> ProofReport:
    return prove(load_rules(name).source, solver())


def with_rows(source: RuleSource, table: str, rows: Any) -> RuleSource:
    """The rule set with one table's rows as `rows` makes them of the old ones."""

    def changed(t: Table) -> Table:
        return dataclasses.replace(t, rows=tuple(rows(t.rows))) if t.name == table else t

    return dataclasses.replace(
        source,
        tables=tuple(map(changed, source.tables)),
        options=tuple(map(changed, source.options)),
    )


def without(row_id: str) -> Any:
    return lambda rows: [row for row in rows if row.id != row_id]


def turned(row_id: str, **changes: Any) -> Any:
    return lambda rows: [
        dataclasses.replace(row, **changes) if row.id == row_id else row for row in rows
    ]


BROKEN = {
    "hole at 2 %": ("grade", turned("grade.g2", when=({"ki67": "3..20"},)), "complete", "gap"),
    "two grades": ("grade", turned("grade.g2", when=({"ki67": "1..20"},)), "no_overlap", "overlap"),
    "Whipple forgotten": ("tame", without("tame.whipple"), "safe", "unsafe"),
    "thrombosis offered": ("ctace", turned("ctace.portal_vein", then="option"), "safe", "unsafe"),
    "cure with disease outside": (
        "route", turned("route.extrahepatic", then="local_curative"), "safe", "unsafe"),
    "shunt forgotten": ("tare", without("tare.shunt"), "safe", "unsafe"),
    "PRRT in G3": ("prrt", without("prrt.g3"), "safe", "unsafe"),
    "4 mm is enough": (
        "control_scan", turned("control.a0", when=({"min_margin_low_mm": ">= 4"},)), "safe", "unsafe"),
    "a row nobody reaches": (
        "ssa", turned("ssa.functioning", when=({},)), "reachable", "unreachable"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_table_is_caught_by_the_diagrams_with_a_patient(name: str):
    table, change, _, kind = BROKEN[name]
    broken = compile_rules(with_rows(RULES.source, table, change))
    found = [p for p in check_rules(broken) if p.kind == kind]
    assert found
    assert kind == "unreachable" or all(p.witness for p in found)


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_table_is_caught_by_z3_with_a_patient(name: str):
    table, change, kind, _ = BROKEN[name]
    report = prove(with_rows(RULES.source, table, change), solver())
    found = [f for f in report.findings if f.kind == kind]
    assert found
    assert kind == "reachable" or all(f.witness for f in found)


@pytest.mark.parametrize("name", available_rules())
def test_every_rule_set_is_sound_by_the_diagrams(name: str):
    assert check_rules(load_rules(name)) == ()


@pytest.mark.parametrize("name", available_rules())
def test_every_rule_set_is_proven_by_z3(name: str):
    report = proof_of(name)
    assert report.findings == ()
    assert set(report.proven) == {"complete", "no_overlap", "reachable", "safe",
                                  "safe_when_unknown", "asks", "monotone"}  # fmt: skip


@pytest.mark.parametrize("name", available_rules())
def test_the_certificate_that_ships_is_that_of_these_tables(name: str):
    """Fails after any change of a table until `netseg rules verify NAME --write` ran again."""
    shipped = shipped_certificate(name)
    assert shipped is not None
    assert shipped.rules == name
    assert shipped.sha256 == load_rules(name).sha256, f"prove again: netseg rules verify {name}"
    assert shipped.sound
    counts = dict.fromkeys(shipped.proven, 0)
    for obligation in obligations_of(load_rules(name).source):
        counts[obligation.kind] += 1
    assert dict(shipped.proven) == counts


def test_one_changed_letter_in_a_table_makes_the_certificate_stale():
    changed = dataclasses.replace(RULES.source, sha256="0" * 64)
    assert "STALE" in tell_certificate(compile_rules(changed))
    assert "sound, of these tables" in tell_certificate(RULES)


def coded(rules: RuleSet, facts: dict[str, Any]) -> dict[str, Any]:
    """Facts as the formulas code them: names by their place in the list."""
    found: dict[str, Any] = {}
    for variable in rules.variables:
        value = facts[variable.name]
        is_name = bool(variable.values) and variable.values != (False, True)
        found[f"|a.{variable.name}|"] = variable.values.index(value) if is_name else value
    return found


@pytest.mark.parametrize("name", ["seed-2020", "who-2022+netter2-2024+enets-nec-2023"])
def test_formulas_diagrams_and_the_naive_reader_agree_on_random_patients(name: str):
    rules = load_rules(name)
    formulas = Formulas(rules.source, "a.")
    script = formulas.script()
    generator = random.Random(11)
    for _ in range(8):
        cells = tuple(generator.choice(sorted(v.cells())) for v in rules.variables)
        facts = {v.name: v.sample(c) for v, c in zip(rules.variables, cells, strict=True)}
        reader = SmtReader(script, coded(rules, facts))
        hand = ByHand(rules.source, facts)
        assert reader.value(formulas.symbol("consistent")) == hand.is_consistent(rules.source)
        for table in (*rules.source.tables, *rules.source.options):
            number = int(reader.value(formulas.symbol(f"table {table.name}")))
            said = None if number < 0 else table.rows[number].then
            compiled = {**rules.tables, **rules.options}[table.name]
            assert said == hand.decide(table) == rules.diagrams.at(compiled.by_outcome, cells)


def test_z3_gives_random_patients_the_answers_of_the_diagrams():
    """Facts are asserted one by one; z3 then has one model, in which every table is read."""
    formulas = Formulas(RULES.source, "a.")
    tables = [*RULES.source.tables, *RULES.source.options]
    asked = " ".join(formulas.symbol(f"table {t.name}") for t in tables)
    generator = random.Random(5)
    for _ in range(5):
        cells = tuple(generator.choice(sorted(v.cells())) for v in RULES.variables)
        facts = {v.name: v.sample(c) for v, c in zip(RULES.variables, cells, strict=True)}
        known = [_asserted(symbol, value) for symbol, value in coded(RULES, facts).items()]
        said = solver().run(
            "\n".join([formulas.script(), *known, "(check-sat)", f"(get-value ({asked}))"])
        )
        numbers = [int(n.replace("(- ", "-").replace(")", "")) for n in _values(said)]
        for table, number in zip(tables, numbers, strict=True):
            compiled = {**RULES.tables, **RULES.options}[table.name]
            expected = RULES.diagrams.at(compiled.by_row, cells)
            assert number == expected, table.name


def _asserted(symbol: str, value: Any) -> str:
    if isinstance(value, bool):
        return f"(assert {symbol if value else f'(not {symbol})'})"
    text = f"{abs(value)}"
    return f"(assert (= {symbol} {f'(- {text})' if value < 0 else text}))"


def _values(said: str) -> list[str]:
    import re

    return re.findall(r"\|a\.table [^|]+\|\s+(\(- \d+\)|\d+)", said)


def test_every_proof_is_one_the_reader_knows_and_none_is_vacuous():
    """Each formula names real symbols; a bar that nobody meets would prove nothing."""
    formulas = Formulas(RULES.source, "a.")
    for row in RULES.source.safety:
        for name in row.extras["of"]:
            table = next(t for t in (*RULES.source.tables, *RULES.source.options) if t.name == name)
            assert formulas.outcome(name, [r.then for r in table.rows]) != "false"
        assert "row" not in formulas.when(row.when) or row.when == ({},)
    kinds = {o.kind for o in obligations_of(RULES.source)}
    assert {"asks", "safe_when_unknown"} <= kinds


class Canned:
    """A solver that says what it is told to."""

    name = "canned 1"

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)

    def run(self, script: str) -> str:
        """The next answer, whatever is asked."""
        del script
        return self.answers.pop(0) if self.answers else "sat"


def test_a_solver_that_does_not_know_is_no_proof():
    with pytest.raises(EnvironmentFaultError, match="gave no clear answer"):
        prove(RULES.source, Canned("unknown " * len(obligations_of(RULES.source))))


def test_a_failed_proof_is_told_with_its_patient():
    obligations = obligations_of(RULES.source)
    wanted = next(
        i for i, o in enumerate(obligations) if o.table == "no_embolisation_after_whipple"
    )
    answers = ["sat" if o.satisfiable else "unsat" for o in obligations]
    answers[wanted] = "sat"
    model = "sat ((|a.prior_whipple| true) (|a.ki67| (/ 5.0 2.0)) (|a.primary| 3))"
    report = prove(RULES.source, Canned(" ".join(answers), model))
    assert len(report.findings) == 1
    assert report.findings[0].witness == {"prior_whipple": True, "ki67": 2.5, "primary": "pancreas"}
    text = tell_proofs(RULES, report)
    assert "FAILED safe in no_embolisation_after_whipple" in text
    assert '"prior_whipple": true' in text
    assert not certificate_of(RULES, report, diagram_problems=0).sound


def test_without_z3_the_proof_is_refused_and_names_the_extra(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(__import__("sys").modules, "z3", None)
    with pytest.raises(EnvironmentFaultError, match=r"netseg-liver\[rules\]") as refused:
        Z3Solver()
    assert refused.value.notice.code is Code.PACKAGE_MISSING


def test_a_witness_is_a_document_that_shows_the_gap():
    """Ki-67 of 2 in the published table with a hole: allocate gives no grade."""
    table, change, _, _ = BROKEN["hole at 2 %"]
    broken = compile_rules(with_rows(RULES.source, table, change))
    gap = next(p for p in check_rules(broken) if p.kind == "gap" and p.table == "grade")
    document = witness_document(gap.witness, broken)
    assert document == {"ki67": 2.0}
    assert allocate(parse_case(document), broken).possible_grades == ()
    assert allocate(parse_case(document), RULES).grade is not None


@pytest.mark.parametrize("pattern", ["none", "simple", "complex", "diffuse", "not_covered"])
def test_a_witness_with_a_pattern_gets_lesions_of_that_pattern(pattern: str):
    document = witness_document({"liver_pattern": pattern}, RULES)
    assert allocate(parse_case(document), RULES).possible_patterns == (pattern,)


def test_verify_by_diagrams_says_sound_and_exits_zero(capsys: pytest.CaptureFixture[str]):
    assert main(["rules", "verify", "--by", "diagrams"]) == 0
    assert "seed-2020 by diagrams (12 tables, 27 options): sound." in capsys.readouterr().out


def test_verify_of_a_broken_folder_prints_the_patient_and_exits_two(
    tmp_path: Any, capsys: pytest.CaptureFixture[str]
):
    from netseg.allocate.ruleset import RULES_FOLDER

    for file in (RULES_FOLDER / "seed-2020").glob("*.yaml"):
        text = file.read_text(encoding="utf-8").replace('ki67: "2..20"', 'ki67: "3..20"')
        (tmp_path / file.name).write_text(text, encoding="utf-8")
    assert main(["rules", "verify", str(tmp_path), "--by", "diagrams"]) == 2
    said = capsys.readouterr().out
    assert "gap in grade" in said
    assert 'as findings: {"ki67": 2.0}' in said


def test_the_proofs_can_be_written_for_any_solver(tmp_path: Any):
    file = tmp_path / "proofs.smt2"
    assert main(["rules", "verify", "--by", "diagrams", "--smt2", str(file)]) == 0
    text = file.read_text(encoding="utf-8")
    assert text == script_of(RULES.source, obligations_of(RULES.source))
    assert text.count("(check-sat)") == len(obligations_of(RULES.source))
    assert text.count("(") == text.count(")")


def test_problems_are_told_as_json_documents_anybody_can_use():
    table, change, _, _ = BROKEN["Whipple forgotten"]
    broken = compile_rules(with_rows(RULES.source, table, change))
    said = tell_problems(broken, check_rules(broken))
    line = next(line for line in said.splitlines() if "as findings" in line)
    found = allocate(parse_case(json.loads(line.split(": ", 1)[1])), broken)
    said_of_tame = set(map(str, found.option("tame").possible_statuses))
    assert said_of_tame & {"recommended", "option", "considered"}
    assert "contraindicated" not in said_of_tame
    assert isinstance(Finding(kind="safe", table="x", text="y").witness, dict)
