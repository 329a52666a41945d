"""Rows of the heat equation with closed forms: A4, A18, A20 and A21."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import fft, integrate, special

from netseg.simulate.diffusion import Diffusion
from netseg.simulate.phase import PhaseLaw
from netseg.simulate.stepping import Conduction, conduct, perfuse

K, RHO_C = 0.52, 1079.0 * 3540.0
D = K / RHO_C * 1e6  # mm2/s
P = 3.6135e-3
DRY = PhaseLaw()


def radial(n, *, first=1.5, farthest=1e9, rho_c=RHO_C):
    """Tissue around a sphere of 1.5 mm, in cells of equal x = a / r.

    With x = a/r the radial flow 4 pi r^2 k dT/dr is 4 pi a k dT/dx: conduction is that of a plane
    wall, to infinity at x = 0; only capacity, a^3 / x^4 per dx, knows that it is a sphere. Lengths
    are in units of a.
    """
    low = first / farthest
    h = (1 - low) / n
    x = low + (torch.arange(n, dtype=torch.float64) + 0.5) * h
    capacity = rho_c * (first * 1e-3) ** 2 / x**4  # so that k T_xx + Q a^2/x^4 = capacity T_t
    return x[:, None, None], h, capacity[:, None, None]


def dense(operator, n):
    """The operator's matrix, column by column."""
    columns = torch.eye(n, dtype=torch.float64)[:, :, None, None]
    return torch.stack([operator.apply(c)[:, 0, 0] for c in columns], 1)


def heated_sphere(volts, *, cooled, n=400, sigma=0.2, k=0.5):
    """Steady potential by current, its Joule heat, and the temperature it makes; in x = a/r."""
    x, h, _ = radial(n)
    size = (1e3 * h, 1e3, 1e3)  # the operator takes millimetres
    ground = ("i-",)  # x = 0 is infinity
    field = Diffusion.assemble(torch.full_like(x, sigma), size, fixed=ground)
    current = torch.zeros(n, dtype=torch.float64)
    current[-1] = 1.0 / h  # one unit through the electrode
    potential = torch.linalg.solve(-dense(field, n), current)
    wall = float(potential[-1]) + 0.5 * h / sigma
    scale = volts / wall
    joule = field.dissipation(scale * potential[:, None, None])[:, 0, 0]
    joule[-1] += scale**2 * (0.5 * h / sigma) / h  # from the last centre to the metal
    sides = ("i-", "i+") if cooled else ground
    heat = Diffusion.assemble(torch.full_like(x, k), size, fixed=sides)
    excess = torch.linalg.solve(-dense(heat, n), joule)
    return 1.5 / x[:, 0, 0], excess


def test_an_insulated_electrode_is_hottest_by_the_kohlrausch_identity():
    """A4: sigma V^2/(2 k) = 63 K at the metal; 47.25, 32.13 and 17.4825 K at 3, 5 and 10 mm."""
    r, excess = heated_sphere(17.7482, cooled=False)
    assert float(excess.max()) == pytest.approx(63.0, rel=0.005)
    found = np.interp([3.0, 5.0, 10.0], r.numpy()[::-1], excess.numpy()[::-1])
    assert found == pytest.approx([47.25, 32.13, 17.4825], rel=0.005)


def test_a_cooled_electrode_is_hottest_at_twice_its_radius():
    """A4: sigma V^2/(8 k) = 45 K at 3 mm; 33.75, 37.8 and 22.95 K at 2, 5 and 10 mm."""
    r, excess = heated_sphere(30.0, cooled=True)
    assert float(excess.max()) == pytest.approx(45.0, rel=0.005)
    assert float(r[excess.argmax()]) == pytest.approx(3.0, rel=0.01)
    found = np.interp([2.0, 5.0, 10.0], r.numpy()[::-1], excess.numpy()[::-1])
    assert found == pytest.approx([33.75, 37.8, 22.95], rel=0.005)


def box(shape, spacing_mm, *, dtype=torch.float32, fixed=()):
    k = torch.full(shape, K, dtype=dtype)
    return Conduction(
        diffusion=Diffusion.assemble(k, spacing_mm, fixed=fixed),
        inverse_capacity=torch.full(shape, 1 / RHO_C, dtype=dtype),
        law=DRY,
    )


def test_any_field_follows_the_exact_propagator_to_round_off():
    """A18: noise of 40 K with a source and perfusion in a closed box, 75 steps of 0.5 s.

    In cosines every step multiplies each mode by its own number, so the oracle is exact in fp64;
    k-Wave's unit test of this kind passes at 3e-5 K.
    """
    shape, spacing, dt = (24, 20, 16), (1.0, 1.2, 1.5), 0.5
    random = np.random.default_rng(5)
    start, power = 40 * random.random(shape), 1e6 * random.random(shape)
    waves = [
        (2 - 2 * np.cos(np.pi * np.arange(n) / n)) * D / h**2
        for n, h in zip(shape, spacing, strict=True)
    ]
    decay = waves[0][:, None, None] + waves[1][None, :, None] + waves[2][None, None, :]
    mode, pushed = fft.dctn(start, norm="ortho"), fft.dctn(power / RHO_C, norm="ortho")
    blood = math.exp(-P * dt / 2)
    for _ in range(75):
        mode = blood * ((1 - decay * dt) * (blood * mode) + dt * pushed)
    oracle = fft.idctn(mode, norm="ortho")
    equation, heat = box(shape, spacing), torch.from_numpy(start).float()
    source = torch.from_numpy(power).float()
    for _ in range(75):
        heat = perfuse(heat, P, DRY, step_s=dt / 2)
        heat, _ = conduct(heat, equation, source, step_s=dt)
        heat = perfuse(heat, P, DRY, step_s=dt / 2)
    assert float(np.abs(heat.numpy() - oracle).max()) < 3e-5


def laser_k(r_mm, z_mm, t_s, *, width_mm=3.0, mu_1_mm=0.35, q_w_m3=2e7):
    """A20: Q exp(-r^2/w^2) exp(-mu z) from t = 0 into a half space with an insulated surface.

    Green's integral over the age of heat: the beam's width grows to w^2 + 4 D tau, its depth is the
    even continuation of exp(-mu z) spread by a Gaussian of 4 D tau.
    """

    def older(tau):
        s = math.sqrt(D * tau)
        wide = width_mm**2 + 4 * D * tau
        across = width_mm**2 / wide * math.exp(-(r_mm**2) / wide)
        shift = z_mm / (2 * s)
        # exp(x^2) erfc(x) and erfc apart: mu s stays below 1 here
        deep = math.exp((mu_1_mm * s) ** 2) * (
            math.exp(-mu_1_mm * z_mm) * special.erfc(mu_1_mm * s - shift)
            + math.exp(mu_1_mm * z_mm) * special.erfc(mu_1_mm * s + shift)
        )
        return across * 0.5 * deep

    return q_w_m3 / RHO_C * integrate.quad(older, 1e-9, t_s, epsabs=1e-10)[0]


@pytest.mark.parametrize("t_s", [5.0, 30.0])
def test_a_laser_heats_as_greens_integral_says(t_s):
    """A20 in a quarter of the tissue at 0.5 mm: within 1 % or 0.07 K."""
    h, n, width, mu = 0.5, 40, 3.0, 0.35
    at = (np.arange(n) + 0.5) * h
    radius2 = at[:, None, None] ** 2 + at[None, :, None] ** 2
    source = 2e7 * np.exp(-radius2 / width**2) * np.exp(-mu * at)[None, None, :]
    equation = box((n, n, n), (h, h, h), fixed=("i+", "j+", "k+"))
    heat = torch.zeros(n, n, n)
    for _ in range(round(t_s / 0.25)):
        heat, _ = conduct(heat, equation, torch.from_numpy(source).float(), step_s=0.25)
    for i, j, k in itertools.product((0, 3, 8), (0, 6), (0, 4, 12)):
        exact = laser_k(math.hypot(at[i], at[j]), at[k], t_s)
        assert float(heat[i, j, k]) == pytest.approx(exact, rel=0.01, abs=0.07)


def cooled_course(
    *, film_w_m2k=None, precooled_s=0.0, until_s=(10.0, 30.0, 120.0), volts=30.0, farthest=60.0
):
    """Temperature around a cooled sphere after the current went on, at the given times.

    `film_w_m2k` None holds the metal at the coolant's 5 C (Dirichlet); a number is Newton cooling.
    """
    n, k, sigma, coolant_k = 30, 0.5, 0.2, -32.0
    x, h, capacity = radial(n, farthest=farthest)
    size = (1e3 * h, 1e3, 1e3)
    inverse = 1.0 / capacity
    joule = torch.full_like(x, sigma * volts**2)
    # one more cell: the coolant, held; its film stands between it and the tissue
    x1 = torch.cat((x, torch.ones(1, 1, 1, dtype=torch.float64)))
    strength = 1e9 if film_w_m2k is None else film_w_m2k * 1.5e-3  # h a, for lengths in a
    film = torch.zeros_like(x1)
    film[-1] = strength
    pad = torch.zeros(1, 1, 1, dtype=torch.float64)
    equation = Conduction(
        diffusion=Diffusion.assemble(torch.full_like(x1, k), size, fixed=("i-",), film=film),
        inverse_capacity=torch.cat((inverse, pad)),
        law=DRY,
    )
    heat = torch.zeros_like(x1)
    heat[-1] = coolant_k
    step_s = 0.5
    limit = equation.explicit_limit_s()
    stages = 3
    while step_s > limit * (stages**2 + stages - 2) / 4:
        stages += 2
    nothing, heating = torch.zeros_like(x1), torch.cat((joule, pad))
    for _ in range(round(precooled_s / step_s)):
        heat, _ = conduct(heat, equation, nothing, step_s=step_s, stages=stages)
    found, now = [], 0.0
    for until in until_s:
        for _ in range(round((until - now) / step_s)):
            heat, _ = conduct(heat, equation, heating, step_s=step_s, stages=stages)
        now = until
        found.append(heat[:-1, 0, 0].clone())
    return 1.5 / x[:, 0, 0], found


def test_a_cooled_sphere_ends_where_its_closed_form_says():
    """A21's steady state: T = c x + (sigma V^2/k) (x - x^2)/2 with the coolant at c = -32 K."""
    r, (late,) = cooled_course(until_s=(450.0,), farthest=12.0)
    x = 1.5 / r
    low = 1.5 / 12.0
    way = (x - low) / (1 - low)
    exact = -32.0 * way + 0.2 * 900 / 0.5 * 0.5 * (x - low) * (1 - x)
    assert float((late - exact).abs().max()) < 0.2


def test_precooling_is_forgotten_after_two_minutes_but_not_before_half_a_minute():
    """A21 (Rivera et al. 2009, abstract): without precooling, short courses come out too hot.

    By Newton's law the more so the stronger the film; at 120 s the profiles are alike.
    """
    excess = {}
    for film in (None, 500.0, 3366.0):
        _, plain = cooled_course(film_w_m2k=film)
        _, cooled = cooled_course(film_w_m2k=film, precooled_s=60.0)
        excess[film] = [float((a - b).max()) for a, b in zip(plain, cooled, strict=True)]
        assert all(float((a - b).min()) > -0.05 for a, b in zip(plain, cooled, strict=True))
        assert excess[film][0] > 3.0 * excess[film][2]
        assert excess[film][2] < 2.0
    assert excess[500.0][0] < excess[3366.0][0] < excess[None][0] + 0.05


def test_a_strong_film_is_a_held_temperature():
    """A21: Newton's law goes over into the held temperature as h grows; at 500 W/(m2 K) it has not."""
    _, (held,) = cooled_course(until_s=(30.0,))
    wrong = []
    for film in (500.0, 3366.0, 1e5):
        _, (newton,) = cooled_course(film_w_m2k=film, until_s=(30.0,))
        wrong.append(float((newton - held).abs().max()))
    assert wrong[0] > wrong[1] > wrong[2]
    assert wrong[0] > 10.0
    assert wrong[2] < 1.0
