"""Facts that cannot all be true stop the proposal; statements beside measurements are named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from netseg.allocate import allocate, load_rules, parse_case

if TYPE_CHECKING:
    from netseg.domain.allocation import Allocation

RULES = load_rules()


def answer(**document: Any) -> Allocation:
    return allocate(parse_case(document), RULES)


CONTRADICTIONS = [
    ({"differentiation": "poor", "ki67": 20}, {"differentiation", "ki67"}),
    ({"extrahepatic_sites": ["bone"], "extrahepatic_disease": False},
     {"extrahepatic_sites", "extrahepatic_disease"}),
    ({"prior_operations": ["Whipple"], "prior_whipple": False},
     {"prior_operations", "prior_whipple"}),
    ({"primary": "unknown", "primary_resected": True}, {"primary", "primary_resected"}),
    ({"primary": "lung", "gastric_type": 1}, {"primary", "gastric_type"}),
    ({"r0_a0_possible": True, "fit_for_local_treatment": False},
     {"r0_a0_possible", "fit_for_local_treatment"}),
]  # fmt: skip


@pytest.mark.parametrize(("document", "fields"), CONTRADICTIONS, ids=lambda v: str(v)[:40])
def test_facts_that_cannot_both_be_true_are_named_and_nothing_is_proposed(
    document: dict[str, Any], fields: set[str]
):
    found = answer(**document)
    assert str(found.status) == "conflict"
    assert set(found.conflicts[0].facts) == fields
    assert found.route is None
    assert found.options == ()


@pytest.mark.parametrize(
    "document",
    [
        {"differentiation": "poor", "ki67": 20.1},
        {"differentiation": "poor", "ki67": [15, 25]},
        {"extrahepatic_sites": [], "extrahepatic_disease": False},
        {"prior_operations": ["appendectomy"], "prior_whipple": False},
        {"primary": "stomach", "gastric_type": 1},
        {"r0_a0_possible": False, "fit_for_local_treatment": False},
    ],
)
def test_their_consistent_twins_are_no_conflict(document: dict[str, Any]):
    assert str(answer(**document).status) != "conflict"


def test_named_sites_are_disease_and_a_listed_whipple_is_one():
    assert str(answer(extrahepatic_sites=["bone"]).route) == "systemic"
    base = {"ki67": 1, "liver_pattern_reported": "simple", "extrahepatic_disease": False,
            "r0_a0_possible": False}  # fmt: skip
    listed = answer(**base, prior_operations=["Whipple"])
    assert str(listed.option("tame").status) == "contraindicated"


LESIONS = [{"segment": "VI", "diameter_cm": 2.0}, {"segment": "VII", "diameter_cm": 2.0}]
LIMITED: dict[str, Any] = {"ki67": 5, "extrahepatic_disease": False, "r0_a0_possible": True,
                           "lesions": LESIONS}  # fmt: skip


def test_a_reported_pattern_that_changes_the_route_is_a_conflict_with_both_named():
    found = answer(**LIMITED, liver_pattern_reported="diffuse")
    assert str(found.status) == "conflict"
    assert set(found.conflicts[0].facts) == {"liver_pattern_reported", "lesions"}
    assert {str(r) for r in found.possible_routes} == {"local_curative", "systemic"}


def test_a_reported_pattern_that_changes_nothing_is_a_flag_and_the_measured_one_stands():
    found = answer(**LIMITED, liver_pattern_reported="complex")
    assert str(found.status) == "determined"
    assert str(found.pattern) == "simple"
    assert "pattern_reported_vs_measured" in {flag.id for flag in found.flags}


def test_a_reported_grade_beside_ki67():
    same_route = answer(**LIMITED, grade_reported="G1")
    assert str(same_route.grade) == "G2"
    assert str(same_route.status) == "determined"
    assert "grade_vs_ki67_mismatch" in {flag.id for flag in same_route.flags}
    other_route = answer(**LIMITED, grade_reported="G3")
    assert str(other_route.status) == "conflict"
    assert other_route.conflicts[0].facts == {"grade_reported": "G3", "ki67": 5}


def test_a_count_that_is_not_the_lists_length_is_named():
    found = answer(**LIMITED, lesion_count=12)
    assert "lesion_count_vs_list" in {flag.id for flag in found.flags}
    assert str(found.status) == "conflict"
    assert str(answer(**LIMITED, lesion_count=2).status) == "determined"
    g3 = answer(**LIMITED | {"ki67": 40}, lesion_count=12)
    assert str(g3.route) == "systemic", "G3 is systemic however many lesions there are"
    assert "lesion_count_vs_list" in {flag.id for flag in g3.flags}


def test_the_clinicians_lesions_stay_beside_the_measured_ones():
    diffuse = [{"segment": s, "diameter_cm": 3.0} for s in ("II", "III", "IV", "VI", "VII", "VIII")]
    found = answer(**LIMITED, lesions_reported=diffuse)
    assert str(found.status) == "conflict"
    assert found.conflicts[0].id == "lesions_reported_vs_measured"


def test_approximate_segments_are_flagged_and_block_nothing():
    found = answer(**LIMITED, segment_source="approximate_partition")
    assert str(found.route) == "local_curative"
    assert "segments_approximate" in {flag.id for flag in found.flags}
    exact = answer(**LIMITED, segment_source="segment_map")
    assert "segments_approximate" not in {flag.id for flag in exact.flags}


def test_a_positive_pet_beside_negative_receptors_is_flagged():
    found = answer(sstr="negative", ga68_pet="positive")
    assert "sstr_vs_pet_mismatch" in {flag.id for flag in found.flags}
