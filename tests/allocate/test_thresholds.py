"""The source's thresholds, on both sides and on the line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from netseg.allocate import allocate, load_rules, parse_case

if TYPE_CHECKING:
    from netseg.domain.allocation import Allocation

RULES = load_rules()

LIMITED = {
    "primary": "small_intestine", "primary_resected": True, "differentiation": "well", "ki67": 1,
    "extrahepatic_disease": False, "r0_a0_possible": True, "functioning": False,
    "symptomatic": False, "liver_surgery_possible": True,
}  # fmt: skip
UNRESECTABLE = LIMITED | {
    "r0_a0_possible": False, "liver_pattern_reported": "simple", "prior_whipple": False,
    "portal_vein_thrombosis": False, "hepatic_failure": False,
}  # fmt: skip


def answer(base: dict[str, Any], **changes: Any) -> Allocation:
    return allocate(parse_case(base | changes), RULES)


@pytest.mark.parametrize(
    ("ki67", "grade"),
    [(0, "G1"), (1.99, "G1"), (2, "G2"), (2.01, "G2"), (20, "G2"), (20.01, "G3"), (100, "G3"),
     ({"below": 2}, "G1"), ({"above": 20}, "G3"), ([2, 20], "G2")],
)  # fmt: skip
def test_ki67_of_exactly_2_and_exactly_20_are_g2(ki67: Any, grade: str):
    assert str(answer({}, ki67=ki67).grade) == grade


@pytest.mark.parametrize(
    ("largest_cm", "window"),
    [(0.99, "outside"), (1.0, "inside"), (5.0, "inside"), (5.01, "outside")],
)
def test_ablation_window_by_size_holds_both_ends(largest_cm: float, window: str):
    found = answer(LIMITED, lesions=[{"segment": "VI", "diameter_cm": largest_cm}])
    assert str(found.ablation_window) == window
    assert found.ablation_window_reason == (None if window == "inside" else "size")


@pytest.mark.parametrize(
    ("count", "window", "reason"), [(5, "inside", None), (6, "outside", "count")]
)
def test_five_lesions_are_few_and_six_are_not(count: int, window: str, reason: str | None):
    found = answer(LIMITED, lesions=[{"segment": "VI", "diameter_cm": 2.0}] * count)
    assert (str(found.ablation_window), found.ablation_window_reason) == (window, reason)
    status = "recommended" if window == "inside" else "considered"
    assert str(found.option("rfa").status) == status


@pytest.mark.parametrize(
    ("margin", "error", "result", "route"),
    [
        (5.0, 0, "A0", "surveillance"),
        (4.9, 0, "not_A0", "local_curative"),
        (4.99, 0, "not_A0", "local_curative"),
        (7.0, 1.5, "A0", "surveillance"),
        (5.5, 1.5, "undetermined", None),
        (3.0, 1.5, "not_A0", "local_curative"),
        (-2.0, 1.0, "not_A0", "local_curative"),
        (9.0, None, "undetermined", None),
        (None, 1.0, "undetermined", None),
    ],
)
def test_a0_is_5_mm_and_no_less_with_the_registration_error_off_it(
    margin: float | None, error: float | None, result: str, route: str | None
):
    event = {"min_margin_mm": margin, "registration_error_mm": error, "evidence": "control_scan"}
    lesions = [{"segment": "VI", "diameter_cm": 2.0}]
    found = answer(LIMITED, lesions=lesions, post_ablation=event)
    assert str(found.ablation_result) == result
    assert (found.route and str(found.route)) == route
    assert ("post_ablation" in found.must_ask) == (route is None)


def test_a_margin_without_a_control_scan_is_no_a0():
    event = {"min_margin_mm": 9.0, "registration_error_mm": 0.5}
    found = answer(LIMITED, lesions=[{"segment": "VI"}], post_ablation=event)
    assert str(found.ablation_result) == "undetermined"
    assert found.route is None


@pytest.mark.parametrize(("shunt", "status"), [(10, "investigational"), (10.01, "contraindicated")])
def test_a_shunt_of_exactly_10_percent_passes(shunt: float, status: str):
    found = answer(UNRESECTABLE, hepatopulmonary_shunt_pct=shunt)
    assert str(found.option("tare").status) == status


@pytest.mark.parametrize(("share", "status"), [(70, "not_supported"), (70.01, "option")])
@pytest.mark.parametrize("primary", ["pancreas", "small_intestine"])
def test_cytoreduction_of_exactly_70_percent_does_not_count(
    share: float, status: str, primary: str
):
    found = answer(UNRESECTABLE, primary=primary, achievable_cytoreduction_pct=share)
    assert str(found.option("surgical_debulking").status) == status


GASTRIC = {
    "primary": "stomach", "gastric_type": 1, "primary_resected": False, "ki67": 1,
    "differentiation": "well", "lesions": [], "extrahepatic_disease": False,
}  # fmt: skip


@pytest.mark.parametrize(("diameter_mm", "status"), [(4.99, "not_supported"), (5, "recommended")])
def test_mucosal_resection_begins_at_5_mm(diameter_mm: float, status: str):
    assert str(answer(GASTRIC, primary_diameter_mm=diameter_mm).option("emr").status) == status


@pytest.mark.parametrize(
    ("diameter_mm", "emr", "surgery"),
    [(19.99, "option", "option"), (20, "not_supported", "recommended")],
)
def test_a_colonic_tumour_of_exactly_2_cm_is_not_below_2_cm(
    diameter_mm: float, emr: str, surgery: str
):
    colon = {k: v for k, v in GASTRIC.items() if k != "gastric_type"} | {"primary": "colon"}
    found = answer(colon, primary_diameter_mm=diameter_mm)
    assert str(found.option("emr").status) == emr
    assert str(found.option("primary_resection").status) == surgery


DIFFUSE = LIMITED | {"liver_pattern_reported": "diffuse"}


@pytest.mark.parametrize(
    ("sstr", "status"),
    [(0, "not_supported"), (2, "not_supported"), (3, "recommended"), (4, "recommended"),
     ("negative", "not_supported"), ("positive", "option"), (None, "undetermined")],
)  # fmt: skip
def test_prrt_needs_high_expression_and_a_word_alone_leaves_it_an_option(sstr: Any, status: str):
    found = answer(DIFFUSE, sstr=sstr)
    assert str(found.option("prrt").status) == status
    assert ("sstr_level_unknown" in {f.id for f in found.flags}) == (sstr == "positive")


def test_prrt_is_never_supported_in_g3_whatever_the_receptors():
    for sstr in (3, "positive", None):
        assert str(answer(DIFFUSE, ki67=21, sstr=sstr).option("prrt").status) == "not_supported"


def right(count: int, diameter_cm: float = 3.0) -> list[dict[str, Any]]:
    return [{"segment": "VI", "diameter_cm": diameter_cm}] * count


def left(count: int, diameter_cm: float) -> list[dict[str, Any]]:
    return [{"segment": "III", "diameter_cm": diameter_cm}] * count


@pytest.mark.parametrize(
    ("lesions", "pattern"),
    [
        ([], "none"),
        (right(30), "simple"),
        (right(4) + left(1, 1.0), "complex"),
        (right(4) + left(1, 1.01), None),
        (right(4) + left(3, 0.5), "complex"),
        (right(4) + left(4, 0.5), None),
        (right(20) + left(3, 0.5), "complex"),
        (right(5) + left(5, 2.0), None),
        (right(6) + left(5, 2.0), "diffuse"),
    ],
)
def test_patterns_and_the_assumed_numbers_behind_satellite_and_diffuse(
    lesions: list[dict[str, Any]], pattern: str | None
):
    found = answer(LIMITED, lesions=lesions)
    assert (found.pattern and str(found.pattern)) == pattern
    assert (found.possible_patterns == ("not_covered",)) == (pattern is None)


def test_lesions_in_six_segments_are_diffuse_and_in_five_not():
    segments = ["I", "II", "III", "VI", "VII", "VIII"]
    six = [{"segment": s, "diameter_cm": 2.0} for s in segments]
    assert str(answer(LIMITED, lesions=six).pattern) == "diffuse"
    assert answer(LIMITED, lesions=six[1:]).pattern is None
