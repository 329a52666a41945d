"""A second, naive reader of the rule tables: one patient, row by row, as a person would."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netseg.allocate.tables import Row, RuleSource, Table


def number_holds(value: float, condition: str) -> bool:
    if ".." in condition:
        low, high = condition.split("..")
        return float(low) <= value <= float(high)
    operator, number = condition.split()
    limit = float(number)
    return {
        "<": value < limit,
        "<=": value <= limit,
        ">": value > limit,
        ">=": value >= limit,
        "=": value == limit,
    }[operator]


class ByHand:
    """Reads the tables for one patient whose every fact is known."""

    def __init__(self, source: RuleSource, patient: dict[str, Any]) -> None:
        self.tables = {table.name: table for table in source.tables}
        self.patient = patient

    def fact(self, name: str) -> Any:
        """The value of a fact, or what its table decides."""
        table = self.tables.get(name)
        if table is None:
            return self.patient[name]
        return self.patient[table.fact] if table.fact else self.decide(table)

    def holds(self, row: Row) -> bool:
        """Whether one of the row's alternatives holds."""
        return any(
            all(self.condition(name, wanted) for name, wanted in part.items()) for part in row.when
        )

    def condition(self, name: str, wanted: Any) -> bool:
        """Whether one condition holds."""
        value = self.fact(name)
        if (isinstance(wanted, str) and wanted[:1] in "<>=") or ".." in str(wanted):
            return number_holds(value, wanted)
        return value in wanted if isinstance(wanted, list) else value == wanted

    def rows(self, table: Table) -> list[Row]:
        """The rows that hold."""
        return [row for row in table.rows if self.holds(row)]

    def decide(self, table: Table) -> str | None:
        """The first row's answer."""
        rows = self.rows(table)
        return rows[0].then if rows else None

    def is_consistent(self, source: RuleSource) -> bool:
        """Whether no constraint is violated."""
        carried = all(
            self.patient[table.fact] == self.decide(table)
            for table in source.tables
            if table.fact is not None
        )
        return carried and not any(self.holds(row) for row in source.constraints)
