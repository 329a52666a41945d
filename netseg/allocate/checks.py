"""Is a rule set sound? Exact over every patient, because the diagrams hold every patient.

Each problem comes with a witness: the facts of a patient for whom it happens.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from netseg.allocate.ruleset import GAP

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from netseg.allocate.ruleset import CompiledRow, CompiledTable, RuleSet

OFFERED = frozenset({"recommended", "option"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One way in which a rule set is not sound.

    Attributes:
        kind: "gap", "overlap", "unreachable" or the name of a safety rule.
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
    row that nobody reaches, no treatment offered against a contraindication, no local cure with
    disease outside the liver. Patients who contradict themselves do not count. What holds for
    every patient holds for unknowns too: an unknown is a set of patients.
    """
    found: list[Problem] = []
    for name, table in {**rules.tables, **rules.options}.items():
        found += [*_gaps(name, table, rules), *_unreachable(name, table, rules)]
        if table.table.policy == "unique":
            found += _overlaps(name, table, rules)
    for name, option in rules.options.items():
        found += _offered_against_contraindication(name, option, rules)
    return (*found, *_cure_with_extrahepatic_disease(rules))


def _consistent(diagram: int, rules: RuleSet) -> int:
    """The condition, for patients who do not contradict themselves."""
    for kept in rules.consistent:
        diagram = rules.diagrams.both(diagram, kept)
    for place, variable in enumerate(rules.variables):
        if len(variable.cells()) < variable.size:
            exists = rules.diagrams.among(place, variable.cells(), variable.size)
            diagram = rules.diagrams.both(diagram, exists)
    return diagram


def _problem(kind: str, table: str, text: str, where: int, rules: RuleSet) -> Iterator[Problem]:
    """A problem if some consistent patient meets the condition."""
    way = rules.diagrams.path_to(_consistent(where, rules), rules.diagrams.TRUE)
    if way is not None:
        witness = {rules.variables[v].name: rules.variables[v].sample(c) for v, c in way.items()}
        yield Problem(kind=kind, table=table, text=text, witness=witness)


def _gaps(name: str, table: CompiledTable, rules: RuleSet) -> Iterator[Problem]:
    uncovered = rules.diagrams.relabel(table.by_row, lambda number: number == GAP)
    yield from _problem("gap", name, "no row covers this patient", uncovered, rules)


def _unreachable(name: str, table: CompiledTable, rules: RuleSet) -> Iterator[Problem]:
    for number, row in enumerate(table.rows):
        decides = rules.diagrams.relabel(table.by_row, lambda n, number=number: n == number)
        if _consistent(decides, rules) == rules.diagrams.FALSE:
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


def _cure_with_extrahepatic_disease(rules: RuleSet) -> Iterator[Problem]:
    route = rules.tables["route"]
    cure = rules.diagrams.relabel(route.by_outcome, lambda way: way == "local_curative")
    place = rules.index["extrahepatic_disease"]
    variable = rules.variables[place]
    outside = rules.diagrams.among(place, variable.cells_named([True]), variable.size)
    text = "local cure although there is disease outside the liver"
    both = rules.diagrams.both(cure, outside)
    yield from _problem("cure_with_extrahepatic_disease", "route", text, both, rules)
