"""A simulation never certifies, and one unknown margin makes the smallest unknown."""

import pytest

from netseg.domain.ablation import Evidence
from netseg.domain.margin import LesionMargin, MarginReport, Verdict


def lesion(number, margin_mm, verdict):
    return LesionMargin(
        id=number,
        smallest_margin_mm=margin_mm,
        smallest_margin_to_zone_mm=margin_mm,
        verdict=verdict,
    )


def report(*lesions, observed=True, evidence=Evidence.CONTROL_SCAN):
    return MarginReport(cutoff_mm=5.0, evidence=evidence, observed=observed, lesions=lesions)


WIDE, NARROW = lesion(1, 6.0, Verdict.A0), lesion(2, 3.0, Verdict.NOT_A0)
UNKNOWN = lesion(3, None, Verdict.NOT_ASSESSABLE)


def test_the_smallest_margin_counts():
    assert report(WIDE, NARROW).smallest_mm == 3.0
    assert not report(WIDE, NARROW).is_a0


def test_every_lesion_a0_is_a0():
    assert report(WIDE).is_a0


def test_one_margin_that_nobody_knows_makes_the_smallest_unknown():
    assert report(WIDE, UNKNOWN).smallest_mm is None
    assert not report(WIDE, UNKNOWN).is_a0


def test_no_lesion_is_no_a0():
    assert report().smallest_mm is None
    assert not report().is_a0


def test_a_prediction_is_never_a0():
    assert not report(WIDE, observed=False, evidence=Evidence.SIMULATED).is_a0
    assert not report(WIDE, observed=False, evidence=Evidence.GIVEN_MASKS).is_a0


def test_a_simulation_cannot_be_observed():
    with pytest.raises(ValueError, match="only predict"):
        report(WIDE, evidence=Evidence.SIMULATED)
