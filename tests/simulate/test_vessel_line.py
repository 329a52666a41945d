"""Vessels thinner than a cell against closed forms (rows A3, A16 and A17)."""

import math

import numpy as np
import pytest
import torch

from netseg.domain import Grid, PointMm
from netseg.domain.errors import StudyRejectedError
from netseg.simulate.diffusion import Diffusion
from netseg.simulate.phase import PhaseLaw
from netseg.simulate.stepping import Conduction, conduct
from netseg.simulate.vessel import Vessel
from netseg.simulate.vessel_line import BloodLine, by_width

K, RHO_C = 0.52, 3.82e6


def cube(n, h, *, frame="x"):
    affine = np.diag([h, h, h, 1.0])
    affine[:3, 3] = -(n - 1) / 2 * h
    return Grid(shape=(n, n, n), affine_lps=affine, frame_uid=frame)


def vessel(end, diameter_mm):
    far = np.array(end)
    return Vessel(from_mm=PointMm.of(-far), to_mm=PointMm.of(far), diameter_mm=diameter_mm)


def steady_flow_w_m(n, h, diameter_mm, shift_mm=(0.0, 0.0)):
    """Slice of unit length, +60 K beyond a circle of 20 mm, blood in a thin vessel at its middle."""
    axis = (torch.arange(n, dtype=torch.float64) - (n - 1) / 2) * h
    x, y = torch.meshgrid(axis - shift_mm[0], axis - shift_mm[1], indexing="ij")
    beyond = (torch.sqrt(x**2 + y**2) >= 20.0)[:, :, None]
    k = torch.full((n, n, 1), K, dtype=torch.float64)
    affine = np.diag([h, h, h, 1.0])
    affine[:2, 3] = -(n - 1) / 2 * h
    grid = Grid(shape=(n, n, 1), affine_lps=affine, frame_uid="x")
    x0, y0 = shift_mm
    blood = BloodLine.place(
        Vessel(
            from_mm=PointMm(x0, y0, -0.5 * h), to_mm=PointMm(x0, y0, 0.5 * h),
            diameter_mm=diameter_mm,
        ),
        grid,
        k,
    )  # fmt: skip
    tissue = Conduction(
        diffusion=Diffusion.assemble(k, (h, h, h), fixed=()),
        inverse_capacity=torch.where(beyond, 0.0, 1 / RHO_C).double(),
        law=PhaseLaw(),
    )
    heat, drawn = torch.where(beyond, 60.0, 30.0).double(), 0.0
    for _ in range(500):
        source = torch.zeros_like(heat)
        drawn = blood.draw(source, heat, (h * 1e-3) ** 3)
        heat, _ = conduct(heat, tissue, source, step_s=6.0, stages=9)
    return drawn / (h * 1e-3)


@pytest.mark.parametrize("diameter_mm", [0.5, 1.0, 1.9])
@pytest.mark.parametrize("shift_mm", [(0.0, 0.0), (0.31, -0.17)])
def test_a_thin_vessel_draws_what_the_annulus_says(diameter_mm, shift_mm):
    """2 pi k 60 K / (ln(20/a) + 2/Nu), Nu 4.36: 45.4 W/m for 1 mm; within 3 % (A17)."""
    exact = 2 * math.pi * K * 60 / (math.log(20 / (0.5 * diameter_mm)) + 2 / 4.36)
    assert steady_flow_w_m(47, 1.0, diameter_mm, shift_mm) == pytest.approx(exact, rel=0.03)


@pytest.mark.parametrize("end", [(8.0, 0.0, 0.0), (5.0, 5.0, 5.0), (6.1, 3.3, -2.2)])
def test_a_thin_vessel_draws_the_same_in_any_direction(end):
    """In tissue warm throughout, the pull per length is the link's: 2 pi k/(ln(r_k/a) + 2/Nu)."""
    grid = cube(31, 1.0)
    warm = torch.full(grid.shape, 10.0, dtype=torch.float64)
    line = BloodLine.place(vessel(end, 1.0), grid, torch.full_like(warm, K))
    length_m = 2e-3 * math.dist((0, 0, 0), end)
    drawn = line.draw(torch.zeros_like(warm), warm, 1e-9)
    r_k = 1.5137 * line.kernel.width_m * math.exp(-(1e-6) / (32 * line.kernel.width_m**2))
    exact = 10 * 2 * math.pi * K * length_m / (math.log(r_k / 0.5e-3) + 2 / 4.36)
    assert drawn == pytest.approx(exact, rel=2e-3)


def test_what_the_blood_takes_is_missing_in_the_tissue():
    grid = cube(21, 1.0)
    warm = torch.rand(grid.shape, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    line = BloodLine.place(vessel((30.0, 4.0, 0.0), 0.8), grid, torch.full_like(warm, K))
    source = torch.zeros_like(warm)
    drawn = line.draw(source, warm, 1e-9)
    assert float(source.sum()) * 1e-9 == pytest.approx(-drawn, rel=1e-12)
    assert drawn > 0


def test_a_vessel_is_a_line_below_two_cells():
    one, three = vessel((5.0, 0.0, 0.0), 1.9), vessel((5.0, 0.0, 0.0), 2.0)
    assert by_width((one, three), cube(9, 1.0)) == ((three,), (one,))


def test_a_capillary_is_no_heat_sink_of_its_own():
    grid = cube(21, 1.0)
    k = torch.full(grid.shape, K)
    with pytest.raises(StudyRejectedError, match="no heat sink of its own"):
        BloodLine.place(vessel((5.0, 0.0, 0.0), 0.2), grid, k)


def test_a_vessel_beside_the_grid_is_refused():
    grid = cube(21, 1.0)
    beside = Vessel(from_mm=PointMm(50, 0, -5), to_mm=PointMm(50, 0, 5), diameter_mm=1.0)
    with pytest.raises(StudyRejectedError, match="does not pass through the grid"):
        BloodLine.place(beside, grid, torch.full(grid.shape, K))
