"""A reader of SMT-LIB formulas for one patient whose facts are all known; no solver needed."""

from __future__ import annotations

import operator
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

TOKEN = re.compile(r"\|[^|]*\||[()]|[^\s()]+")
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


def parse(text: str) -> list[Any]:
    """Nested lists of words."""
    stack: list[list[Any]] = [[]]
    for token in TOKEN.findall(text):
        if token == "(":
            stack.append([])
        elif token == ")":
            done = stack.pop()
            stack[-1].append(done)
        else:
            stack[-1].append(token)
    return stack[0]


class SmtReader:
    """Values of the definitions of a script for given facts."""

    def __init__(self, script: str, facts: dict[str, Any]) -> None:
        self.values: dict[str, Any] = dict(facts)
        self.definitions = {e[1]: e[4] for e in parse(script) if e[0] == "define-fun"}

    def value(self, formula: Any) -> Any:
        """What a formula says of this patient."""
        if isinstance(formula, str):
            return self._word(formula)
        head, *rest = formula
        if head in COMPARE:
            return COMPARE[head](self.value(rest[0]), self.value(rest[1]))
        if head == "ite":
            return self.value(rest[1] if self.value(rest[0]) else rest[2])
        if head == "-":
            return -self.value(rest[0])
        known = {"and": all, "or": any, "not": lambda parts: not next(iter(parts))}
        return known[head](self.value(part) for part in rest)

    def _word(self, word: str) -> Any:
        if word in self.values:
            return self.values[word]
        if word in self.definitions:
            self.values[word] = self.value(self.definitions[word])
            return self.values[word]
        return {"true": True, "false": False}[word] if word in ("true", "false") else float(word)
