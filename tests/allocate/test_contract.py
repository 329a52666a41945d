"""The contract's own sentences, one test each, where no other file has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from netseg.allocate import allocate, load_rules, parse_case

if TYPE_CHECKING:
    from netseg.domain.allocation import Allocation

RULES = load_rules()
ONE = [{"segment": "VI", "diameter_cm": 2.0}]
FIT = {"fit_for_local_treatment": True, "liver_surgery_possible": True}


def answer(**document: Any) -> Allocation:
    return allocate(parse_case(document), RULES)


def flags(found: Allocation) -> set[str]:
    return {flag.id for flag in found.flags}


SILENT = {
    "extrahepatic disease": (
        {"extrahepatic_disease": True, "lesions": ONE, "ki67": 1}, "systemic",
        "extrahepatic_disease"),
    "few lesions in both lobes, feasible": (
        {"extrahepatic_disease": False, "ki67": 3, "r0_a0_possible": True,
         "lesions": [*ONE, {"segment": "II", "diameter_cm": 2.0}]}, "local_curative",
        "pattern_not_covered_by_seed"),
    "few lesions in both lobes, not feasible": (
        {"extrahepatic_disease": False, "ki67": 3, "r0_a0_possible": False,
         "lesions": [*ONE, {"segment": "II", "diameter_cm": 2.0}]}, "transarterial",
        "pattern_not_covered_by_seed"),
    "well differentiated G3, simple": (
        {"extrahepatic_disease": False, "ki67": 30, "differentiation": "well", "lesions": ONE},
        "systemic", "net_g3_not_separated_from_nec_in_seed"),
    "diffuse, site without a box": (
        {"extrahepatic_disease": False, "ki67": 3, "primary": "rectum",
         "liver_pattern_reported": "diffuse"}, "systemic", "site_not_covered_by_figure"),
    "no lesion, primary in place": (
        {"extrahepatic_disease": False, "lesions": [], "primary": "lung", "primary_resected": False},
        "primary_surgery", "mdt"),
    "no lesion, primary resected": (
        {"extrahepatic_disease": False, "lesions": [], "primary_resected": True}, "surveillance",
        "mdt"),
    "all lesions A0": (
        {"extrahepatic_disease": False, "lesions": ONE, "post_ablation": {
            "min_margin_mm": 5.0, "registration_error_mm": 0, "evidence": "control_scan"}},
        "surveillance", "mdt"),
}  # fmt: skip


@pytest.mark.parametrize("situation", SILENT)
def test_where_the_source_is_silent_the_route_is_fixed_and_flagged(situation: str):
    document, route, flag = SILENT[situation]
    found = answer(**document)
    assert str(found.route) == route
    assert flag in flags(found)


def test_local_options_are_at_most_considered_with_disease_outside_the_liver():
    found = answer(extrahepatic_disease=True, functioning=True, symptomatic=True, lesions=ONE,
                   ki67=1, prior_whipple=False, portal_vein_thrombosis=False,
                   hepatic_failure=False, **FIT)  # fmt: skip
    for name in ("resection", "srfa", "rfa", "mwa", "tame", "ctace", "deb_tace", "tare",
                 "locoregional_debulking", "repeat_ablation"):  # fmt: skip
        assert str(found.option(name).status) not in ("recommended", "option"), name
    assert str(found.option("srfa").status) == "considered"
    assert found.option("srfa").intent == "symptom_control"


def test_local_options_are_considered_in_limited_g3():
    found = answer(extrahepatic_disease=False, ki67=30, lesions=ONE, r0_a0_possible=True, **FIT)
    assert {str(found.option(o).status) for o in ("resection", "srfa", "rfa")} == {"considered"}


@pytest.mark.parametrize(
    ("margin", "error", "result"),
    [(5.0, 0, "A0"), (4.99, 0, "not_A0"), (5.0, None, "undetermined"), (5.0, 0.5, "undetermined"),
     (None, 0.5, "undetermined"), (-2.0, 0.5, "not_A0")],
)  # fmt: skip
def test_a_margin_with_its_error(margin: float | None, error: float | None, result: str):
    event = {"min_margin_mm": margin, "registration_error_mm": error, "evidence": "control_scan"}
    assert str(answer(post_ablation=event).ablation_result) == result


def test_a_krenning_score_of_two_is_not_high_and_three_is():
    base = {"ki67": 3, "liver_pattern_reported": "diffuse", "extrahepatic_disease": False}
    said = {sstr: str(answer(**base, sstr=sstr).option("prrt").status) for sstr in (0, 2, 3, 4)}
    assert said == {0: "not_supported", 2: "not_supported", 3: "recommended", 4: "recommended"}
    assert str(answer(**base, sstr="positive").option("prrt").status) == "option"
    assert "sstr_level_unknown" in flags(answer(**base, sstr="positive"))


@pytest.mark.parametrize(
    ("field", "value", "rests"),
    [("portal_vein_thrombosis", None, "tame"), ("hepatic_failure", None, "deb_tace"),
     ("prior_whipple", None, "ctace")],
)  # fmt: skip
def test_an_option_barred_only_by_an_unknown_is_undetermined_and_asked(field, value, rests):
    known = {"ki67": 3, "lesions": ONE, "extrahepatic_disease": False, "r0_a0_possible": False,
             "prior_whipple": False, "portal_vein_thrombosis": False, "hepatic_failure": False}  # fmt: skip
    found = answer(**known | {field: value})
    assert str(found.option(rests).status) == "undetermined"
    assert rests in found.ask_because[field]
