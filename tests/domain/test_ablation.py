"""A needle has a length and a direction; energy is positive."""

import pytest

from netseg.domain.ablation import AblationModality, AblationProtocol, Probe
from netseg.domain.point import PointMm


def probe(active_length_mm=30.0):
    return Probe(
        id="A",
        device="rfa_cooled_17g_30mm",
        entry_mm=PointMm(0.0, -120.0, 0.0),
        tip_mm=PointMm(0.0, 0.0, 50.0),
        active_length_mm=active_length_mm,
    )


def test_120_forward_and_50_up_are_130_millimetres():
    assert probe().length_mm == pytest.approx(130.0)


def test_the_direction_points_from_the_tip_to_the_handle():
    assert probe().direction == pytest.approx((0.0, -120 / 130, -50 / 130))


@pytest.mark.parametrize("active_length_mm", [0.0, -1.0, 131.0])
def test_the_active_part_lies_on_the_needle(active_length_mm):
    with pytest.raises(ValueError, match=r"\(0, 130\.0\], the needle's length"):
        probe(active_length_mm)


@pytest.mark.parametrize("change", [{"duration_s": 0.0}, {"power_w": -5.0}, {"voltage_v": 0.0}])
def test_time_and_energy_are_positive(change):
    with pytest.raises(ValueError, match="must be a positive number"):
        AblationProtocol(modality=AblationModality.RFA, **{"duration_s": 720.0, **change})


def test_power_that_nobody_stated_is_unknown():
    assert AblationProtocol(modality=AblationModality.IRE, duration_s=10.0).power_w is None


def test_a_point_is_finite_and_has_three_coordinates():
    with pytest.raises(ValueError, match="finite coordinates"):
        PointMm(0.0, float("nan"), 0.0)
    with pytest.raises(ValueError, match="got 2"):
        PointMm.of((1.0, 2.0))
    assert tuple(PointMm.of((1, 2, 3))) == (1.0, 2.0, 3.0)
