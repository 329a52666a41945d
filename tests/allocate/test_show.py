"""The rule set for its reader: tables, sentences, notes, flowchart."""

from __future__ import annotations

import dataclasses
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from netseg.allocate import load_rules
from netseg.allocate.compiling import compile_rules
from netseg.allocate.show import (
    draw_flowchart,
    read_sentences,
    tell_coverage,
    tell_notes,
    tell_rules,
    tell_sentence,
    trace_of,
)
from netseg.allocate.show.sentences import expand, notes, section_of, sections_of
from netseg.allocate.tables import all_rows
from netseg.cli.main import main
from netseg.domain.errors import StudyRejectedError, UsageError
from tests.real_data import absent

RULES = load_rules()
SEED = Path(__file__).resolve().parents[3] / "shared" / "seed" / "sentences.tsv"


def test_every_sentence_leads_to_a_row_or_a_reason_and_no_sentence_to_both():
    trace = trace_of(RULES)
    assert trace.orphans == ()
    assert not set(trace.rows) & set(trace.reasons)
    assert {*trace.rows, *trace.reasons} == set(expand("S001-S232"))
    assert all(len(reason) >= 12 for reason in trace.reasons.values())


def test_a_sentence_whose_only_row_is_lost_is_an_orphan():
    """S163 is cited by the rows on IRE alone."""
    options = tuple(o for o in RULES.source.options if o.name != "ire")
    lost = compile_rules(dataclasses.replace(RULES.source, options=options, safety=()))
    assert "S163" in trace_of(lost).orphans


def test_sections_are_those_of_the_source():
    if not SEED.is_file():
        absent("the source's sentence list is not part of the project")
    begins: dict[str, str] = {}
    for line in SEED.read_text(encoding="utf-8").splitlines()[1:]:
        sentence, section, *_ = line.split("\t")
        begins.setdefault(section, sentence)
    ours = {s: section_of(s) for s in begins.values()}
    assert len(set(ours.values())) == len(begins) - 2  # key points go with their abstract
    assert ours[begins["Surgical treatment"]] == "Surgical treatment"
    assert sections_of(["S204", "S205", "N01"]) == ("Transarterial treatment",)


def test_a_sentence_is_shown_with_its_rows_and_its_text_to_who_owns_it(tmp_path: Path):
    said = tell_sentence(RULES, "S204", {})
    assert "tame.whipple -> contraindicated if prior_whipple true" in said
    assert said.splitlines()[0] == "S204 (Transarterial treatment)"
    owned = tmp_path / "own.tsv"
    owned.write_text("id\tsection\tline_from\tline_to\ttext\nS204\tx\t1\t2\tMy own words.\n")
    assert "My own words." in tell_sentence(RULES, "S204", read_sentences(owned))
    assert "My own words." in tell_coverage(RULES, read_sentences(owned))


def test_a_sentence_of_a_newer_source_is_shown_with_what_was_read():
    said = tell_sentence(load_rules("netter2-2024"), "N01", {})
    assert "NETTER-2, Lancet 2024; read: abstract" in said
    assert "prrt.first_line -> recommended" in said


@pytest.mark.parametrize("sentence", ["S233", "T1", "N01"])
def test_a_sentence_that_is_not_there_is_named(sentence: str):
    with pytest.raises(UsageError, match="there is no sentence"):
        tell_sentence(RULES, sentence, {})


def test_a_source_file_of_other_columns_is_refused(tmp_path: Path):
    wrong = tmp_path / "wrong.tsv"
    wrong.write_text("id\ttext\nS001\tx\n")
    with pytest.raises(StudyRejectedError, match="is not id, section"):
        read_sentences(wrong)
    with pytest.raises(StudyRejectedError, match="not there"):
        read_sentences(tmp_path / "none.tsv")


def test_every_ambiguity_and_tension_has_a_row_a_reader_meets():
    ids = {row.id for row in all_rows(RULES.source)}
    found = notes()
    assert list(found) == [*(f"A{n}" for n in range(1, 9)), *(f"T{n}" for n in range(1, 15))]
    for name, note in found.items():
        assert set(note["rows"]) <= ids, name
        assert note["text"]
    said = tell_notes(RULES)
    assert "T14: " in said
    assert "pattern.complex: " in said


def test_every_row_stands_in_the_printed_tables():
    said = tell_rules(RULES, source={})
    for row in all_rows(RULES.source):
        assert re.search(rf"^  {re.escape(row.id)}( |$)", said, re.MULTILINE), row.id


def test_one_table_is_shown_alone_and_one_that_is_not_there_is_named():
    said = tell_rules(RULES, only="prrt", source={})
    assert said.startswith("PRRT: the first row that holds decides")
    assert "tame" not in said
    with pytest.raises(UsageError, match="no table 'prtt'"):
        tell_rules(RULES, only="prtt", source={})


def test_the_flowchart_is_svg_with_what_the_tables_answer():
    drawn = draw_flowchart(RULES)
    texts = [e.text or "" for e in ET.fromstring(drawn).iter() if e.tag.endswith("text")]
    assert "LOCAL CURATIVE: R0 or A0 possible" in texts
    assert "route local_curative (S220)" in texts
    assert "++ chemo_cis_eto" in texts
    newer = draw_flowchart(load_rules("enets-nec-2023"))
    assert "++ chemo_carbo_eto" in newer
    assert "chemo_carbo_eto" not in drawn


def test_the_command_draws_and_shows(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    file = tmp_path / "rules.svg"
    assert main(["rules", "show", "--flowchart", str(file)]) == 0
    assert file.read_text(encoding="utf-8").startswith("<svg")
    assert main(["rules", "show", "--coverage"]) == 0
    assert "orphans: none" in capsys.readouterr().out
    assert main(["rules", "show", "--table", "prtt"]) == 2
