"""A film under the capsule that is thinner than a voxel is no liver; a rim of 2 mm is.

The liver ends at the plane z = 0. A lesion of radius 8 lies under it, a zone of radius 14 around
the same centre: where heat reached the capsule, the nearest viable liver is 6 mm away.
"""

import numpy as np
import pytest

from netseg.domain.margin import Verdict
from netseg.domain.volume import Mask
from tests.geometry.shapes import grid, turned
from tests.verify.checking import margin

AXES = turned(20)
VOXELS_MM = [(1.0, 1.0, 1.0), (0.8, 0.8, 1.5), (1.6, 1.6, 1.6)]


def oblique(spacing_mm):
    """No voxel's face lies along the capsule."""
    shape = tuple(int(62 / s) for s in spacing_mm)
    return grid(shape, spacing_mm, axes=AXES, centre_mm=(0.0, 0.0, -14.0))


def region(on, inside):
    """Voxels whose centre fulfils a condition on x, y, z."""
    index = np.moveaxis(np.indices(on.shape), 0, -1).reshape(-1, 3)
    return Mask(inside(*on.to_mm(index).T).reshape(on.shape), on)


def in_ball(radius_mm, depth_mm, beside_mm=0.0):
    return lambda x, y, z: (x - beside_mm) ** 2 + y**2 + (z + depth_mm) ** 2 <= radius_mm**2


def check(on, lesion, zone):
    """The margin in a liver that fills all of z < 0."""
    liver = region(on, lambda *at: at[2] < 0)
    return margin(region(on, lesion), Mask(region(on, zone).inside & liver.inside, on), liver=liver)


def spared(zone, film_mm):
    """The same zone, but for liver that is left so thick under the capsule."""
    return lambda x, y, z: zone(x, y, z) & (z < -film_mm)


@pytest.mark.parametrize("spacing_mm", VOXELS_MM)
@pytest.mark.parametrize("film_voxels", [0.25, 0.5])
def test_a_film_of_half_a_voxel_is_set_aside_and_said(spacing_mm, film_voxels):
    on = oblique(spacing_mm)
    film_mm = film_voxels * max(spacing_mm)
    found = check(on, in_ball(8, 8), spared(in_ball(14, 8), film_mm))
    assert found.smallest_margin_mm == pytest.approx(6.0, abs=0.25 + 0.1 * max(spacing_mm))
    film = found.film
    assert film.thickest_mm <= film.limit_mm <= max(spacing_mm)
    # about the disc under which the lesion's surroundings of 5 mm reach the capsule, times the film
    assert film.volume_ml == pytest.approx(film_mm * np.pi * 10.2**2 / 1000, rel=0.5)
    assert film.margin_if_counted_mm < 0.5
    (said,) = (s for s in found.why if "film" in s)
    assert f"{film.volume_ml:.2f} ml" in said
    assert f"margin would be {film.margin_if_counted_mm:.2f} mm" in said


@pytest.mark.parametrize("spacing_mm", VOXELS_MM)
def test_tumour_left_in_a_rim_of_two_millimetres_is_residual(spacing_mm):
    found = check(oblique(spacing_mm), in_ball(8, 8), spared(in_ball(14, 8), 2.0))
    assert found.verdict is Verdict.RESIDUAL
    assert found.smallest_margin_mm == pytest.approx(-2.0, abs=0.7)
    assert found.film is None


@pytest.mark.parametrize("spacing_mm", VOXELS_MM)
def test_liver_left_in_a_rim_of_two_millimetres_decides(spacing_mm):
    """The lesion ends 4 mm under the capsule, the zone 2 mm under it."""
    found = check(oblique(spacing_mm), in_ball(8, 12), spared(in_ball(15, 12), 2.0))
    assert found.smallest_margin_mm == pytest.approx(2.0, abs=0.4)


@pytest.mark.parametrize("spacing_mm", VOXELS_MM[:2])
def test_a_nub_of_three_millimetres_under_the_capsule_decides(spacing_mm):
    """Half a ball of 3 mm at the capsule; its near side lies 2.2 mm from the lesion."""
    nub = in_ball(3, 0, beside_mm=8.0)
    zone = in_ball(15, 8)
    found = check(oblique(spacing_mm), in_ball(8, 8), lambda *at: zone(*at) & ~nub(*at))
    assert found.smallest_margin_mm == pytest.approx(np.hypot(8, 8) - 8 - 3, abs=0.7)


@pytest.mark.parametrize("spacing_mm", VOXELS_MM)
def test_a_crescent_of_tumour_under_the_capsule_is_residual(spacing_mm):
    """The zone's pole lies 2.5 mm under the capsule; nothing but tumour is left above it."""
    found = check(oblique(spacing_mm), in_ball(8, 8), in_ball(14, 16.5))
    assert found.verdict is Verdict.RESIDUAL
    assert found.smallest_margin_mm == pytest.approx(-2.5, abs=0.5)


@pytest.mark.parametrize("spacing_mm", VOXELS_MM[:2])
def test_a_thin_sheet_away_from_the_capsule_is_liver(spacing_mm):
    """A sheet of a voxel and a half below the lesion, 16 mm deep and more: no film of a capsule."""
    thick_mm = 1.5 * max(spacing_mm)
    zone = in_ball(20, 8)
    found = check(
        oblique(spacing_mm),
        in_ball(8, 8),
        lambda x, y, z: zone(x, y, z) & ((z > -18) | (z < -18 - thick_mm)),
    )
    assert found.smallest_margin_mm == pytest.approx(2.0, abs=0.6)
    assert not any("film" in sentence for sentence in found.why)
