"""Shells around a lesion: shares and volumes of spheres and half-spaces."""

import itertools

import numpy as np
import pytest

from netseg.domain.volume import Mask
from tests.geometry.shapes import ball, grid
from tests.verify.checking import A0, margin, zone_of


def sphere_ml(radius_mm):
    return 4 / 3 * np.pi * radius_mm**3 / 1000


@pytest.mark.parametrize("spacing_mm", [(1.0, 1.0, 1.0), (0.8, 0.8, 2.5)])
def test_a_concentric_zone_covers_whole_shells_and_then_a_part(spacing_mm):
    on = grid(tuple(int(60 / s) for s in spacing_mm), spacing_mm)
    found = margin(ball(on, (0, 0, 0), 10), ball(on, (0, 0, 0), 15))
    assert sorted(found.shell_coverage) == [float(d) for d in range(1, 11)]
    assert found.shell_coverage[3.0] == pytest.approx(1.0, abs=0.01)
    for d in (7.0, 10.0):
        truth = (15**3 - 10**3) / ((10 + d) ** 3 - 10**3)
        assert found.shell_coverage[d] == pytest.approx(truth, abs=0.04)


def test_coverage_falls_with_the_shell_for_a_round_zone():
    on = grid((60, 60, 60))
    found = margin(ball(on, (0, 0, 0), 8), ball(on, (2, 0, 0), 13))
    shares = [found.shell_coverage[d] for d in sorted(found.shell_coverage)]
    assert all(b <= a + 0.01 for a, b in itertools.pairwise(shares))


def test_the_under_treated_volume_is_the_target_less_the_zone():
    on = grid((64, 64, 64))
    found = margin(ball(on, (0, 0, 0), 10), ball(on, (0, 0, 0), 13))
    assert found.undertreated_ml[5.0] == pytest.approx(sphere_ml(15) - sphere_ml(13), rel=0.06)
    assert found.undertreated_ml[10.0] == pytest.approx(sphere_ml(20) - sphere_ml(13), rel=0.04)


def test_beyond_the_capsule_nothing_is_under_treated():
    """Half of the shell lies outside the liver; the zone ends with the liver."""
    on = grid((64, 64, 64))
    k = np.arange(64)
    z = on.to_mm(np.stack([0 * k, 0 * k, k], axis=1))[:, 2]
    inside = np.zeros(on.shape, np.bool_)
    inside[:, :, z < 0] = True
    lesion = Mask(ball(on, (0, 0, 0), 8).inside & inside, on)
    zone = Mask(ball(on, (0, 0, 0), 14).inside & inside, on)
    free = margin(lesion, zone)
    found = margin(lesion, zone, liver=Mask(inside, on))
    assert found.undertreated_ml[5.0] == pytest.approx(0.0, abs=0.25)
    assert free.undertreated_ml[5.0] > 1.5
    assert found.shell_coverage[5.0] == pytest.approx(1.0, abs=0.03)
    assert free.shell_coverage[5.0] < 0.7


def test_details_can_be_left_out():
    on = grid((40, 40, 40))
    zone = zone_of(ball(on, (0, 0, 0), 13))
    report = A0.check(ball(on, (0, 0, 0), 8), zone, observed=True, details=False)
    (found,) = report.lesions
    assert found.shell_coverage == {}
    assert found.surface_map is None
    assert found.published == ()
    assert found.smallest_margin_mm == pytest.approx(5.0, abs=0.2)
