"""Rule tables as they stand in the YAML files: typed, checked for unknown keys, not yet compiled."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from netseg.allocate.reading import parse_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

When = tuple["Mapping[str, Any]", ...]
"""Alternatives, one of which must hold; each names conditions that must all hold."""

_ROW_KEYS = {
    "id", "when", "impossible", "then", "intent", "strength", "rules", "sentences", "sentence",
    "references", "text", "rationale", "assumption", "contraindication", "limit", "scan", "fields",
    "unless_done", "reported", "interval_months",
}  # fmt: skip


class RuleTableError(ValueError):
    """A rule table that says something netseg does not understand. A fault of the rule set."""


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


def read_rule_source(folder: Path) -> RuleSource:
    """Read all files of a rule set.

    Raises:
        RuleTableError: For unknown keys, missing texts and ids that stand twice.
        StudyRejectedError: CONFIG_SYNTAX for a file that is not well-formed.
    """
    head = _document(folder, "rules.yaml")
    tables = [t for name in head["tables"] for t in _document(folder, name)["tables"]]
    options = [o for name in head["options"] for o in _document(folder, name)["options"]]
    source = RuleSource(
        id=head["id"],
        sha256=_hash(folder, head),
        caveat=" ".join(head["caveat"].split()),
        inputs=tuple(_document(folder, "inputs.yaml")["inputs"]),
        tables=tuple(_table(entry) for entry in tables),
        options=tuple(t for entry in options for t in _options(entry)),
        constraints=_rows(_document(folder, head["constraints"])["constraints"]),
        imaging=_rows(_document(folder, head["imaging"])["imaging"]),
        flags=_rows(_document(folder, head["flags"])["flags"]),
    )
    _require_unique_ids(source)
    return source


def all_rows(source: RuleSource) -> tuple[Row, ...]:
    """Every row of the rule set, for tracing."""
    tables = (*source.tables, *source.options)
    inside = (row for table in tables for row in (*table.rows, *table.pro, *table.contra))
    return (*inside, *source.constraints, *source.imaging, *source.flags)


def _document(folder: Path, name: str) -> dict[str, Any]:
    text = (folder / name).read_text(encoding="utf-8")
    return cast("dict[str, Any]", parse_yaml(text, name))


def _hash(folder: Path, head: dict[str, Any]) -> str:
    """Over names and bytes of every file that decides; the order is that of the names."""
    names = {"rules.yaml", "inputs.yaml", *head["tables"], *head["options"]}
    names |= {head["constraints"], head["imaging"], head["flags"]}
    digest = hashlib.sha256()
    for name in sorted(names):
        digest.update(name.encode() + b"\0" + (folder / name).read_bytes() + b"\0")
    return digest.hexdigest()


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
    ids = [row.id for row in (*all_rows(source),) if row not in source.flags]
    twice = sorted({name for name in ids if ids.count(name) > 1})
    if twice:
        raise RuleTableError(f"the row id {twice[0]!r} stands twice.")
