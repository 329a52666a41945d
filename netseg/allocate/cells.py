"""Numbers cut at the thresholds of the rules: between two thresholds every value acts alike.

A variable's cells are, for thresholds 2 and 20: below 2, exactly 2, between, exactly 20, above 20.
So "< 2" and "<= 2" differ, and whatever holds for every cell holds for every number.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_CONDITION = re.compile(r"(<=|>=|<|>|=)\s*(-?\d+(?:\.\d+)?)|(-?\d+(?:\.\d+)?)\.\.(-?\d+(?:\.\d+)?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A range of numbers, with or without its ends."""

    low: float
    high: float
    low_included: bool = True
    high_included: bool = True

    @classmethod
    def exactly(cls, value: float) -> Span:
        """One number."""
        return cls(low=value, high=value)

    @classmethod
    def from_condition(cls, text: str) -> Span:
        """The numbers of "< 2", ">= 5", "= 3" or "2..20" (both ends included).

        Raises:
            ValueError: If the text is none of them.
        """
        match = _CONDITION.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"{text!r} is no condition on a number; write '< 2' or '2..20'.")
        operator, value, low, high = match.groups()
        if operator is None:
            return cls(low=float(low), high=float(high))
        number = float(value)
        if operator == "=":
            return cls.exactly(number)
        included = operator.endswith("=")
        if operator.startswith("<"):
            return cls(low=-math.inf, high=number, high_included=included)
        return cls(low=number, high=math.inf, low_included=included)

    def __contains__(self, value: float) -> bool:
        """Whether the number lies in the range."""
        above = value > self.low or (self.low_included and value == self.low)
        below = value < self.high or (self.high_included and value == self.high)
        return above and below

    def ends(self) -> tuple[float, ...]:
        """The finite ends."""
        return tuple(end for end in (self.low, self.high) if math.isfinite(end))


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One fact the tables may ask for.

    Attributes:
        name: Its name in the tables.
        field: The field of the findings document to ask for where it is unknown.
        values: Its values, where it has names; empty for numbers.
        cuts: Thresholds met in the tables, ascending, for numbers.
        low: Smallest possible number.
        high: Largest possible number.
        whole: Whether only whole numbers are possible.
        unit: Unit, for texts.
    """

    name: str
    field: str
    values: tuple[Any, ...] = ()
    cuts: tuple[float, ...] = ()
    low: float = 0.0
    high: float = math.inf
    whole: bool = False
    unit: str = ""

    @property
    def is_number(self) -> bool:
        """Whether it is a number."""
        return not self.values

    @property
    def size(self) -> int:
        """Number of cells."""
        return len(self.values) if self.values else 2 * len(self.cuts) + 1

    def cells(self) -> frozenset[int]:
        """The cells that hold at least one possible value."""
        if self.values:
            return frozenset(range(self.size))
        return self.cells_of(Span(low=self.low, high=self.high))

    def cells_of(self, span: Span) -> frozenset[int]:
        """The cells that a range of numbers touches, within what is possible."""
        return frozenset(index for index in range(self.size) if self._touches(index, span))

    def cells_named(self, wanted: Iterable[Any]) -> frozenset[int]:
        """The cells of some of its values.

        Raises:
            ValueError: If one is not among them.
        """
        found: list[int] = []
        for value in wanted:
            place = [i for i, v in enumerate(self.values) if type(v) is type(value) and v == value]
            if not place:
                raise ValueError(f"{self.name} has no value {value!r}; it has {self.values}.")
            found += place
        return frozenset(found)

    def cell_span(self, index: int) -> Span:
        """The numbers of one cell."""
        if index % 2:
            return Span.exactly(self.cuts[index // 2])
        low = self.cuts[index // 2 - 1] if index else -math.inf
        high = self.cuts[index // 2] if index // 2 < len(self.cuts) else math.inf
        return Span(low=low, high=high, low_included=False, high_included=False)

    def text(self, cells: Iterable[int]) -> Any:
        """Some of its cells as a reader writes them: a value, "a or b", "> 20", "2..20"."""
        chosen = sorted(cells)
        if self.values:
            named = [self.values[i] for i in chosen]
            return named[0] if len(named) == 1 else " or ".join(_word(v) for v in named)
        return " or ".join(self._run_text(run) for run in _runs(chosen))

    def sample(self, index: int) -> Any:
        """One possible value of a cell."""
        if self.values:
            return self.values[index]
        span = self.cell_span(index)
        low, high = max(span.low, self.low), min(span.high, self.high)
        if self.whole:
            tries = (math.ceil(low), math.ceil(low) + 1)
            return next(n for n in tries if n in span and n <= high)
        if low == high or low in span:
            return low
        return (low + high) / 2 if math.isfinite(high) else low + 1.0

    def _touches(self, index: int, span: Span) -> bool:
        cell = self.cell_span(index)
        low = max(cell.low, span.low, self.low)
        high = min(cell.high, span.high, self.high)
        if low > high:
            return False
        if low == high:
            return low in cell and low in span and (not self.whole or low == int(low))
        if not self.whole:
            return True
        first = math.ceil(low)
        tries = (first, first + 1)
        return any(low <= n <= high and n in cell and n in span for n in tries)

    def _run_text(self, run: Sequence[int]) -> str:
        first, last = self.cell_span(run[0]), self.cell_span(run[-1])
        if self.whole:
            first, last = _whole_ends(first), _whole_ends(last)
        if first.low == last.high:
            return f"= {first.low:g}"
        if first.low == -math.inf or (run[0] == 0):
            if last.high == math.inf:
                return "any"
            return f"{'<=' if last.high_included else '<'} {last.high:g}"
        if last.high == math.inf:
            return f"{'>=' if first.low_included else '>'} {first.low:g}"
        if first.low_included and last.high_included:
            return f"{first.low:g}..{last.high:g}"
        left = "from" if first.low_included else "above"
        right = "up to" if last.high_included else "below"
        return f"{left} {first.low:g} {right} {last.high:g}"


def _whole_ends(span: Span) -> Span:
    """The whole numbers of a range, by its own first and last."""
    low, high = span.low, span.high
    if math.isfinite(low):
        low = math.ceil(low) + (low == int(low) and not span.low_included)
    if math.isfinite(high):
        high = math.floor(high) - (high == int(high) and not span.high_included)
    return Span(low=low, high=high)


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _runs(chosen: Sequence[int]) -> list[list[int]]:
    runs: list[list[int]] = []
    for index in chosen:
        if runs and runs[-1][-1] == index - 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    return runs
