"""Conductivity that follows temperature (rows A22 and A23)."""

import itertools
import math

import pytest
import torch

from netseg.domain.errors import StudyRejectedError
from netseg.simulate.conductivity import RisingConductivity, VaryingConductivity
from netseg.simulate.diffusion import Diffusion
from netseg.simulate.phase import PhaseLaw
from netseg.simulate.stepping import Conduction, conduct
from netseg.simulate.tissue import Tissue

K0, RHO_C, B = 0.52, 3.82e6, 0.01
LIVER = RisingConductivity(rise_1_k=B, highest_excess_k=1e3)


def equation(shape, spacing_mm, *, fixed, law=LIVER):
    base = torch.full(shape, K0, dtype=torch.float64)
    return Conduction(
        diffusion=Diffusion.assemble(base, spacing_mm, fixed=fixed),
        inverse_capacity=torch.full(shape, 1 / RHO_C, dtype=torch.float64),
        law=PhaseLaw(latent_k=0.0),
        varying=VaryingConductivity(
            base_w_mk=base, law=law, spacing_mm=spacing_mm, fixed=fixed, refresh_k=0.0
        ),
    )


def test_liver_conducts_a_sixth_better_at_boiling_and_no_better_beyond():
    """0.52 (1 + 0.0025 x 63) = 0.6019 W/(m K) at 100 C; steam is no reason to conduct more."""
    law = Tissue(k_rise_1_k=0.0025).conductivity
    excess = torch.tensor([0.0, 20.0, 63.0, 90.0])
    k = law.k_w_mk(torch.full((4,), 0.52), excess, torch.zeros(4))
    assert k.tolist() == pytest.approx([0.52, 0.546, 0.6019, 0.6019], abs=1e-6)


def test_a_tissue_without_a_rise_has_no_law():
    assert Tissue(k_rise_1_k=0.0).conductivity is None


@pytest.mark.parametrize(
    ("rise", "met"), [(0.25, "at most 0.05"), (math.nan, "at most 0.05"), (-0.02, "stay positive")]
)
def test_a_rise_that_is_no_fraction_per_kelvin_is_refused(rise, met):
    with pytest.raises(StudyRejectedError, match=met):
        RisingConductivity(rise_1_k=rise)


def test_a_wall_with_rising_conductivity_has_the_kirchhoff_profile():
    """Steady, 0 and 60 K at the walls: T + b T^2/2 is linear, (1 + b T)^2 = 1 + x (2.56 - 1)."""
    n = 40
    wall = equation((n, 1, 1), (1.0, 1.0, 1.0), fixed=())
    heat = torch.linspace(0, 60, n, dtype=torch.float64)[:, None, None]
    inverse = wall.inverse_capacity.clone()
    inverse[0] = inverse[-1] = 0.0
    held = Conduction(
        diffusion=wall.diffusion, inverse_capacity=inverse, law=wall.law, varying=wall.varying
    )
    for _ in range(1500):
        heat, _ = conduct(heat, held.renewed(heat), torch.zeros_like(heat), step_s=60.0, stages=19)
    x = torch.linspace(0, 1, n, dtype=torch.float64)
    exact = (torch.sqrt(1 + x * (1.6**2 - 1)) - 1) / B
    assert float((heat[:, 0, 0] - exact).abs().max()) < 0.01
    assert float((heat[:, 0, 0] - 60 * x).abs().max()) > 3.0  # constant k would be linear


def manufactured(h, step_s, *, stages=5, until_s=40.0, length_mm=20.0):
    """Largest error against T = 40 exp(-t/tau) cos(pi x / L), whose source is known in closed form.

    rho c T_t = (k(T) T_x)_x + Q with k = K0 (1 + b T) gives
    Q = -rho c T / tau + K0 (1 + b T) w^2 T - K0 b (T_x)^2, w = pi / L; the box is insulated.
    """
    n, tau, w = round(length_mm / h), 60.0, math.pi / (length_mm * 1e-3)
    x = (torch.arange(n, dtype=torch.float64) + 0.5) * h * 1e-3
    box = equation((n, 1, 1), (h, h, h), fixed=())

    def exact(t):
        return 40 * math.exp(-t / tau) * torch.cos(w * x)[:, None, None]

    def source(t):
        now = exact(t)
        slope = 40 * math.exp(-t / tau) * w * torch.sin(w * x)[:, None, None]
        rise = K0 * (1 + B * now) * w**2 * now - K0 * B * slope**2
        return -RHO_C * now / tau + rise

    heat = exact(0.0)
    for step in range(round(until_s / step_s)):
        t = step * step_s
        middle = source(t + step_s / 2)
        heat, _ = conduct(heat, box.renewed(heat), middle, step_s=step_s, stages=stages)
    return float((heat - exact(until_s)).abs().max())


def test_a_manufactured_solution_with_rising_conductivity_converges_in_space():
    """A22: second order in h (steps so short that time's error does not show)."""
    coarse, fine = manufactured(2.0, 0.05), manufactured(1.0, 0.05)
    assert math.log2(coarse / fine) >= 1.9


def test_a_manufactured_solution_with_rising_conductivity_converges_in_time():
    """A22: first order in dt, since conductivity is that of the step's start."""
    coarse, fine = (manufactured(0.25, step_s, stages=21) for step_s in (4.0, 2.0))
    assert math.log2(coarse / fine) >= 1.0


def test_turning_the_grid_turns_the_result_with_varying_conductivity():
    """A23: all 24 rotations and their mirror images."""
    heat = 60 * torch.rand(7, 7, 7, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    cube = equation((7, 7, 7), (1.0, 1.0, 1.0), fixed=("i-", "i+", "j-", "j+", "k-", "k+"))

    def stepped(heat):
        return conduct(heat, cube.renewed(heat), 1e5 * heat, step_s=4.0, stages=7)[0]

    plain = stepped(heat)
    for axes, flips in itertools.product(itertools.permutations(range(3)), range(8)):
        turned = [a for a in range(3) if flips >> a & 1]

        def turn(x, axes=axes, turned=turned):
            return x.permute(axes).flip(turned).contiguous()

        assert torch.allclose(stepped(turn(heat)), turn(plain), rtol=1e-12)
