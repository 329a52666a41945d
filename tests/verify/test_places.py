"""Where a margin is too small: on the body's axes, in LPS."""

import numpy as np
import pytest

from netseg.verify.places import direction_words
from tests.geometry.shapes import ORIENTATIONS, ball, block, grid
from tests.verify.checking import margin

AXES = {
    "left": (1, 0, 0), "right": (-1, 0, 0), "dorsal": (0, 1, 0), "ventral": (0, -1, 0),
    "cranial": (0, 0, 1), "caudal": (0, 0, -1),
}  # fmt: skip


@pytest.mark.parametrize("word", AXES)
def test_the_six_ways_of_the_body(word):
    assert direction_words(np.array(AXES[word], float)) == word


def test_the_strongest_part_of_a_direction_comes_first():
    assert direction_words(np.array([1.0, 0.0, 2.0])) == "cranial and left"
    assert direction_words(np.array([-3.0, -2.5, -2.0])) == "right, ventral and caudal"
    assert direction_words(np.array([0.3, 0.0, -3.0])) == "caudal"
    assert direction_words(np.zeros(3)) == "central"


@pytest.mark.parametrize("name", ORIENTATIONS)
@pytest.mark.parametrize("word", ["left", "dorsal", "caudal"])
def test_the_thinnest_place_lies_where_the_zone_was_put_too_little(word, name):
    """The zone lies 3 mm too far to the other side; its place is that of the patient."""
    on = grid((48, 48, 48), axes=ORIENTATIONS[name])
    way = np.array(AXES[word], float)
    found = margin(ball(on, (0, 0, 0), 8), ball(on, -3 * way, 16))
    assert found.thinnest.direction == word
    assert found.thinnest.margin_mm == found.smallest_margin_mm
    assert found.thinnest.at_mm == pytest.approx(8 * way, abs=2.5)


def test_the_under_treated_patch_is_the_spherical_cap_below_the_cut_off():
    """R 10, R 15, 3 mm off: below 5 mm lies the cap with cos theta > (10² - r² - o²) / (2 r o)."""
    on = grid((52, 52, 52))
    found = margin(ball(on, (0, 0, 0), 10), ball(on, (0, 0, -3), 15))
    share = (1 - (10**2 - 10**2 - 3**2) / (2 * 10 * 3)) / 2
    patch = found.undertreated_patch
    assert patch.area_cm2 == pytest.approx(share * 4 * np.pi * 1.0**2, rel=0.08)
    assert patch.direction == "cranial"
    assert patch.margin_mm == found.smallest_margin_mm
    assert patch.at_mm[2] > 3


def test_of_two_patches_the_larger_is_told():
    zone = block(8, 34).inside.copy()
    zone[30:] = False  # 5 mm beyond the lesion everywhere, 4 mm less on two sides
    lesion = block(15, 26)
    zone[:, :, 27:] = False  # cranial face: 1 mm left
    zone[:, :12, :] = False  # ventral side: 3 mm left
    zone[12:18, 27:, 12:18] = False  # a notch on the dorsal side
    from netseg.domain.volume import Mask

    found = margin(lesion, Mask(zone, lesion.grid))
    assert found.undertreated_patch.area_cm2 < 6 * 1.21
    assert found.undertreated_patch.margin_mm == pytest.approx(1.0, abs=0.2)


def test_where_the_margin_suffices_there_is_no_patch():
    assert margin(block(15, 25), block(10, 30)).undertreated_patch is None


def test_a_rim_that_is_thin_everywhere_is_thin_all_around():
    on = grid((40, 40, 40))
    found = margin(ball(on, (0, 0, 0), 9), ball(on, (0, 0, 0), 11))
    assert found.undertreated_patch.direction == "all around"
    assert found.undertreated_patch.area_cm2 == pytest.approx(4 * np.pi * 0.81, rel=0.08)


@pytest.mark.parametrize("name", ["straight", "turned, flipped and permuted"])
def test_the_map_shows_the_margin_of_each_direction(name):
    """A zone 4 mm to the left of its lesion: 4 mm more there, 4 mm less on the right."""
    on = grid((56, 56, 56), axes=ORIENTATIONS[name])
    seen = margin(ball(on, (0, 0, 0), 9), ball(on, (4, 0, 0), 17)).surface_map
    rows, columns = np.array(seen.latitude_deg), np.array(seen.longitude_deg)
    values = np.array(seen.margin_mm)
    assert values.shape == (len(rows), len(columns)) == (18, 36)
    lat, lon = np.meshgrid(np.radians(rows), np.radians(columns), indexing="ij")
    cos = np.cos(lat) * np.sin(lon)  # to the left
    truth = 17 - np.sqrt(9**2 + 4**2 - 2 * 9 * 4 * cos)
    assert np.abs(values - truth).mean() < 0.15
    assert np.abs(values - truth).max() < 0.7
    assert rows[0] == 85
    assert columns[0] == -175
