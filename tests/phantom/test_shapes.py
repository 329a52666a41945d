"""Fields, the warp and rods against their formulas."""

from __future__ import annotations

import numpy as np
import pytest

from netseg.phantom.bones import Rod
from netseg.phantom.raster import Axes, coarse_axes, rod_share, upsample, weights
from netseg.phantom.shapes import capsule, common, ellipsoid, union, without
from netseg.phantom.texture import cloud, correlated_noise
from netseg.phantom.warp import Warp, draw_warp


def points(*rows: tuple[float, float, float]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x, y, z = np.array(rows, np.float64).T
    return x, y, z


def still() -> Warp:
    """The patient is the atlas."""
    none = np.zeros((1, 3))
    return Warp(scale=np.ones(3), waves_per_mm=none, phases=np.zeros(1), amplitudes_mm=none)


def axes(half_mm: float, step_mm: float) -> Axes:
    line = np.arange(-half_mm, half_mm + step_mm / 2, step_mm)
    return Axes(x=line, y=line, z=line)


def test_a_sphere_is_an_ellipsoid_of_equal_radii() -> None:
    """5 mm outside and 4 mm inside a sphere of 10 mm."""
    field = ellipsoid(points((15, 0, 0), (0, 6, 0)), (0.0, 0.0, 0.0), (10.0, 10.0, 10.0))
    assert field == pytest.approx((5.0, -4.0))


def test_a_capsule_measures_to_its_axis_and_to_its_ends() -> None:
    """A rod of radius 2 from z = 0 to 10: 3 mm aside, 4 mm above its end, and on its thicker half."""
    rod = (0.0, 0.0, 0.0), (0.0, 0.0, 10.0)
    assert capsule(points((5, 0, 5), (0, 0, 16)), *rod, 2.0, 2.0) == pytest.approx((3.0, 4.0))
    assert capsule(points((5, 0, 5)), *rod, 2.0, 4.0) == pytest.approx((2.0,))


def test_shapes_combine_like_sets() -> None:
    a, b = np.array((-1.0, -1.0, 2.0)), np.array((-2.0, 3.0, 3.0))
    assert union(a, b) == pytest.approx((-2.0, -1.0, 2.0))
    assert common(a, b) == pytest.approx((-1.0, 3.0, 3.0))
    assert without(a, b) == pytest.approx((2.0, -1.0, 2.0))


def test_a_fillet_adds_a_quarter_of_its_size_where_two_surfaces_meet() -> None:
    same = np.zeros(1)
    assert union(same, same, 8.0) == pytest.approx((-2.0,))
    assert common(same, same, 8.0) == pytest.approx((2.0,))


def test_combining_leaves_its_inputs_alone() -> None:
    a, b = np.array((1.0, 2.0)), np.array((2.0, 1.0))
    union(a, b, 5.0)
    assert (a.tolist(), b.tolist()) == ([1.0, 2.0], [2.0, 1.0])


def test_the_way_to_the_atlas_and_back_is_closed() -> None:
    rng = np.random.default_rng(1)
    warp = draw_warp(rng)
    atlas = rng.uniform(-120, 120, (200, 3))
    assert warp.to_atlas(warp.to_patient(atlas)) == pytest.approx(atlas, abs=1e-3)


def test_the_warp_on_a_grid_is_the_warp_of_its_points() -> None:
    warp = draw_warp(np.random.default_rng(2))
    x, y, z = np.linspace(-90, 90, 5), np.linspace(-50, 50, 4), np.linspace(-70, 70, 3)
    on_grid = np.stack(warp.grid_to_atlas(x, y, z), axis=-1)
    one_by_one = warp.to_atlas(np.stack(np.meshgrid(x, y, z, indexing="ij"), axis=-1))
    assert on_grid == pytest.approx(one_by_one, abs=1e-3)


def test_refining_a_linear_field_is_exact() -> None:
    fine = Axes(x=np.arange(0, 20, 1.5), y=np.arange(-5, 9, 1.0), z=np.arange(3, 30, 3.0))
    coarse = coarse_axes(fine, 6.0)
    x, y, z = np.meshgrid(*coarse.all, indexing="ij")
    matrices = [weights(c, f) for c, f in zip(coarse.all, fine.all, strict=True)]
    x_, y_, z_ = np.meshgrid(*fine.all, indexing="ij")
    refined = upsample((2 * x - y + 0.5 * z).astype(np.float32), *matrices)
    assert refined == pytest.approx(2 * x_ - y_ + 0.5 * z_, abs=1e-3)


def test_a_rod_has_the_volume_of_a_cylinder_with_round_ends() -> None:
    """Radius 5, length 40: pi 25 x 40 + 4/3 pi 125 = 3665 mm3, on 1 mm voxels within 1 %."""
    rod = Rod(path_mm=np.array(((0.0, 0, -20), (0.0, 0, 20))), radius_mm=np.array((5.0, 5.0)))
    share = rod_share(axes(30.0, 1.0), [rod], still())
    assert share.sum() / 255 == pytest.approx(3665.2, rel=0.01)


def test_a_vessel_thinner_than_a_voxel_keeps_most_of_its_cross_section() -> None:
    """Radius 0.6 in 2 mm voxels: no voxel is full, and the filled volume is of the right order."""
    rod = Rod(path_mm=np.array(((0.3, 0.4, -18), (0.3, 0.4, 18))), radius_mm=np.array((0.6, 0.6)))
    share = rod_share(axes(20.0, 2.0), [rod], still())
    assert 0 < share.max() < 128
    assert share.sum() / 255 * 8 == pytest.approx(np.pi * 0.36 * 36, rel=0.6)


def test_rods_outside_the_grid_leave_it_empty() -> None:
    rod = Rod(path_mm=np.array(((90.0, 0, 0), (99.0, 0, 0))), radius_mm=np.array((3.0, 3.0)))
    assert not rod_share(axes(20.0, 2.0), [rod], still()).any()
    assert not rod_share(axes(20.0, 2.0), [], still()).any()


def test_noise_has_unit_variance_and_the_ordered_correlation() -> None:
    rng = np.random.default_rng(3)
    for noise in (
        correlated_noise((40, 40, 20), (1.5, 1.5, 0.0), rng),
        cloud((40, 40, 20), (1.5, 1.5, 3.0), 12.0, rng),
    ):
        assert noise.std() == pytest.approx(1.0, rel=1e-3)
        along = (noise[1:] * noise[:-1]).mean()
        assert along > 0.5
    white = correlated_noise((40, 40, 20), (0.0, 0.0, 0.0), rng)
    assert abs((white[1:] * white[:-1]).mean()) < 0.05
