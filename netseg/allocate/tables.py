"""Rule tables as they stand in the YAML files: typed, checked for unknown keys, not yet compiled."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from netseg.allocate.overlay import RuleTableError, lay_over, read_documents

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from netseg.allocate.overlay import Statement

__all__ = ["Row", "RuleSource", "RuleTableError", "Table", "all_rows", "read_rule_source"]

When = tuple["Mapping[str, Any]", ...]
"""Alternatives, one of which must hold; each names conditions that must all hold."""

_ROW_KEYS = {
    "id", "when", "impossible", "then", "intent", "strength", "rules", "sentences", "sentence",
    "references", "text", "rationale", "assumption", "contraindication", "limit", "scan", "fields",
    "unless_done", "reported", "interval_months", "of", "never", "unknown",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of a rule table.

    Attributes:
        id: Unique in the rule set.
        when: The condition.
        then: The outcome; None in rows that only hold or do not.
        strength: The source's own word.
        rules: Ids in the project's list of the source's rules.
        sentences: Sentence ids; the first is the row's own.
        references: The source's reference numbers.
        text: A paraphrase of what the source says.
        rationale: Why the project fixed it so, where the source is silent.
        assumption: Whether the source is silent.
        extras: Keys of one kind of table only.
    """

    id: str
    when: When
    then: str | None
    strength: str
    rules: tuple[str, ...]
    sentences: tuple[str, ...]
    references: tuple[int, ...]
    text: str
    rationale: str = ""
    assumption: bool = False
    extras: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows that decide one thing.

    Attributes:
        name: What is decided, or the option's id.
        policy: "unique" (at most one row can hold) or "first" (the first that holds decides).
        rows: The rows.
        pro: Rows that only argue for.
        contra: Rows that only argue against.
        evidence: Outcome figures.
        fact: The fact that carries the answer to later tables, so that they need not ask for what
            it was made of; None where they look through the table.
        goals: What each outcome aims at.
    """

    name: str
    policy: str
    rows: tuple[Row, ...]
    pro: tuple[Row, ...] = ()
    contra: tuple[Row, ...] = ()
    evidence: tuple[str, ...] = ()
    fact: str | None = None
    goals: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSource:
    """A whole rule set as read.

    Attributes:
        id: Its name.
        sha256: Hash over its files.
        caveat: What every report must print.
        inputs: Entries of `inputs.yaml`.
        tables: Deciding tables in order.
        options: One table per treatment.
        constraints: What cannot be true together.
        imaging: Rows that name a scan.
        flags: Rows that raise a flag.
        safety: What must never come out, written a second time apart from the tables.
        statements: Statements of further sources by id ("N01"); the first source's are Sxxx.
    """

    id: str
    sha256: str
    caveat: str
    inputs: tuple[Mapping[str, Any], ...]
    tables: tuple[Table, ...]
    options: tuple[Table, ...]
    constraints: tuple[Row, ...]
    imaging: tuple[Row, ...]
    flags: tuple[Row, ...]
    safety: tuple[Row, ...] = ()
    statements: Mapping[str, Statement] = field(default_factory=dict[str, "Statement"])


def read_rule_source(*folders: Path) -> RuleSource:
    """Read a rule set; further folders hold overlays, applied in their order.

    Raises:
        RuleTableError: For unknown keys, missing texts, ids that stand twice, and overlays that
            change a row which is not there.
        StudyRejectedError: CONFIG_SYNTAX for a file that is not well-formed.
    """
    documents = read_documents(folders[0])
    for folder in folders[1:]:
        documents = lay_over(documents, folder)
    sections = documents.sections
    source = RuleSource(
        id=documents.id,
        sha256=documents.sha256,
        caveat=documents.caveat,
        inputs=tuple(sections["inputs"]),
        tables=tuple(_table(entry) for entry in sections["tables"]),
        options=tuple(t for entry in sections["options"] for t in _options(entry)),
        constraints=_rows(sections["constraints"]),
        imaging=_rows(sections["imaging"]),
        flags=_rows(sections["flags"]),
        safety=_rows(sections["safety"]),
        statements=documents.statements,
    )
    _require_unique_ids(source)
    return source


def all_rows(source: RuleSource) -> tuple[Row, ...]:
    """Every row that decides or advises, for tracing; the safety list is no part of it."""
    tables = (*source.tables, *source.options)
    inside = (row for table in tables for row in (*table.rows, *table.pro, *table.contra))
    return (*inside, *source.constraints, *source.imaging, *source.flags)


def _options(entry: dict[str, Any]) -> list[Table]:
    """One table per option; options that share their rows are written once."""
    named = entry["option"]
    names = cast("list[str]", named) if isinstance(named, list) else [str(named)]
    return [
        Table(
            name=name,
            policy="first",
            rows=_rows(entry["rows"], prefix=f"{name}."),
            pro=_rows(entry.get("for", []), prefix=f"{name}.for."),
            contra=_rows(entry.get("against", []), prefix=f"{name}.against."),
            evidence=tuple(entry.get("evidence", ())),
        )
        for name in names
    ]


def _table(entry: dict[str, Any]) -> Table:
    if entry["policy"] not in {"unique", "first"}:
        raise RuleTableError(f"table {entry['table']}: policy is unique or first.")
    return Table(
        name=entry["table"],
        policy=entry["policy"],
        rows=_rows(entry["rows"]),
        pro=_rows(entry.get("further", [])),
        fact=entry.get("fact"),
        goals=entry.get("goals", {}),
    )


def _rows(entries: list[dict[str, Any]], prefix: str = "") -> tuple[Row, ...]:
    return tuple(_row(entry, prefix) for entry in entries)


def _row(entry: dict[str, Any], prefix: str) -> Row:
    name = prefix + str(entry.get("id", "?"))
    unknown = sorted(set(entry) - _ROW_KEYS)
    if unknown:
        raise RuleTableError(f"row {name}: unknown key {unknown[0]!r}; quote texts with commas.")
    when = entry.get("when", entry.get("impossible"))
    if when is None or not entry.get("text"):
        raise RuleTableError(f"row {name}: a row has `when` and `text`.")
    assumption = bool(entry.get("assumption", False))
    if assumption and not (entry.get("rationale") or "assum" in entry["text"]):
        entry = entry | {"rationale": "The source is silent here."}
    if not entry.get("sentences") and not entry.get("sentence"):
        raise RuleTableError(f"row {name}: a row names its `sentences`.")
    return Row(
        id=name,
        when=tuple(cast("list[dict[str, Any]]", when)) if isinstance(when, list) else (when,),
        then=entry.get("then"),
        strength=str(entry.get("strength", "derived")),
        rules=tuple(entry.get("rules", ())),
        sentences=tuple(entry.get("sentences") or [str(entry["sentence"])]),
        references=tuple(entry.get("references", ())),
        text=entry["text"],
        rationale=entry.get("rationale", ""),
        assumption=assumption,
        extras={k: v for k, v in entry.items() if k in _EXTRA_KEYS},
    )


_EXTRA_KEYS = _ROW_KEYS - {
    "id", "when", "impossible", "then", "strength", "rules", "sentences", "sentence", "references",
    "text", "rationale", "assumption",
}  # fmt: skip


def _require_unique_ids(source: RuleSource) -> None:
    ids = [row.id for row in all_rows(source) if row not in source.flags]
    twice = sorted({name for name in ids if ids.count(name) > 1})
    if twice:
        raise RuleTableError(f"the row id {twice[0]!r} stands twice.")
