"""Sixteen patients decided on paper with the source's sentences, and what the program prints.

Each has the chain of rows that a person finds who starts at the facts: grade, pattern, window,
control scan, route, indications; then the status of every option that is worth a word. The last
test redoes the decision from the printed text alone: it knows no rule that the page does not show.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import pytest

from netseg.allocate import allocate, explain, load_rules, parse_case

RULES = load_rules()

KNOWN: dict[str, Any] = {
    "extrahepatic_disease": False, "differentiation": "well", "functioning": False,
    "symptomatic": False, "primary_resected": True,
}  # fmt: skip
VESSELS = {"prior_whipple": False, "portal_vein_thrombosis": True, "hepatic_failure": False}


def lesions(*said: tuple[str, float]) -> list[dict[str, Any]]:
    return [{"segment": segment, "diameter_cm": size} for segment, size in said]


def control(margin: float, error: float) -> dict[str, Any]:
    return {"min_margin_mm": margin, "registration_error_mm": error, "evidence": "control_scan"}


@dataclass(frozen=True, kw_only=True)
class Paper:
    """A patient and what follows from the source's sentences."""

    facts: dict[str, Any]
    rows: dict[str, set[str]]
    options: dict[str, str]
    routes: set[str]
    asked: set[str] = field(default_factory=set)
    flags: set[str] = field(default_factory=set)


PAPERS = {
    # S098: exactly 20 % is G2. S049: II and III, one lobe, simple. S172: 1.0 and 2.0 cm, two of
    # them, inside. S220: R0/A0 possible, hence cure. S066: operable, so no PRRT.
    "left_lobe_g2_pancreas": Paper(
        facts={**KNOWN, "primary": "pancreas", "ki67": 20, "r0_a0_possible": True,
               "fit_for_local_treatment": True, "liver_surgery_possible": True,
               "lesions": lesions(("II", 2.0), ("III", 1.0))},
        rows={"grade": {"grade.g2"}, "pattern": {"pattern.simple"},
              "ablation_window": {"window.inside"}, "route": {"route.limited_feasible"},
              "local_indication": {"local.curative"}, "arterial_indication": {"arterial.none"}},
        routes={"local_curative"},
        options={"resection": "recommended", "rfa": "recommended", "srfa": "recommended",
                 "ire": "undetermined", "prrt": "not_supported", "tame": "not_supported",
                 "chemo_temcap": "not_supported", "ssa": "considered"},
        asked={"general_anaesthesia_possible"}, flags={"cure_is_local"}),
    # The same patient above 20 %: S224 systemic, S227 local treatment only considered, S062
    # targeted treatment of the pancreas, S066 no PRRT of G3, S061 the regimen is for carcinoma.
    "the_same_above_twenty": Paper(
        facts={**KNOWN, "primary": "pancreas", "ki67": 20.1, "r0_a0_possible": True,
               "fit_for_local_treatment": True, "liver_surgery_possible": True,
               "lesions": lesions(("II", 2.0), ("III", 1.0))},
        rows={"grade": {"grade.g3"}, "carcinoma": {"carcinoma.net_g3"},
              "pattern": {"pattern.simple"}, "route": {"route.limited_g3"},
              "local_indication": {"local.g3"}, "arterial_indication": {"arterial.g3"}},
        routes={"systemic"},
        options={"resection": "considered", "rfa": "considered", "everolimus": "option",
                 "sunitinib": "option", "chemo_temcap": "option", "chemo_cis_eto": "considered",
                 "prrt": "not_supported", "liver_transplant": "not_supported"},
        asked={"general_anaesthesia_possible", "hepatic_failure", "portal_vein_thrombosis",
               "prior_whipple", "hepatopulmonary_shunt_pct", "achievable_cytoreduction_pct"},
        flags={"net_g3_not_separated_from_nec_in_seed",
               "prrt_in_fig2_g3_box_conflicts_with_text"}),
    # S050: satellite of 0.8 cm in the other lobe, complex. S222: no R0/A0, transarterial. S203: the
    # thrombosis limits TAME and TACE, S206 not TARE, S209: 10.0 % passes. 0.8 cm is below S172.
    "satellite_with_thrombosis": Paper(
        facts={**KNOWN, **VESSELS, "primary": "small_intestine", "ki67": 1.9,
               "r0_a0_possible": False, "hepatopulmonary_shunt_pct": 10,
               "lesions": lesions(("VI", 4.0), ("II", 0.8))},
        rows={"grade": {"grade.g1"}, "pattern": {"pattern.complex"},
              "ablation_window": {"window.too_small"}, "route": {"route.limited_not_feasible"},
              "arterial_indication": {"arterial.alternative"},
              "local_indication": {"local.downstaging"}},
        routes={"transarterial"},
        options={"tame": "limited", "ctace": "limited", "deb_tace": "limited",
                 "tare": "investigational", "resection": "not_supported", "ssa": "option",
                 "prrt": "undetermined", "everolimus": "not_supported"},
        asked={"fit_for_local_treatment", "general_anaesthesia_possible", "liver_surgery_possible",
               "achievable_cytoreduction_pct", "sstr"},
        flags={"portal_vein_thrombosis", "tare_investigational"}),
    # S209: 10.1 % does not pass.
    "the_same_with_a_shunt": Paper(
        facts={**KNOWN, **VESSELS, "primary": "small_intestine", "ki67": 1.9,
               "r0_a0_possible": False, "hepatopulmonary_shunt_pct": 10.1,
               "lesions": lesions(("VI", 4.0), ("II", 0.8))},
        rows={"route": {"route.limited_not_feasible"}},
        routes={"transarterial"},
        options={"tame": "limited", "tare": "contraindicated"},
        asked={"fit_for_local_treatment", "general_anaesthesia_possible", "liver_surgery_possible",
               "achievable_cytoreduction_pct", "sstr"}),
    # Eleven lesions of 1.5 cm in both lobes: diffuse by the assumption on S052; the lung has no box
    # (A5). S062: everolimus not named. Score 2 is not high expression. Course unknown: S229.
    "diffuse_from_the_lung": Paper(
        facts={**KNOWN, "primary": "lung", "ki67": 1, "sstr": 2,
               "lesions": lesions(*[("VI", 1.5)] * 6, *[("II", 1.5)] * 5)},
        rows={"pattern": {"pattern.diffuse_by_count"}, "route": {"route.diffuse_other_site"},
              "ablation_window": {"window.too_many"}, "sstr_level": {"sstr.score_1_2"},
              "local_indication": {"local.none"},
              "arterial_indication": {"arterial.progression", "arterial.none"}},
        routes={"systemic"},
        options={"ssa": "option", "prrt": "not_supported", "everolimus": "not_supported",
                 "interferon": "not_supported", "resection": "not_supported",
                 "liver_transplant": "undetermined", "tame": "undetermined"},
        asked={"disease_course", "hepatic_failure", "portal_vein_thrombosis", "prior_whipple",
               "liver_surgery_possible", "hepatopulmonary_shunt_pct"},
        flags={"site_not_covered_by_figure", "selected_cases_1_percent"}),
    # S149: a single lesion that could be cut out, but disease elsewhere and no symptoms.
    "disease_elsewhere": Paper(
        facts={**KNOWN, "primary": "small_intestine", "ki67": 1, "extrahepatic_disease": True,
               "r0_a0_possible": True, "fit_for_local_treatment": True,
               "lesions": lesions(("VI", 2.0))},
        rows={"pattern": {"pattern.simple"}, "route": {"route.extrahepatic"},
              "local_indication": {"local.none"}, "arterial_indication": {"arterial.none"}},
        routes={"systemic"},
        options={"resection": "not_supported", "rfa": "not_supported", "tame": "not_supported",
                 "tare": "not_supported", "ssa": "option", "everolimus": "considered",
                 "interferon": "undetermined", "liver_transplant": "not_supported"},
        asked={"sstr", "other_drugs_available", "achievable_cytoreduction_pct",
               "liver_surgery_possible"},
        flags={"extrahepatic_disease", "everolimus_site_conflict"}),
    # S140: 1.9 cm of the colon can be taken out endoscopically; S109: no metastasis, surgery.
    "colon_of_nineteen_millimetres": Paper(
        facts={**KNOWN, "primary": "colon", "ki67": 1, "primary_resected": False,
               "primary_diameter_mm": 19, "lesions": []},
        rows={"pattern": {"pattern.none"}, "route": {"route.primary_in_place"}},
        routes={"primary_surgery"},
        options={"emr": "option", "endoscopic_resection": "option", "primary_resection": "option"}),
    "colon_of_twenty_millimetres": Paper(
        facts={**KNOWN, "primary": "colon", "ki67": 1, "primary_resected": False,
               "primary_diameter_mm": 20, "lesions": []},
        rows={"route": {"route.primary_in_place"}},
        routes={"primary_surgery"},
        options={"emr": "not_supported", "endoscopic_resection": "not_supported",
                 "primary_resection": "recommended"}),
    # S118: mucosal resection of a gastric type 1 from 5 mm on, both sides of the threshold.
    "gastric_type_1_of_five_millimetres": Paper(
        facts={**KNOWN, "primary": "stomach", "gastric_type": 1, "ki67": 1, "lesions": [],
               "primary_resected": False, "primary_diameter_mm": 5},
        rows={"route": {"route.primary_in_place"}}, routes={"primary_surgery"},
        options={"emr": "recommended", "endoscopic_resection": "option",
                 "gastrectomy": "not_supported"}),
    "gastric_type_1_below_five_millimetres": Paper(
        facts={**KNOWN, "primary": "stomach", "gastric_type": 1, "ki67": 1, "lesions": [],
               "primary_resected": False, "primary_diameter_mm": 4.9},
        rows={"route": {"route.primary_in_place"}}, routes={"primary_surgery"},
        options={"emr": "not_supported", "endoscopic_resection": "option"}),
    # S061, S075, S224: carcinoma of the pancreas, diffuse. S062 names the pancreas for targeted
    # treatment; S223 closes local cure.
    "carcinoma_of_the_pancreas": Paper(
        facts={**KNOWN, "primary": "pancreas", "ki67": 60, "differentiation": "poor",
               "liver_pattern_reported": "diffuse"},
        rows={"grade": {"grade.g3"}, "carcinoma": {"carcinoma.nec"}, "route": {"route.diffuse_g3"},
              "local_indication": {"local.none"}, "arterial_indication": {"arterial.g3"}},
        routes={"systemic"},
        options={"chemo_cis_eto": "recommended", "chemo_stz": "considered", "everolimus": "option",
                 "prrt": "not_supported", "resection": "not_supported", "ssa": "not_supported"},
        asked={"hepatic_failure", "portal_vein_thrombosis", "prior_whipple",
               "hepatopulmonary_shunt_pct", "achievable_cytoreduction_pct",
               "liver_surgery_possible"}),
    # S181: 6 mm less an error of 1 mm is 5.0 mm: A0, nothing left to treat.
    "margin_of_six_less_one": Paper(
        facts={**KNOWN, "primary": "small_intestine", "ki67": 1, "lesions": lesions(("VI", 2.0)),
               "post_ablation": control(6, 1)},
        rows={"control_scan": {"control.a0"}, "route": {"route.ablated_a0"}},
        routes={"surveillance"},
        options={"repeat_ablation": "not_supported", "rfa": "not_supported",
                 "ssa": "not_supported"}),
    # 5.9 mm with the same error reaches from 4.9 to 6.9 mm: nobody can say, and the scan decides.
    "margin_within_its_error": Paper(
        facts={**KNOWN, "primary": "small_intestine", "ki67": 1, "lesions": lesions(("VI", 2.0)),
               "r0_a0_possible": True, "post_ablation": control(5.9, 1)},
        rows={"control_scan": {"control.within_error"},
              "route": {"route.ablated_a0", "route.limited_feasible"}},
        routes={"surveillance", "local_curative"},
        options={"repeat_ablation": "undetermined", "resection": "undetermined"},
        asked={"post_ablation", "general_anaesthesia_possible", "liver_surgery_possible"}),
    # S225, S229: progressive under SSA; S066: high expression, PRRT is the next line.
    "second_line_after_ssa": Paper(
        facts={**KNOWN, "primary": "small_intestine", "ki67": 1, "sstr": 3,
               "liver_pattern_reported": "diffuse",
               "history": [{"treatment": "ssa", "outcome": "progressive"}]},
        rows={"route": {"route.diffuse_small_intestine"}, "sstr_level": {"sstr.score_3_4"},
              "arterial_indication": {"arterial.progression"}},
        routes={"systemic"},
        options={"ssa": "not_supported", "prrt": "recommended", "everolimus": "option"},
        asked={"hepatic_failure", "portal_vein_thrombosis", "prior_whipple",
               "liver_surgery_possible", "achievable_cytoreduction_pct",
               "hepatopulmonary_shunt_pct", "other_drugs_available"},
        flags={"next_line"}),
    # S224 decides although nobody said well or poor; the regimen depends on it, so it is asked.
    "g3_without_differentiation": Paper(
        facts={**KNOWN, "primary": "pancreas", "ki67": {"above": 20}, "differentiation": None,
               "liver_pattern_reported": "simple"},
        rows={"grade": {"grade.g3"}, "carcinoma": {"carcinoma.nec", "carcinoma.net_g3"},
              "route": {"route.limited_g3"}},
        routes={"systemic"},
        options={"chemo_cis_eto": "undetermined", "chemo_temcap": "undetermined",
                 "everolimus": "option", "prrt": "not_supported"},
        asked={"differentiation", "fit_for_local_treatment", "hepatic_failure", "prior_whipple",
               "portal_vein_thrombosis", "liver_surgery_possible", "achievable_cytoreduction_pct",
               "general_anaesthesia_possible", "hepatopulmonary_shunt_pct"},
        flags={"workup_incomplete"}),
    # R023: two lesions a lobe, all above satellites, in four segments: no pattern of the source.
    "few_in_both_lobes": Paper(
        facts={**KNOWN, "primary": "rectum", "ki67": 1, "r0_a0_possible": False,
               "lesions": lesions(("II", 2.0), ("VI", 2.0), ("III", 1.2), ("VII", 1.1))},
        rows={"pattern": {"pattern.not_covered"}, "route": {"route.not_covered_not_feasible"},
              "ablation_window": {"window.inside"}, "gut_part": {"gut.other"}},
        routes={"transarterial"},
        options={"tame": "undetermined", "resection": "not_supported", "ssa": "option"},
        asked={"fit_for_local_treatment", "hepatic_failure", "portal_vein_thrombosis",
               "prior_whipple", "general_anaesthesia_possible", "hepatopulmonary_shunt_pct",
               "liver_surgery_possible", "sstr"},
        flags={"pattern_not_covered_by_seed"}),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(PAPERS))
def test_the_program_decides_as_the_paper_does(name: str):
    paper = PAPERS[name]
    found = allocate(parse_case(paper.facts), RULES)
    trace = {step.table: {reason.rule for reason, _ in step.rows} for step in found.trace}
    assert {table: trace[table] for table in paper.rows} == paper.rows
    assert set(map(str, found.possible_routes)) == paper.routes
    assert {o: str(found.option(o).status) for o in paper.options} == paper.options
    assert set(found.must_ask) == paper.asked
    assert paper.flags <= {flag.id for flag in found.flags}


LINE = re.compile(
    r"^  (?P<then>\S+) <- (?P<row>[\w.]+)(?: because (?P<facts>[^.]*(?:\.\d[^.]*)*))?\. "
)


def redone(text: str) -> dict[str, tuple[set[str], list[dict[str, str]]]]:
    """Table by table what the page says: the outcomes, and the facts of each row."""
    found: dict[str, tuple[set[str], list[dict[str, str]]]] = {}
    table = ""
    for line in text.split("Tables as read")[1].split("\nOptions", maxsplit=1)[0].splitlines():
        if head := re.match(r"^(\w+): (.+)$", line):
            table = head[1]
            found[table] = (set(head[2].split(" or ")), [])
        elif row := LINE.match(line):
            assert row["then"] in found[table][0], line
            pairs = (fact.split(" ", 1) for fact in (row["facts"] or "").split(", ") if fact)
            found[table][1].append(dict(pairs))
    return found


@pytest.mark.parametrize("name", sorted(PAPERS))
def test_the_printed_page_is_enough_to_redo_the_decision(name: str):
    """Each fact of a row is a fact of the document, or what an earlier table on the page says."""
    text = explain(allocate(parse_case(PAPERS[name].facts), RULES))
    told = dict(
        line.strip().split(" = ", 1)
        for line in text.split("\nFacts\n")[1].split("\n\n")[0].splitlines()
    )
    tables = redone(text)
    order = list(tables)
    checked = 0
    for table, (_, rows) in tables.items():
        assert rows, table
        for facts in rows:
            for fact, value in facts.items():
                if fact in tables:
                    assert order.index(fact) < order.index(table)
                    assert set(value.split(" or ")) == tables[fact][0], (table, fact)
                    checked += 1
                elif fact in told and fact not in ("lesions", "history"):
                    assert value == told[fact], (table, fact)
                    checked += 1
    assert checked >= 8


@pytest.mark.parametrize("name", sorted(PAPERS))
def test_every_option_stands_on_the_page_with_the_row_that_decides_it(name: str):
    found = allocate(parse_case(PAPERS[name].facts), RULES)
    options = explain(found).split("\nOptions\n")[1].split("\n\n")[0]
    for option in found.options:
        line = re.search(rf"^{option.status}: {option.id}\b.*$", options, re.MULTILINE)
        assert line, option.id
        if str(option.status) == "not_supported":
            assert f"<- {option.against[0].rule}" in line[0]
            assert option.against[0].text in line[0]


LUNG = {**KNOWN, "primary": "lung", "lesions": []}


@pytest.mark.parametrize(
    ("facts", "months", "row"),
    [
        ({"ki67": 5}, (3, 6), "follow_up.low_grade"),
        ({"ki67": 60, "differentiation": "poor"}, (2, 3), "follow_up.nec"),
        ({"ki67": 60}, (2, 3), "follow_up.net_g3"),
    ],
)
def test_intervals_after_resection_are_those_of_the_source(facts: Any, months: Any, row: str):
    """S105: 3 to 6 months for G1 and G2, 2 to 3 for a carcinoma; NET G3 as the carcinoma."""
    found = allocate(parse_case({**LUNG, **facts}), RULES)
    assert str(found.route) == "surveillance"
    assert found.follow_up is not None
    assert found.follow_up.interval_months == months
    trace = {step.table: [reason.rule for reason, _ in step.rows] for step in found.trace}
    assert trace["follow_up"] == [row]


@pytest.mark.parametrize(
    ("facts", "is_nec"),
    [
        ({"ki67": 60, "differentiation": "poor"}, True),
        ({"ki67": 60, "differentiation": "well"}, False),
        ({"ki67": 60}, None),
        ({"ki67": 3}, False),
        ({"differentiation": "well"}, False),
        ({}, None),
    ],
)
def test_carcinoma_is_open_where_it_may_be_one_or_not(facts: Any, is_nec: Any):
    assert allocate(parse_case(facts), RULES).is_nec is is_nec


def test_what_was_superseded_or_never_recorded_is_no_change_to_wish_for():
    """A0 and not A0 are results of a scan; "superseded" and "no record" are none."""
    found = allocate(parse_case({**PAPERS["left_lobe_g2_pancreas"].facts}), RULES)
    changes = [
        c.change["post_ablation"] for c in found.counterfactuals if "post_ablation" in c.change
    ]
    assert changes == ["A0"]
    found = allocate(parse_case({**PAPERS["margin_of_six_less_one"].facts}), RULES)
    told = " ".join(str(c.change) for c in found.counterfactuals)
    assert "superseded" not in told
    assert "no_record" not in told
