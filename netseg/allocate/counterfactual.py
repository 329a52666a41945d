"""What else would make another route right: one changed fact, all others equal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netseg.allocate.facts import LESION_FACTS, NOT_STATED
from netseg.allocate.settle import MEASURED_BESIDE
from netseg.domain.allocation import Counterfactual, Route
from netseg.domain.clinical import LiverPattern

if TYPE_CHECKING:
    from collections.abc import Hashable

    from netseg.allocate.reasons import Reading


def counterfactuals(reading: Reading) -> tuple[Counterfactual, ...]:
    """Single changes that lead to exactly one route, other than what the facts give now."""
    route = reading.rules.tables["route"].outcome_here
    now = reading.outcomes("route")
    found: list[Counterfactual] = []
    plain = reading.rules.tables["route"].by_outcome
    for place in sorted(reading.rules.diagrams.support(plain)):
        variable = reading.rules.variables[place]
        if variable.name not in LESION_FACTS:
            by_route = _cells_by_route(reading, place, route)
            found += [
                Counterfactual(change={variable.field: variable.text(cells)}, route=Route(str(name)))
                for name, cells in by_route.items()
                if {name} != now
            ]
    return (*found, *_other_patterns(reading, now))


def _cells_by_route(reading: Reading, place: int, route: int) -> dict[Hashable, list[int]]:
    """The variable's other cells, by the one route that each of them decides."""
    variable = reading.rules.variables[place]
    here = reading.worlds.cells(place)
    open_now = len(reading.outcomes("route")) > 1
    silent = _reported_silent(reading)
    found: dict[Hashable, list[int]] = {}
    for cell in sorted(variable.cells()):
        is_no_record = variable.name == "ablation_result" and variable.values[cell] == "no_record"
        if is_no_record or (cell in here and (len(here) == 1 or not open_now)):
            continue
        routes = reading.worlds.elsewhere(silent | {place: (cell,)}).possible(route)
        if len(routes) == 1:
            found.setdefault(next(iter(routes)), []).append(cell)
    return found


def _reported_silent(reading: Reading) -> dict[int, frozenset[int]]:
    """Reported statements stand aside while the fact beside them is changed."""
    rules = reading.rules
    return {
        rules.index[name]: rules.variable(name).cells_named([NOT_STATED]) for name in MEASURED_BESIDE
    }


def _other_patterns(reading: Reading, now: frozenset[Any]) -> list[Counterfactual]:
    """The liver's lesions otherwise spread; the lesion list is freed as a whole."""
    rules = reading.rules
    free = {
        rules.index[name]: rules.variable(name).cells()
        for name in LESION_FACTS
        if name in rules.index
    }
    worlds = reading.worlds.elsewhere(_reported_silent(reading) | free)
    found: list[Counterfactual] = []
    for pattern in LiverPattern:
        if {str(pattern)} == reading.outcomes("pattern"):
            continue
        routes = worlds.possible(rules.route_if_pattern[str(pattern)])
        if len(routes) == 1 and routes != now:
            change = {"pattern": str(pattern)}
            found.append(Counterfactual(change=change, route=Route(str(next(iter(routes))))))
    return found
