"""The registration's parts, each on a case known on paper."""

from __future__ import annotations

import math

import numpy as np
import pytest

from netseg.register.comparable import Comparable, painted_over
from netseg.register.error import expected_error_mm, rigid_error_mm
from netseg.register.gates import jacobian, jacobian_gates, volume_gate, way_back_gate
from netseg.register.gauss_newton import Said, solve
from netseg.register.locally_rigid import (
    WITHIN_MM,
    fit_keeping_volume,
    fit_rigid,
    locally_rigid,
)
from netseg.register.posterior import spread_mm
from netseg.register.smoothness import Smoothness
from tests.geometry.shapes import FLIPPED, ball, grid, turned

ON = grid((32, 32, 32), (2.0, 2.0, 2.0))


def points(on=ON):
    return on.to_mm(np.stack(np.indices(on.shape), axis=-1))


def test_a_known_turn_and_shift_are_fitted_exactly():
    before = np.random.default_rng(0).normal(size=(50, 3))
    turn, shift = fit_rigid(before, before @ turned(30).T + (1, 2, 3))
    assert turn == pytest.approx(turned(30))
    assert shift == pytest.approx(np.array([1.0, 2.0, 3.0]))


def test_a_field_that_swells_a_region_becomes_rigid_there_and_stays_elsewhere():
    """U = 0.3 x swells everything to 2.2 times its volume; the region keeps its own."""
    swelling = (0.3 * points()).astype(np.float32)
    region = ball(ON, (0, 0, 0), 9.0).inside
    for shell in ((1.0, 14.0), WITHIN_MM):
        found = locally_rigid(swelling, ON, region, np.ones(ON.shape, np.bool_), shell)
        assert jacobian(found.bend_mm, ON)[ball(ON, (0, 0, 0), 5.0).inside] == pytest.approx(
            1.0, abs=0.02
        )
        far = ~ball(ON, (0, 0, 0), 14.0).inside
        assert np.array_equal(found.bend_mm[far], swelling[far])
        assert found.scatter_mm > 1.0


def test_a_stretch_is_kept_and_a_swelling_is_not():
    """1.2 x 1 x 1 stretched has 1.2 times the volume; scaled back by its cube root, the first."""
    before = np.random.default_rng(0).normal(size=(50, 3))
    matrix, shift = fit_keeping_volume(before, before * (1.2, 1.0, 1.0) + (1, 2, 3))
    side = 1.2 ** (1 / 3)
    assert matrix == pytest.approx(np.diag((1.2, 1.0, 1.0)) / side)
    assert np.linalg.det(matrix) == pytest.approx(1.0)
    middle = before.mean(axis=0)
    assert matrix @ middle + shift == pytest.approx(middle * (1.2, 1.0, 1.0) + (1, 2, 3))


@pytest.mark.parametrize("scale", [(1.8, 1.0, 1.0), (-1.0, 1.0, 1.0)], ids=["far", "mirrored"])
def test_a_stretch_beyond_belief_is_made_rigid(scale):
    before = np.random.default_rng(0).normal(size=(50, 3))
    matrix, _ = fit_keeping_volume(before, before * scale)
    assert matrix @ matrix.T == pytest.approx(np.eye(3), abs=1e-9)


def test_a_lesion_in_stretched_liver_reaches_as_far_as_the_liver_says():
    """U = (0.1 x, -0.1 y, 0): the planning scan's lesion was a tenth wider along x, and stays so."""
    field = (points() * (0.1, -0.1, 0.0)).astype(np.float32)
    region = ball(ON, (0, 0, 0), 9.0).inside
    every = np.ones(ON.shape, np.bool_)
    stretched = locally_rigid(field, ON, region, every, WITHIN_MM, fit_keeping_volume)
    rigid = locally_rigid(field, ON, region, every, WITHIN_MM)
    at = points()[region]
    assert np.abs(stretched.bend_mm[region] - at * (0.1, -0.1, 0.0)).max() < 0.05
    assert np.abs(rigid.bend_mm[region]).max() < 0.05


def test_a_rigid_field_is_left_as_it_is():
    turn = turned(5)
    field = (points() @ turn.T + (2, 0, 1) - points()).astype(np.float32)
    found = locally_rigid(field, ON, ball(ON, (0, 0, 0), 9.0).inside, np.ones(ON.shape, np.bool_))
    assert found.bend_mm == pytest.approx(field, abs=1e-3)
    assert found.scatter_mm == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize("axes", [np.eye(3), FLIPPED, turned(20)])
def test_the_jacobian_of_a_stretch_is_its_volume_on_any_axes(axes):
    on = grid((8, 8, 8), (2.0, 2.0, 2.0), axes=axes)
    field = points(on) * np.array([0.1, 0.0, -0.2])
    assert jacobian(field, on) == pytest.approx(1.1 * 0.8)


def test_a_fold_is_seen_and_decides():
    field = np.zeros((*ON.shape, 3), np.float32)
    field[..., 0] = np.where(points()[..., 0] > 0, -6.0, 0.0)
    checks = jacobian_gates(field, ON, np.ones(ON.shape, np.bool_))
    assert checks["folded_share"].passed is False
    assert checks["folded_share"].decides
    flat = jacobian_gates(np.zeros_like(field), ON, np.ones(ON.shape, np.bool_))
    assert all(gate.passed for gate in flat.values())


def test_a_tumour_a_tenth_larger_passes_and_a_fifth_larger_does_not():
    assert volume_gate(10.0, 11.0).passed
    assert volume_gate(10.0, 12.0).passed is False
    assert way_back_gate(None).passed is None


def test_what_is_painted_over_takes_the_value_around_it():
    values = np.full(ON.shape, 100.0, np.float32)
    hole = ball(ON, (0, 0, 0), 8.0).inside
    values[hole] = 0.0
    liver = np.ones(ON.shape, np.bool_)
    assert painted_over(values, liver, hole, ON) == pytest.approx(
        np.full(ON.shape, 100.0), abs=1e-3
    )
    assert painted_over(values, liver, np.zeros_like(hole), ON).min() == 0.0


def test_fields_of_the_prior_have_its_spread_and_their_covariance_is_symmetric():
    prior = Smoothness.of((24, 24, 24), 5.0, sd_mm=3.0, length_mm=10.0)
    drawn = np.stack([prior.draw(np.random.default_rng(n)) for n in range(8)])
    assert drawn.std() == pytest.approx(3.0, rel=0.1)
    one, other = np.zeros((2, 3, 24, 24, 24), np.float32)
    one[0, 3, 4, 5], other[0, 8, 7, 6] = 1.0, 1.0
    assert prior.covary(one)[0, 8, 7, 6] == pytest.approx(prior.covary(other)[0, 3, 4, 5], rel=1e-3)


def test_the_expected_error_adds_in_squares_and_landmarks_raise_it():
    nothing = {"spread_mm": 0.0, "way_back_mm": 0.0}
    alone = expected_error_mm(**nothing, scatter_mm=0.0)
    assert alone > 0
    more = expected_error_mm(**nothing, scatter_mm=2.0)
    twice = expected_error_mm(**nothing, scatter_mm=4.0)
    assert twice**2 - alone**2 == pytest.approx(4 * (more**2 - alone**2), rel=1e-2)
    assert more > alone
    assert expected_error_mm(**nothing, scatter_mm=0.0, landmarks_mm=(6.0, 8.0)) == (
        pytest.approx(math.sqrt(50), abs=1e-3)
    )
    assert expected_error_mm(**nothing, scatter_mm=0.0, swelling_mm=1.0) > 2.5
    assert rigid_error_mm() == 3.5
    assert rigid_error_mm(5.0) > 5.0 > rigid_error_mm(1.0)
    assert rigid_error_mm(1.0, (7.0,)) == 7.0


def test_what_a_field_makes_of_a_ball_s_volume_is_told_in_millimetres():
    """U = 0.02 x swells a ball of 9 mm by 6.1 %: its surface moves by 0.18 mm; a turn by none."""
    region = ball(ON, (0, 0, 0), 9.0).inside
    every = np.ones(ON.shape, np.bool_)
    swelling = locally_rigid((0.02 * points()).astype(np.float32), ON, region, every, WITHIN_MM)
    assert swelling.swelling_mm == pytest.approx(0.18, abs=0.01)
    turn = (points() @ turned(5).T - points()).astype(np.float32)
    assert locally_rigid(turn, ON, region, every, WITHIN_MM).swelling_mm < 1e-3
    nobody = locally_rigid(turn, ON, np.zeros_like(region), every, WITHIN_MM)
    assert nobody.swelling_mm is None


def test_where_images_show_nothing_the_spread_is_that_of_the_prior():
    """Three components of 3 mm each: 5.2 mm; structure all over leaves a fraction of a millimetre."""
    x, y, z = np.moveaxis(points(), -1, 0)
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 5.0, (2, *ON.shape)).astype(np.float32)
    every = np.ones(ON.shape, np.bool_)
    no_bend = np.zeros((*ON.shape, 3), np.float32)
    pattern = 100 * np.sin(x / 4) * np.sin(y / 4) * np.sin(z / 4)
    empty = compared(noise[0], noise[1])
    full = compared(pattern + noise[0], pattern + noise[1])
    assert spread_mm(full, no_bend, every) < 1.0
    assert 2.5 < spread_mm(empty, no_bend, every) < 7.0


def compared(fixed, moving):
    every = np.ones(ON.shape, np.bool_)
    return Comparable(
        fixed=fixed.astype(np.float32),
        moving=moving.astype(np.float32),
        fixed_liver=every,
        moving_liver=every,
        fixed_avoided=~every,
        moving_avoided=~every,
        grid=ON,
        translated=False,
    )


def test_the_most_probable_field_solves_its_equations():
    """(K⁻¹ + A) u = target, multiplied by K: u + K A u = K target, here with a matrix written out."""
    prior = Smoothness.of((5, 5, 5), 6.0, sd_mm=3.0, length_mm=16.0)
    rng = np.random.default_rng(3)
    weight = np.zeros((6, 5, 5, 5), np.float32)
    weight[[0, 3, 5]] = np.where(rng.random((5, 5, 5)) < 0.5, 4.0, 0.0)  # half the cells are seen
    said = Said(weight=weight, pull=np.zeros((3, 5, 5, 5), np.float32))
    target = said.times(prior.draw(rng))
    units = np.eye(375, dtype=np.float32).reshape(375, 3, 5, 5, 5)
    matrix = np.stack([(unit + prior.covary(said.times(unit))).ravel() for unit in units], axis=1)
    exact = np.linalg.solve(matrix.astype(np.float64), prior.covary(target).ravel())
    nothing = np.zeros_like(target)
    found, _ = solve(said, target, prior, (nothing, nothing), enough=1e-6)
    short, _ = solve(said, target, prior, (nothing, nothing), rounds=5, enough=1e-6)
    apart, unfinished = (np.abs(f.ravel() - exact).max() for f in (found, short))
    assert apart < 0.05  # mm
    assert unfinished > 0.1
