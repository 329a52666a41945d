"""Draws of a lesion list as arrays, and the facts of each draw at once.

The array version of `liver_facts`; a test compares the two list by list.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from netseg.allocate.liver import SPREADS, adjacent, lobe_of
from netseg.domain.findings import Lobe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Bool, Float, Int

    from netseg.allocate.cells import Variable
    from netseg.allocate.compiled import RuleSet
    from netseg.allocate.sensitivity import LesionError
    from netseg.domain.clinical import LiverLesion

SEGMENTS = ("I", "II", "III", "IVa", "IVb", "IV", "V", "VI", "VII", "VIII")

SMALLEST_CM = 0.1
"""A drawn diameter is not smaller: an entry that is a lesion has an extent."""

_LEFT = np.array([lobe_of(s) is Lobe.LEFT for s in SEGMENTS])
_RIGHT = np.array([lobe_of(s) is Lobe.RIGHT for s in SEGMENTS])
_MERGED = np.array([3 if s.startswith("IV") else n for n, s in enumerate(SEGMENTS)])
_TOUCH = np.array([[adjacent(a, b) for b in SEGMENTS] for a in SEGMENTS])


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnFacts:
    """Facts of every draw.

    Attributes:
        numbers: Numeric facts by name, one value a draw.
        spread: Index into `SPREADS`, one a draw.
    """

    numbers: dict[str, Float[np.ndarray, " draws"]]
    spread: Int[np.ndarray, " draws"]

    def kinds(self, rules: RuleSet) -> tuple[list[dict[str, int]], list[int]]:
        """The different combinations of cells among the draws, with how many draws have each."""
        columns = {
            name: _cells(values, rules.variable(name)) for name, values in self.numbers.items()
        }
        spread = rules.variable("lesion_spread")
        places = np.array([spread.values.index(name) for name in SPREADS])
        columns["lesion_spread"] = places[self.spread]
        table = np.stack(list(columns.values()), axis=1)
        rows, counts = np.unique(table, axis=0, return_counts=True)
        kinds = [dict(zip(columns, map(int, row), strict=True)) for row in rows]
        return kinds, [int(count) for count in counts]


def facts_of_draws(
    lesions: Sequence[LiverLesion], generator: np.random.Generator, draws: int, error: LesionError
) -> DrawnFacts:
    """Draw existence, diameter and segment of every lesion, and the facts of each drawn list.

    Raises:
        ValueError: If a lesion has no diameter or no segment.
    """
    for place, lesion in enumerate(lesions, start=1):
        if lesion.diameter_cm is None or lesion.segment is None:
            raise ValueError(f"lesion {place} has no diameter or no segment; both can be drawn only "
                             "around a known value.")  # fmt: skip
    count = len(lesions)
    sure = [error.default_confidence if x.confidence is None else x.confidence for x in lesions]
    exists = generator.random((draws, count)) < np.array(sure)
    middle = np.array([x.diameter_cm or 0.0 for x in lesions])
    noise = generator.normal(0.0, error.diameter_sd_mm / 10, (draws, count))
    sizes = np.maximum(middle + noise, SMALLEST_CM)
    segments = np.stack([_draw_segment(x, generator, draws) for x in lesions], axis=1) \
        if lesions else np.zeros((draws, 0), dtype=int)  # fmt: skip
    return facts_of_lists(exists, sizes, segments)


def facts_of_lists(
    exists: Bool[np.ndarray, "draws lesions"],
    sizes_cm: Float[np.ndarray, "draws lesions"],
    segments: Int[np.ndarray, "draws lesions"],
) -> DrawnFacts:
    """Facts of many lesion lists at once.

    Args:
        exists: Whether the list has the lesion.
        sizes_cm: Diameters.
        segments: Indices into `SEGMENTS`.
    """
    left, right = exists & _LEFT[segments], exists & _RIGHT[segments]
    count = exists.sum(axis=1)
    any_size = np.where(exists, sizes_cm, 0.0)
    largest = any_size.max(axis=1, initial=0.0)
    smallest = np.where(exists, sizes_cm, np.inf).min(axis=1, initial=np.inf)
    lesser_size, lesser_count = _lesser(left, right, sizes_cm)
    held = np.zeros((len(exists), len(SEGMENTS)), dtype=bool)
    merged = np.zeros_like(held)
    for place in range(exists.shape[1]):
        rows = np.flatnonzero(exists[:, place])
        held[rows, segments[rows, place]] = True
        merged[rows, _MERGED[segments[rows, place]]] = True
    return DrawnFacts(
        numbers={
            "lesion_count": count.astype(float),
            "largest_cm": largest,
            "smallest_cm": np.where(count > 0, smallest, 0.0),
            "lesser_lobe_largest_cm": lesser_size,
            "lesser_lobe_count": lesser_count.astype(float),
            "segments_affected": merged.sum(axis=1).astype(float),
        },
        spread=_spread(count, left.sum(axis=1) > 0, right.sum(axis=1) > 0, held, merged),
    )


def _draw_segment(
    lesion: LiverLesion, generator: np.random.Generator, draws: int
) -> Int[np.ndarray, " draws"]:
    """By its shares where they are known, else always its own."""
    own = str(lesion.segment)
    shares: Any = lesion.further.get("segment_shares") or {own: 1.0}
    names = [name for name in dict(shares) if name in SEGMENTS and shares[name] > 0] or [own]
    weights = np.array([float(shares.get(name, 1.0)) for name in names])
    places = np.array([SEGMENTS.index(name) for name in names])
    return generator.choice(places, size=draws, p=weights / weights.sum())


def _lesser(
    left: Bool[np.ndarray, "draws lesions"],
    right: Bool[np.ndarray, "draws lesions"],
    sizes_cm: Float[np.ndarray, "draws lesions"],
) -> tuple[Float[np.ndarray, " draws"], Int[np.ndarray, " draws"]]:
    """Largest lesion and count of the lobe whose largest is the smaller one."""
    sides = [np.where(side, sizes_cm, 0.0).max(axis=1, initial=0.0) for side in (left, right)]
    counts = [side.sum(axis=1) for side in (left, right)]
    lesser_is_left = sides[0] < sides[1]
    same = sides[0] == sides[1]
    fewest = np.minimum(counts[0], counts[1])
    count = cast("Any", np.where(lesser_is_left, counts[0], counts[1]))
    return np.minimum(sides[0], sides[1]), cast("Any", np.where(same, fewest, count))


def _spread(
    count: Int[np.ndarray, " draws"],
    in_left: Bool[np.ndarray, " draws"],
    in_right: Bool[np.ndarray, " draws"],
    held: Bool[np.ndarray, "draws segments"],
    merged: Bool[np.ndarray, "draws segments"],
) -> Int[np.ndarray, " draws"]:
    """Index into `SPREADS`, as `liver_facts` has it for a complete list."""
    pairs = np.zeros(len(count), dtype=bool)
    for one in range(len(SEGMENTS)):
        for other in range(one + 1, len(SEGMENTS)):
            if _MERGED[one] != _MERGED[other] and _TOUCH[one, other]:
                pairs |= held[:, one] & held[:, other]
    two = (merged.sum(axis=1) == 2) & pairs
    both = in_left & in_right
    found = np.full(len(count), SPREADS.index("one_lobe"))
    found[both] = SPREADS.index("both_lobes")
    found[both & two] = SPREADS.index("two_adjacent_segments")
    found[count == 0] = SPREADS.index("none")
    found[count == 1] = SPREADS.index("one_lobe")
    return found


def _cells(values: Float[np.ndarray, " draws"], variable: Variable) -> Int[np.ndarray, " draws"]:
    """The cell of each value: even between thresholds, odd on one."""
    cuts = np.array(variable.cuts)
    below = np.searchsorted(cuts, values, side="left")
    on_it = np.zeros(len(values), dtype=int)
    inside = below < len(cuts)
    on_it[inside] = cuts[below[inside]] == values[inside]
    return 2 * below + on_it
