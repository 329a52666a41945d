"""What would make another choice right: the fewest changed facts that change an option's status."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from netseg.allocate.counterfactual import is_no_change, reported_silent
from netseg.allocate.reasons import Reading
from netseg.allocate.settle import settle
from netseg.domain.allocation import Allocation, OptionCounterfactual, OptionStatus

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping

    from netseg.allocate.compiled import CompiledTable, RuleSet
    from netseg.domain.clinical import ClinicalFindings

OFFERED = frozenset({"recommended", "option"})

Change = tuple[int, int]
"""One fact in one other cell: (place of the variable, cell)."""

_RECORDS = (
    "progressed_on_", "course_on_record", "sstr_stated", "whipple_listed", "gastric_type_stated",
    "extrahepatic_sites_named", "grade_reported", "liver_pattern_reported",
)  # fmt: skip
"""What was stated or happened is no fact about the tumour that could be otherwise."""

MOST_CHANGES = 2


def argued(allocation: Allocation, findings: ClinicalFindings, rules: RuleSet) -> Allocation:
    """The allocation with counterfactuals of every option.

    An option that is offered says what would take that away; any other says what would have it
    offered: one changed fact, or two where no single one does it. Every change is tried in the
    tables before it is told, with all other facts as they are and unknowns left unknown.

    Args:
        allocation: Of these findings under these rules.
        findings: What is known.
        rules: The rule set.
    """
    if not allocation.options:
        return allocation
    reading = Reading(findings, settle(findings, rules), rules)
    options = tuple(
        dataclasses.replace(option, counterfactuals=_of_option(rules.options[option.id], reading))
        for option in allocation.options
    )
    return dataclasses.replace(allocation, options=options)


def _of_option(table: CompiledTable, reading: Reading) -> tuple[OptionCounterfactual, ...]:
    search = _Search(table, reading)
    found = dict(search.single())
    if not found and not search.offered_now:
        found = dict(search.pairs())
    return tuple(_told(found, reading.rules))


class _Search:
    """Tries changes of the facts that an option's table rests on."""

    def __init__(self, table: CompiledTable, reading: Reading) -> None:
        self.reading = reading
        self.diagram = table.outcome_here
        self.silent = reading.worlds.elsewhere(reported_silent(reading))
        self.now = reading.worlds.possible(self.diagram)
        self.offered_now = bool(self.now) and self.now <= OFFERED
        self.places = [p for p in sorted(reading.rules.diagrams.support(table.by_outcome))
                       if not reading.rules.variables[p].name.startswith(_RECORDS)]  # fmt: skip
        self.steps: list[Change] = []

    def single(self) -> Iterator[tuple[tuple[Change, ...], str]]:
        """Single changes that do it; what moves the answer without doing it is kept as a step."""
        for change in self._changes(()):
            said = self._said((change,))
            if self._does_it(said):
                yield (change,), str(next(iter(said)))
            elif said and said != self.now:
                self.steps.append(change)

    def pairs(self) -> Iterator[tuple[tuple[Change, ...], str]]:
        """A step and a second change that together do it; neither does alone."""
        tried: set[frozenset[Change]] = set()
        for step in self.steps:
            for change in self._changes((step,)):
                pair = frozenset({step, change})
                if pair not in tried:
                    tried.add(pair)
                    said = self._said((step, change))
                    if self._does_it(said):
                        yield tuple(sorted(pair)), str(next(iter(said)))

    def _changes(self, made: tuple[Change, ...]) -> Iterator[Change]:
        rules = self.reading.rules
        changed = {place for place, _ in made}
        for place in self.places:
            here = self.reading.worlds.cells(place)
            if place in changed:
                continue
            for cell in sorted(rules.open_cells[place]):
                if set(here) != {cell} and not is_no_change(rules.variables[place], cell):
                    yield place, cell

    def _said(self, changes: tuple[Change, ...]) -> frozenset[Hashable]:
        moved: dict[int, Any] = {place: (cell,) for place, cell in changes}
        return self.silent.elsewhere(moved).possible(self.diagram)

    def _does_it(self, said: frozenset[Hashable]) -> bool:
        if len(said) != 1:
            return False
        return not said & OFFERED if self.offered_now else said <= OFFERED


def _told(
    found: Mapping[tuple[Change, ...], str], rules: RuleSet
) -> Iterator[OptionCounterfactual]:
    """Changes that differ in the cells of one fact only are told as one."""
    for status in dict.fromkeys(found.values()):
        kept = [
            {p: frozenset({c}) for p, c in changes} for changes, s in found.items() if s == status
        ]
        for change in _merged(kept):
            said = {_name(p, rules): rules.variables[p].text(cells) for p, cells in change.items()}
            yield OptionCounterfactual(change=said, status=OptionStatus(status))


def _merged(changes: list[dict[int, frozenset[int]]]) -> list[dict[int, frozenset[int]]]:
    """Join changes fact by fact where all their other facts have the same cells."""
    for place in sorted({p for change in changes for p in change}):
        joined: dict[Hashable, dict[int, frozenset[int]]] = {}
        for change in changes:
            others = frozenset((p, cells) for p, cells in change.items() if p != place)
            key = (place in change, others)
            if place in change and key in joined:
                joined[key] = change | {place: joined[key][place] | change[place]}
            else:
                joined[key if place in change else (id(change), others)] = change
        changes = list(joined.values())
    return changes


def _name(place: int, rules: RuleSet) -> str:
    """The fact by the name a reader knows."""
    variable = rules.variables[place]
    named = {"liver_pattern": "pattern", "ablation_result": "post_ablation"}
    return named.get(variable.name, variable.name)
