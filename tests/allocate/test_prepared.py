"""What is computed when a rule set is loaded changes no answer, only how soon it is there."""

from __future__ import annotations

import random
from typing import Any

import pytest

from netseg.allocate import allocate, argued, load_rules, parse_case
from netseg.allocate.compiling import compile_rules
from netseg.allocate.document import FindingsRejectedError
from netseg.allocate.ruleset import rule_folders
from netseg.allocate.tables import read_rule_source

LOADED = load_rules()
BARE = compile_rules(read_rule_source(*rule_folders("seed-2020")))
"""The same tables without anything prepared: every patient walks them from the beginning."""

MARGIN = {"min_margin_mm": 3, "registration_error_mm": 1, "evidence": "control_scan"}
VALUES: dict[str, list[Any]] = {
    "ki67": [1, 2, 30, [1, 3], {"above": 20}],
    "differentiation": ["well", "poor"],
    "grade_reported": ["G1", "G3"],
    "primary": ["pancreas", "small_intestine", "stomach", "unknown"],
    "disease_course": ["stable", "progressive", "response"],
    "post_ablation": [MARGIN, {**MARGIN, "min_margin_mm": 5}, {**MARGIN, "min_margin_mm": 9}],
    "liver_pattern_reported": ["simple", "complex", "diffuse"],
    "lesions": [[], [{"segment": "VI", "diameter_cm": 2}], [{"segment": "II"}, {"segment": "VI"}]],
    "extrahepatic_disease": [True, False],
    "r0_a0_possible": [True, False],
    "fit_for_local_treatment": [True, False],
    "functioning": [True, False],
    "sstr": ["positive", 1, 4],
    "history": [[{"treatment": "ssa", "outcome": "progressive"}]],
}


def patients(count: int, most: int) -> list[dict[str, Any]]:
    generator = random.Random(17)
    return [
        {
            name: generator.choice(VALUES[name])
            for name in generator.sample(sorted(VALUES), generator.randint(1, most))
        }
        for _ in range(count)
    ]


@pytest.mark.parametrize("document", patients(80, 7), ids=lambda d: "-".join(sorted(d))[:60])
def test_a_loaded_rule_set_answers_as_a_bare_one(document: dict[str, Any]):
    try:
        case = parse_case(document)
    except FindingsRejectedError:
        pytest.skip("two fields of this draw exclude each other")
    assert allocate(case, LOADED) == allocate(case, BARE)


def test_the_arguments_are_the_same_too():
    for document in patients(3, 3):
        case = parse_case(document)
        one, other = (argued(allocate(case, r), case, r) for r in (LOADED, BARE))
        assert one == other


def test_what_was_learnt_from_patients_is_forgotten_and_what_was_prepared_is_kept():
    fresh = load_rules.__wrapped__("seed-2020")
    kept = len(fresh.diagrams.answered)
    allocate(parse_case({"ki67": 30, "primary": "lung"}), fresh)
    assert len(fresh.diagrams.answered) > kept > 0
    fresh.diagrams.forget()
    assert len(fresh.diagrams.answered) == kept
