"""Rule tables as a person reads them: row by row, in the order in which they decide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netseg.domain.codes import Code
from netseg.domain.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from netseg.allocate.compiled import RuleSet
    from netseg.allocate.tables import Row, RuleSource, Table, When


def tell_rules(rules: RuleSet, *, only: str | None = None, source: Mapping[str, str]) -> str:
    """The rule set, or one table or option of it, as text.

    Args:
        rules: The rule set.
        only: Name of a table, an option, or "constraints", "imaging", "flags", "safety".
        source: The source's sentences by id, shown under each row; empty for who does not own it.

    Raises:
        UsageError: If there is no such table.
    """
    blocks = dict(_blocks(rules.source, source))
    if only is None:
        head = f"{rules.id}, sha256 {rules.sha256[:16]}\n{rules.source.caveat}"
        return "\n\n".join([head, *blocks.values(), *_statements(rules.source)])
    if only not in blocks:
        raise UsageError(
            Code.CONFIG_RANGE,
            f"{rules.id} has no table {only!r}; it has {', '.join(blocks)}.",
            hint="Name one of them with --table.",
        )
    return blocks[only]


def when_text(when: When) -> str:
    """A condition in words: alternatives joined by "or", facts by "and"."""
    alternatives = [
        " and ".join(f"{name} {_wanted(wanted)}" for name, wanted in part.items()) or "always"
        for part in when
    ]
    return "; or ".join(alternatives)


def _blocks(source: RuleSource, sentences: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for table in (*source.tables, *source.options):
        yield table.name, _table(table, sentences)
    further = {
        "constraints": ("what cannot be true together", source.constraints),
        "imaging": ("scans", source.imaging),
        "flags": ("what the reader must know", source.flags),
        "safety": ("what must never come out", source.safety),
    }
    for name, (title, rows) in further.items():
        lines = [f"{name.upper()}: {title}"]
        for row in rows:
            lines += _row(row, sentences)
        yield name, "\n".join(lines)


def _table(table: Table, sentences: Mapping[str, str]) -> str:
    policy = {"unique": "one row holds", "first": "the first row that holds decides"}[table.policy]
    lines = [f"{table.name.upper()}: {policy}"]
    for row in table.rows:
        lines += _row(row, sentences)
    for title, rows in (("argues for", table.pro), ("argues against", table.contra)):
        for row in rows:
            lines.append(f"  {title}:")
            lines += _row(row, sentences)
    lines += [f"  = {figure}" for figure in table.evidence]
    return "\n".join(lines)


def _row(row: Row, sentences: Mapping[str, str]) -> list[str]:
    then = f" -> {row.then}" if row.then is not None else ""
    marks = [mark for mark in ("contraindication", "limit") if row.extras.get(mark)]
    marks += [str(row.extras["scan"])] if "scan" in row.extras else []
    marks += ["assumption"] if row.assumption else []
    if "never" in row.extras:
        marks.append(f"{', '.join(row.extras['of'])} never {', '.join(row.extras['never'])}")
    references = f" [{', '.join(map(str, row.references))}]" if row.references else ""
    where = f"{', '.join(row.sentences)}{references}; {row.strength}"
    lines = [f"  {row.id}{then}" + (f" ({'; '.join(marks)})" if marks else "")]
    lines.append(f"      if {when_text(row.when)}")
    lines.append(f"      {row.text} ({where})")
    lines += [f"      assumed because: {row.rationale}"] if row.assumption and row.rationale else []
    return lines + [f"      {s}: {sentences[s]}" for s in row.sentences if s in sentences]


def _wanted(wanted: Any) -> str:
    if isinstance(wanted, list):
        return " or ".join(map(_wanted, wanted))  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(wanted, bool):
        return "true" if wanted else "false"
    return str(wanted)


def _statements(source: RuleSource) -> list[str]:
    if not source.statements:
        return []
    lines = [
        f"  {name}: {said.text} ({said.source}; read: {said.read})"
        for name, said in source.statements.items()
    ]
    return ["\n".join(["STATEMENTS of the newer sources", *lines])]
