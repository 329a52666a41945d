"""Decision diagrams: a whole rule table as one small graph, so that unknowns cost nothing.

A node asks one variable and has one child per cell of it; a leaf is an outcome. Variables are asked
in one fixed order and equal nodes exist once, so two tables that answer alike are the same node,
and a table depends on a variable exactly if the variable stands in its graph (Bryant, IEEE Trans.
Computers 1986;35:677-691; here with more than two children).
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence

    from netseg.allocate.worlds import Worlds

LEAF = 1 << 30
"""The "variable" of leaves; comes after every real one."""


MOST_ANSWERS = 200_000
"""Answers kept over patients; some tens of megabytes."""


class Impossible(Enum):
    """The outcome of facts that contradict each other."""

    WORLD = "impossible"


class Diagrams:
    """All nodes of a rule set; a diagram is the number of its top node.

    Attributes:
        variables: For each node the variable that it asks, `LEAF` for leaves.
        children: For each node its child by cell.
        values: For each leaf its outcome.
        asks: For each node the variables on which its outcome depends, one bit each.
        bits: For each leaf one bit of its own, so that a number is a set of leaves.
        usual: The patient about whom nothing is known, once a rule set was loaded: most patients
            are near him, and what asks for nothing known has his answer.
        prepared: Others like him, of whom one fact is known that most tables ask for.
        answered: Answers to questions about patients (see `remember`).
    """

    __slots__ = (
        "_choices", "_kept", "_known", "_leaves", "_named", "_places", "answered", "asks", "bits",
        "children", "prepared", "usual", "values", "variables",
    )  # fmt: skip

    def __init__(self) -> None:
        self.usual: Worlds | None = None
        self.prepared: tuple[Worlds, ...] = ()
        self.variables: list[int] = []
        self.asks: list[int] = []
        self.children: list[tuple[int, ...]] = []
        self.values: list[Hashable] = []
        self._known: dict[tuple[int, tuple[int, ...]], int] = {}
        self._leaves: dict[tuple[type, Hashable], int] = {}
        self._choices: dict[tuple[int, int, int], int] = {}
        self._places: dict[int, tuple[int, ...]] = {}
        self._named: dict[int, frozenset[Hashable]] = {}
        self._kept: tuple[dict[Any, Any], ...] = ({}, {}, {})
        self.answered: dict[Hashable, Any] = {}
        self.bits: dict[int, int] = {}
        self.leaf(value=False)
        self.leaf(value=True)
        self.leaf(Impossible.WORLD)

    FALSE = 0
    TRUE = 1
    IMPOSSIBLE = 2

    def leaf(self, value: Hashable) -> int:
        """The leaf of one outcome."""
        key = (type(value), value)
        if key not in self._leaves:
            self._leaves[key] = self._append(LEAF, (), value)
            self.bits[self._leaves[key]] = 1 << (len(self._leaves) - 1)
        return self._leaves[key]

    def node(self, variable: int, children: tuple[int, ...]) -> int:
        """The node that asks `variable`; the child itself where all children are the same."""
        if all(child == children[0] for child in children):
            return children[0]
        key = (variable, children)
        if key not in self._known:
            self._known[key] = self._append(variable, children, None)
        return self._known[key]

    def among(self, variable: int, cells: Iterable[int], size: int) -> int:
        """True where the variable lies in one of `cells`."""
        inside = frozenset(cells)
        return self.node(variable, tuple(int(index in inside) for index in range(size)))

    def choose(self, condition: int, then: int, otherwise: int) -> int:
        """`then` where the condition is true, else `otherwise`."""
        if condition == self.TRUE or then == otherwise:
            return then
        if condition == self.FALSE:
            return otherwise
        key = (condition, then, otherwise)
        if key not in self._choices:
            top = min(self.variables[n] for n in key)
            branches = [self.children[n] if self.variables[n] == top else None for n in key]
            width = next(len(b) for b in branches if b is not None)
            children = tuple(
                self.choose(
                    *(b[i] if b is not None else n for b, n in zip(branches, key, strict=True))
                )
                for i in range(width)
            )
            self._choices[key] = self.node(top, children)
        return self._choices[key]

    def both(self, first: int, second: int) -> int:
        """And."""
        return self.choose(first, second, self.FALSE)

    def either(self, first: int, second: int) -> int:
        """Or."""
        return self.choose(first, self.TRUE, second)

    def opposite(self, condition: int) -> int:
        """Not."""
        return self.choose(condition, self.FALSE, self.TRUE)

    def relabel(self, diagram: int, name: Callable[[Hashable], Hashable]) -> int:
        """The same diagram with other outcomes on its leaves."""
        done: dict[int, int] = {}

        def walk(node: int) -> int:
            if node not in done:
                if self.variables[node] == LEAF:
                    done[node] = self.leaf(name(self.values[node]))
                else:
                    children = tuple(walk(child) for child in self.children[node])
                    done[node] = self.node(self.variables[node], children)
            return done[node]

        return walk(diagram)

    def outcomes(self, diagram: int) -> set[Hashable]:
        """Every outcome on a leaf of the diagram."""
        return {self.values[n] for n in self.below([diagram]) if self.variables[n] == LEAF}

    def support(self, diagram: int) -> set[int]:
        """The variables that the diagram depends on."""
        return set(self.asked(diagram))

    def named(self, leaves: int) -> frozenset[Hashable]:
        """The outcomes of a set of leaves, given as one bit each (see `bits`)."""
        found = self._named.get(leaves)
        if found is None:
            found = frozenset(self.values[node] for node, bit in self.bits.items() if leaves & bit)
            self._named[leaves] = found
        return found

    def asked(self, diagram: int) -> tuple[int, ...]:
        """The variables of `support` in order."""
        return self.places(self.asks[diagram])

    def places(self, bits: int) -> tuple[int, ...]:
        """Variables that were given as one bit each, in order."""
        found = self._places.get(bits)
        if found is None:
            found = tuple([n for n in range(bits.bit_length()) if bits >> n & 1])
            self._places[bits] = found
        return found

    def keep(self) -> None:
        """Never forget what was answered until now."""
        self._kept = (dict(self.answered), dict(self._named), dict(self._places))

    def forget(self) -> None:
        """Know of no patient who came after `keep`."""
        for memory, kept in zip(
            (self.answered, self._named, self._places), self._kept, strict=True
        ):
            memory.clear()
            memory.update(kept)

    def remember(self, question: Hashable, answer: Any) -> None:
        """Keep an answer for the next patient who is alike in all that was asked."""
        if len(self.answered) >= MOST_ANSWERS:
            self.forget()
        self.answered[question] = answer

    def at(self, diagram: int, cells: Sequence[int]) -> Hashable:
        """The outcome for one cell per variable."""
        node = diagram
        while self.variables[node] != LEAF:
            node = self.children[node][cells[self.variables[node]]]
        return self.values[node]

    def below(self, diagrams: Iterable[int]) -> set[int]:
        """All nodes of some diagrams."""
        seen = set(diagrams)
        waiting = list(seen)
        while waiting:
            for child in self.children[waiting.pop()]:
                if child not in seen:
                    seen.add(child)
                    waiting.append(child)
        return seen

    def _append(self, variable: int, children: tuple[int, ...], value: Hashable) -> int:
        asks = 0 if variable == LEAF else 1 << variable
        for child in children:
            asks |= self.asks[child]
        self.asks.append(asks)
        self.variables.append(variable)
        self.children.append(children)
        self.values.append(value)
        return len(self.variables) - 1
