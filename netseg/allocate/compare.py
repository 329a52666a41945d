"""Two rule sets compared by what they answer, patient by patient, and not by their text.

Both are compiled over the same facts, so that the comparison is exact: a table that is named as the
same gives every patient the same answer. Each difference has a patient, as a findings document, and
what both rule sets say of him when asked.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from netseg.allocate.checks import witness_of
from netseg.allocate.compiling import compile_together
from netseg.allocate.document import findings_document, parse_case
from netseg.allocate.evaluate import allocate
from netseg.allocate.facts import cells_of_facts, known_facts
from netseg.allocate.settle import MISMATCHES
from netseg.allocate.witness import witness_document

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping

    from netseg.allocate.compiled import CompiledTable, RuleSet
    from netseg.domain.allocation import Allocation
    from netseg.domain.clinical import ClinicalFindings

DECIDED = ("grade", "carcinoma", "pattern", "route", "ablation_window", "follow_up")
"""Tables compared beside the options; the others only feed these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Patients who get another answer.

    Attributes:
        table: Table or option.
        first: Answer of the first rule set; "contradiction" where it knows no such patient.
        second: Answer of the second.
        witness: Facts of one such patient, only those that it takes.
        document: The same patient as a findings document.
        first_says: What `allocate` answers for the document under the first rule set.
        second_says: The same under the second.
    """

    table: str
    first: str
    second: str
    witness: Mapping[str, Any]
    document: Mapping[str, Any]
    first_says: str
    second_says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Everything in which two rule sets differ.

    Attributes:
        first: Name of the first rule set.
        second: Name of the second.
        differences: One per table and pair of answers.
        same: Tables and options that give every patient the same answer.
        only_first: Options that only the first knows.
        only_second: Options that only the second knows.
    """

    first: str
    second: str
    differences: tuple[Difference, ...]
    same: tuple[str, ...]
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]


def compare_rules(
    first: RuleSet, second: RuleSet, given: ClinicalFindings | None = None
) -> Comparison:
    """Compare two rule sets over every patient.

    Args:
        first: One rule set.
        second: The other.
        given: Only patients that agree with these findings; all when None.

    Raises:
        RuleTableError: If a fact is declared differently in the two.
    """
    one, other = compile_together(first.source, second.source)
    pair = _Pair(one, other, given)
    found: list[Difference] = []
    same: list[str] = []
    for name in _shared(one, other):
        differences = list(_of_table(name, pair))
        found += differences
        if not differences:
            same.append(name)
    return Comparison(
        first=one.id,
        second=other.id,
        differences=(*_contradictions(pair), *found),
        same=tuple(same),
        only_first=tuple(name for name in one.options if name not in other.options),
        only_second=tuple(name for name in other.options if name not in one.options),
    )


def _shared(one: RuleSet, other: RuleSet) -> list[str]:
    tables = [name for name in DECIDED if name in one.tables and name in other.tables]
    return [*tables, *(name for name in one.options if name in other.options)]


def _table(name: str, rules: RuleSet) -> CompiledTable:
    return rules.tables.get(name) or rules.options[name]


_BESIDE = frozenset(flag for flag, _ in MISMATCHES.values())
"""A report that contradicts a measurement without changing the route is flagged, not refused."""


class _Pair:
    """Two rule sets over the same facts, and the patients that are asked about."""

    def __init__(self, one: RuleSet, other: RuleSet, given: ClinicalFindings | None) -> None:
        self.both = (one, other)
        self.given = {} if given is None else findings_document(given)
        self.asked: tuple[int, ...] = ()
        if given is not None:
            known = cells_of_facts(known_facts(given), one)
            self.asked = tuple(
                one.diagrams.among(place, cells, one.variables[place].size)
                for place, cells in enumerate(known)
                if cells != one.open_cells[place] and one.variables[place].name in self.given
            )

    def difference(
        self, name: str, answers: tuple[str, str], where: int, constraints: tuple[int, ...]
    ) -> Iterator[Difference]:
        """A difference if some patient meets the condition."""
        one = self.both[0]
        for asked in self.asked:
            where = one.diagrams.both(where, asked)
        witness = witness_of(where, one, constraints)
        if witness is None:
            return
        document = self.given | witness_document(witness, self.both[1])
        findings = parse_case(document)
        said = [_answer(name, allocate(findings, rules)) for rules in self.both]
        yield Difference(
            table=name,
            first=answers[0],
            second=answers[1],
            witness=witness,
            document={k: v for k, v in document.items() if k != "schema_version"},
            first_says=said[0],
            second_says=said[1],
        )


def _of_table(name: str, pair: _Pair) -> Iterator[Difference]:
    """Every pair of different answers that some patient gets."""
    one, other = pair.both
    diagrams = one.diagrams
    sides = [_table(name, rules).by_outcome for rules in pair.both]
    if sides[0] == sides[1]:
        return
    constraints = (*one.consistent, *other.consistent)
    for said in sorted(map(str, diagrams.outcomes(sides[0]))):
        here = _says(sides[0], said, one)
        for instead in sorted(map(str, diagrams.outcomes(sides[1]))):
            if said != instead:
                both = diagrams.both(here, _says(sides[1], instead, one))
                yield from pair.difference(name, (said, instead), both, constraints)


def _says(diagram: int, answer: str, rules: RuleSet) -> int:
    def is_answer(outcome: Hashable) -> bool:
        return str(outcome) == answer

    return rules.diagrams.relabel(diagram, is_answer)


def _contradictions(pair: _Pair) -> Iterator[Difference]:
    """Patients that one rule set takes for a contradiction and the other does not."""
    one, other = pair.both
    for first, second, answers in (
        (one, other, ("contradiction", "possible")),
        (other, one, ("possible", "contradiction")),
    ):
        for kept in set(first.consistent) - set(second.consistent):
            violated = one.diagrams.opposite(kept)
            yield from pair.difference("constraints", answers, violated, second.consistent)


def _answer(name: str, allocation: Allocation) -> str:
    """What a board would read, for this table."""
    if str(allocation.status) == "conflict":
        return "conflict: " + ", ".join(c.id for c in allocation.conflicts)
    for step in allocation.trace:
        if step.table == name:
            return " or ".join(step.outcomes)
    options = [option for option in allocation.options if option.id == name]
    if not options:
        beside = [flag.id for flag in allocation.flags if flag.id in _BESIDE]
        return ", flagged ".join((str(allocation.status), *beside))
    return " or ".join(map(str, options[0].possible_statuses)) or str(options[0].status)


def difference_document(comparison: Comparison) -> dict[str, Any]:
    """As JSON types."""
    return {
        "schema_version": "1",
        "first": comparison.first,
        "second": comparison.second,
        "differences": [
            {
                "table": d.table,
                "first": d.first,
                "second": d.second,
                "witness": dict(d.witness),
                "findings": dict(d.document),
                "first_says": d.first_says,
                "second_says": d.second_says,
            }
            for d in comparison.differences
        ],
        "same_for_every_patient": list(comparison.same),
        "only_first": list(comparison.only_first),
        "only_second": list(comparison.only_second),
    }


def tell_differences(comparison: Comparison) -> str:
    """In words: what changes, for whom, and what provably does not."""
    c = comparison
    lines = [f"{c.first} -> {c.second}: {len(c.differences)} kinds of patients get another answer."]
    for d in c.differences:
        lines.append(f"  {d.table}: {d.first} -> {d.second}")
        lines.append(f"    patient: {json.dumps(dict(d.document))}")
        lines.append(f"    {c.first} says {d.first_says}; {c.second} says {d.second_says}")
    for title, names in (
        ("only in " + c.first, c.only_first),
        ("only in " + c.second, c.only_second),
    ):
        lines += [f"  {title}: {', '.join(names)}"] if names else []
    lines.append(f"  the same for every patient: {', '.join(c.same) or 'nothing'}")
    return "\n".join(lines)
