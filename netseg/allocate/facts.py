"""From findings to what the tables ask for: for each fact the values that are still possible."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from netseg.allocate.cells import Span
from netseg.allocate.liver import liver_facts
from netseg.allocate.records import ABLATIONS, CHEMOTHERAPY, EMBOLISATION
from netseg.domain.clinical import ClinicalFindings, DiseaseCourse, Ki67, PostAblation, Receptor
from netseg.domain.margin import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netseg.allocate.compiled import RuleSet
    from netseg.domain.clinical import LiverLesion

Facts = dict[str, "frozenset[str | bool | int] | Span"]
"""Possible values by fact: a set of names or a span of numbers. A fact that is absent is unknown."""

PLAIN = (
    "extrahepatic_disease", "differentiation", "r0_a0_possible", "fit_for_local_treatment", "primary", "primary_resected", "functioning",
    "symptomatic", "disease_course", "liver_surgery_possible", "general_anaesthesia_possible",
    "achievable_cytoreduction_pct", "prior_whipple", "portal_vein_thrombosis", "hepatic_failure",
    "hepatopulmonary_shunt_pct", "ga68_pet", "planar_sstr_scintigraphy", "other_drugs_available",
    "men1", "gastric_type", "primary_diameter_mm", "intestinal_obstruction_risk",
    "sstr_at_diagnosis", "tumour_markers", "mitoses_per_2mm2", "liver_burden_pct", "age",
)  # fmt: skip
"""Fields whose value is the fact itself."""

LESION_FACTS = (
    "lesion_count", "lesion_spread", "lesser_lobe_largest_cm", "lesser_lobe_count",
    "segments_affected", "largest_cm", "smallest_cm", "lowest_lesion_confidence",
)  # fmt: skip

NOT_STATED = "not_stated"

WHIPPLE_TERMS = frozenset({"whipple", "whipple procedure", "pancreaticoduodenectomy"})
"""Entries of `prior_operations` that mean a Whipple procedure; compared whole, not searched for."""

TRIED = {
    "ssa": ("ssa",), "interferon": ("interferon",), "prrt": ("prrt",),
    "everolimus": ("everolimus",), "sunitinib": ("sunitinib",), "chemotherapy": CHEMOTHERAPY,
    "embolisation": EMBOLISATION,
}  # fmt: skip
"""Treatments by the fact that says whether the disease progressed under one of them."""

_VERDICTS = {
    Verdict.A0: "A0",
    Verdict.NOT_A0: "not_A0",
    Verdict.RESIDUAL: "not_A0",
    Verdict.A0_UNCERTAIN: "open",
    Verdict.NOT_ASSESSABLE: "open",
}


def known_facts(findings: ClinicalFindings) -> Facts:
    """What the findings say, without any rule."""
    facts: Facts = {}
    for name in PLAIN:
        value = getattr(findings, name)
        if value is not None:
            facts[name] = plain_fact(value)
    if findings.ki67 is not None:
        facts["ki67"] = ki67_span(findings.ki67)
    facts.update(_statements(findings))
    facts.update(_receptors(findings.sstr))
    facts.update(lesion_facts(findings.lesions, findings.lesion_count))
    facts.update(_post_ablation(last_control(findings)))
    facts.update(_history(findings))
    return facts


def last_control(findings: ClinicalFindings) -> PostAblation | None:
    """The newest control scan: the document's own, else that of the last ablation on record."""
    if findings.post_ablation is not None:
        return findings.post_ablation
    ablations = [past for past in findings.history or () if past.treatment in ABLATIONS]
    return ablations[-1].post_ablation if ablations else None


def last_course(findings: ClinicalFindings) -> str | None:
    """The course that was stated, else the outcome of the last treatment on record."""
    outcomes = [past.outcome for past in findings.history or () if past.outcome is not None]
    last = findings.history[-1].outcome if outcomes and findings.history else None
    course = last or findings.disease_course
    return None if course is None else str(course)


def plain_fact(value: Any) -> frozenset[str | bool | int] | Span:
    """One field's value as a fact."""
    if isinstance(value, bool):
        return frozenset({value})
    if isinstance(value, float):
        return Span.exactly(value)
    return frozenset({value if isinstance(value, int) else str(value)})


def ki67_span(ki67: Ki67) -> Span:
    """The proliferation index as a range of numbers."""
    return Span(
        low=ki67.low_pct,
        high=ki67.high_pct,
        low_included=ki67.low_included,
        high_included=ki67.high_included,
    )


def lesion_facts(lesions: Sequence[LiverLesion] | None, count: int | None) -> Facts:
    """Facts of the lesion list, or of the mere count where there is no list."""
    if lesions is not None:
        found = liver_facts(lesions)
        facts: Facts = {
            "lesion_count": found.lesion_count,
            "lesion_spread": found.spread,
            "lesser_lobe_largest_cm": found.lesser_lobe_largest_cm,
            "lesser_lobe_count": found.lesser_lobe_count,
            "segments_affected": found.segments_affected,
            "largest_cm": found.largest_cm,
            "smallest_cm": found.smallest_cm,
        }
        if found.lowest_confidence is not None:
            facts["lowest_lesion_confidence"] = found.lowest_confidence
        return facts
    return {} if count is None else {"lesion_count": Span.exactly(count)}


def cells_of_facts(facts: Facts, rules: RuleSet) -> list[frozenset[int]]:
    """For each variable of the rule set the cells that are still possible."""
    cells = list(rules.open_cells)
    for name, fact in facts.items():
        if name in rules.index:
            variable = rules.variable(name)
            if isinstance(fact, Span):
                cells[rules.index[name]] = variable.cells_of(fact)
            else:
                cells[rules.index[name]] = variable.cells_named(fact)
    return cells


def _statements(findings: ClinicalFindings) -> Facts:
    """What was stated beside a measurement, and what was not stated at all; never unknown."""
    sites, operations = findings.extrahepatic_sites, findings.prior_operations
    named = listed = NOT_STATED
    if sites is not None:
        named = "named" if sites else "none_named"
    if operations is not None:
        terms = {operation.strip().lower() for operation in operations}
        listed = "listed" if terms & WHIPPLE_TERMS else "not_listed"
    grade, pattern = findings.grade_reported, findings.liver_pattern_reported
    return {
        "extrahepatic_sites_named": frozenset({named}),
        "whipple_listed": frozenset({listed}),
        "grade_reported": frozenset({NOT_STATED if grade is None else str(grade)}),
        "liver_pattern_reported": frozenset({NOT_STATED if pattern is None else str(pattern)}),
        "gastric_type_stated": frozenset({findings.gastric_type is not None}),
        "sstr_stated": frozenset({findings.sstr is not None}),
    }


def _history(findings: ClinicalFindings) -> Facts:
    """What was tried and what came of it; a treatment nobody mentions was not given."""
    progressed = {
        past.treatment
        for past in findings.history or ()
        if past.outcome is DiseaseCourse.PROGRESSIVE
    }
    tried: Facts = {
        f"progressed_on_{name}": frozenset({bool(progressed & set(members))})
        for name, members in TRIED.items()
    }
    course = last_course(findings)
    tried["course_on_record"] = frozenset({course or NOT_STATED})
    if course is not None and findings.disease_course is None:
        tried["disease_course"] = frozenset({course})
    return tried


def _receptors(sstr: Receptor | int | None) -> Facts:
    if sstr is None:
        return {}
    if isinstance(sstr, Receptor):
        return {"sstr_reading": frozenset({str(sstr)})}
    return {"sstr_reading": frozenset({"scored"}), "krenning_score": Span.exactly(sstr)}


def _post_ablation(event: PostAblation | None) -> Facts:
    """The smallest margin with its error as a band.

    An ablation that is not in the document did not happen as far as the rules go: an event is on
    record or it is not.
    """
    if event is None:
        return {"ablation_result": frozenset({"no_record"})}
    facts: Facts = {
        "margin_evidence": frozenset({event.evidence or "none_stated"}),
        "margin_verdict": frozenset({_VERDICTS[event.verdict] if event.verdict else "not_stated"}),
    }
    margin, error = event.min_margin_mm, event.registration_error_mm
    if margin is None:
        return facts
    if error is None:
        low = Span(low=-math.inf, high=margin)
        return facts | {"min_margin_low_mm": low, "min_margin_high_mm": Span(low=margin, high=1e4)}
    band = {"min_margin_low_mm": margin - error, "min_margin_high_mm": margin + error}
    return facts | {name: Span.exactly(round(end, 2)) for name, end in band.items()}
