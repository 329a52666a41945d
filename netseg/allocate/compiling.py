"""From rows to decision diagrams, table by table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netseg.allocate.compiled import GAP, CompiledRow, CompiledTable, RuleSet
from netseg.allocate.diagram import Diagrams
from netseg.allocate.tables import RuleTableError
from netseg.allocate.variables import as_list, cells_wanted, variables_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from netseg.allocate.cells import Variable
    from netseg.allocate.tables import Row, RuleSource, Table


def compile_rules(source: RuleSource) -> RuleSet:
    """Compile a rule set.

    Raises:
        RuleTableError: If a condition asks for something unknown or compares it wrongly.
    """
    return _Compiler(source, Diagrams(), variables_of((source,))).compile()


def compile_together(first: RuleSource, second: RuleSource) -> tuple[RuleSet, RuleSet]:
    """Compile two rule sets over the same facts and thresholds, so that they can be compared.

    Raises:
        RuleTableError: If a fact is declared differently in the two.
    """
    diagrams, variables = Diagrams(), variables_of((first, second))
    return (
        _Compiler(first, diagrams, variables).compile(),
        _Compiler(second, diagrams, variables).compile(),
    )


class _Compiler:
    """Holds what is compiled so far, so that later tables may ask for earlier ones."""

    def __init__(
        self, source: RuleSource, diagrams: Diagrams, variables: tuple[Variable, ...]
    ) -> None:
        self.source = source
        self.diagrams = diagrams
        self.constraints: list[tuple[set[int], int]] = []
        self.tables: dict[str, CompiledTable] = {}
        self.variables = variables
        self.index = {v.name: place for place, v in enumerate(self.variables)}

    def compile(self) -> RuleSet:
        """Everything in the order of the files."""
        for table in self.source.tables:
            self.tables[table.name] = self._table(table)
        self._constrain()
        self.tables = {name: self._guarded(table) for name, table in self.tables.items()}
        options = {table.name: self._table(table) for table in self.source.options}
        constraints = self._rows(self.source.constraints)
        return RuleSet(
            source=self.source,
            variables=self.variables,
            index=self.index,
            open_cells=tuple(v.cells() for v in self.variables),
            diagrams=self.diagrams,
            tables=self.tables,
            options=options,
            constraints=constraints,
            imaging=self._rows(self.source.imaging),
            flags=self._rows(self.source.flags),
            safety=self._rows(self.source.safety),
            consistent=tuple(kept for _, kept in self.constraints),
        )

    def _table(self, table: Table) -> CompiledTable:
        rows = self._rows(table.rows)
        by_row = self.diagrams.leaf(GAP)
        for number in range(len(rows) - 1, -1, -1):
            by_row = self.diagrams.choose(rows[number].holds, self.diagrams.leaf(number), by_row)
        outcomes: list[str | None] = [row.row.then for row in rows]

        def outcome(number: Any) -> str | None:
            return None if number == GAP else outcomes[int(number)]

        by_outcome = self.diagrams.relabel(by_row, outcome)
        return CompiledTable(
            table=table,
            rows=rows,
            by_row=by_row,
            by_outcome=by_outcome,
            row_here=self._here(by_row),
            outcome_here=self._here(by_outcome),
            asks=frozenset(self.diagrams.support(by_outcome)),
            pro=self._rows(table.pro),
            contra=self._rows(table.contra),
        )

    def _guarded(self, table: CompiledTable) -> CompiledTable:
        """The table again, now that the constraints, which ask for tables, are known."""
        return self._table(table.table)

    def _constrain(self) -> None:
        """Join constraints that share a fact; those that share none never touch each other."""
        carried = [self._carries(t) for t in self.tables.values() if t.table.fact is not None]
        violated = [self._when(row) for row in self.source.constraints]
        for condition in [*carried, *(self.diagrams.opposite(v) for v in violated)]:
            kept = condition
            apart: list[tuple[set[int], int]] = []
            facts = self.diagrams.support(condition)
            for other_facts, other in self.constraints:
                if other_facts & facts:
                    facts = facts | other_facts
                    kept = self.diagrams.both(kept, other)
                else:
                    apart.append((other_facts, other))
            self.constraints = [*apart, (facts, kept)]

    def _carries(self, table: CompiledTable) -> int:
        """True where the table's fact is what the table decides."""
        kept = self.diagrams.FALSE
        for outcome in {row.row.then for row in table.rows}:
            is_so = self._condition(table.table.name, outcome)
            decided = self._derived(table.table.name, [outcome])
            kept = self.diagrams.either(kept, self.diagrams.both(is_so, decided))
        return kept

    def _here(self, diagram: int) -> int:
        """The diagram, impossible where constraints on what it asks for are violated.

        A carried fact alone needs no constraint: its possible values are known beforehand.
        """
        facts = self.diagrams.support(diagram)
        carried = {self.index[t.table.fact] for t in self.tables.values() if t.table.fact}
        for constrained, kept in self.constraints:
            if constrained & facts - carried:
                diagram = self.diagrams.choose(kept, diagram, self.diagrams.IMPOSSIBLE)
        return diagram

    def _rows(self, rows: Iterable[Row]) -> tuple[CompiledRow, ...]:
        found: list[CompiledRow] = []
        for row in rows:
            holds = self._when(row)
            found.append(CompiledRow(row=row, holds=holds, holds_here=self._here(holds)))
        return tuple(found)

    def _when(self, row: Row) -> int:
        any_of = self.diagrams.FALSE
        for conditions in row.when:
            all_of = self.diagrams.TRUE
            for name, wanted in reversed(list(conditions.items())):
                try:
                    one = self._condition(name, wanted)
                except ValueError as problem:
                    raise RuleTableError(f"row {row.id}: {problem}") from problem
                all_of = self.diagrams.both(one, all_of)
            any_of = self.diagrams.either(any_of, all_of)
        return any_of

    def _condition(self, name: str, wanted: Any) -> int:
        if name in self.tables:
            fact = self.tables[name].table.fact
            if fact is None:
                return self._derived(name, as_list(wanted))
            name = fact
        if name not in self.index:
            raise ValueError(f"no fact or earlier table is called {name!r}.")
        place = self.index[name]
        variable = self.variables[place]
        return self.diagrams.among(place, cells_wanted(variable, wanted), variable.size)

    def _derived(self, name: str, wanted: list[Any]) -> int:
        table = self.tables[name]
        known = {row.row.then for row in table.rows}
        if not set(wanted) <= known:
            raise ValueError(f"table {name} has no outcome {sorted(set(wanted) - known)}.")
        chosen = set(wanted)

        def is_chosen(outcome: Any) -> bool:
            return outcome in chosen

        return self.diagrams.relabel(table.by_outcome, is_chosen)
