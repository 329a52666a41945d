"""What else would make another route right: one changed fact, all others equal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netseg.allocate.facts import NOT_STATED
from netseg.allocate.settle import MEASURED_BESIDE
from netseg.domain.allocation import Counterfactual, Route

if TYPE_CHECKING:
    from collections.abc import Hashable

    from netseg.allocate.cells import Variable
    from netseg.allocate.reasons import Reading


def counterfactuals(reading: Reading) -> tuple[Counterfactual, ...]:
    """Single changes that lead to exactly one route, other than what the facts give now."""
    route = reading.rules.tables["route"].outcome_here
    now = reading.outcomes("route")
    found: list[Counterfactual] = []
    plain = reading.rules.tables["route"].by_outcome
    for place in sorted(reading.rules.diagrams.support(plain)):
        variable = reading.rules.variables[place]
        name = "pattern" if variable.name == "liver_pattern" else variable.field
        found += [
            Counterfactual(change={name: variable.text(cells)}, route=Route(str(other)))
            for other, cells in _cells_by_route(reading, place, route).items()
            if frozenset({other}) != now
        ]
    return tuple(found)


def _cells_by_route(reading: Reading, place: int, route: int) -> dict[Hashable, list[int]]:
    """The variable's other cells, by the one route that each of them decides."""
    variable = reading.rules.variables[place]
    here = reading.worlds.cells(place)
    open_now = len(reading.outcomes("route")) > 1
    silent = reading.worlds.elsewhere(reported_silent(reading))
    found: dict[Hashable, list[int]] = {}
    for cell in sorted(reading.rules.open_cells[place]):
        if is_no_change(variable, cell) or (cell in here and (len(here) == 1 or not open_now)):
            continue
        routes = silent.elsewhere({place: (cell,)}).possible(route)
        if len(routes) == 1:
            found.setdefault(next(iter(routes)), []).append(cell)
    return found


def is_no_change(variable: Variable, cell: int) -> bool:
    """Values that are no other fact about a patient, only less known about him."""
    return (variable.name, variable.text([cell])) in {
        ("ablation_result", "no_record"),
        ("ablation_result", "superseded"),
        ("primary", "unknown"),
        ("liver_pattern", "not_covered"),
    }


def reported_silent(reading: Reading) -> dict[int, frozenset[int]]:
    """Reported statements stand aside while the fact beside them is changed."""
    rules = reading.rules
    return {
        rules.index[name]: rules.variable(name).cells_named([NOT_STATED])
        for name in MEASURED_BESIDE
    }
