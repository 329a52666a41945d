"""What must be proven about a rule set: one formula each, and whether it may be satisfiable."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, cast

from netseg.allocate.proofs.smt import NO_ROW, Formulas

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netseg.allocate.tables import Row, RuleSource, Table

OFFERED = ("recommended", "option")


@dataclass(frozen=True, slots=True, kw_only=True)
class Obligation:
    """One thing to prove.

    Attributes:
        kind: "complete", "no_overlap", "reachable", "safe", "safe_when_unknown", "asks", "monotone".
        table: Where; the safety row's id for the safety kinds.
        text: What is wrong where the proof fails.
        formula: SMT-LIB formula over the patient `a.` and, where unknowns count, a second one `b.`.
        satisfiable: Whether some patient must exist (rows that somebody reaches); else none may.
        facts: Facts that a witness is printed with.
        unknown: Facts in which the two patients may differ: what is not known.
    """

    kind: str
    table: str
    text: str
    formula: str
    satisfiable: bool
    facts: tuple[str, ...]
    unknown: tuple[str, ...] = ()


def obligations_of(source: RuleSource) -> tuple[Obligation, ...]:
    """Everything that makes a rule set sound, for every patient and for everything unknown.

    A patient about whom something is unknown is a set of patients; an answer is given only where
    all of them agree. So whatever no patient gets, nobody gets for want of knowledge either. The
    kinds "safe_when_unknown" and "asks" prove that with two patients who agree in all that is
    known: where the barring fact is unknown nothing is determined against it, and the fact is not
    idle, because there are patients for whom it alone releases the treatment. "monotone" is the
    step of the argument that needs no table: who agrees in more, agrees in less.
    """
    first, second = Formulas(source, "a."), Formulas(source, "b.")
    found: list[Obligation] = []
    for table in (*source.tables, *source.options):
        found += [*_complete(table, first), *_reachable(table, first)]
        if table.policy == "unique":
            found += _no_overlap(table, first)
    for option in source.options:
        found += _bars_of_its_own(option, first)
    for row in source.safety:
        for name in cast("list[str]", row.extras["of"]):
            found += _safe(row, name, first, second)
    return (*found, *_monotone(source, first, second))


def _table_facts(table: Table, formulas: Formulas) -> tuple[str, ...]:
    return tuple(formulas.cone([n for row in table.rows for part in row.when for n in part]))


def _complete(table: Table, f: Formulas) -> Iterator[Obligation]:
    yield Obligation(
        kind="complete",
        table=table.name,
        text="no row covers this patient",
        formula=f.decides(table, NO_ROW),
        satisfiable=False,
        facts=_table_facts(table, f),
    )


def _reachable(table: Table, f: Formulas) -> Iterator[Obligation]:
    for number, row in enumerate(table.rows):
        yield Obligation(
            kind="reachable",
            table=table.name,
            text=f"nobody reaches row {row.id}",
            formula=f.decides(table, number),
            satisfiable=True,
            facts=(),
        )


def _no_overlap(table: Table, f: Formulas) -> Iterator[Obligation]:
    facts = _table_facts(table, f)
    for one, other in combinations(table.rows, 2):
        yield Obligation(
            kind="no_overlap",
            table=table.name,
            text=f"rows {one.id} and {other.id} both hold",
            formula=f"(and {f.row(one)} {f.row(other)})",
            satisfiable=False,
            facts=facts,
        )


def _bars_of_its_own(option: Table, f: Formulas) -> Iterator[Obligation]:
    """No option is offered where a row of its own that bars or limits it holds."""
    for row in option.rows:
        if row.extras.get("contraindication") or row.extras.get("limit"):
            yield Obligation(
                kind="safe",
                table=option.name,
                text=f"offered although {row.id} holds",
                formula=f"(and {f.outcome(option.name, OFFERED)} {f.row(row)})",
                satisfiable=False,
                facts=_table_facts(option, f),
            )


def _safe(row: Row, name: str, a: Formulas, b: Formulas) -> Iterator[Obligation]:
    """A safety row, for a patient known in full, and with its own facts unknown."""
    never = cast("list[Any]", row.extras["never"])
    barred, said = a.when(row.when), a.outcome(name, never)
    said_b = b.outcome(name, never)
    asked = [n for part in row.when for n in part]
    facts = tuple(a.cone([*asked, name]))
    unknown = tuple(a.cone(asked))
    known = [n for n in (e["name"] for e in a.source.inputs) if n not in unknown]
    text = f"{row.text} ({name}: {' or '.join(map(str, never))})"
    yield Obligation(kind="safe", table=row.id, text=text, formula=f"(and {barred} {said})",
                     satisfiable=False, facts=facts)  # fmt: skip
    if row.extras.get("unknown") != "blocks":
        return
    alike = a.agree(b, known)
    yield Obligation(
        kind="safe_when_unknown",
        table=row.id,
        text=f"{text}, where {', '.join(unknown)} is unknown",
        formula=f"(and {barred} {alike} {b.symbol('consistent')} {said} {said_b})",
        satisfiable=False,
        facts=facts,
        unknown=unknown,
    )
    if any(str(r.then) in map(str, never) for t in (*a.source.tables, *a.source.options)
           if t.name == name for r in t.rows):  # fmt: skip
        yield Obligation(
            kind="asks",
            table=row.id,
            text=f"{name}: knowing {', '.join(unknown)} never releases it",
            formula=f"(and {barred} {alike} {b.symbol('consistent')} (not {said}) {said_b})",
            satisfiable=True,
            facts=(),
            unknown=unknown,
        )


def _monotone(source: RuleSource, a: Formulas, b: Formulas) -> Iterator[Obligation]:
    """Removing knowledge never strengthens: who agrees in more facts, agrees in fewer.

    The symbols `more NAME` and `less NAME` say which facts are known before and after.
    """
    names = [entry["name"] for entry in source.inputs]
    fewer = " ".join(f"(=> |less {n}| |more {n}|)" for n in names)
    more = " ".join(f"(=> |more {n}| (= {a.symbol(n)} {b.symbol(n)}))" for n in names)
    less = " ".join(f"(=> |less {n}| (= {a.symbol(n)} {b.symbol(n)}))" for n in names)
    yield Obligation(
        kind="monotone",
        table="all",
        text="a patient allowed by more knowledge is not allowed by less",
        formula=f"(and {fewer} {more} (not (and {less})))",
        satisfiable=False,
        facts=tuple(names),
        unknown=tuple(names),
    )
