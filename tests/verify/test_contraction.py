"""Heat shrinks tissue: a zone seen afterwards was larger in the planning scan's millimetres."""

from dataclasses import replace

import pytest

from netseg.domain.margin import MarginErrors
from tests.geometry.shapes import ball, grid
from tests.verify.checking import A0, zone_of

ON = grid((60, 60, 60))
ERRORS = MarginErrors(
    registration_mm=1.0, lesion_boundary_sd_mm=0.5, zone_boundary_sd_mm=0.5, draws=40
)


def contraction(lesion, zone, errors=ERRORS):
    (found,) = A0.check(lesion, zone_of(zone), observed=True, errors=errors).lesions
    return found


def test_a_concentric_zone_stretched_back_has_its_old_margin():
    """R 14 after 12 % was 14 / 0.88 before."""
    found = contraction(ball(ON, (0, 0, 0), 9), ball(ON, (0, 0, 0), 14))
    curve = found.contraction_margin_mm
    assert sorted(curve) == [0.0, 0.05, 0.12]
    assert curve[0.0] == pytest.approx(found.smallest_margin_mm, abs=0.02)
    assert curve[0.05] == pytest.approx(14 / 0.95 - 9, abs=0.2)
    assert curve[0.12] == pytest.approx(14 / 0.88 - 9, abs=0.2)


def test_the_zones_centre_is_what_tissue_shrinks_to():
    """Lesion 4 mm off the zone's centre: margin R / (1 - c) - r - 4."""
    found = contraction(ball(ON, (4, 0, 0), 8), ball(ON, (0, 0, 0), 16))
    assert found.contraction_margin_mm[0.12] == pytest.approx(16 / 0.88 - 12, abs=0.25)


def test_the_users_own_contraction_is_shown_too_and_changes_no_verdict():
    lesion, zone = ball(ON, (0, 0, 0), 9), ball(ON, (0, 0, 0), 14)
    strong = contraction(lesion, zone, replace(ERRORS, contraction=(0.2, 0.05)))
    assert sorted(strong.contraction_margin_mm) == [0.0, 0.05, 0.12, 0.2, 0.25]
    plain = contraction(lesion, zone)
    assert strong.verdict is plain.verdict
    assert strong.p_a0 == plain.p_a0


def test_without_an_error_model_contraction_is_not_told():
    lesion, zone = ball(ON, (0, 0, 0), 9), ball(ON, (0, 0, 0), 14)
    (found,) = A0.check(lesion, zone_of(zone), observed=True).lesions
    assert found.contraction_margin_mm == {}
