"""Resistances that are known on paper (rows A7, A8 and A9)."""

import math

import pytest
import torch

from netseg.simulate.conjugate import conjugate_gradients
from netseg.simulate.diffusion import Diffusion
from netseg.simulate.electric import unit_field
from netseg.simulate.multigrid import Multigrid
from netseg.simulate.needle import LineKernel, Needle

SIGMA = 0.2
METAL = 1e4  # over tissue


def distance_mm(axes):
    return torch.sqrt(sum(a**2 for a in torch.meshgrid(*axes, indexing="ij")))


def between_spheres_ohm(inner_mm, outer_mm, *, n=48):
    """One octant of tissue between two spheres; cells at the surfaces conduct by their share."""
    h = outer_mm / (n - 2)
    axis = (torch.arange(n, dtype=torch.float64) + 0.5) * h
    r = distance_mm((axis, axis, axis))
    metal = ((inner_mm - r) / h + 0.5).clamp(0, 1)
    ground = ((r - outer_mm) / h + 0.5).clamp(0, 1)
    tissue = 1 - metal - ground
    operator = Diffusion.assemble(
        1 / (tissue / SIGMA + (1 - tissue) / (METAL * SIGMA)), (h, h, h), fixed=()
    )
    ties = torch.where(tissue <= 0, METAL * SIGMA / (h * 1e-3) ** 2, 0.0)
    source = torch.where(metal >= 1, ties, 0.0)
    volts, _ = conjugate_gradients(
        lambda v: ties * v - operator.apply(v),
        source,
        start=torch.zeros_like(source),
        tolerance=1e-7,
        precondition=Multigrid.of(operator, ties=ties),
    )
    return 1 / (8 * float((source * (1 - volts)).sum()) * (h * 1e-3) ** 3)


def test_concentric_spheres_have_the_resistance_of_the_textbook():
    """A7: 1.5 and 90 mm, 260.837 ohm, 13.80 W at 60 V; the way is cut at 9 mm, where it is round."""
    ohm = between_spheres_ohm(1.5, 9.0) + between_spheres_ohm(9.0, 90.0)
    assert ohm == pytest.approx(260.837, rel=0.02)
    assert 60**2 / ohm == pytest.approx(13.8017, rel=0.02)


@pytest.mark.parametrize("h", [1.5, 2.0, 3.0])
def test_a_coaxial_needle_has_the_resistance_of_the_textbook(h):
    """A8: 1.5 in 90 mm, 30 mm long, 108.606 ohm, 33.15 W at 60 V; the needle lies askew of the cells.

    A slice of one cell; the needle is as thin as half a cell.
    """
    n = round(96 * 2.0 / h)
    axis = (torch.arange(n, dtype=torch.float64) - (n - 1) / 2) * h
    ground = ((distance_mm((axis, axis))[:, :, None] - 90.0) / h + 0.5).clamp(0, 1)
    sigma = 1 / ((1 - ground) / SIGMA + ground / (METAL * SIGMA))
    middle = (n - 1) / 2 * h
    needle = Needle(
        tip_mm=(middle + 0.3, middle - 0.2, -0.5 * h + 1e-3),
        direction=(0, 0, 1),
        active_length_mm=h,
        diameter_mm=3.0,
    )
    kernel = LineKernel.embed(needle, (n, n, 1), (h, h, h), like=sigma)
    field = unit_field(
        Diffusion.assemble(sigma, (h, h, h), fixed=("i-", "i+", "j-", "j+")),
        [(kernel, kernel.link(torch.full_like(sigma, SIGMA)))],
        cell_m3=(h * 1e-3) ** 3,
        start=torch.zeros_like(sigma),
        tolerance=1e-6,
    )
    ohm = field.impedance_ohm * h / 30.0
    assert ohm == pytest.approx(108.606, rel=0.01)
    assert 60**2 / ohm == pytest.approx(33.1474, rel=0.01)


def spheroid_ohm(n, h, direction, shift):
    """A needle of 30 x 1.5 mm tapering like a prolate spheroid in a grounded box."""
    shape, spacing = (n, n, n), (h, h, h)
    sigma = torch.full(shape, SIGMA)
    tip = tuple(
        (n - 1) / 2 * h + float(s) * h - 15 * float(d)
        for s, d in zip(shift, direction, strict=True)
    )
    needle = Needle(
        tip_mm=tip,
        direction=tuple(float(d) for d in direction),
        active_length_mm=30.0,
        diameter_mm=1.5,
    )
    kernel = LineKernel.embed(needle, shape, spacing, like=sigma)
    radius = 0.75e-3 * torch.sqrt(1 - (kernel.offsets_m / 15e-3) ** 2)
    return unit_field(
        Diffusion.assemble(sigma, spacing),
        [(kernel, kernel.link(sigma, radius_m=radius))],
        cell_m3=(h * 1e-3) ** 3,
        start=torch.zeros(shape),
        tolerance=1e-4,
    ).impedance_ohm


@pytest.mark.parametrize("seed", range(12))
def test_a_needle_thinner_than_a_cell_has_the_spheroids_resistance_in_any_pose(seed):
    """A9: 97.9565 ohm; random directions, random places between the cells; boxes R(L) = R - c/L."""
    generator = torch.Generator().manual_seed(seed)
    direction = torch.randn(3, generator=generator, dtype=torch.float64)
    direction /= direction.norm()
    shift = torch.rand(3, generator=generator) - 0.5
    small, large = (spheroid_ohm(n, 2.0, direction, shift) for n in (36, 54))
    infinite = large + (large - small) / (54 / 36 - 1)
    assert infinite == pytest.approx(97.9565, rel=0.02)


def test_the_spheroids_figure_is_its_formula():
    """R = ln((1+e)/(1-e)) / (8 pi sigma c_f) with semi-axes 15 and 0.75 mm."""
    focal = math.sqrt(15e-3**2 - 0.75e-3**2)
    e = focal / 15e-3
    ohm = math.log((1 + e) / (1 - e)) / (8 * math.pi * SIGMA * focal)
    assert ohm == pytest.approx(97.9565, rel=1e-5)
