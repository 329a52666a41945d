"""Heat conduction with perfusion against closed forms (rows A1-A3, A17, A18, A22, A23)."""

import itertools
import math

import pytest
import torch

from netseg.domain.errors import StudyRejectedError
from netseg.simulate.diffusion import Diffusion
from netseg.simulate.phase import PhaseLaw
from netseg.simulate.stepping import Conduction, conduct, perfuse, stages_for

K, RHO_C = 0.52, 1079.0 * 3540.0
D = K / RHO_C * 1e6  # mm2/s
P = 3.6135e-3  # 1/s: 0.0036 of blood over liver
DRY = PhaseLaw(latent_k=0.0)


def liver(shape, spacing_mm, *, dtype=torch.float32, fixed=("i-", "i+", "j-", "j+", "k-", "k+")):
    conductivity = torch.full(shape, K, dtype=dtype)
    return Conduction(
        diffusion=Diffusion.assemble(conductivity, spacing_mm, fixed=fixed),
        inverse_capacity=torch.full(shape, 1.0 / RHO_C, dtype=dtype),
        law=DRY,
    )


def squared_distance(shape, h, *, dtype=torch.float32):
    """From the grid's middle, in mm2."""
    axes = [(torch.arange(n, dtype=dtype) - (n - 1) / 2) * h for n in shape]
    return sum(a**2 for a in torch.meshgrid(*axes, indexing="ij"))


def march(heat, conduction, source, *, until_s, step_s, rate=0.0):
    for _ in range(round(until_s / step_s)):
        heat = perfuse(heat, rate, DRY, step_s=step_s / 2)
        heat, _ = conduct(heat, conduction, source, step_s=step_s)
        heat = perfuse(heat, rate, DRY, step_s=step_s / 2)
    return heat


@pytest.mark.parametrize(
    ("rate", "after_10_s", "after_60_s"), [(P, 28.7073, 9.19073), (0.0, 29.7636, 11.4159)]
)
def test_a_warm_ball_cools_as_the_closed_form_says(rate, after_10_s, after_60_s):
    """A1: 40 K exp(-r2/25 mm2) at 1 mm."""
    shape, h = (49, 49, 49), 1.0
    equation, nothing = liver(shape, (h, h, h)), torch.zeros(shape)
    heat = 40 * torch.exp(-squared_distance(shape, h) / 25)
    heat = march(heat, equation, nothing, until_s=10, step_s=0.5, rate=rate)
    assert float(heat[24, 24, 24]) == pytest.approx(after_10_s, rel=0.01)
    heat = march(heat, equation, nothing, until_s=50, step_s=0.5, rate=rate)
    assert float(heat[24, 24, 24]) == pytest.approx(after_60_s, abs=0.07)


@pytest.mark.parametrize(
    ("rate", "after_300_s", "after_600_s"), [(P, 0.65413, 0.086707), (0.0, 1.93405, 0.75797)]
)
def test_a_warm_ball_is_right_late_on_a_coarse_grid(rate, after_300_s, after_600_s):
    """A1 at 2 mm, where half the width of the ball is resolved by 2.5 cells."""
    shape, h = (45, 45, 45), 2.0
    equation, nothing = liver(shape, (h, h, h)), torch.zeros(shape)
    heat = 40 * torch.exp(-squared_distance(shape, h) / 25)
    heat = march(heat, equation, nothing, until_s=300, step_s=2.0, rate=rate)
    assert float(heat[22, 22, 22]) == pytest.approx(after_300_s, abs=0.07)
    heat = march(heat, equation, nothing, until_s=300, step_s=2.0, rate=rate)
    assert float(heat[22, 22, 22]) == pytest.approx(after_600_s, abs=0.07)


def ten_watts_k(r_mm, t_s, rate):
    """A2 in closed form: an infinite medium, 10 W in a point from t = 0 on."""
    decay = math.sqrt(rate / D)
    near, far = r_mm / math.sqrt(4 * D * t_s), math.sqrt(rate * t_s)
    both = math.exp(-decay * r_mm) * math.erfc(near - far)
    both += math.exp(decay * r_mm) * math.erfc(near + far)
    return 10.0 / (8 * math.pi * K * r_mm * 1e-3) * both


@pytest.mark.parametrize(
    ("rate", "after_60_s", "after_600_s"), [(0.0, 2.04401, 66.4149), (P, 1.71779, 28.7313)]
)
def test_the_closed_form_is_the_published_row(rate, after_60_s, after_600_s):
    assert ten_watts_k(10, 60, rate) == pytest.approx(after_60_s, rel=1e-4)
    assert ten_watts_k(10, 600, rate) == pytest.approx(after_600_s, rel=1e-4)


@pytest.mark.parametrize("rate", [0.0, P], ids=["no blood", "perfused"])
@pytest.mark.parametrize(
    ("h", "n", "step_s", "t_s"),
    [(0.5, 48, 0.25, 60), pytest.param(0.8, 56, 0.75, 600, marks=pytest.mark.slow)],
)
def test_ten_watts_in_a_point(h, n, step_s, t_s, rate):
    """A2 in one octant, 10 to 20 mm from the source: within 1 % or 0.07 K.

    In the first minute the front is steep at 10 mm: on axis 1 mm cells are then 0.2 K high, which
    is why this row is run finer.
    """
    shape = (n, n, n)
    equation = liver(shape, (h, h, h), fixed=("i+", "j+", "k+"))
    source = torch.zeros(shape)
    source[0, 0, 0] = 10.0 / 8 / (h * 1e-3) ** 3
    heat = march(torch.zeros(shape), equation, source, until_s=t_s, step_s=step_s, rate=rate)
    for cell in itertools.product(range(0, round(20 / h), round(3 / h)), repeat=3):
        r = h * math.sqrt(sum((c + 0.5) ** 2 for c in cell))
        if 10 <= r <= 20:
            exact = ten_watts_k(r, t_s, rate)
            assert float(heat[cell]) == pytest.approx(exact, rel=0.01, abs=0.07)


@pytest.mark.parametrize(
    ("rate", "until_s", "expected_k"),
    [(0.0, 600, (158.246, 68.1688, 11.6654)), (P, 2400, (84.6175, 27.7095, 3.94963))],
    ids=["growing", "steady"],
)
def test_a_line_source_of_500_w_per_metre(rate, until_s, expected_k):
    """A3: E1 while growing, K0 when perfused and steady; 5, 10 and 20 mm away."""
    shape, h = (121, 121, 1), 1.0
    source = torch.zeros(shape)
    source[60, 60, 0] = 500.0 / (h * 1e-3) ** 2
    equation = liver(shape, (h, h, h), fixed=("i-", "i+", "j-", "j+"))
    heat = march(torch.zeros(shape), equation, source, until_s=until_s, step_s=1.5, rate=rate)
    measured = [float(heat[60 + r, 60, 0]) for r in (5, 10, 20)]
    assert measured == pytest.approx(expected_k, rel=0.01)


def test_a_cosine_decays_by_its_discrete_eigenvalue_to_the_last_bit():
    """A18 in a closed box: cosines are the operator's exact modes, whatever the step."""
    shape, spacing = (12, 10, 8), (1.0, 1.5, 2.0)
    equation = liver(shape, spacing, dtype=torch.float64, fixed=())
    waves = [torch.cos(math.pi * (torch.arange(n).double() + 0.5) * 2 / n) for n in shape]
    mode = waves[0][:, None, None] * waves[1][None, :, None] * waves[2][None, None, :]
    eigenvalue = sum(
        (2 - 2 * math.cos(2 * math.pi / n)) * D / h**2 for n, h in zip(shape, spacing, strict=True)
    )
    heat = march(mode, equation, torch.zeros_like(mode), until_s=20, step_s=0.5)
    assert torch.allclose(heat, mode * (1 - 0.5 * eigenvalue) ** 40, atol=1e-13)


def decay_error(h, *, step_s, stages=1):
    n = round(48 / h) + 1
    equation = liver((n,) * 3, (h,) * 3, dtype=torch.float64)
    heat = 40 * torch.exp(-squared_distance((n,) * 3, h, dtype=torch.float64) / 36)
    for _ in range(round(16 / step_s)):
        heat, _ = conduct(heat, equation, torch.zeros_like(heat), step_s=step_s, stages=stages)
    return float(heat[n // 2, n // 2, n // 2]) - 40 * (36 / (36 + 4 * D * 16)) ** 1.5


def test_the_error_falls_with_the_square_of_the_spacing():
    coarse, fine = (decay_error(h, step_s=0.05) for h in (3.0, 1.5))
    assert math.log2(coarse / fine) >= 1.9


def mode_error(*, step_s, stages):
    """One cosine over 64 s, against exp(-lambda t) of the same grid: the error of time alone."""
    n, h = 16, 1.0
    equation = liver((n, 1, 1), (h,) * 3, dtype=torch.float64, fixed=())
    mode = torch.cos(math.pi * (torch.arange(n).double() + 0.5) * 4 / n)[:, None, None]
    eigenvalue = (2 - 2 * math.cos(4 * math.pi / n)) * D / h**2
    heat = mode
    for _ in range(round(64 / step_s)):
        heat, _ = conduct(heat, equation, torch.zeros_like(mode), step_s=step_s, stages=stages)
    return float(heat[0, 0, 0] / mode[0, 0, 0]) - math.exp(-eigenvalue * 64)


def test_the_explicit_step_is_first_order_and_super_time_stepping_second():
    coarse, fine = (mode_error(step_s=s, stages=1) for s in (0.5, 0.25))
    assert math.log2(coarse / fine) == pytest.approx(1.0, abs=0.05)
    coarse, fine = (mode_error(step_s=s, stages=5) for s in (8.0, 4.0))
    assert math.log2(coarse / fine) >= 1.9


def test_super_time_stepping_carries_steps_that_explicit_stepping_cannot():
    """A1 by 5 s steps, four times the explicit limit of h^2/(6D) = 1.22 s at 1 mm."""
    shape = (49, 49, 49)
    equation = liver(shape, (1.0, 1.0, 1.0))
    limit = equation.explicit_limit_s()
    assert limit == pytest.approx(1.0 / (6 * D), rel=0.01)
    stages = stages_for(5.0, limit)
    assert stages == 5
    heat = 40 * torch.exp(-squared_distance(shape, 1.0) / 25)
    for _ in range(12):
        heat, _ = conduct(heat, equation, torch.zeros(shape), step_s=5.0, stages=stages)
    assert float(heat[24, 24, 24]) == pytest.approx(11.4159, rel=0.01)


def test_a_step_that_no_number_of_stages_can_carry_is_refused():
    with pytest.raises(StudyRejectedError, match="unstable step"):
        stages_for(1e6, 1.2)


@pytest.mark.parametrize("step_s", [0.0, -1.0, math.nan])
def test_a_step_that_is_no_time_is_refused(step_s):
    with pytest.raises(StudyRejectedError, match="positive number of seconds"):
        stages_for(step_s, 1.2)


def test_turning_the_grid_turns_the_result():
    """A23: all 24 rotations of a heterogeneous cube."""
    generator = torch.Generator().manual_seed(7)
    k = 0.3 + torch.rand(9, 9, 9, generator=generator, dtype=torch.float64)
    heat = torch.rand(9, 9, 9, generator=generator, dtype=torch.float64)

    def stepped(k, heat):
        equation = Conduction(
            diffusion=Diffusion.assemble(k, (1.0, 1.0, 1.0)),
            inverse_capacity=torch.full_like(k, 1 / RHO_C),
            law=DRY,
        )
        return conduct(heat, equation, k, step_s=5.0, stages=9)[0]

    plain = stepped(k, heat)
    for axes, flips in itertools.product(itertools.permutations(range(3)), range(8)):
        turned = [a for a in range(3) if flips >> a & 1]

        def turn(x, axes=axes, turned=turned):
            return x.permute(axes).flip(turned).contiguous()

        assert torch.allclose(stepped(turn(k), turn(heat)), turn(plain), rtol=1e-12)


def test_the_operator_is_symmetric_and_an_insulated_box_keeps_its_heat():
    """A23 (iii)."""
    generator = torch.Generator().manual_seed(3)
    k, u, v = (torch.rand(6, 7, 8, generator=generator, dtype=torch.float64) for _ in range(3))
    closed = Diffusion.assemble(k + 0.1, (1.0, 2.0, 3.0), fixed=())
    assert float((u * closed.apply(v)).sum()) == pytest.approx(float((v * closed.apply(u)).sum()))
    assert float(closed.apply(torch.ones_like(u)).abs().max()) < 1e-9
    assert closed.outflow(u) == 0.0


def test_what_leaves_through_the_border_is_what_the_tissue_loses():
    shape = (8, 9, 10)
    equation = liver(shape, (1.0, 1.0, 1.0), dtype=torch.float64)
    heat = torch.rand(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for stages in (1, 5):
        after, lost = conduct(heat, equation, torch.zeros_like(heat), step_s=0.8, stages=stages)
        assert lost == pytest.approx(float((heat - after).sum()) * RHO_C, rel=1e-9)


@pytest.mark.parametrize(
    ("film", "expected_w_m"), [(100.0, 68.778), (230.0, 72.517), (1000.0, 74.929)]
)
def test_a_film_adds_its_resistance_in_series(film, expected_w_m):
    """A17 as a radial line of cells: annulus 1.5 to 20 mm, +60 K inside, film at 20 mm.

    Cells of equal radial thickness with k scaled by radius make the plane operator radial.
    """
    n, h = 200, 18.5 / 200
    radius = 1.5 + (torch.arange(n, dtype=torch.float64) + 0.5) * h
    k = torch.cat((torch.tensor([1e9], dtype=torch.float64), K * radius * 1e-3 * 2 * math.pi))
    k = torch.cat((k, torch.ones(1, dtype=torch.float64)))[:, None, None]
    films = torch.zeros_like(k)
    films[-1] = film * 2 * math.pi * 20e-3
    operator = Diffusion.assemble(k, (h, h, h), fixed=(), film=films)
    resistance = (1 / (operator.inner[0] * (h * 1e-3))).sum() / 1.0
    assert 60.0 / float(resistance * 1.0) * 1.0 == pytest.approx(expected_w_m, rel=1e-3)


def test_a_coefficient_that_is_not_positive_is_refused():
    with pytest.raises(ValueError, match="positive and finite"):
        Diffusion.assemble(torch.zeros(3, 3, 3), (1.0, 1.0, 1.0))
    with pytest.raises(ValueError, match="sides are named"):
        Diffusion.assemble(torch.ones(3, 3, 3), (1.0, 1.0, 1.0), fixed=("top",))


def test_boiling_takes_the_latent_heat_before_temperature_rises():
    """74 % water: 472 K of heat content pass between 100 C and dry tissue."""
    law = PhaseLaw(latent_k=0.74 * 2.26e6 / 3540, width_k=2.0, dry_slope=4.0)
    heat = torch.tensor([50.0, 63.0, 63.0 + law.latent_k / 2, 63.0 + law.latent_k, 600.0])
    excess = law.excess(heat)
    assert law.latent_k == pytest.approx(472.4, abs=0.1)
    assert excess[:4].tolist() == pytest.approx([50.0, 63.0, 64.0, 65.0], abs=1e-3)
    assert float(excess[4]) == pytest.approx(65.0 + 4.0 * (600 - 63 - law.latent_k), rel=1e-4)
    assert law.vapour(heat).tolist()[:4] == pytest.approx([0.0, 0.0, 0.5, 1.0], abs=1e-6)
    assert law.steepest(500.0) == 1.0
    assert law.steepest(600.0) == 4.0
