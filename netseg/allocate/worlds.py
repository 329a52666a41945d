"""What follows from what is known: outcomes over every completion of the unknowns, jointly.

A patient is never walked through the tables from the beginning. He differs from another one, about
whom less was known, in a few facts; what asks for none of these has the other's answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netseg.allocate.diagram import Diagrams, Impossible
from netseg.allocate.simplified import Form, Forms

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping

_NO_WORLD: frozenset[Hashable] = frozenset({Impossible.WORLD})
_EVERYTHING = -1
"""All variables, one bit each."""

Cells = tuple[int, ...]
"""The cells of one variable, ascending."""


class Worlds:
    """All patients that agree with the known facts: each variable lies in one of its cells.

    Attributes:
        allowed: The cells of every variable.
        leaves: For the nodes met so far the leaves below them, one bit each.
        simple: For the nodes met so far their simplified diagrams.
        forms: All simplified diagrams of this patient.
        is_prepared: Whether everything about this patient was computed when the rules were loaded.
    """

    __slots__ = (
        "_base", "_changed", "_diagrams", "allowed", "forms", "is_prepared", "leaves", "simple",
        "unusual",
    )  # fmt: skip

    def __init__(
        self, diagrams: Diagrams, allowed: list[Cells], *, base: Worlds | None, changed: int,
        unusual: int, forms: Forms,
    ) -> None:  # fmt: skip
        """Be the worlds of `base` with the variables of `changed` (one bit each) in other cells.

        `unusual` are those that differ from the patient about whom nothing is known.
        """
        self.is_prepared = False
        self._diagrams = diagrams
        self._base = base
        self._changed = changed
        self.unusual = unusual
        self.allowed = allowed
        self.forms = forms
        self.leaves: dict[int, int] = diagrams.bits.copy()
        self.simple: dict[int, Form] = {}

    @classmethod
    def of(cls, diagrams: Diagrams, cells: Iterable[Iterable[int]]) -> Worlds:
        """The worlds where every variable lies in its cells."""
        own = [tuple(sorted(c)) for c in cells]
        usual = diagrams.usual
        if usual is None:
            return cls(diagrams, own, base=None, changed=_EVERYTHING, unusual=_EVERYTHING,
                       forms=Forms())  # fmt: skip
        pairs = zip(own, usual.allowed, strict=True)
        unusual = sum(1 << n for n, (mine, others) in enumerate(pairs) if mine != others)
        base, changed = usual, unusual
        for other in diagrams.prepared:
            alike = unusual & ~other.unusual
            if alike.bit_count() < changed.bit_count() and all(
                own[n] == other.allowed[n] for n in diagrams.places(other.unusual)
            ):
                base, changed = other, alike
        return cls(diagrams, own, base=base, changed=changed, unusual=unusual,
                   forms=Forms(usual.forms))  # fmt: skip

    def possible(self, diagram: int) -> frozenset[Any]:
        """Every outcome that some world gives; empty where every world contradicts itself."""
        question = self._question(diagram)
        found = self._diagrams.answered.get(question)
        if found is None:
            found = self._diagrams.named(self.reach(diagram)) - _NO_WORLD
            self._diagrams.remember(question, found)
        return found

    def settles(self, here: int, asks: frozenset[int]) -> set[int]:
        """Variables whose value would narrow the outcomes.

        Args:
            here: The table, impossible where the rule set's constraints are violated.
            asks: Variables that the table itself asks for. What merely tells something about them
                is not worth asking.
        """
        question = ("settles", *self._question(here))
        needed = self._diagrams.answered.get(question)
        if needed is None:
            form = self.simplify(here)
            bits = 0 if isinstance(form, int) else form.asks
            needed = frozenset(n for n in self._diagrams.asked(here) if bits >> n & 1)
            self._diagrams.remember(question, needed)
        return set(needed & asks or needed)

    def prepare(self, told: Iterable[int], asked: Iterable[int]) -> None:
        """Compute beforehand what others will take over: all patients stand on prepared ones.

        Args:
            told: Diagrams of which somebody will want the outcomes.
            asked: Diagrams of which somebody will want to know what to ask.
        """
        usual = self._diagrams.usual
        if usual is None:
            self.unusual = 0  # this is he from whom others differ
        else:
            self.forms = usual.forms  # one store for all who are prepared
        for diagrams, work in ((told, self.reach), (asked, self.simplify)):
            for node in sorted(self._diagrams.below(diagrams)):
                work(node)
        self.is_prepared = True

    def _question(self, diagram: int) -> tuple[Hashable, ...]:
        """What is known of the facts that a diagram asks for; who is alike in it gets its answer."""
        odd, cells = self._diagrams.asks[diagram] & self.unusual, self.allowed
        return diagram, odd, tuple([cells[n] for n in self._diagrams.places(odd)])

    def cells(self, variable: int) -> frozenset[int]:
        """The cells of a variable that are possible by its own."""
        return frozenset(self.allowed[variable])

    def elsewhere(self, changed: Mapping[int, Iterable[int]]) -> Worlds:
        """The worlds in which some variables lie in other cells, all else equal."""
        cells, usual = list(self.allowed), self._diagrams.usual
        differs, unusual = 0, self.unusual
        for variable, new in changed.items():
            own, bit = tuple(sorted(new)), 1 << variable
            if own != cells[variable]:
                cells[variable] = own
                differs |= bit
                is_usual = usual is not None and own == usual.allowed[variable]
                unusual = unusual & ~bit if is_usual else unusual | bit
        if not differs:
            return self
        return Worlds(self._diagrams, cells, base=self, changed=differs, unusual=unusual,
                      forms=self.forms)  # fmt: skip

    def reach(self, node: int) -> int:
        """The leaves below a node, one bit each."""
        known, changed, base = self.leaves, self._changed, self._base
        found = known.get(node)
        if found is None:
            diagrams = self._diagrams
            if base is not None and not diagrams.asks[node] & changed:
                found = base.leaves.get(node) or base.reach(node)
            else:
                below, cells = diagrams.children[node], self.allowed[diagrams.variables[node]]
                if len(cells) == 1:
                    found = self.reach(below[cells[0]])
                else:
                    found = 0
                    for step in {below[cell] for cell in cells}:
                        found |= known.get(step) or self.reach(step)
            known[node] = found
        return found

    def simplify(self, node: int) -> Form:
        """The diagram within these worlds, with every variable left out that need not be known."""
        diagrams, base = self._diagrams, self._base
        if not diagrams.asks[node]:
            return node
        found = self.simple.get(node)
        if found is None and base is not None and not diagrams.asks[node] & self._changed:
            # A prepared patient makes no new forms any more: they would not be those made here.
            found = base.simple.get(node) if base.is_prepared else base.simplify(node)
        if found is None:
            variable = diagrams.variables[node]
            below, cells = diagrams.children[node], self.allowed[variable]
            if len(cells) == 1:
                found = self.simplify(below[cells[0]])
            else:
                children = {step: self.simplify(step) for step in {below[c] for c in cells}}
                found = self.forms.join(variable, [children[below[c]] for c in cells])
        self.simple[node] = found
        return found
