"""Vessels as heat sinks (rows A16 and A17)."""

import math

import numpy as np
import pytest
import torch

from netseg.domain import Grid, PointMm
from netseg.simulate.diffusion import Diffusion
from netseg.simulate.electric import conjugate_gradients
from netseg.simulate.vessel import Vessel, film_w_m2k, wall_mm2

K = 0.52


def plane(n, h):
    """Distance in mm of every cell of a slice from its middle, and the coordinates."""
    axis = (torch.arange(n, dtype=torch.float64) - (n - 1) / 2) * h
    x, y = torch.meshgrid(axis, axis, indexing="ij")
    return x[:, :, None], y[:, :, None]


def flow_w_m(operator, hot, cold, h):
    """Steady heat flow per metre from cells at 60 K to cells at 0 K."""
    free = (~(hot | cold)).double()
    held = torch.where(hot, 60.0, 0.0).double()
    field, _ = conjugate_gradients(
        lambda t: (1 - free) * t - free * operator.apply(free * t),
        free * operator.apply(held),
        start=torch.zeros_like(held),
        inverse_diagonal=1.0 / torch.where(free > 0, operator.diagonal(), 1.0),
        tolerance=1e-8,
    )
    into = operator.apply(field * free + held)[cold].sum()
    return float(into) * (h * 1e-3) ** 2


@pytest.mark.slow
def test_two_isothermal_cylinders_exchange_what_their_shape_factor_says():
    """A16: r 1.5 and 2.5 mm, 10 mm apart, dT 60 K: 61.397 W/m."""
    h = 0.25
    x, y = plane(320, h)
    hot = (x + 5) ** 2 + y**2 <= 1.5**2
    cold = (x - 5) ** 2 + y**2 <= 2.5**2
    k = torch.where(hot | cold, 1e6 * K, K).double()
    operator = Diffusion.assemble(k, (h, h, h), fixed=())
    assert flow_w_m(operator, hot, cold, h) == pytest.approx(61.397, rel=0.03)


@pytest.mark.parametrize(
    ("film", "expected_w_m"), [(100.0, 68.778), (230.0, 72.517), (5000.0, 75.530)]
)
def test_a_film_at_a_round_wall_resists_by_the_walls_true_area(film, expected_w_m):
    """A17: from a cylinder of 1.5 mm at +60 K to blood beyond 20 mm; the wall is made of voxels."""
    h = 0.4
    x, y = plane(110, h)
    radius = torch.sqrt(x**2 + y**2)
    hot, blood = radius <= 1.5, radius > 20
    stair = wall_mm2(blood, (h, h, h)) / h
    thinned = film * 2 * math.pi * 20 / stair
    k = torch.where(hot, 1e6 * K, K).double()
    films = torch.where(blood, thinned, 0.0).double()
    operator = Diffusion.assemble(k, (h, h, h), fixed=(), film=films)
    assert flow_w_m(operator, hot, blood, h) == pytest.approx(expected_w_m, rel=0.03)


@pytest.mark.parametrize(("diameter_mm", "film"), [(1.0, 2267), (3.0, 756), (10.0, 227)])
def test_laminar_flow_gives_the_derived_films(diameter_mm, film):
    vessel = Vessel(from_mm=PointMm(0, 0, 0), to_mm=PointMm(1, 0, 0), diameter_mm=diameter_mm)
    assert vessel.film_w_m2k == pytest.approx(film, rel=2e-3)


@pytest.mark.parametrize("end", [(40.0, 0.0, 0.0), (23.0, 23.0, 23.0)], ids=["axis", "oblique"])
def test_film_times_wall_is_the_cylinders_whatever_its_direction(end):
    affine = np.diag([1.0, 1.0, 1.0, 1.0])
    affine[:3, 3] = -24.5
    grid = Grid(shape=(50, 50, 50), affine_lps=affine, frame_uid="x")
    far = np.array(end)
    vessel = Vessel(from_mm=PointMm.of(-far), to_mm=PointMm.of(far), diameter_mm=8.0)
    films = film_w_m2k((vessel,), grid, like=torch.zeros((), dtype=torch.float64))
    inside = films > 0
    measured = float(films.max()) * wall_mm2(inside, (1.0, 1.0, 1.0))
    length = 50.0 if end[1] == 0 else 50.0 * math.sqrt(3)
    length = min(length, 2 * float(np.linalg.norm(far)))
    assert measured == pytest.approx(vessel.film_w_m2k * math.pi * 8.0 * length, rel=0.02)
