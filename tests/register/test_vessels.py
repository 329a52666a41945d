"""Do vessels meet? Scans with known misfit, noise and window."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from netseg.register.comparable import Comparable
from netseg.register.vessels import NOWHERE_MM, vessel_distance_mm
from tests.geometry.shapes import ball, grid
from tests.register.bodies import points_of

ON = grid((56, 56, 56), (2.0, 2.0, 2.0))
LESION = ball(ON, (0, 0, 0), 10.0).inside
NO_BEND = np.zeros((*ON.shape, 3), np.float32)


def vessels(shift_mm=0.0, *, radius_mm=3.0):
    """Five vessels of no period through the liver, in HU above parenchyma; more of them thin."""
    rng = np.random.default_rng(7)
    at = points_of(ON) - np.array((shift_mm, 0.0, 0.0))
    values = np.zeros(ON.shape)
    for _ in range(14):
        through = rng.uniform(-30, 30, 3)
        way = rng.normal(size=3)
        way /= np.linalg.norm(way)
        across = at - through
        across = across - (across @ way)[..., None] * way
        values = np.where(np.linalg.norm(across, axis=-1) < radius_mm, 60.0, values)
    return ndimage.gaussian_filter(values, 0.6)


def compared(fixed, moving, noise_hu=(10.0, 10.0)):
    rng = np.random.default_rng(3)
    noise = [rng.normal(0, hu, ON.shape) for hu in noise_hu]
    liver = ball(ON, (0, 0, 0), 52.0).inside
    return Comparable(
        fixed=(fixed + noise[0]).astype(np.float32),
        moving=(moving + noise[1]).astype(np.float32),
        fixed_liver=liver,
        moving_liver=liver,
        fixed_avoided=LESION,
        moving_avoided=LESION,
        grid=ON,
        translated=False,
    )


@pytest.mark.parametrize("off_mm", [0.0, 3.0, 8.0])
def test_vessels_that_lie_apart_are_told_so(off_mm):
    found = vessel_distance_mm(compared(vessels(), vessels(off_mm)), NO_BEND, LESION)
    assert found == pytest.approx(off_mm, abs=0.5)


def test_a_scan_with_less_noise_that_shows_more_twigs_still_meets():
    """The control scan hides what is thin and has thrice the noise; the vessels lie where they lie."""
    twigs = np.maximum(vessels(), 0.6 * vessels(radius_mm=1.5)[::-1, ::-1, ::-1])
    pair = compared(0.6 * vessels(), twigs, noise_hu=(24.0, 4.0))
    assert vessel_distance_mm(pair, NO_BEND, LESION) < 1.0
    moved = compared(0.6 * vessels(), np.roll(twigs, 3, axis=0), noise_hu=(24.0, 4.0))
    assert vessel_distance_mm(moved, NO_BEND, LESION) == pytest.approx(6.0, abs=1.0)


def test_dark_vessels_meet_dark_vessels():
    pair = compared(-vessels(), -vessels(5.0))
    assert vessel_distance_mm(pair, NO_BEND, LESION) == pytest.approx(5.0, abs=0.5)


def test_noise_alone_says_nothing_and_vessels_of_somebody_else_do():
    silent = compared(np.zeros(ON.shape), np.zeros(ON.shape))
    assert vessel_distance_mm(silent, NO_BEND, LESION) is None
    assert vessel_distance_mm(silent, NO_BEND, np.zeros_like(LESION)) is None
    other = compared(vessels(), vessels()[::-1, ::-1].transpose(1, 2, 0))
    assert vessel_distance_mm(other, NO_BEND, LESION) == NOWHERE_MM
    one = replace(other, moving=silent.moving)
    assert vessel_distance_mm(one, NO_BEND, LESION) is None
