"""One patient's reading of the rule set: outcomes, the rows behind them, and their facts in words."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from netseg.allocate.cells import Span
from netseg.allocate.compiled import GAP
from netseg.allocate.document import FIELDS
from netseg.allocate.facts import NOT_STATED, last_control
from netseg.allocate.settle import as_written
from netseg.domain.allocation import Reason, TraceStep

if TYPE_CHECKING:
    from netseg.allocate.compiled import CompiledRow, CompiledTable, RuleSet
    from netseg.allocate.settle import Standing
    from netseg.allocate.tables import Row
    from netseg.domain.clinical import ClinicalFindings

ONLY_TRUE: frozenset[Any] = frozenset({True})

STATED = {"grade": "grade_reported", "pattern": "liver_pattern_reported"}
"""Statements that narrow what a table decides."""

NOTHING: frozenset[Any] = frozenset({NOT_STATED})

SILENT = (NOT_STATED, "any", None)
"""Values of derived facts that tell a reader nothing."""

NOT_TRACED = ("lesions_reported", "measured", "provenance")


class Reading:
    """What the tables say about one patient, computed once and kept."""

    def __init__(self, findings: ClinicalFindings, standing: Standing, rules: RuleSet) -> None:
        """Stand before the tables with one patient's facts."""
        self.findings = findings
        self.standing = standing
        self.rules = rules
        self.worlds = standing.worlds
        self._outcomes: dict[str, frozenset[Any]] = {}
        self._rows: dict[str, list[Row]] = {}
        self._shown: dict[str, Any] = {}
        self._reasons: dict[str, Reason] = {}

    def outcomes(self, table: str) -> frozenset[Any]:
        """Every outcome of a deciding table that some completion of the unknowns gives."""
        if table not in self._outcomes:
            rows = self.rows_reached(self.rules.tables[table])
            self._outcomes[table] = frozenset([row.then for row in rows])
        return self._outcomes[table]

    def rows_reached(self, table: CompiledTable) -> list[Row]:
        """The rows that decide in some completion of the unknowns, in the table's order."""
        if table.table.name not in self._rows:
            numbers: frozenset[int] = self._seen(table.by_row, table.row_here)
            self._rows[table.table.name] = [table.rows[n].row for n in sorted(numbers) if n != GAP]
        return self._rows[table.table.name]

    def is_certain(self, row: CompiledRow) -> bool:
        """Whether a row's condition holds in every completion of the unknowns."""
        return self._seen(row.holds, row.holds_here) == ONLY_TRUE

    def _seen(self, plain: int, here: int) -> frozenset[Any]:
        """Outcomes within the constraints; where the facts contradict each other, without them."""
        return self.worlds.possible(here) or self.worlds.possible(plain)

    def reason(self, row: Row) -> Reason:
        """The row as a reason, with this patient's facts."""
        found = self._reasons.get(row.id)
        if found is None:
            assumed = f" (assumption: {row.rationale})" if row.assumption and row.rationale else ""
            found = self._reasons[row.id] = Reason(
                rule=row.id,
                sentences=row.sentences,
                references=row.references,
                facts={name: self.shown(name) for part in row.when for name in part},
                text=row.text + assumed,
                strength=row.strength,
                assumption=row.assumption,
            )
        return found

    def shown(self, name: str) -> Any:
        """One fact as a reader writes it: a value, what is still possible, or None if unknown."""
        if name not in self._shown:
            self._shown[name] = self._show(name)
        return self._shown[name]

    def shown_facts(self) -> dict[str, Any]:
        """The document's known fields, and the facts derived from the lesion list."""
        names = [name for name in FIELDS if name not in NOT_TRACED]
        derived = [
            v.name
            for v in self.rules.variables
            if v.name not in FIELDS and v.name in self.standing.facts
        ]
        said = {name: self.shown(name) for name in derived if not name.endswith("_stated")}
        idle = {name for name, v in said.items() if name.startswith("progressed_on") and v is False}
        told = {name: v for name, v in said.items() if v not in SILENT and name not in idle}
        return as_written(self.findings, names) | told

    def trace(self) -> tuple[TraceStep, ...]:
        """Every deciding table that has something to decide here."""
        steps: list[TraceStep] = []
        for name, table in self.rules.tables.items():
            if name == "control_scan" and last_control(self.findings) is None:
                continue
            rows = self.rows_reached(table)
            reasons = list(map(self.reason, rows))
            stated = self._stated_beside(name)
            if stated:
                reasons = [
                    dataclasses.replace(reason, facts={**reason.facts, **stated})
                    for reason in reasons
                ]
            steps.append(
                TraceStep(
                    table=name,
                    rows=tuple(
                        (reason, str(row.then)) for reason, row in zip(reasons, rows, strict=True)
                    ),
                    outcomes=tuple(sorted({str(row.then) for row in rows})),
                )
            )
        return tuple(steps)

    def _stated_beside(self, table: str) -> dict[str, Any]:
        """The reported grade or pattern, where it stands beside what a table measures."""
        name = STATED.get(table, "")
        if self.standing.facts.get(name, NOTHING) == NOTHING:
            return {}
        return {name: self.shown(name)}

    def _show(self, name: str) -> Any:
        if name in self.rules.tables:
            return " or ".join(sorted(str(outcome) for outcome in self.outcomes(name))) or None
        place = self.rules.index[name]
        variable = self.rules.variables[place]
        fact = self.standing.facts.get(name)
        if isinstance(fact, Span) and fact.low == fact.high:
            return int(fact.low) if fact.low == int(fact.low) else fact.low
        if fact is None and self.worlds.cells(place) == self.rules.open_cells[place]:
            return None
        if name == "ki67" and self.findings.ki67 is not None:
            return str(self.findings.ki67)
        return variable.text(self.worlds.cells(place))
