"""At the liver's capsule and at vessels, the nearest viable liver decides.

A lesion of radius r = 10 touches a flat capsule from below; its centre lies h = 10 mm deep. A zone
of radius R whose centre lies t deeper meets the capsule in a circle of radius rho around the axis,
rho² = R² - (h + t)². The nearest viable liver is there, sqrt(rho² + h²) - r from the lesion. A zone
whose centre is t nearer to the capsule leaves R - t - r below the lesion.
"""

import numpy as np
import pytest

from netseg.domain.margin import Verdict
from netseg.domain.volume import LabelMap, Mask
from tests.geometry.shapes import ball, block, grid
from tests.verify.checking import A0, margin, zone_of

HALF_MM = (0.5, 0.5, 0.5)


def under_the_capsule(on, depth_mm=0.0):
    """Everything below the plane z = 0."""
    k = np.arange(on.shape[2])
    z = on.to_mm(np.stack([0 * k, 0 * k, k], axis=1))[:, 2]
    inside = np.zeros(on.shape, np.bool_)
    inside[:, :, z < -depth_mm] = True
    return Mask(inside, on)


@pytest.mark.parametrize(
    ("big_r", "deeper_mm", "truth_mm"),
    [(14, 0, 4.0), (14, 3, 1.27), (17, 6, 1.53), (14, -3, 1.0)],
    ids=["concentric", "3 mm deeper", "6 mm deeper", "3 mm superficial"],
)
def test_a_lesion_at_the_capsule(big_r, deeper_mm, truth_mm):
    on = grid((90, 90, 90), HALF_MM, centre_mm=(0.0, 0.0, -14.0))
    liver = under_the_capsule(on)
    lesion = ball(on, (0, 0, -10), 10)
    zone = Mask(ball(on, (0, 0, -10 - deeper_mm), big_r).inside & liver.inside, on)
    found = margin(lesion, zone, liver=liver)
    assert found.smallest_margin_mm == pytest.approx(truth_mm, abs=0.25)
    assert (
        found.smallest_margin_to_zone_mm < 0.5
    )  # the zone ends at the capsule, as the lesion does
    assert any("nearest viable liver" in sentence for sentence in found.why)


def test_deep_in_the_liver_both_distances_are_one():
    found = margin(block(15, 25), block(10, 30), liver=block(1, 39))
    assert found.smallest_margin_mm == 5.0
    assert found.smallest_margin_to_zone_mm == 5.0


def test_without_a_liver_the_zones_surface_decides():
    found = margin(block(15, 25), block(11, 29))
    assert found.smallest_margin_mm == found.smallest_margin_to_zone_mm == 4.0


def test_a_wide_vessel_beside_the_zone_is_no_viable_liver_but_a_heat_sink():
    """Zone 3 mm beyond the lesion on one side; a lumen of 6 mm begins right there."""
    zone = block(10, 30).inside.copy()
    zone[28:] = False
    vessel = np.zeros_like(zone)
    vessel[28:34, 5:35, 5:35] = True
    lesion, liver = block(15, 25), block(1, 39)
    without = margin(lesion, Mask(zone, grid()), liver=liver)
    found = margin(lesion, Mask(zone, grid()), liver=liver, vessels=Mask(vessel, grid()))
    assert without.smallest_margin_mm == 3.0
    assert found.smallest_margin_mm == 5.0
    assert found.smallest_margin_to_zone_mm == 3.0
    assert any("Heat sink" in s and "3.0 mm from the lesion" in s for s in found.why)


def test_a_thin_vessel_is_liver():
    zone = block(10, 30).inside.copy()
    zone[28:] = False
    vessel = np.zeros_like(zone)
    vessel[28:30, 5:35, 5:35] = True  # 2 mm
    masks = {"liver": block(1, 39), "vessels": Mask(vessel, grid())}
    found = margin(block(15, 25), Mask(zone, grid()), **masks)
    assert found.smallest_margin_mm == 3.0
    assert not any("Heat sink" in sentence for sentence in found.why)


def test_a_second_lesion_left_beside_the_zone_is_not_the_outside_of_the_liver():
    """An outline of the liver often leaves its lesions out; untreated tumour is no safe border."""
    zone = block(10, 30).inside.copy()
    zone[28:] = False
    lesions = np.zeros((40, 40, 40), np.uint8)
    lesions[15:25, 15:25, 15:25] = 1
    lesions[28:36, 8:32, 8:32] = 2
    liver = Mask(block(1, 39).inside & (lesions == 0), grid())
    report = A0.check(
        LabelMap(lesions, grid()), zone_of(Mask(zone, grid())), observed=True, liver=liver
    )
    assert report.lesions[0].smallest_margin_mm == 3.0


def test_when_no_liver_is_left_the_margin_is_wide():
    report = A0.check(block(15, 25), zone_of(block(10, 30)), observed=True, liver=block(10, 30))
    assert report.smallest_mm == 15.0  # as far as one looks
    assert report.is_a0


@pytest.mark.parametrize(
    ("spacing_mm", "beyond_mm", "within_mm"),
    [
        ((0.75, 0.75, 1.6), 0, 0.6),
        ((0.75, 0.75, 1.6), 2, 0.6),
        ((0.8, 0.8, 2.5), 4, 1.4),
        ((1.0, 1.0, 5.0), 4, 1.7),
    ],
)
def test_under_a_curved_capsule_what_smoothing_parts_is_no_liver(spacing_mm, beyond_mm, within_mm):
    """Liver of 40 mm radius, a lesion of 8 mm that bulges out of it, a zone of 14 mm around it.

    Wherever there is liver, the zone ends 6 mm beyond the lesion. On the bulge lesion, zone and
    liver share a surface; smoothing parts the three by less than a voxel, and neither is the
    lesion untreated there nor a film of liver left.
    """
    slices = int(50 / spacing_mm[2])
    on = grid((66, 66, slices), spacing_mm, centre_mm=(32.0, 0.0, 0.0))
    lesion = ball(on, (32 + beyond_mm, 0, 0), 8)
    liver = Mask(ball(on, (0, 0, 0), 40).inside | lesion.inside, on)
    zone = Mask(ball(on, (32 + beyond_mm, 0, 0), 14).inside & liver.inside, on)
    found = margin(lesion, zone, liver=liver)
    assert found.smallest_margin_to_zone_mm < 1
    assert found.smallest_margin_mm == pytest.approx(6.0, abs=within_mm)


def test_tumour_left_under_the_capsule_is_still_residual():
    """The twin: the zone ends 3 mm below the capsule, the lesion reaches it."""
    on = grid((60, 60, 36), (0.75, 0.75, 1.6), centre_mm=(32.0, 0.0, 0.0))
    liver = ball(on, (0, 0, 0), 40)
    lesion = Mask(ball(on, (32, 0, 0), 8).inside & liver.inside, on)
    zone = Mask(ball(on, (32, 0, 0), 14).inside & ball(on, (0, 0, 0), 37).inside, on)
    found = margin(lesion, zone, liver=liver)
    assert found.verdict is Verdict.RESIDUAL
    assert found.smallest_margin_mm == pytest.approx(-3.0, abs=0.6)
