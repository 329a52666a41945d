"""What follows from what is known: outcomes over every completion of the unknowns, jointly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netseg.allocate.diagram import LEAF, Diagrams, Impossible

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence

_IMPOSSIBLE = Diagrams.IMPOSSIBLE
_NO_WORLD: frozenset[Hashable] = frozenset({Impossible.WORLD})
_OWN_NODES = 1 << 40
"""Numbers of nodes made here begin where a rule set's can never be."""


class Worlds:
    """All patients that agree with the known facts: each variable lies in one of its cells."""

    __slots__ = (
        "_cells", "_diagrams", "_known", "_merged", "_nodes", "_outcomes", "_simple", "_unusual",
    )  # fmt: skip

    def __init__(self, diagrams: Diagrams, cells: Iterable[Iterable[int]]) -> None:
        """Stand in the worlds where every variable lies in its cells."""
        self._diagrams = diagrams
        self._cells: list[tuple[int, ...]] = [tuple(sorted(c)) for c in cells]
        self._unusual: int | None = None
        self._outcomes: dict[int, int] = {}
        self._nodes: list[tuple[int, tuple[int, ...]]] = []
        self._known: dict[tuple[int, tuple[int, ...]], int] = {}
        self._simple: dict[int, int] = {}
        self._merged: dict[tuple[int, int], int | None] = {}

    def possible(self, diagram: int) -> frozenset[Any]:
        """Every outcome that some world gives; empty where every world contradicts itself."""
        question = (diagram, self._known_of(diagram))
        found = self._diagrams.answered.get(question)
        if found is None:
            found = self._diagrams.named(self._reach(diagram)) - _NO_WORLD
            self._diagrams.remember(question, found)
        return found

    def settles(self, here: int, asks: frozenset[int]) -> set[int]:
        """Variables whose value would narrow the outcomes.

        Args:
            here: The table, impossible where the rule set's constraints are violated.
            asks: Variables that the table itself asks for. What merely tells something about them
                is not worth asking.
        """
        question = ("settles", here, self._known_of(here))
        needed = self._diagrams.answered.get(question)
        if needed is None:
            needed = frozenset(self._support(self._simplify(here)))
            self._diagrams.remember(question, needed)
        return set(needed & asks or needed)

    def _known_of(self, diagram: int) -> tuple[tuple[int, ...], ...]:
        """What is known of the facts that a diagram asks for; who is alike in it gets its answer."""
        return tuple([self._cells[place] for place in self._diagrams.asked(diagram)])

    def _unusual_cells(self) -> int:
        """The variables whose cells are not the usual ones, one bit each."""
        if self._unusual is None:
            pairs = zip(self._cells, self._diagrams.usual_cells, strict=True)
            self._unusual = sum(1 << n for n, (own, usual) in enumerate(pairs) if own != usual)
        return self._unusual

    def cells(self, variable: int) -> frozenset[int]:
        """The cells of a variable that are possible by its own."""
        return frozenset(self._cells[variable])

    def elsewhere(self, changed: Mapping[int, Iterable[int]]) -> Worlds:
        """The worlds in which some variables lie in other cells, all else equal."""
        other = Worlds(self._diagrams, ())
        other._cells = list(self._cells)
        for variable, new in changed.items():
            other._cells[variable] = tuple(sorted(new))
        return other

    def _down(self, node: int) -> int:
        """The first node below whose variable is not decided by its cells, or a leaf."""
        variables, children, cells = self._diagrams.variables, self._diagrams.children, self._cells
        while variables[node] != LEAF:
            allowed = cells[variables[node]]
            if len(allowed) != 1:
                break
            node = children[node][allowed[0]]
        return node

    def _reach(self, node: int) -> int:
        """The leaves below a node, one bit each."""
        node = self._down(node)
        found = self._outcomes.get(node)
        if found is None:
            variable = self._diagrams.variables[node]
            if variable == LEAF:
                return self._diagrams.bits[node]
            asks = self._diagrams.usual_asks
            if node < len(asks) and not asks[node] & self._unusual_cells():
                found = self._diagrams.usual_leaves[node]
            else:
                below, found = self._diagrams.children[node], 0
                for step in {below[cell] for cell in self._cells[variable]}:
                    found |= self._reach(step)
            self._outcomes[node] = found
        return found

    def _simplify(self, node: int) -> int:
        """The diagram within these worlds, with every variable left out that need not be known."""
        node = self._down(node)
        variable = self._diagrams.variables[node]
        if variable == LEAF:
            return node
        found = self._simple.get(node)
        if found is None:
            below, allowed = self._diagrams.children[node], self._cells[variable]
            done = {step: self._simplify(step) for step in {below[cell] for cell in allowed}}
            found = self._join(variable, [done[below[cell]] for cell in allowed])
            self._simple[node] = found
        return found

    def _join(self, variable: int, children: Sequence[int]) -> int:
        """One diagram that serves every cell of the variable, else a node that asks it."""
        merged: int | None = _IMPOSSIBLE
        for child in dict.fromkeys(children):
            merged = self._merge(merged, child)
            if merged is None:
                return self._own(variable, tuple(children))
        return merged

    def _own(self, variable: int, children: tuple[int, ...]) -> int:
        key = (variable, children)
        if key not in self._known:
            self._known[key] = _OWN_NODES + len(self._nodes)
            self._nodes.append(key)
        return self._known[key]

    def _merge(self, first: int, second: int) -> int | None:
        """One diagram that agrees with both wherever they are possible, None if none does."""
        if first == second or second == _IMPOSSIBLE:
            return first
        if first == _IMPOSSIBLE:
            return second
        if first < _OWN_NODES and second < _OWN_NODES:
            return None
        key = (first, second)
        if key not in self._merged:
            self._merged[key] = self._merge_nodes(first, second)
        return self._merged[key]

    def _merge_nodes(self, first: int, second: int) -> int | None:
        pair = (first, second)
        tops = [LEAF if n < _OWN_NODES else self._nodes[n - _OWN_NODES][0] for n in pair]
        variable = min(tops)
        width = len(self._cells[variable])
        sides = [
            self._nodes[n - _OWN_NODES][1] if top == variable else (n,) * width
            for n, top in zip(pair, tops, strict=True)
        ]
        children: list[int] = []
        for one, other in zip(*sides, strict=True):
            child = self._merge(one, other)
            if child is None:
                return None
            children.append(child)
        return self._join(variable, children)

    def _support(self, top: int) -> set[int]:
        """The variables that a diagram made here asks for."""
        found: set[int] = set()
        waiting, seen = [top], {top}
        while waiting:
            node = waiting.pop()
            if node >= _OWN_NODES:
                variable, children = self._nodes[node - _OWN_NODES]
                found.add(variable)
                waiting += [child for child in children if child not in seen]
                seen.update(children)
        return found
