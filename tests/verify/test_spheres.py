"""Spheres in spheres: margin, surface shares and residual volume have closed forms.

A lesion of radius r in a zone of radius R whose centre is o away has the margin R - r - o. A point
of its surface at the angle theta from the line of centres has R - sqrt(r² + o² - 2 r o cos theta).
"""

import numpy as np
import pytest

from netseg.domain.margin import Verdict
from tests.geometry.shapes import ORIENTATIONS, ball, grid
from tests.verify.checking import margin


def pair(r, big_r, o, spacing_mm=(1.0, 1.0, 1.0), centre=(0.0, 0.0, 0.0), axes=None):
    """Lesion and zone on a grid that holds both."""
    width = 2 * (max(r, big_r + float(np.linalg.norm(o))) + 4 * max(spacing_mm))
    on = grid(tuple(int(np.ceil(width / s)) for s in spacing_mm), spacing_mm, axes=axes)
    return ball(on, centre, r), ball(on, np.array(centre) + o, big_r)


@pytest.mark.parametrize(
    ("r", "big_r", "o", "truth_mm"),
    [
        (5, 5, (0, 0, 0), 0.0),
        (5, 10, (0, 0, 0), 5.0),
        (5, 15, (0, 0, 0), 10.0),
        (5, 10, (5, 5, 0), 5 - np.hypot(5, 5)),
        (10, 18, (0, 0, 3), 5.0),
    ],
)
def test_the_margin_of_spheres_is_right_within_a_fifth_of_a_millimetre(r, big_r, o, truth_mm):
    centre = (0.21, -0.37, 0.13)
    found = margin(*pair(r, big_r, o, centre=centre)).smallest_margin_mm
    assert found == pytest.approx(truth_mm, abs=0.2)


def random_errors(spacing_mm, count, seed):
    """Error of the margin for random pairs: radius 6 to 15 mm, margin -2 to 8, any orientation."""
    generator = np.random.default_rng(seed)
    orientations = list(ORIENTATIONS.values())
    errors = []
    for number in range(count):
        r, truth = generator.uniform(6, 15), generator.uniform(-2, 8)
        off = generator.uniform(0, 4)
        way = generator.normal(size=3)
        centre = generator.uniform(-0.5, 0.5, 3) * spacing_mm
        shapes = pair(
            r,
            truth + r + off,
            way / np.linalg.norm(way) * off,
            spacing_mm,
            centre,
            orientations[number % len(orientations)],
        )
        errors.append(margin(*shapes).smallest_margin_mm - truth)
    return np.array(errors)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spacing_mm", "bias_mm", "mae_mm"),
    [
        ((1.0, 1.0, 1.0), 0.2, 0.3),
        ((0.8, 0.8, 2.5), 0.2, 0.3),
        ((0.8, 0.8, 5.0), 0.5, 0.5),
    ],
)
def test_the_accepted_error_on_random_spheres(spacing_mm, bias_mm, mae_mm):
    errors = random_errors(spacing_mm, 25, seed=3)
    assert abs(errors.mean()) <= bias_mm
    assert np.abs(errors).mean() <= mae_mm
    assert errors.max() <= 0.4  # too large a margin would be a false A0


def test_the_error_on_a_few_random_spheres():
    errors = random_errors((1.0, 1.0, 1.0), 5, seed=11)
    assert np.abs(errors).mean() <= 0.3
    assert errors.max() <= 0.3


@pytest.mark.parametrize("name", ORIENTATIONS)
def test_the_patients_margin_does_not_depend_on_the_order_of_the_voxels(name):
    o = np.array((1.0, -1.5, 2.0))
    found = margin(*pair(8, 15, o, (0.9, 0.9, 1.2), axes=ORIENTATIONS[name]))
    assert found.smallest_margin_mm == pytest.approx(7 - np.linalg.norm(o), abs=0.2)


def test_half_a_millimetre_off_the_cut_off_is_told_apart_on_voxels_of_that_size():
    half_mm = (0.5, 0.5, 0.5)
    assert margin(*pair(10, 14.5, (0, 0, 0), half_mm)).verdict is Verdict.NOT_A0
    assert margin(*pair(10, 15.5, (0, 0, 0), half_mm)).verdict is Verdict.A0


def test_a_zone_inside_the_lesion_leaves_a_shell():
    """Here the smallest of all distances is the farthest outside: never said to be less."""
    found = margin(*pair(10, 5, (0, 0, 0), centre=(0.21, -0.37, 0.13)))
    assert -5.5 < found.smallest_margin_mm < -4.8
    assert found.median_margin_mm == pytest.approx(-5.0, abs=0.2)
    assert found.surface_share["below_0"] == 1.0


def share_below(margin_mm, r, big_r, o):
    """Share of the lesion's surface with less than that margin (spherical cap)."""
    s = big_r - margin_mm
    return float(np.clip((1 + (r**2 + o**2 - s**2) / (2 * r * o)) / 2, 0, 1))


def test_surface_shares_are_those_of_spherical_caps():
    found = margin(*pair(10, 14, (0, 0, 5)))
    below = [share_below(m, 10, 14, 5) for m in (0, 5, 10)]
    shares = found.surface_share
    assert shares["below_0"] == pytest.approx(below[0], abs=0.02)
    assert shares["0_to_5"] == pytest.approx(below[1] - below[0], abs=0.02)
    assert shares["5_to_10"] == pytest.approx(below[2] - below[1], abs=0.02)
    assert shares["above_10"] == pytest.approx(1 - below[2], abs=0.02)


def test_the_histogram_is_that_of_spherical_zones():
    found = margin(*pair(10, 14, (0, 0, 5)))
    assert sum(found.histogram_mm.values()) == pytest.approx(1.0, abs=1e-3)
    for low in (0.0, 3.0, 6.0):
        zone = share_below(low + 1, 10, 14, 5) - share_below(low, 10, 14, 5)
        assert found.histogram_mm[low] == pytest.approx(zone, abs=0.03)


def test_the_median_margin_is_that_of_the_lesions_equator():
    """Half of the sphere's surface lies on either side of cos theta = 0."""
    found = margin(*pair(10, 18, (0, 0, 3)))
    assert found.median_margin_mm == pytest.approx(18 - np.hypot(10, 3), abs=0.1)
    cap = 18 - np.sqrt(10**2 + 3**2 + 2 * 10 * 3 * 0.9)  # 5 % of the surface: cos theta < -0.9
    assert found.p5_margin_mm == pytest.approx(cap, abs=0.2)


def test_the_residual_volume_is_the_lesion_less_the_lens():
    r, big_r, o = 10.0, 12.0, 6.0
    lens = (
        np.pi
        * (big_r + r - o) ** 2
        * (o**2 + 2 * o * (big_r + r) - 3 * (big_r - r) ** 2)
        / (12 * o)
    )
    left = 4 / 3 * np.pi * r**3 - lens
    found = margin(*pair(r, big_r, (0, 0, o)))
    assert found.residual_volume_ml == pytest.approx(left / 1000, rel=0.05)
    assert found.covered_fraction == pytest.approx(lens / (4 / 3 * np.pi * r**3), abs=0.01)
    assert found.verdict is Verdict.RESIDUAL


def test_the_box_bound_is_below_the_margin():
    found = margin(*pair(8, 14, (1, 1, 0)))
    assert found.box_lower_bound_mm < found.smallest_margin_mm
