"""Cases written from the source, with the answer the source gives."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from netseg.allocate import allocate, load_rules, read_case

if TYPE_CHECKING:
    from netseg.domain.allocation import Allocation

CASES = Path(__file__).resolve().parents[2] / "docs" / "examples" / "cases"
RULES = load_rules()


def case(name: str) -> Allocation:
    return allocate(read_case(CASES / f"{name}.yaml"), RULES)


Answer = tuple[str, str | None, str | None, str | None, dict[str, str]]
"""Status, route, grade, pattern, and the status of some options."""

EXPECTED: dict[str, Answer] = {
    "figure_1_single_large_metastasis": (
        "determined", "local_curative", "G1", "simple",
        {"srfa": "recommended", "rfa": "considered", "chemo_cis_eto": "not_supported"}),
    "two_adjacent_segments_across_the_midline": (
        "determined", "local_curative", "G2", "simple",
        {"resection": "recommended", "rfa": "recommended", "ire": "contraindicated"}),
    "satellites_not_resectable": (
        "determined", "transarterial", "G2", "complex",
        {"tame": "option", "ctace": "option", "deb_tace": "option", "tare": "investigational"}),
    "after_whipple": (
        "determined", "transarterial", "G2", "complex",
        {"tame": "contraindicated", "ctace": "contraindicated", "deb_tace": "contraindicated",
         "tare": "investigational", "prrt": "option"}),
    "portal_vein_thrombosis": (
        "determined", "transarterial", "G2", "simple",
        {"tame": "limited", "tare": "contraindicated"}),
    "diffuse_small_intestine": (
        "determined", "systemic", "G2", "diffuse",
        {"ssa": "recommended", "prrt": "recommended", "everolimus": "option",
         "sunitinib": "not_supported", "resection": "not_supported"}),
    "diffuse_pancreas": (
        "determined", "systemic", "G2", "diffuse",
        {"prrt": "option", "everolimus": "option", "sunitinib": "option", "chemo_stz": "option",
         "chemo_temcap": "option", "surgical_debulking": "not_supported", "ssa": "option"}),
    "carcinoma_g3": (
        "determined", "systemic", "G3", "diffuse",
        {"chemo_cis_eto": "recommended", "prrt": "not_supported",
         "liver_transplant": "not_supported", "primary_resection": "considered"}),
    "well_differentiated_g3": (
        "determined", "systemic", "G3", "simple",
        {"resection": "considered", "srfa": "considered", "prrt": "not_supported",
         "chemo_temcap": "option", "chemo_cis_eto": "considered"}),
    "extrahepatic_with_symptoms": (
        "determined", "systemic", "G2", "simple",
        {"resection": "not_supported", "rfa": "considered", "tame": "considered",
         "locoregional_debulking": "considered", "ssa": "recommended", "tare": "not_supported"}),
    "ki67_written_as_1_to_3": ("determined", "local_curative", None, "simple", {}),
    "ki67_missing": ("undetermined", None, None, "simple", {"resection": "undetermined"}),
    "gastric_type_1": (
        "determined", "primary_surgery", "G1", "none",
        {"emr": "recommended", "endoscopic_resection": "option", "gastrectomy": "not_supported",
         "gastric_surgery": "not_supported", "primary_resection": "not_supported"}),
    "pancreas_men1": (
        "determined", "primary_surgery", "G2", "none",
        {"primary_resection": "considered", "emr": "not_supported", "ssa": "recommended"}),
    "unknown_primary": ("determined", "systemic", "G2", "diffuse", {"everolimus": "not_supported"}),
    "ablated_a0": (
        "determined", "surveillance", "G1", "simple", {"repeat_ablation": "not_supported"}),
    "ablated_not_a0": (
        "determined", "local_curative", "G1", "simple", {"repeat_ablation": "option"}),
    "pathology_contradicts_itself": ("conflict", None, "G2", None, {}),
    "few_lesions_in_both_lobes": (
        "determined", "local_curative", "G2", None, {"resection": "recommended"}),
    "diffuse_rectum": (
        "determined", "systemic", "G1", "diffuse", {"prrt": "not_supported", "ssa": "option"}),
    "lung_without_metastases": (
        "determined", "primary_surgery", "G1", "none", {"primary_resection": "recommended"}),
}  # fmt: skip


def test_every_example_has_its_expected_answer_here():
    assert {file.stem for file in CASES.glob("*.yaml")} == set(EXPECTED)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_the_source_gives_this_answer(name: str):
    status, route, grade, pattern, options = EXPECTED[name]
    found = case(name)
    assert str(found.status) == status
    assert (found.route and str(found.route)) == route
    assert (found.grade and str(found.grade)) == grade
    assert (found.pattern and str(found.pattern)) == pattern
    assert {name: str(found.option(name).status) for name in options} == options


def test_figure_1_large_lesion_leaves_the_window_and_the_word_carcinoma_decides_nothing():
    found = case("figure_1_single_large_metastasis")
    assert (str(found.ablation_window), found.ablation_window_reason) == ("outside", "size")
    assert "single_needle_size_window_exceeded" in {flag.id for flag in found.flags}
    assert found.is_nec is False


FLAGS = {
    "after_whipple": {"whipple", "tare_investigational"},
    "portal_vein_thrombosis": {"portal_vein_thrombosis"},
    "diffuse_small_intestine": {"everolimus_site_conflict", "selected_cases_1_percent"},
    "diffuse_pancreas": {"sstr_level_unknown"},
    "carcinoma_g3": {"prrt_in_fig2_g3_box_conflicts_with_text"},
    "well_differentiated_g3": {"net_g3_not_separated_from_nec_in_seed"},
    "extrahepatic_with_symptoms": {"extrahepatic_disease"},
    "pancreas_men1": {"surgery_controversial_men1"},
    "few_lesions_in_both_lobes": {"pattern_not_covered_by_seed"},
    "diffuse_rectum": {"site_not_covered_by_figure"},
}


@pytest.mark.parametrize("name", sorted(FLAGS))
def test_tensions_of_the_source_are_flagged(name: str):
    assert FLAGS[name] | {"mdt"} <= {flag.id for flag in case(name).flags}


IMAGING = {
    "carcinoma_g3": {"ct_chest_abdomen_pelvis", "triphasic_ct"},
    "unknown_primary": {"sstr_spect", "ga68_sstr_pet", "colonoscopy", "triphasic_ct"},
    "pancreas_men1": {"eus", "f18_dopa_pet", "fdg_pet"},
    "diffuse_rectum": {"sstr_imaging", "mri_gd_dwi"},
    "ki67_missing": {"virtual_endoscopy"},
}


@pytest.mark.parametrize("name", sorted(IMAGING))
def test_scans_the_source_asks_for(name: str):
    assert IMAGING[name] <= {scan.id for scan in case(name).imaging}


def test_a_ga68_pet_that_was_done_is_not_asked_for_again():
    assert "ga68_sstr_pet" not in {scan.id for scan in case("diffuse_small_intestine").imaging}


FOLLOW_UP = {
    "ablated_a0": (3, 6),
    "diffuse_small_intestine": (6, 12),
    "carcinoma_g3": (3, 3),
    "two_adjacent_segments_across_the_midline": (3, 6),
}


@pytest.mark.parametrize(("name", "months"), FOLLOW_UP.items())
def test_follow_up_intervals(name: str, months: Any):
    follow_up = case(name).follow_up
    assert follow_up is not None
    assert follow_up.interval_months == months


def test_receptor_imaging_comes_again_where_it_was_positive_at_diagnosis():
    follow_up = case("diffuse_small_intestine").follow_up
    assert follow_up is not None
    assert any("18 to 24 months" in text for text, _ in follow_up.further)


def test_ki67_of_1_to_3_leaves_the_grade_open_and_the_route_not():
    found = case("ki67_written_as_1_to_3")
    assert [str(grade) for grade in found.possible_grades] == ["G1", "G2"]
    assert "route" not in {why for reasons in found.ask_because.values() for why in reasons}


def test_without_ki67_both_routes_are_named_and_ki67_is_asked_for():
    found = case("ki67_missing")
    assert {str(route) for route in found.possible_routes} == {"local_curative", "systemic"}
    assert "route" in found.ask_because["ki67"]
    assert [f for f, why in found.ask_because.items() if "route" in why] == ["ki67"]
