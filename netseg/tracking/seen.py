"""Figures that a record already holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Seen:
    """Remembers figures, so that what a resumed run computes once more is kept once.

    Steps between the last checkpoint and the interruption are done twice. An exact resume gives the
    same figure at the same step: the second is left out. A different one is a fact, and is kept.
    """

    def __init__(self) -> None:
        self._figures: set[tuple[str, int, str]] = set()

    def fresh(self, values: Mapping[str, float], step: int) -> dict[str, float]:
        """Those of `values` that were not met at `step` before; they are remembered."""
        named = {(key, step, repr(float(value))): key for key, value in values.items()}
        new = {mark: key for mark, key in named.items() if mark not in self._figures}
        self._figures |= set(new)
        return {key: float(values[key]) for key in new.values()}
