"""What was simulated predicts; only what was seen certifies."""

from dataclasses import replace

import pytest

from netseg.domain import Evidence, MarginReport, Verdict
from netseg.domain.allocation import AllocationStatus, OptionStatus, Route
from netseg.report.wording import (
    OPTION_STATUSES,
    ROUTES,
    STATUSES,
    fact,
    margin_headline,
    measure_label,
    term,
    verdict_text,
)
from tests.export.made_results import margin_of

UNOBSERVED = [(Evidence.SIMULATED, False), (Evidence.GIVEN_MASKS, False)]
OBSERVED = [(Evidence.CONTROL_SCAN, True), (Evidence.GIVEN_MASKS, True)]


def report(evidence: Evidence, observed: bool, verdict: Verdict) -> MarginReport:  # noqa: FBT001
    lesion = replace(margin_of().lesions[0], verdict=verdict)
    return MarginReport(cutoff_mm=5.0, evidence=evidence, observed=observed, lesions=(lesion,))


@pytest.mark.parametrize("verdict", Verdict)
@pytest.mark.parametrize(("evidence", "observed"), UNOBSERVED)
def test_what_was_not_seen_is_never_called_a0(evidence, observed, verdict):
    made = report(evidence, observed, verdict)
    said = verdict_text(made, made.lesions[0])
    assert said.startswith("plan predicts")
    assert "A0" not in said + margin_headline(made)


@pytest.mark.parametrize(("evidence", "observed"), OBSERVED)
def test_what_was_seen_is_called_by_its_name(evidence, observed):
    made = report(evidence, observed, Verdict.A0)
    assert verdict_text(made, made.lesions[0]).startswith("A0: margin of at least 5 mm")
    assert "A0" in margin_headline(made)
    assert "predict" not in verdict_text(made, made.lesions[0]) + margin_headline(made)


def test_the_headline_counts_lesions_and_names_the_smallest_margin():
    assert margin_headline(margin_of()).startswith(
        "Plan predicts at least 5 mm in 1 of 2 lesions; smallest predicted margin -22.0 mm."
    )
    assert margin_headline(None) == "No margin was computed."


def test_every_answer_has_words():
    assert set(ROUTES) == set(Route)
    assert set(STATUSES) == set(AllocationStatus)
    assert set(OPTION_STATUSES) == set(OptionStatus)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "unknown"),
        (True, "yes"),
        (False, "no"),
        (3.0, "3"),
        (["G1", "G2"], "G1, G2"),
        ((), "none"),
    ],
)
def test_facts_are_words_not_python(value, words):
    assert fact(value) == words


def test_names_are_words():
    assert term("prrt") == "Peptide receptor radionuclide therapy (PRRT)"
    assert term("a_new_option") == "a new option"
    assert measure_label("mean_hu_portal_venous") == "Mean HU portal venous"
    assert measure_label("suv_max") == "SUV max"
