"""What published cohorts found at margins like one that was measured: a table, no prediction."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from netseg.domain.margin import CohortFinding


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One finding of one cohort.

    Attributes:
        from_mm: Smallest minimal margin it speaks of; None for any.
        to_mm: Smallest one that it does not speak of any more; None for any.
        finding: In one sentence.
        cohort: Whom it was found in, and how margins were measured.
        source: Where it is published.
        read: How much of the source was read.
    """

    from_mm: float | None
    to_mm: float | None
    finding: str
    cohort: str
    source: str
    read: str

    def speaks_of(self, margin_mm: float) -> bool:
        """Whether a minimal margin lies in the row's range."""
        above = self.from_mm is None or margin_mm >= self.from_mm
        return above and (self.to_mm is None or margin_mm < self.to_mm)


@cache
def rows() -> tuple[Row, ...]:
    """The whole table, in the file's order."""
    return tuple(Row(**row) for row in _document()["rows"])


@cache
def note() -> str:
    """What must stand beside every row."""
    return str(_document()["note"]).strip()


def found_at(margin_mm: float) -> tuple[CohortFinding, ...]:
    """The findings that speak of a minimal margin.

    Args:
        margin_mm: Smallest margin of one lesion.
    """
    return tuple(
        CohortFinding(finding=row.finding, cohort=row.cohort, source=row.source)
        for row in rows()
        if row.speaks_of(margin_mm)
    )


def _document() -> dict[str, Any]:
    text = (files("netseg.verify") / "data" / "cohorts.yaml").read_text("utf-8")
    return yaml.safe_load(text)
