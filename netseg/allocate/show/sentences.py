"""From sentence to row and back: what of the source became a rule, and why the rest did not."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from netseg.allocate.reading import parse_yaml
from netseg.allocate.ruleset import RULES_FOLDER
from netseg.allocate.show.tables import when_text
from netseg.allocate.tables import all_rows
from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from netseg.allocate.compiled import RuleSet
    from netseg.allocate.tables import Row

BASE = "seed-2020"

_ID = re.compile(r"S\d{3}")
_RANGE = re.compile(r"S\d{3}-S\d{3}")

# By lines of the text, which are those of the printed pages; (first sentence, section, page).
_SECTIONS = (
    ("S001", "German abstract and key points"), ("S013", "Abstract and key points"),
    ("S025", "Citation"), ("S027", "Introduction"), ("S073", "Imaging and staging"),
    ("S109", "Surgical treatment"), ("S156", "Ablative treatment"), ("S187", "Figure 1, caption"),
    ("S191", "Transarterial treatment"), ("S214", "Figure 2"), ("S215", "Figure 2, caption"),
    ("S228", "Conclusion"),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Every sentence of the source with what became of it.

    Attributes:
        rows: Ids of the rows (and "evidence of OPTION", "caveat") that rest on a sentence.
        reasons: Why a sentence has no row.
        orphans: Sentences with neither; a rule set with one is not complete.
    """

    rows: Mapping[str, tuple[str, ...]]
    reasons: Mapping[str, str]
    orphans: tuple[str, ...]


def trace_of(rules: RuleSet) -> Trace:
    """What became of every sentence of the review that the rule set rests on."""
    found: dict[str, list[str]] = {}
    for row in all_rows(rules.source):
        for sentence in dict.fromkeys((*row.sentences, *named_in(row.text))):
            found.setdefault(sentence, []).append(row.id)
    for option in rules.source.options:
        for sentence in named_in(" ".join(option.evidence)):
            found.setdefault(sentence, []).append(f"evidence of {option.name}")
    for sentence in named_in(rules.source.caveat):
        found.setdefault(sentence, []).append("caveat")
    coverage = _coverage()
    reasons = {
        sentence: reason
        for ids, reason in coverage["without_row_sentences"].items()
        for sentence in expand(ids)
    }
    first, last = coverage["body_sentences"]
    every = expand(f"{first}-{last}")
    return Trace(
        rows={sentence: tuple(rows) for sentence, rows in sorted(found.items())},
        reasons=reasons,
        orphans=tuple(s for s in every if s not in found and s not in reasons),
    )


def named_in(text: str) -> list[str]:
    """Sentence ids in a text; "S217-S219" names all three."""
    named = [sentence for found in _RANGE.findall(text) for sentence in expand(found)]
    return list(dict.fromkeys([*named, *_ID.findall(text)]))


def expand(ids: str) -> list[str]:
    """Every id of "S027-S036", or the one id."""
    first, _, last = ids.partition("-")
    return [f"S{n:03d}" for n in range(int(first[1:]), int((last or first)[1:]) + 1)]


def section_of(sentence: str) -> str:
    """Section of the review in which a sentence stands."""
    return [name for first, name in _SECTIONS if first <= sentence][-1]


def read_sentences(path: Path) -> dict[str, str]:
    """The source's sentences from a table `id<TAB>section<TAB>from<TAB>to<TAB>text`.

    Raises:
        StudyRejectedError: If the file is not there or has other columns.
    """
    if not path.is_file():
        raise StudyRejectedError(
            Code.NO_INPUT, "the list of sentences is not there.", file=path.name,
            hint="Give a table with the columns id, section, line_from, line_to, text.",
        )  # fmt: skip
    lines = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if line]
    wrong = [n for n, line in enumerate(lines, 1) if len(line) != 5]
    if wrong or not lines or lines[0][0] != "id":
        raise StudyRejectedError(
            Code.CONFIG_SYNTAX,
            f"line {wrong[0] if wrong else 1} is not id, section, line_from, line_to, text.",
            file=path.name,
            hint="Separate the five columns by tabs, with their names in the first line.",
        )
    return {line[0]: line[4] for line in lines[1:]}


def tell_sentence(rules: RuleSet, sentence: str, source: Mapping[str, str]) -> str:
    """The rows that rest on one sentence, or why there is none.

    Raises:
        UsageError: If there is no such sentence.
    """
    trace = trace_of(rules)
    if sentence in rules.source.statements:
        said = rules.source.statements[sentence]
        head = f"{sentence} ({said.source}; read: {said.read}): {said.text}"
    elif sentence in trace.rows or sentence in trace.reasons:
        head = f"{sentence} ({section_of(sentence)})"
        head += f": {source[sentence]}" if sentence in source else ""
    else:
        raise UsageError(
            Code.CONFIG_RANGE, f"there is no sentence {sentence!r}.", hint="Ids are S001 to S232."
        )
    if sentence not in trace.rows:
        return f"{head}\n  no row: {trace.reasons[sentence]}"
    rows = [row for row in all_rows(rules.source) if row.id in trace.rows[sentence]]
    others = [name for name in trace.rows[sentence] if " " in name or name == "caveat"]
    return "\n".join([head, *map(_row_line, rows), *(f"  {name}" for name in others)])


def tell_coverage(rules: RuleSet, source: Mapping[str, str]) -> str:
    """Every sentence with its rows, or the reason why it has none; orphans last."""
    trace = trace_of(rules)
    lines: list[str] = []
    section = ""
    for sentence in sorted({*trace.rows, *trace.reasons} - set(rules.source.statements)):
        if section_of(sentence) != section:
            section = section_of(sentence)
            lines.append(section)
        rows = trace.rows.get(sentence)
        what = ", ".join(rows) if rows else f"no row: {trace.reasons[sentence]}"
        lines.append(f"  {sentence}: {what}")
        lines += [f"      {source[sentence]}"] if sentence in source else []
    for name in rules.source.statements:
        lines.append(f"  {name}: {', '.join(trace.rows.get(name, ())) or 'NO ROW'}")
    lines.append(f"orphans: {', '.join(trace.orphans) or 'none'}")
    return "\n".join(lines)


def tell_notes(rules: RuleSet) -> str:
    """What the source leaves open or says twice, and every assumption of the project."""
    ids = {row.id: row for row in all_rows(rules.source)}
    lines = ["Ambiguities (A) and tensions (T) of the review of 2020"]
    for name, note in notes().items():
        here = [row for row in note["rows"] if row in ids]
        where = ", ".join(here) if here else "changed by an overlay"
        lines.append(f"  {name}: {note['text']} See {where}.")
    lines.append("Assumptions of the project, where the source is silent")
    lines += [
        f"  {row.id}: {row.text} {row.rationale}".rstrip()
        for row in all_rows(rules.source)
        if row.assumption
    ]
    return "\n".join(lines)


def notes() -> Mapping[str, Any]:
    """The ambiguities and tensions by name, each with its text and the rows where it is met."""
    return _file("notes.yaml")["notes"]


def _coverage() -> dict[str, Any]:
    return _file("coverage.yaml")


def _file(name: str) -> dict[str, Any]:
    text = (RULES_FOLDER / BASE / name).read_text(encoding="utf-8")
    return cast("dict[str, Any]", parse_yaml(text, name))


def _row_line(row: Row) -> str:
    then = f" -> {row.then}" if row.then else ""
    return f"  {row.id}{then} if {when_text(row.when)}"


def sections_of(sentences: Iterable[str]) -> tuple[str, ...]:
    """The sections in which sentences stand, each once."""
    return tuple(dict.fromkeys(section_of(s) for s in sentences if _ID.fullmatch(s)))
