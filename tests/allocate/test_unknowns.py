"""What is unknown never helps: outcomes over every completion, and only questions that matter."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from netseg.allocate import allocate, load_rules, parse_case
from netseg.domain.allocation import Allocation, AllocationStatus, OptionStatus

RULES = load_rules()
STRENGTH = list(OptionStatus)


def answer(**document: Any) -> Allocation:
    return allocate(parse_case(document), RULES)


def test_diffuse_disease_is_systemic_whatever_else_is_unknown_and_feasibility_is_not_asked():
    found = answer(liver_pattern_reported="diffuse", ki67=3)
    assert str(found.route) == "systemic"
    assert "r0_a0_possible" not in found.must_ask


def test_disease_outside_the_liver_is_systemic_with_nothing_else_known():
    found = answer(extrahepatic_disease=True)
    assert str(found.route) == "systemic"
    assert "route" not in {why for reasons in found.ask_because.values() for why in reasons}


def test_unknown_extrahepatic_disease_never_lets_local_cure_be_determined():
    found = answer(ki67=1, liver_pattern_reported="simple", r0_a0_possible=True)
    assert found.route is None
    assert {str(r) for r in found.possible_routes} == {"local_curative", "systemic"}
    assert found.must_ask[0] == "extrahepatic_disease"


def test_g3_makes_feasibility_irrelevant():
    found = answer(ki67=30, liver_pattern_reported="simple", extrahepatic_disease=False)
    assert str(found.route) == "systemic"
    assert "route" not in found.ask_because.get("r0_a0_possible", ())


def test_an_unknown_whipple_leaves_embolisation_undetermined_and_is_asked_for():
    known = {"ki67": 1, "liver_pattern_reported": "simple", "extrahepatic_disease": False,
             "r0_a0_possible": False, "portal_vein_thrombosis": False, "hepatic_failure": False}  # fmt: skip
    open_case = answer(**known)
    assert str(open_case.option("tame").status) == "undetermined"
    assert "tame" in open_case.ask_because["prior_whipple"]
    assert str(answer(**known, prior_whipple=False).option("tame").status) == "option"
    assert str(answer(**known, prior_whipple=True).option("tame").status) == "contraindicated"


def test_poor_differentiation_alone_means_g3_since_nothing_else_can_be():
    found = answer(differentiation="poor")
    assert str(found.grade) == "G3"
    assert found.is_nec is True


def test_a_reported_grade_serves_where_ki67_is_unknown():
    found = answer(
        grade_reported="G2", liver_pattern_reported="diffuse", extrahepatic_disease=False
    )
    assert str(found.grade) == "G2"
    assert "ki67" not in found.must_ask


def test_a_reported_grade_narrows_an_interval():
    found = answer(grade_reported="G2", ki67=[1, 3])
    assert [str(g) for g in found.possible_grades] == ["G2"]


def test_a_reported_pattern_serves_where_the_lesions_are_unknown():
    found = answer(liver_pattern_reported="complex")
    assert found.possible_patterns == ("complex",)


def test_the_count_alone_leaves_the_pattern_open_except_for_one_lesion():
    assert str(answer(lesion_count=1).pattern) == "simple"
    assert str(answer(lesion_count=0).pattern) == "none"
    assert set(answer(lesion_count=20).possible_patterns) == {"simple", "complex", "diffuse"}


def test_nothing_known_asks_and_claims_nothing():
    found = answer()
    assert found.status is AllocationStatus.UNDETERMINED
    assert len(found.possible_routes) == 6
    assert {o.status for o in found.options} <= {
        OptionStatus.UNDETERMINED,
        OptionStatus.NOT_SUPPORTED,
    }
    assert found.grade is None
    assert found.pattern is None
    assert "age" not in found.must_ask


def test_free_text_drives_nothing():
    silent = answer(ki67=1, primary="pancreas")
    loud = answer(ki67=1, primary="pancreas", histology_text="small cell carcinoma G3, NEC",
                  primary_part="Whipple", prior_operations=["gallbladder, not a Whipple"])  # fmt: skip
    assert loud.options == silent.options
    assert loud.possible_routes == silent.possible_routes


def test_counterfactuals_are_single_changes_that_hold_when_tried():
    base = {"ki67": 1, "lesions": [{"segment": "VI", "diameter_cm": 2.0}], "differentiation": "well",
            "extrahepatic_disease": False, "r0_a0_possible": True}  # fmt: skip
    found = {str(c.change): str(c.route) for c in answer(**base).counterfactuals}
    assert found == {
        "{'extrahepatic_disease': True}": "systemic",
        "{'post_ablation': 'A0'}": "surveillance",
        "{'ki67': '> 20'}": "systemic",
        "{'pattern': 'diffuse'}": "systemic",
        "{'r0_a0_possible': False}": "transarterial",
    }
    for change in ({"extrahepatic_disease": True}, {"ki67": 20.1}):
        assert str(answer(**base | change).route) == "systemic"
    assert str(answer(**base | {"ki67": 20}).route) == "local_curative"
    assert str(answer(**base | {"r0_a0_possible": False}).route) == "transarterial"


MISMATCHES = {
    "grade_vs_ki67_mismatch", "pattern_reported_vs_measured", "lesion_count_vs_list",
}  # fmt: skip
SLOW_IS_FINE = [HealthCheck.too_slow, HealthCheck.data_too_large]
FLAG = st.none() | st.booleans()
LESION = st.fixed_dictionaries(
    {"segment": st.sampled_from(["I", "II", "IVb", "V", "VIII"]),
     "diameter_cm": st.sampled_from([0.5, 2.0, 6.0])}
)  # fmt: skip
DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "primary": st.sampled_from(["stomach", "small_intestine", "pancreas", "colon", "unknown"]),
        "ki67": st.sampled_from([1, 2, 20, 50, [1, 3], [15, 25], {"below": 2}, {"above": 20}]),
        "grade_reported": st.sampled_from(["G1", "G2", "G3"]),
        "differentiation": st.sampled_from(["well", "poor"]),
        "sstr": st.sampled_from(["positive", "negative", 1, 3]),
        "ga68_pet": st.sampled_from(["positive", "negative", "not_done"]),
        "liver_pattern_reported": st.sampled_from(["simple", "complex", "diffuse"]),
        "lesions": st.lists(LESION, max_size=7),
        "lesion_count": st.integers(0, 12),
        "gastric_type": st.sampled_from([1, 2, 3]),
        "primary_diameter_mm": st.sampled_from([4, 5, 20]),
        "hepatopulmonary_shunt_pct": st.sampled_from([10, 11]),
        "achievable_cytoreduction_pct": st.sampled_from([70, 71]),
        "disease_course": st.sampled_from(["stable", "progressive", "response"]),
        "extrahepatic_sites": st.sampled_from([[], ["bone"]]),
        "post_ablation": st.sampled_from(
            [{"min_margin_mm": m, "registration_error_mm": e, "evidence": "control_scan"}
             for m in (3, 5, 7) for e in (0, 3, None)]),
        **dict.fromkeys(
            ["extrahepatic_disease", "r0_a0_possible", "fit_for_local_treatment", "functioning",
             "symptomatic", "primary_resected", "men1", "liver_surgery_possible",
             "general_anaesthesia_possible", "portal_vein_thrombosis", "hepatic_failure",
             "prior_whipple", "other_drugs_available", "intestinal_obstruction_risk"], FLAG),
    },
)  # fmt: skip


@settings(
    max_examples=80,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=SLOW_IS_FINE,
    derandomize=True,
)
@given(document=DOCUMENTS, data=st.data())
def test_removing_knowledge_never_strengthens(document: dict[str, Any], data: st.DataObject):
    """One field less: no route vanishes, no option becomes stronger."""
    known = sorted(k for k, v in document.items() if v is not None)
    before = answer(**document)
    if not known or before.status is AllocationStatus.CONFLICT:
        return
    if MISMATCHES & {flag.id for flag in before.flags}:
        return  # two statements differ and one stands: without it the other does
    # an ablation is an event: without its record there was none, which is not less knowledge
    removable = [name for name in known if name != "post_ablation"]
    if not removable:
        return
    gone = data.draw(st.sampled_from(removable))
    after = answer(**{k: v for k, v in document.items() if k != gone})
    assert set(before.possible_routes) <= set(after.possible_routes)
    assert set(before.possible_grades) <= set(after.possible_grades)
    for old in before.options:
        new = after.option(old.id)
        assert set(old.possible_statuses) <= set(new.possible_statuses)
        if (
            new.status is not OptionStatus.UNDETERMINED
            and old.status is not OptionStatus.UNDETERMINED
        ):
            assert STRENGTH.index(new.status) >= STRENGTH.index(old.status)
        if new.status in (OptionStatus.RECOMMENDED, OptionStatus.OPTION):
            assert old.status is new.status


@settings(
    max_examples=80,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=SLOW_IS_FINE,
    derandomize=True,
)
@given(document=DOCUMENTS)
def test_nothing_is_offered_against_a_true_or_unknown_contraindication(document: dict[str, Any]):
    found = answer(**document)
    offered = {
        o.id for o in found.options if o.status in (OptionStatus.RECOMMENDED, OptionStatus.OPTION)
    }
    if document.get("prior_whipple") is not False:
        assert not offered & {"tame", "ctace", "deb_tace"}
    for barring in ("portal_vein_thrombosis", "hepatic_failure"):
        if document.get(barring) is not False:
            assert not offered & {"tame", "ctace", "deb_tace"}
    if document.get("liver_surgery_possible") is not True:
        assert not offered & {"resection", "surgical_debulking", "liver_transplant"}
    if (
        document.get("fit_for_local_treatment") is not True
        and document.get("r0_a0_possible") is not True
    ):
        assert not offered & {"srfa", "rfa", "mwa", "repeat_ablation", "locoregional_debulking"}
    if document.get("extrahepatic_disease") is not False:
        assert str(found.route) != "local_curative"
    assert "tare" not in offered


@settings(
    max_examples=40,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=SLOW_IS_FINE,
    derandomize=True,
)
@given(document=DOCUMENTS)
def test_every_question_is_about_something_unknown_and_can_change_an_answer(
    document: dict[str, Any],
):
    found = answer(**document)
    exact = {k for k, v in document.items() if v is not None} - {"lesions", "post_ablation", "ki67"}
    assert not exact & set(found.must_ask)
    if found.status is AllocationStatus.UNDETERMINED:
        assert any("route" in why for why in found.ask_because.values())
    undetermined = {o.id for o in found.options if o.status is OptionStatus.UNDETERMINED}
    asked_about = {why for reasons in found.ask_because.values() for why in reasons} - {"route"}
    assert asked_about == undetermined


@pytest.mark.parametrize(
    "field", ["primary_resected", "men1", "functioning", "sstr", "prior_whipple"]
)
def test_each_question_of_an_open_case_splits_what_it_says_it_decides(field: str):
    """Try both answers: some option's possible statuses shrink."""
    base = {"primary": "pancreas", "ki67": 3, "extrahepatic_disease": False}
    before = answer(**base)
    assert field in before.must_ask
    values = [3, "negative"] if field == "sstr" else [True, False]
    narrowed = [
        option
        for value in values
        for option in set(before.ask_because[field]) - {"route"}
        if set(answer(**base, **{field: value}).option(option).possible_statuses)
        < set(before.option(option).possible_statuses)
    ]
    assert narrowed
