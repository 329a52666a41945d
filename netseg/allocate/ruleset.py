"""A rule set compiled to decision diagrams: read once, then a case costs a walk through them."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from netseg.allocate.cells import Span, Variable
from netseg.allocate.diagram import Diagrams
from netseg.allocate.overlay import extended
from netseg.allocate.tables import RuleSource, RuleTableError, read_rule_source
from netseg.domain.codes import Code
from netseg.domain.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from netseg.allocate.tables import Row, Table

RULES_FOLDER = Path(__file__).parent / "rules"

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


def available_rules() -> tuple[str, ...]:
    """Names of the rule sets that netseg carries."""
    return tuple(sorted(f.parent.name for f in RULES_FOLDER.glob("*/rules.yaml")))


@functools.cache
def load_rules(name: str = "seed-2020") -> RuleSet:
    """A rule set that netseg carries, by name; overlays are joined by "+".

    Example:
        `who-2022` is `seed-2020` with the newer grading; `who-2022+netter2-2024` has both changes.

    Raises:
        UsageError: If there is none of this name.
    """
    from netseg.allocate.evaluate import allocate
    from netseg.allocate.settle import settle
    from netseg.domain.clinical import ClinicalFindings

    rules = compile_rules(read_rule_source(*rule_folders(name)))
    nobody = settle(ClinicalFindings(), rules).worlds
    rules.diagrams.expect(nobody.cells(place) for place in range(len(rules.variables)))
    allocate(ClinicalFindings(), rules)  # the most open case is the slowest; its answers are kept
    return rules


def open_rules(name: str) -> RuleSet:
    """A rule set by name, or by the folder that holds one (an overlay finds its base here).

    Raises:
        UsageError: If there is none.
        RuleTableError: If the folder's tables cannot be read.
    """
    folder = Path(name)
    if name in available_rules() or not (folder / "rules.yaml").is_file():
        return load_rules(name)
    base = extended(folder)
    folders = (*rule_folders(base), folder) if base else (folder,)
    return compile_rules(read_rule_source(*folders))


def rule_folders(name: str) -> tuple[Path, ...]:
    """The folder of a rule set that stands alone, then those of the overlays of its name.

    Raises:
        UsageError: If there is none of this name, or the parts do not belong together.
    """
    parts = name.split("+")
    for part in parts:
        if part not in available_rules():
            raise UsageError(
                Code.CONFIG_RANGE,
                f"there is no rule set {part!r}; there are {', '.join(available_rules())}.",
                hint="Choose one with --rules; overlays are joined by +.",
            )
    bases = [extended(RULES_FOLDER / part) for part in parts]
    overlays = [part for part, base in zip(parts, bases, strict=True) if base is not None]
    wanted = {base or part for part, base in zip(parts, bases, strict=True)}
    if len(wanted) != 1 or len(set(parts)) != len(parts) or len(parts) - len(overlays) > 1:
        raise UsageError(
            Code.CONFIG_RANGE,
            f"{name!r} joins rule sets that do not belong together.",
            hint="Join overlays of one base, each once: who-2022+netter2-2024.",
        )
    return tuple(RULES_FOLDER / part for part in (wanted.pop(), *overlays))


def compile_rules(source: RuleSource) -> RuleSet:
    """Compile a rule set.

    Raises:
        RuleTableError: If a condition asks for something unknown or compares it wrongly.
    """
    return _Compiler(source, Diagrams(), _variables((source,))).compile()


def compile_together(first: RuleSource, second: RuleSource) -> tuple[RuleSet, RuleSet]:
    """Compile two rule sets over the same facts and thresholds, so that they can be compared.

    Raises:
        RuleTableError: If a fact is declared differently in the two.
    """
    diagrams, variables = Diagrams(), _variables((first, second))
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


def as_list(wanted: Any) -> list[Any]:
    """A condition's value or values."""
    return cast("list[Any]", wanted) if isinstance(wanted, list) else [wanted]


def cells_wanted(variable: Variable, wanted: Any) -> frozenset[int]:
    """The cells that a condition on a variable names."""
    if variable.is_number:
        return variable.cells_of(Span.from_condition(wanted))
    return variable.cells_named(as_list(wanted))


def _variables(sources: Sequence[RuleSource]) -> tuple[Variable, ...]:
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
    from netseg.allocate.tables import all_rows

    for row in (*all_rows(source), *source.safety):
        for conditions in row.when:
            yield from conditions.items()
