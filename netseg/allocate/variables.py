"""The facts that a rule set asks for, cut into cells wherever one of its rows compares them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from netseg.allocate.cells import Span, Variable
from netseg.allocate.tables import RuleTableError, all_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from netseg.allocate.tables import RuleSource


def as_list(wanted: Any) -> list[Any]:
    """A condition's value or values."""
    return cast("list[Any]", wanted) if isinstance(wanted, list) else [wanted]


def cells_wanted(variable: Variable, wanted: Any) -> frozenset[int]:
    """The cells that a condition on a variable names."""
    if variable.is_number:
        return variable.cells_of(Span.from_condition(wanted))
    return variable.cells_named(as_list(wanted))


def variables_of(sources: Sequence[RuleSource]) -> tuple[Variable, ...]:
    """The declared facts, numbers cut wherever a row of any of the sources compares them."""
    cuts: dict[str, set[float]] = {}
    for name, wanted in (condition for source in sources for condition in _conditions(source)):
        if isinstance(wanted, str) and any(sign in wanted for sign in ("<", ">", "=", "..")):
            cuts.setdefault(name, set()).update(Span.from_condition(wanted).ends())
    found: list[Variable] = []
    for entry in _inputs(sources):
        kind = entry.get("type", "choice")
        values: tuple[Any, ...] = (
            (False, True) if kind == "flag" else tuple(entry.get("values", ()))
        )
        found.append(
            Variable(
                name=entry["name"],
                field=entry.get("field", entry["name"]),
                values=values,
                cuts=tuple(sorted(cuts.get(entry["name"], ()))) if kind == "number" else (),
                low=float(entry.get("low", 0)),
                high=float(entry.get("high", float("inf"))),
                whole=bool(entry.get("whole", False)),
                unit=entry.get("unit", ""),
            )
        )
    return tuple(found)


def _inputs(sources: Sequence[RuleSource]) -> list[Mapping[str, Any]]:
    """The facts of all sources, each once, a later source's own ones after what they follow."""
    merged = list(sources[0].inputs)
    for source in sources[1:]:
        for place, entry in enumerate(source.inputs):
            same = [known for known in merged if known["name"] == entry["name"]]
            if same and same[0] != entry:
                raise RuleTableError(f"the fact {entry['name']!r} is declared in two ways.")
            if not same:
                before = [known["name"] for known in source.inputs[:place]]
                merged.insert(
                    max((n + 1 for n, known in enumerate(merged) if known["name"] in before[-1:]),
                        default=0), entry)  # fmt: skip
    return merged


def _conditions(source: RuleSource) -> Iterator[tuple[str, Any]]:
    for row in (*all_rows(source), *source.safety):
        for conditions in row.when:
            yield from conditions.items()
