"""Is a rule set sound? Exact over every patient, because the diagrams hold every patient.

Each problem comes with a witness: the facts of a patient for whom it happens.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, cast

from netseg.allocate.compiled import GAP
from netseg.allocate.diagram import LEAF
from netseg.allocate.worlds import Worlds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from netseg.allocate.compiled import CompiledRow, CompiledTable, RuleSet

OFFERED = frozenset({"recommended", "option"})

ONLY_TRUE: frozenset[Any] = frozenset({True})


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One way in which a rule set is not sound.

    Attributes:
        kind: "gap", "overlap", "unreachable", "offered_against_contraindication" or "unsafe".
        table: Where.
        text: What is wrong.
        witness: Facts of a patient for whom it happens; empty for a row that nobody reaches.
    """

    kind: str
    table: str
    text: str
    witness: Mapping[str, Any]


def check_rules(rules: RuleSet) -> tuple[Problem, ...]:
    """All problems of a rule set; empty means sound.

    Complete (a row for every patient), no two rows of a unique table with different answers, no
    row that nobody reaches, no treatment offered against a contraindication, nothing of the rule
    set's safety list. Patients who contradict themselves do not count. What holds for
    every patient holds for unknowns too: an unknown is a set of patients.
    """
    found: list[Problem] = []
    for name, table in {**rules.tables, **rules.options}.items():
        found += [*_gaps(name, table, rules), *_unreachable(name, table, rules)]
        if table.table.policy == "unique":
            found += _overlaps(name, table, rules)
    for name, option in rules.options.items():
        found += _offered_against_contraindication(name, option, rules)
    for row in rules.safety:
        found += _unsafe(row, rules)
    return tuple(found)


def _way(condition: int, rules: RuleSet, constraints: tuple[int, ...]) -> dict[int, int] | None:
    """Cells of a patient who meets the condition and does not contradict himself.

    The condition and the constraints are walked side by side and never joined: joined, they would
    multiply. Groups of constraints that share no fact with the condition are kept by themselves.
    """
    diagrams = rules.diagrams
    asked = diagrams.support(condition)
    groups = [g for g in constraints if g == diagrams.FALSE or diagrams.support(g) & asked]
    failed: set[tuple[int, ...]] = set()

    def walk(nodes: tuple[int, ...]) -> dict[int, int] | None:
        if diagrams.FALSE in nodes or nodes in failed:
            return None
        place = min(diagrams.variables[node] for node in nodes)
        if place == LEAF:
            return {} if all(node == diagrams.TRUE for node in nodes) else None
        for cell in sorted(rules.open_cells[place]):
            below = (
                diagrams.children[n][cell] if diagrams.variables[n] == place else n for n in nodes
            )
            way = walk(tuple(dict.fromkeys(below)))
            if way is not None:
                return {place: cell} | way
        failed.add(nodes)
        return None

    return walk((condition, *groups))


def _problem(kind: str, table: str, text: str, where: int, rules: RuleSet) -> Iterator[Problem]:
    """A problem if some consistent patient meets the condition."""
    witness = witness_of(where, rules)
    if witness is not None:
        yield Problem(kind=kind, table=table, text=text, witness=witness)


def witness_of(
    where: int, rules: RuleSet, constraints: tuple[int, ...] | None = None
) -> dict[str, Any] | None:
    """Facts of a consistent patient who meets a condition, only those that it takes.

    Args:
        where: The condition.
        rules: The rule set that holds its diagram.
        constraints: What the patient must keep; those of the rule set when None.

    Returns:
        Facts by name; every consistent patient with these facts meets the condition. None where
        nobody meets it.
    """
    way = _way(where, rules, rules.consistent if constraints is None else constraints)
    if way is None:
        return None
    cells = [{way[v]} if v in way else open_ for v, open_ in enumerate(rules.open_cells)]
    for place in way:
        opened = [rules.open_cells[v] if v == place else c for v, c in enumerate(cells)]
        if Worlds.of(rules.diagrams, opened).possible(where) == ONLY_TRUE:
            cells = opened
    needed = [v for v, c in enumerate(cells) if c != rules.open_cells[v]]
    return {rules.variables[v].name: rules.variables[v].sample(way[v]) for v in needed}


def _gaps(name: str, table: CompiledTable, rules: RuleSet) -> Iterator[Problem]:
    uncovered = rules.diagrams.relabel(table.by_row, lambda number: number == GAP)
    yield from _problem("gap", name, "no row covers this patient", uncovered, rules)


def _unreachable(name: str, table: CompiledTable, rules: RuleSet) -> Iterator[Problem]:
    for number, row in enumerate(table.rows):
        decides = rules.diagrams.relabel(table.by_row, lambda n, number=number: n == number)
        if _way(decides, rules, rules.consistent) is None:
            text = f"nobody reaches row {row.row.id}"
            yield Problem(kind="unreachable", table=name, text=text, witness={})


def _overlaps(name: str, table: CompiledTable, rules: RuleSet) -> Iterator[Problem]:
    for first, second in combinations(table.rows, 2):
        both = rules.diagrams.both(first.holds, second.holds)
        text = f"rows {first.row.id} and {second.row.id} both hold"
        yield from _problem("overlap", name, text, both, rules)


def _offered_against_contraindication(
    name: str, table: CompiledTable, rules: RuleSet
) -> Iterator[Problem]:
    offered = rules.diagrams.relabel(table.by_outcome, lambda status: status in OFFERED)
    for row in table.rows:
        if _bars(row):
            both = rules.diagrams.both(offered, row.holds)
            text = f"offered although {row.row.id} holds"
            yield from _problem("offered_against_contraindication", name, text, both, rules)


def _bars(row: CompiledRow) -> bool:
    return bool(row.row.extras.get("contraindication") or row.row.extras.get("limit"))


def _unsafe(row: CompiledRow, rules: RuleSet) -> Iterator[Problem]:
    """A row of the safety list that a table violates."""
    never = frozenset(cast("list[str]", row.row.extras["never"]))
    for name in cast("list[str]", row.row.extras["of"]):
        table = rules.tables.get(name) or rules.options[name]
        said = rules.diagrams.relabel(table.by_outcome, lambda outcome: outcome in never)
        both = rules.diagrams.both(said, row.holds)
        text = f"{row.row.text} ({row.row.id})"
        yield from _problem("unsafe", name, text, both, rules)
