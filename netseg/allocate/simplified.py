"""Diagrams within some patients' worlds, with every variable left out that need not be known.

A node whose children agree wherever they are possible asks for nothing worth knowing: one diagram
serves all its cells. (Leaving such nodes out is known as sibling substitution: Coudert, Madre,
ICCAD 1990; here a child may also be possible in part of the worlds only.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netseg.allocate.diagram import LEAF, Diagrams

if TYPE_CHECKING:
    from collections.abc import Sequence

_IMPOSSIBLE = Diagrams.IMPOSSIBLE


class Asking:
    """A node that has to be asked. Equal ones exist once, so identity is equality.

    Attributes:
        variable: What it asks.
        children: By possible cell: another such node, or the number of a leaf.
        asks: The variables that it and the nodes below it ask, one bit each.
    """

    __slots__ = ("asks", "children", "variable")

    def __init__(self, variable: int, children: tuple[Form, ...]) -> None:
        """Ask one variable."""
        self.variable = variable
        self.children = children
        self.asks = 1 << variable
        for child in children:
            if not isinstance(child, int):
                self.asks |= child.asks


Form = int | Asking
"""A simplified diagram: the number of a leaf, or a node that has to be asked."""


class Forms:
    """All simplified diagrams of one patient, on top of those made when the rules were loaded.

    Whether two of them can be one does not depend on the patient's cells, only on the diagrams; so
    what was found for a patient holds for whoever he would be if one fact were changed.

    Attributes:
        known: Nodes by what they ask and lead to.
        merged: By pair the diagram that serves for both, None where none does.
    """

    __slots__ = ("_base", "known", "merged")

    def __init__(self, base: Forms | None = None) -> None:
        """Begin with those of `base`, which gets no new ones from now on."""
        self._base = base
        self.known: dict[tuple[int, tuple[Form, ...]], Asking] = {}
        self.merged: dict[tuple[Form, Form], Form | None] = {}

    def join(self, variable: int, children: Sequence[Form]) -> Form:
        """One diagram that serves every cell of the variable, else a node that asks it."""
        merged: Form | None = _IMPOSSIBLE
        for child in dict.fromkeys(children):
            merged = self._merge(merged, child)
            if merged is None:
                return self._asking(variable, tuple(children))
        return merged

    def _asking(self, variable: int, children: tuple[Form, ...]) -> Asking:
        key = (variable, children)
        found = self.known.get(key)
        if found is None and self._base is not None:
            found = self._base.known.get(key)
        if found is None:
            found = self.known[key] = Asking(variable, children)
        return found

    def _merge(self, first: Form, second: Form) -> Form | None:
        """One diagram that agrees with both wherever they are possible, None if none does."""
        if first is second or second == _IMPOSSIBLE:
            return first
        if first == _IMPOSSIBLE:
            return second
        if isinstance(first, int) and isinstance(second, int):
            return first if first == second else None
        key = (first, second)
        for memory in (self, self._base):
            if memory is not None and key in memory.merged:
                return memory.merged[key]
        found = self.merged[key] = self._merge_nodes(first, second)
        return found

    def _merge_nodes(self, first: Form, second: Form) -> Form | None:
        variable = min(LEAF if isinstance(n, int) else n.variable for n in (first, second))
        one = _children(first, variable)
        other = _children(second, variable)
        width = len(one or other)
        children: list[Form] = []
        for pair in zip(one or (first,) * width, other or (second,) * width, strict=True):
            child = self._merge(*pair)
            if child is None:
                return None
            children.append(child)
        return self.join(variable, children)


def _children(form: Form, variable: int) -> tuple[Form, ...]:
    """What the diagram leads to by the variable's cells; empty where it does not ask it first."""
    return () if isinstance(form, int) or form.variable != variable else form.children
