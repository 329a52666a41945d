"""From the lesion list to what the pattern table asks: count, spread over lobes, satellites.

The thresholds are not here: they stand in the rule set's tables. Here is anatomy only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from netseg.allocate.cells import Span
from netseg.domain.findings import Lobe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netseg.domain.clinical import LiverLesion

ADJACENT: frozenset[frozenset[str]] = frozenset(
    frozenset(pair.split("-"))
    for pair in [
        "I-II",
        "I-III",
        "I-IV",
        "I-IVa",
        "I-IVb",
        "I-VII",
        "I-VIII",
        "II-III",
        "II-IV",
        "II-IVa",
        "III-IV",
        "III-IVb",
        "IV-V",
        "IV-VIII",
        "IVa-VIII",
        "IVb-V",
        "V-VI",
        "V-VIII",
        "VI-VII",
        "VII-VIII",
    ]
)
"""Couinaud segments that share a face; the pairs IV-V and IV-VIII cross the midline."""

SPREADS = ("none", "one_lobe", "two_adjacent_segments", "both_lobes")


def lobe_of(segment: str) -> Lobe:
    """Surgical lobe of a Couinaud segment: II-IV left, V-VIII right, I the caudate."""
    if segment == "I":
        return Lobe.CAUDATE
    return Lobe.LEFT if segment in {"II", "III", "IV", "IVa", "IVb"} else Lobe.RIGHT


def adjacent(first: str, second: str) -> bool:
    """Whether two Couinaud segments share a face; IVa and IVb are parts of one segment."""
    return first == second or {first, second} <= {"IV", "IVa", "IVb"} or (
        frozenset((first, second)) in ADJACENT
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class LiverFacts:
    """What the lesion list says, as sharp as it says it.

    Attributes:
        lesion_count: How many.
        spread: The possible spreads, of `SPREADS`.
        segments_affected: How many Couinaud segments hold a lesion (IVa and IVb count as one).
        lesser_lobe_largest_cm: Largest lesion in the less affected lobe.
        lesser_lobe_count: Lesions in the less affected lobe.
        largest_cm: Largest lesion.
        smallest_cm: Smallest lesion.
        lowest_confidence: Smallest probability that one of them is a lesion.
    """

    lesion_count: Span
    spread: frozenset[str]
    segments_affected: Span
    lesser_lobe_largest_cm: Span
    lesser_lobe_count: Span
    largest_cm: Span
    smallest_cm: Span
    lowest_confidence: Span | None


def liver_facts(lesions: Sequence[LiverLesion]) -> LiverFacts:
    """Facts of a complete lesion list; entries may lack size or place."""
    largest, count = _lesser_lobe(lesions)
    sizes = [lesion.diameter_cm for lesion in lesions]
    known = [size for size in sizes if size is not None]
    open_sizes = len(known) < len(sizes)
    confidences = [x.confidence for x in lesions if x.confidence is not None]
    return LiverFacts(
        lesion_count=Span.exactly(len(lesions)),
        spread=_spread(lesions),
        segments_affected=_segments(lesions),
        lesser_lobe_largest_cm=largest,
        lesser_lobe_count=count,
        largest_cm=_from_known(max(known, default=0.0), up=True, still_open=open_sizes),
        smallest_cm=_from_known(min(known, default=0.0), up=False, still_open=open_sizes),
        lowest_confidence=Span.exactly(min(confidences)) if confidences else None,
    )


def _from_known(extreme: float, *, up: bool, still_open: bool) -> Span:
    if not still_open:
        return Span.exactly(extreme)
    if up:
        return Span(low=extreme, high=float("inf"))
    return Span(low=0.0, high=extreme) if extreme else Span(low=0.0, high=float("inf"))


def _place(lesion: LiverLesion) -> Lobe | None:
    return lobe_of(lesion.segment) if lesion.segment else lesion.lobe


def _spread(lesions: Sequence[LiverLesion]) -> frozenset[str]:
    """The possible spreads. Caudate lesions join whichever lobe the others lie in."""
    if not lesions:
        return frozenset({"none"})
    if len(lesions) == 1:
        return frozenset({"one_lobe"})
    places = [_place(lesion) for lesion in lesions]
    lobes = {place for place in places if place in (Lobe.LEFT, Lobe.RIGHT)}
    within_two = _within_two_segments(lesions)
    if None not in places and len(lobes) < 2:
        return frozenset({"one_lobe"})
    if within_two is True and None not in places:
        return frozenset({"two_adjacent_segments"})
    if len(lobes) == 2:
        return frozenset({"both_lobes"} if within_two is False else
                         {"both_lobes", "two_adjacent_segments"})  # fmt: skip
    return frozenset({"one_lobe", "both_lobes", "two_adjacent_segments"})


def _within_two_segments(lesions: Sequence[LiverLesion]) -> bool | None:
    """Whether two adjacent segments hold all lesions; None where the list leaves it open."""
    named = {lesion.segment for lesion in lesions if lesion.segment}
    merged = {"IV" if segment.startswith("IV") else segment for segment in named}
    fits = len(merged) < 2 or (len(merged) == 2 and _all_adjacent(named))
    if not fits:
        return False
    return True if all(lesion.segment for lesion in lesions) else None


def _all_adjacent(segments: set[str]) -> bool:
    """Whether the named parts of two segments touch: any part of IV may make the contact."""
    parts = sorted(segments)
    outside = [s for s in parts if not s.startswith("IV")]
    inside = [s for s in parts if s.startswith("IV")]
    if not inside:
        return adjacent(parts[0], parts[1])
    return any(adjacent(part, outside[0]) for part in inside)


def _segments(lesions: Sequence[LiverLesion]) -> Span:
    named = {"IV" if x.segment.startswith("IV") else x.segment for x in lesions if x.segment}
    unplaced = sum(1 for lesion in lesions if not lesion.segment)
    low = max(len(named), 1 if lesions else 0)
    return Span(low=low, high=min(8, max(low, len(named) + unplaced)))


def _lesser_lobe(lesions: Sequence[LiverLesion]) -> tuple[Span, Span]:
    """Largest lesion and count in the lobe whose largest lesion is the smaller one.

    Lesions of unknown lobe leave both open.
    """
    anything = Span(low=0.0, high=float("inf"))
    sides = [[x for x in lesions if _place(x) is lobe] for lobe in (Lobe.LEFT, Lobe.RIGHT)]
    if any(_place(lesion) is None for lesion in lesions) or not all(sides):
        return anything, anything
    lows = [max((x.diameter_cm or 0.0) for x in side) for side in sides]
    highs = [
        float("inf") if any(x.diameter_cm is None for x in side) else low
        for side, low in zip(sides, lows, strict=True)
    ]
    largest = Span(low=min(lows), high=min(highs))
    counts = [len(side) for side in sides]
    if highs[0] < lows[1]:
        return largest, Span.exactly(counts[0])
    if highs[1] < lows[0]:
        return largest, Span.exactly(counts[1])
    if largest.low == largest.high:
        return largest, Span.exactly(min(counts))
    return largest, Span(low=min(counts), high=max(counts))
