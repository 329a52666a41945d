"""What follows from what is known: outcomes over every completion of the unknowns, jointly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netseg.allocate.diagram import LEAF, Diagrams

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

_IMPOSSIBLE = -1


class Worlds:
    """All patients that agree with the known facts and with the rule set's constraints.

    Each variable has a set of cells that are still possible; `care` is a diagram that is true where
    the facts do not contradict each other.
    """

    __slots__ = ("_cells", "_diagrams", "_known", "_merged", "_nodes", "_outcomes", "_seen", "care")

    def __init__(self, diagrams: Diagrams, cells: Sequence[frozenset[int]], care: int) -> None:
        """Stand in the worlds where every variable lies in its cells and `care` is true."""
        self._diagrams = diagrams
        self._cells = [tuple(sorted(c)) for c in cells]
        self._nodes: list[tuple[int, tuple[int, ...]]] = []
        self._known: dict[tuple[int, tuple[int, ...]], int] = {}
        self._seen: dict[tuple[int, int], int] = {}
        self._merged: dict[tuple[int, int], int | None] = {}
        self._outcomes: dict[tuple[int, int], frozenset[Hashable]] = {}
        self.care = care

    def possible(self, diagram: int) -> frozenset[Hashable]:
        """Every outcome that some world gives; empty where no world is left."""
        return self._reach(diagram, self.care)

    def settles(self, diagram: int) -> set[int]:
        """Variables whose value would narrow the outcomes: the support after simplification."""
        top = self._simplify(diagram, self.care)
        found: set[int] = set()
        waiting, seen = [top], {top}
        while waiting:
            node = waiting.pop()
            if node >= 0 and not self._is_leaf(node):
                variable, children = self._nodes[node - self._base]
                found.add(variable)
                for child in children:
                    if child not in seen:
                        seen.add(child)
                        waiting.append(child)
        return found

    def with_cells(self, changed: Mapping[int, frozenset[int]], care: int | None = None) -> Worlds:
        """The worlds in which some variables lie elsewhere, all else equal."""
        cells = [frozenset(c) for c in self._cells]
        for variable, new in changed.items():
            cells[variable] = new
        return Worlds(self._diagrams, cells, self.care if care is None else care)

    def cells(self, variable: int) -> frozenset[int]:
        """The cells of a variable that are possible by its own."""
        return frozenset(self._cells[variable])

    @property
    def _base(self) -> int:
        """Own node numbers begin where the rule set's numbers can never be."""
        return 1 << 40

    def _is_leaf(self, node: int) -> bool:
        return node < self._base

    def _reach(self, node: int, care: int) -> frozenset[Hashable]:
        d = self._diagrams
        while True:
            variable = d.variables[node]
            if care != d.TRUE:
                variable = min(variable, d.variables[care])
            if care == d.FALSE:
                return frozenset()
            if variable == LEAF:
                return frozenset((d.values[node],))
            allowed = self._cells[variable]
            if len(allowed) != 1:
                break
            node, care = self._step(node, care, variable, allowed[0])
        key = (node, care)
        found = self._outcomes.get(key)
        if found is None:
            found = frozenset().union(
                *(self._reach(*self._step(node, care, variable, cell)) for cell in allowed)
            )
            self._outcomes[key] = found
        return found

    def _step(self, node: int, care: int, variable: int, cell: int) -> tuple[int, int]:
        d = self._diagrams
        if d.variables[node] == variable:
            node = d.children[node][cell]
        if d.variables[care] == variable:
            care = d.children[care][cell]
        return node, care

    def _simplify(self, node: int, care: int) -> int:
        """The diagram within these worlds, with every variable left out that need not be known."""
        d = self._diagrams
        if care == d.FALSE:
            return _IMPOSSIBLE
        key = (node, care)
        found = self._seen.get(key)
        if found is not None:
            return found
        variable = min(d.variables[node], d.variables[care])
        if variable == LEAF:
            found = node
        else:
            children = [
                self._simplify(*self._step(node, care, variable, cell))
                for cell in self._cells[variable]
            ]
            found = self._join(variable, children)
        self._seen[key] = found
        return found

    def _join(self, variable: int, children: list[int]) -> int:
        merged: int | None = _IMPOSSIBLE
        for child in children:
            merged = self._merge(merged, child)
            if merged is None:
                return self._own(variable, tuple(children))
        return _IMPOSSIBLE if merged is None else merged

    def _own(self, variable: int, children: tuple[int, ...]) -> int:
        key = (variable, children)
        if key not in self._known:
            self._known[key] = self._base + len(self._nodes)
            self._nodes.append(key)
        return self._known[key]

    def _merge(self, first: int, second: int) -> int | None:
        """One diagram that agrees with both wherever they are possible, None if none does."""
        if first == second or second == _IMPOSSIBLE:
            return first
        if first == _IMPOSSIBLE:
            return second
        if self._is_leaf(first) and self._is_leaf(second):
            return None
        key = (first, second)
        if key not in self._merged:
            self._merged[key] = self._merge_nodes(first, second)
        return self._merged[key]

    def _merge_nodes(self, first: int, second: int) -> int | None:
        tops = [LEAF if self._is_leaf(n) else self._nodes[n - self._base][0] for n in (first, second)]
        variable = min(tops)
        width = len(self._cells[variable])
        sides = [
            self._nodes[n - self._base][1] if top == variable else (n,) * width
            for n, top in zip((first, second), tops, strict=True)
        ]
        children: list[int] = []
        for one, other in zip(*sides, strict=True):
            child = self._merge(one, other)
            if child is None:
                return None
            children.append(child)
        return self._join(variable, children)
