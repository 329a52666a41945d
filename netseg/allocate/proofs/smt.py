"""A rule set as SMT-LIB text, written from the rows themselves and not from the diagrams.

The two readings of the tables, as diagrams for patients and as formulas for proofs, share only the
row objects: a slip in one of them makes them disagree, which the tests look for. Any solver that
reads SMT-LIB 2 can check the text (https://smt-lib.org).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from netseg.allocate.cells import Span
from netseg.allocate.tables import RuleTableError
from netseg.allocate.variables import as_list

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from netseg.allocate.tables import Row, RuleSource, Table, When

NO_ROW = -1


class Formulas:
    """The formulas of a rule set for one patient; a second patient has a second prefix.

    Attributes:
        source: The rule set.
        prefix: What the patient's symbols begin with.
    """

    def __init__(self, source: RuleSource, prefix: str = "") -> None:
        """Write for one patient."""
        self.source = source
        self.prefix = prefix
        self._inputs: dict[str, Mapping[str, Any]] = {e["name"]: e for e in source.inputs}
        self._tables = {t.name: t for t in (*source.tables, *source.options)}

    def script(self) -> str:
        """Declarations of every fact, definitions of every row and table, and what is consistent."""
        lines = [self._declaration(entry) for entry in self.source.inputs]
        for table in (*self.source.tables, *self.source.options):
            lines += self._definitions(table)
        consistent = [self._possible(entry) for entry in self.source.inputs]
        consistent += [self._carried(table) for table in self.source.tables if table.fact]
        consistent += [f"(not {self.when(row.when)})" for row in self.source.constraints]
        lines.append(
            f"(define-fun {self.symbol('consistent')} () Bool (and {' '.join(consistent)}))"
        )
        return "\n".join(lines)

    def symbol(self, name: str) -> str:
        """The quoted symbol of a fact, a row or a table of this patient."""
        return f"|{self.prefix}{name}|"

    def row(self, row: Row) -> str:
        """Whether the row's own condition holds."""
        return self.symbol(f"row {row.id}")

    def decides(self, table: Table, number: int) -> str:
        """Whether the row of this number decides; `NO_ROW` for a patient without one."""
        return f"(= {self.symbol(f'table {table.name}')} {_whole(number)})"

    def outcome(self, name: str, wanted: Iterable[Any]) -> str:
        """Whether a table or option says one of the outcomes; one it has no row for is never said."""
        table, chosen = self._tables[name], set(wanted)
        rows = [n for n, row in enumerate(table.rows) if row.then in chosen]
        return _either([self.decides(table, number) for number in rows])

    def when(self, when: When) -> str:
        """A row's condition as a formula."""
        return _either([
            _all([self._condition(name, wanted) for name, wanted in part.items()]) for part in when
        ])  # fmt: skip

    def cone(self, names: Iterable[str]) -> list[str]:
        """The facts that conditions on these names rest on, in the order of the inputs."""
        found: set[str] = set()
        waiting = list(names)
        seen: set[str] = set()
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            if name in self._inputs:
                found.add(name)
            if name in self._tables:
                table = self._tables[name]
                waiting += [n for row in table.rows for part in row.when for n in part]
                waiting += [table.fact] if table.fact else []
        return [name for name in self._inputs if name in found]

    def agree(self, other: Formulas, names: Iterable[str]) -> str:
        """Whether two patients have the same value in every one of the facts."""
        return _all([f"(= {self.symbol(name)} {other.symbol(name)})" for name in names])

    def value(self, name: str, met: str) -> Any:
        """A fact's value from what the solver printed."""
        entry = self._inputs[name]
        if entry.get("type") == "flag":
            return met == "true"
        number = _number(met)
        if entry.get("type") == "number":
            return int(number) if number == int(number) else round(number, 6)
        return entry["values"][int(number)]

    def _declaration(self, entry: Mapping[str, Any]) -> str:
        return f"(declare-const {self.symbol(entry['name'])} {_sort(entry)})"

    def _possible(self, entry: Mapping[str, Any]) -> str:
        """The bounds of a fact."""
        name, sort = self.symbol(entry["name"]), _sort(entry)
        if sort == "Bool":
            return "true"
        if entry.get("type") != "number":
            return f"(and (>= {name} 0) (< {name} {len(entry['values'])}))"
        low, high = float(entry.get("low", 0)), float(entry.get("high", math.inf))
        bounds = [f"(>= {name} {_literal(low, sort)})"]
        bounds += [f"(<= {name} {_literal(high, sort)})"] if math.isfinite(high) else []
        return _all(bounds)

    def _definitions(self, table: Table) -> list[str]:
        rows = (*table.rows, *table.pro, *table.contra)
        lines = [f"(define-fun {self.row(row)} () Bool {self.when(row.when)})" for row in rows]
        decided = _whole(NO_ROW)
        for number in range(len(table.rows) - 1, -1, -1):
            decided = f"(ite {self.row(table.rows[number])} {_whole(number)} {decided})"
        return [*lines, f"(define-fun {self.symbol(f'table {table.name}')} () Int {decided})"]

    def _carried(self, table: Table) -> str:
        """The table's fact is what the table decides."""
        values: list[Any] = list(self._inputs[str(table.fact)]["values"])
        fact = self.symbol(str(table.fact))
        return _either([
            _all([f"(= {fact} {values.index(then)})", self.outcome(table.name, [then])])
            for then in dict.fromkeys(row.then for row in table.rows)
        ])  # fmt: skip

    def _condition(self, name: str, wanted: Any) -> str:
        if name in self._tables:
            fact = self._tables[name].fact
            if fact is None:
                self._require_outcomes(name, as_list(wanted))
                return self.outcome(name, as_list(wanted))
            name = fact
        if name not in self._inputs:
            raise RuleTableError(f"no fact or table is called {name!r}.")
        entry, symbol = self._inputs[name], self.symbol(name)
        if entry.get("type") == "number":
            return _inside(symbol, Span.from_condition(wanted), _sort(entry))
        if entry.get("type") == "flag":
            return _either([symbol if one else f"(not {symbol})" for one in as_list(wanted)])
        values: list[Any] = list(entry["values"])
        return _either([f"(= {symbol} {values.index(one)})" for one in as_list(wanted)])

    def _require_outcomes(self, name: str, wanted: list[Any]) -> None:
        strange = set(wanted) - {row.then for row in self._tables[name].rows}
        if strange:
            raise RuleTableError(f"table {name} has no outcome {sorted(strange)}.")


def _sort(entry: Mapping[str, Any]) -> str:
    if entry.get("type") == "flag":
        return "Bool"
    return "Real" if entry.get("type") == "number" and not entry.get("whole") else "Int"


def _inside(symbol: str, span: Span, sort: str) -> str:
    parts: list[str] = []
    if math.isfinite(span.low):
        parts.append(f"({'>=' if span.low_included else '>'} {symbol} {_literal(span.low, sort)})")
    if math.isfinite(span.high):
        parts.append(
            f"({'<=' if span.high_included else '<'} {symbol} {_literal(span.high, sort)})"
        )
    return _all(parts)


def _literal(value: float, sort: str) -> str:
    if sort == "Int":
        if value != int(value):
            raise RuleTableError(f"a whole number is compared with {value:g}.")
        return _whole(int(value))
    text = f"{abs(value):f}"
    return f"(- {text})" if value < 0 else text


def _whole(number: int) -> str:
    return f"(- {-number})" if number < 0 else str(number)


def _all(parts: list[str]) -> str:
    if len(parts) < 2:
        return parts[0] if parts else "true"
    return f"(and {' '.join(parts)})"


def _either(parts: list[str]) -> str:
    if len(parts) < 2:
        return parts[0] if parts else "false"
    return f"(or {' '.join(parts)})"


def _number(met: str) -> float:
    """A number as SMT-LIB prints it: 2.0, (- 3), (/ 7.0 2.0), (- (/ 1.0 2.0))."""
    inner = met.strip()
    if not inner.startswith("("):
        return float(inner)
    operator, rest = inner[1:-1].split(" ", 1)
    if operator == "-":
        return -_number(rest)
    above, below = rest.split(" ", 1)
    return _number(above) / _number(below)
