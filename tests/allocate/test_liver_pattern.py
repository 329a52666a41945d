"""Couinaud anatomy, and what an incomplete lesion list leaves open."""

from __future__ import annotations

import pytest

from netseg.allocate.liver import adjacent, liver_facts, lobe_of
from netseg.domain.clinical import COUINAUD, LiverLesion
from netseg.domain.findings import Lobe


def at(*segments: str | None, size: float | None = 2.0) -> list[LiverLesion]:
    return [LiverLesion(segment=s, diameter_cm=size) for s in segments]


@pytest.mark.parametrize(
    ("pair", "touch"),
    [("IVb V", True), ("IVa VIII", True), ("IV V", True), ("IVa V", False), ("IVb VIII", False),
     ("II III", True), ("VI VIII", False), ("V VII", False), ("II VIII", False),
     ("IVa IVb", True), ("I VII", True), ("I VI", False)],
)  # fmt: skip
def test_segments_touch_also_across_the_midline(pair: str, touch: object):
    first, second = pair.split()
    assert adjacent(first, second) is touch
    assert adjacent(second, first) is touch


def test_lobes_of_the_segments():
    lobes = {segment: lobe_of(segment) for segment in COUINAUD}
    assert [s for s, lobe in lobes.items() if lobe is Lobe.LEFT] == [
        "II",
        "III",
        "IV",
        "IVa",
        "IVb",
    ]
    assert [s for s, lobe in lobes.items() if lobe is Lobe.RIGHT] == ["V", "VI", "VII", "VIII"]
    assert lobes["I"] is Lobe.CAUDATE


@pytest.mark.parametrize(
    ("segments", "spread"),
    [
        ((), {"none"}),
        (("VI",), {"one_lobe"}),
        ((None,), {"one_lobe"}),
        (("V", "VI", "VII", "VIII"), {"one_lobe"}),
        (("IVb", "V", "V"), {"two_adjacent_segments"}),
        (("IVa", "IVb", "V"), {"two_adjacent_segments"}),
        (("IVa", "V"), {"both_lobes"}),
        (("II", "VI"), {"both_lobes"}),
        (("I", "VII", "VI"), {"one_lobe"}),
        (("I", "I"), {"one_lobe"}),
        (("II", None), {"one_lobe", "both_lobes", "two_adjacent_segments"}),
        (("II", "VI", None), {"both_lobes"}),
    ],
)
def test_spread_of_lesions(segments: tuple[str | None, ...], spread: set[str]):
    assert liver_facts(at(*segments)).spread == spread


def test_lobes_alone_leave_two_adjacent_segments_possible():
    lesions = [LiverLesion(lobe=Lobe.LEFT), LiverLesion(lobe=Lobe.RIGHT)]
    assert liver_facts(lesions).spread == {"both_lobes", "two_adjacent_segments"}


def test_the_less_affected_lobe_is_the_one_with_the_smaller_largest_lesion():
    facts = liver_facts([*at("VI", "VII", size=4.0), *at("II", size=0.8), *at("III", size=0.5)])
    assert facts.lesser_lobe_largest_cm.low == facts.lesser_lobe_largest_cm.high == 0.8
    assert facts.lesser_lobe_count.low == facts.lesser_lobe_count.high == 2


def test_a_lesion_without_size_leaves_the_sizes_open():
    facts = liver_facts([*at("VI", size=4.0), *at("II", size=None)])
    assert facts.largest_cm.low == 4.0
    assert facts.largest_cm.high == float("inf")
    assert facts.smallest_cm.high == 4.0
    assert facts.lesser_lobe_largest_cm.high == 4.0


def test_iva_and_ivb_are_one_segment():
    assert liver_facts(at("IVa", "IVb", "VI")).segments_affected.high == 2
