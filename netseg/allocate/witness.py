"""A patient of the proofs as a findings document, so that anybody can put him to the rules."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from netseg.allocate.cells import Span
from netseg.allocate.facts import LESION_FACTS, PLAIN, lesion_facts
from netseg.domain.clinical import LiverLesion

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from netseg.allocate.compiled import RuleSet

_SEGMENTS = ("VI", "VII", "V", "II", "III", "VIII", "IV", "I")
_COUNTS = (1, 2, 3, 4, 5, 6, 7, 10, 11, 12)
_SIZES_CM = (2.0, 0.5, 1.0, 1.5, 5.0, 6.0)
_PATTERNS: Mapping[str, tuple[tuple[str, float], ...]] = {
    "none": (),
    "simple": (("VI", 2.0),),
    "complex": (("VI", 3.0), ("VII", 2.0), ("II", 0.8)),
    "not_covered": (("VI", 2.0), ("VII", 2.0), ("II", 2.0)),
    "diffuse": tuple((s, 2.0) for s in ("II", "III", "IV", "V", "VI", "VII", "VIII") * 2),
}
_MARGINS_MM = {"A0": 6.0, "not_A0": 3.0}


def witness_document(facts: Mapping[str, Any], rules: RuleSet) -> dict[str, Any]:
    """The findings document of a patient with these facts; what is not named stays unknown.

    Args:
        facts: Facts by name, as the proofs and the checks print them.
        rules: The rule set they belong to.
    """
    document = {name: facts[name] for name in PLAIN if name in facts}
    document |= _stated(facts) | _receptors(facts) | _margin(facts)
    lesions = _lesions(facts, rules)
    if lesions is not None:
        document["lesions"] = [_entry(lesion) for lesion in lesions]
    return document


def _stated(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Ki-67 and statements that stand beside a measurement; "not_stated" is nothing to write."""
    found: dict[str, Any] = {}
    for name in ("ki67", "grade_reported", "liver_pattern_reported"):
        if facts.get(name, "not_stated") != "not_stated":
            found[name] = facts[name]
    sites = {"named": ["bone"], "none_named": []}
    operations = {"listed": ["Whipple"], "not_listed": ["cholecystectomy"]}
    if facts.get("extrahepatic_sites_named") in sites:
        found["extrahepatic_sites"] = sites[facts["extrahepatic_sites_named"]]
    if facts.get("whipple_listed") in operations:
        found["prior_operations"] = operations[facts["whipple_listed"]]
    return found


def _receptors(facts: Mapping[str, Any]) -> dict[str, Any]:
    reading = facts.get("sstr_reading")
    if reading is None or facts.get("sstr_stated") is False:
        return {}
    return {"sstr": facts.get("krenning_score", 3) if reading == "scored" else reading}


def _margin(facts: Mapping[str, Any]) -> dict[str, Any]:
    """A control scan whose margin and error give the band, or the result that is asked for."""
    if facts.get("ablation_result") == "no_record":
        return {}
    low, high = facts.get("min_margin_low_mm"), facts.get("min_margin_high_mm")
    if low is None and high is None:
        margin = _MARGINS_MM.get(str(facts.get("ablation_result")))
        low = high = margin
    if low is None or high is None:
        low = high = low if low is not None else high
    if low is None or high is None:
        return {}
    event = {"min_margin_mm": (low + high) / 2, "registration_error_mm": abs(high - low) / 2}
    if facts.get("margin_evidence", "control_scan") == "control_scan":
        event["evidence"] = "control_scan"
    return {"post_ablation": event}


def _lesions(facts: Mapping[str, Any], rules: RuleSet) -> tuple[LiverLesion, ...] | None:
    """The first list of a small library whose facts are those of the patient."""
    wanted = {name: facts[name] for name in LESION_FACTS if name in facts}
    pattern = facts.get("liver_pattern")
    wanted.pop("lowest_lesion_confidence", None)
    if not wanted and pattern is None:
        return None
    for lesions in _library():
        if _fits(lesions, wanted, rules) and pattern in (None, _pattern(lesions, rules)):
            return lesions
    return None


def _library() -> Iterator[tuple[LiverLesion, ...]]:
    for places in _PATTERNS.values():
        yield tuple(LiverLesion(segment=s, diameter_cm=d) for s, d in places)
    for count, spread, large, small in itertools.product(
        _COUNTS, range(1, len(_SEGMENTS) + 1), _SIZES_CM, _SIZES_CM
    ):
        for left in (0, 1, 2, 4):
            right = [_SEGMENTS[i % min(spread, 3)] for i in range(max(count - left, 0))]
            others = ["II", "III", "IV", "I"][: max(spread - 3, 1)]
            sides = right + [others[i % len(others)] for i in range(min(left, count))]
            yield tuple(
                LiverLesion(segment=s, diameter_cm=large if n == 0 else small)
                for n, s in enumerate(sides)
            )


def _fits(lesions: tuple[LiverLesion, ...], wanted: Mapping[str, Any], rules: RuleSet) -> bool:
    """Whether every wanted fact lies in the same cell as the list's."""
    found = lesion_facts(lesions, None)
    for name, value in wanted.items():
        variable, said = rules.variable(name), found[name]
        if isinstance(said, Span):
            if variable.cells_of(said) != variable.cells_of(Span.exactly(value)):
                return False
        elif set(said) != {value}:
            return False
    return True


def _pattern(lesions: tuple[LiverLesion, ...], rules: RuleSet) -> str | None:
    from netseg.allocate.settle import worlds_of

    worlds = worlds_of(lesion_facts(lesions, None), rules)
    said = worlds.possible(rules.tables["pattern"].outcome_here)
    return str(next(iter(said))) if len(said) == 1 else None


def _entry(lesion: LiverLesion) -> dict[str, Any]:
    return {"segment": lesion.segment, "diameter_cm": lesion.diameter_cm}
