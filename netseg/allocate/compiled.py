"""A rule set compiled to decision diagrams: read once, then a case costs a walk through them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netseg.allocate.cells import Variable
    from netseg.allocate.diagram import Diagrams
    from netseg.allocate.tables import Row, RuleSource, Table

GAP = -1
"""Row number of a case that no row of a table covers; the checks prove that none exists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledRow:
    """A row with the diagram of its own condition.

    Attributes:
        row: As read.
        holds: True where the condition holds.
        holds_here: The same, impossible where the rule set's constraints are violated.
    """

    row: Row
    holds: int
    holds_here: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledTable:
    """A table as diagrams.

    Attributes:
        table: As read.
        rows: Its rows with their conditions.
        by_row: Leads to the number of the row that decides, or `GAP`.
        by_outcome: Leads to the row's outcome, or None for a gap.
        row_here: As `by_row`, impossible where the rule set's constraints are violated.
        outcome_here: As `by_outcome`, likewise.
        asks: Places of the facts that decide it.
        pro: Rows that argue for.
        contra: Rows that argue against.
    """

    table: Table
    rows: tuple[CompiledRow, ...]
    by_row: int
    by_outcome: int
    row_here: int
    outcome_here: int
    asks: frozenset[int]
    pro: tuple[CompiledRow, ...]
    contra: tuple[CompiledRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """A compiled rule set. Treat as a value; everything in it is derived from `source`.

    Attributes:
        source: As read.
        variables: The facts that the tables ask for, in order.
        index: Place of each variable.
        open_cells: For each variable every cell it can have.
        diagrams: All diagrams.
        tables: Deciding tables by name.
        options: Option tables by option id.
        constraints: Rows whose condition cannot be true.
        consistent: True where constraints that share facts are kept, one diagram a group.
        imaging: Rows that name a scan.
        flags: Rows that raise a flag.
        safety: What must never come out, by the condition on the patient.
    """

    source: RuleSource
    variables: tuple[Variable, ...]
    index: Mapping[str, int]
    open_cells: tuple[frozenset[int], ...]
    diagrams: Diagrams
    tables: Mapping[str, CompiledTable]
    options: Mapping[str, CompiledTable]
    constraints: tuple[CompiledRow, ...]
    imaging: tuple[CompiledRow, ...]
    flags: tuple[CompiledRow, ...]
    safety: tuple[CompiledRow, ...]
    consistent: tuple[int, ...]

    @property
    def id(self) -> str:
        """Its name."""
        return self.source.id

    @property
    def sha256(self) -> str:
        """Hash over its files."""
        return self.source.sha256

    def variable(self, name: str) -> Variable:
        """A variable by name."""
        return self.variables[self.index[name]]
