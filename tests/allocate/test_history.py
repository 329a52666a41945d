"""Treatments that were given re-enter the tables: response, progression, a margin that was missed."""

from __future__ import annotations

from typing import Any

import pytest

from netseg.allocate import FindingsRejectedError, allocate, load_rules, parse_case
from netseg.allocate.staging import staging_record
from netseg.domain.allocation import Allocation, AllocationStatus

RULES = load_rules()
LIMITED = {"ki67": 3, "extrahepatic_disease": False, "r0_a0_possible": True,
           "lesions": [{"segment": "VI", "diameter_cm": 2.0}]}  # fmt: skip
DIFFUSE = {"ki67": 3, "extrahepatic_disease": False, "liver_pattern_reported": "diffuse",
           "primary": "small_intestine", "sstr": 3, "fit_for_local_treatment": True}  # fmt: skip
A0 = {"min_margin_mm": 6, "registration_error_mm": 0.5, "evidence": "control_scan"}
MISSED = {"min_margin_mm": 3, "registration_error_mm": 0.5, "evidence": "control_scan"}


def answer(**document: Any) -> Allocation:
    return allocate(parse_case(document), RULES)


def status(found: Allocation, option: str) -> str:
    return str(found.option(option).status)


def test_progression_under_a_treatment_takes_it_away_and_leaves_the_next_line():
    before = answer(**DIFFUSE)
    after = answer(**DIFFUSE, history=[{"treatment": "prrt", "outcome": "progressive"}])
    assert (status(before, "prrt"), status(after, "prrt")) == ("recommended", "not_supported")
    assert status(after, "everolimus") == "option"
    assert "next_line" in {flag.id for flag in after.flags}
    assert "next_line" not in {flag.id for flag in before.flags}


def test_a_treatment_that_held_is_not_taken_away():
    found = answer(**DIFFUSE, history=[{"treatment": "prrt", "outcome": "stable"}])
    assert status(found, "prrt") == "recommended"


def test_a_functioning_tumour_keeps_its_first_line():
    found = answer(**DIFFUSE, functioning=True,
                   history=[{"treatment": "ssa", "outcome": "progressive"}])  # fmt: skip
    assert status(found, "ssa") == "recommended"
    assert [r.rule for r in found.option("ssa").against] == ["ssa.against.progressed_under_it"]


def test_a_first_line_that_held_has_nothing_against_it():
    found = answer(**DIFFUSE, functioning=True,
                   history=[{"treatment": "ssa", "outcome": "stable"}])  # fmt: skip
    assert found.option("ssa").against == ()


def test_a_response_has_local_treatment_evaluated_again():
    before = answer(**DIFFUSE, symptomatic=False)
    after = answer(**DIFFUSE, symptomatic=False,
                   history=[{"treatment": "ssa", "outcome": "response"}])  # fmt: skip
    assert status(before, "srfa") == "not_supported"
    assert status(after, "srfa") == "considered"
    assert "reevaluate_local_treatment" in {flag.id for flag in after.flags}


def test_an_ablation_that_missed_a0_is_repeated_and_one_that_reached_it_is_watched():
    missed = answer(**LIMITED, fit_for_local_treatment=True,
                    history=[{"treatment": "srfa", "post_ablation": MISSED}])  # fmt: skip
    assert str(missed.ablation_result) == "not_A0"
    assert status(missed, "repeat_ablation") == "option"
    reached = answer(**LIMITED, history=[{"treatment": "srfa", "post_ablation": A0}])
    assert str(reached.route) == "surveillance"


def test_the_documents_own_control_scan_is_newer_than_the_history():
    found = answer(**LIMITED, post_ablation=A0,
                   history=[{"treatment": "srfa", "post_ablation": MISSED}])  # fmt: skip
    assert str(found.route) == "surveillance"


def test_progression_after_a0_is_no_surveillance():
    found = answer(**LIMITED, post_ablation=A0, disease_course="progressive")
    assert str(found.route) == "local_curative"
    assert "progressed_after_a0" in {flag.id for flag in found.flags}
    assert "surveillance" not in map(str, found.possible_routes)


def test_a_course_that_contradicts_the_history_is_a_conflict_with_both_named():
    found = answer(**DIFFUSE, disease_course="stable",
                   history=[{"treatment": "ssa", "outcome": "progressive"}])  # fmt: skip
    assert found.status is AllocationStatus.CONFLICT
    assert set(found.conflicts[0].facts) == {"disease_course", "history"}


def test_the_last_outcome_is_the_course_where_none_is_stated():
    found = answer(**DIFFUSE, history=[{"treatment": "ssa", "outcome": "progressive"},
                                       {"treatment": "prrt", "outcome": "stable"}])  # fmt: skip
    assert found.follow_up is not None
    assert found.follow_up.interval_months == (6, 12)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"treatment": "prt"}, "did you mean prrt"),
        ({"outcome": "stable"}, "an entry that names its treatment"),
        ({"treatment": "ssa", "outcome": "better"}, "one of stable, progressive, response"),
        ({"treatment": "ssa", "post_ablation": A0}, "only an ablation has a control scan"),
        ({"treatment": "srfa", "result": "A0"}, "one of the keys treatment, outcome"),
    ],
)
def test_a_history_that_means_nothing_is_refused_by_name(entry: dict[str, Any], message: str):
    with pytest.raises(FindingsRejectedError, match=message):
        parse_case({"history": [entry]})


def test_the_staging_record_is_filled_by_what_was_found():
    record = staging_record(parse_case(LIMITED | {"primary": "pancreas", "liver_burden_pct": 0.55,
                                                  "staging": {"t": "T2", "necrosis": True}}))  # fmt: skip
    assert record["m_by_findings"] == "M1"
    assert record["liver_metastases"] == {"count": 1, "largest_cm": 2.0, "burden_pct": 0.55}
    assert (record["site"], record["t"], record["necrosis"]) == ("pancreas", "T2", True)
    assert record["nodes_positive"] is None


def test_m0_needs_a_liver_and_a_body_that_were_looked_at():
    assert staging_record(parse_case({"lesions": []}))["m_by_findings"] is None
    clear = parse_case({"lesions": [], "extrahepatic_disease": False})
    assert staging_record(clear)["m_by_findings"] == "M0"


def test_a_stated_m0_with_a_liver_metastasis_is_shown_as_a_mismatch():
    record = staging_record(parse_case(LIMITED | {"staging": {"m": "cM0"}}))
    assert record["m_mismatch"] is True
    assert staging_record(parse_case(LIMITED | {"staging": {"m": "M1a"}}))["m_mismatch"] is False


def test_the_staging_record_drives_nothing():
    with_it = answer(**LIMITED, staging={"m": "M0", "n": "N1"})
    assert with_it.options == answer(**LIMITED).options
