"""The electric field of thin needles (rows A4, A9, A23)."""

import math

import pytest
import torch

from netseg.domain.errors import StudyRejectedError
from netseg.simulate.diffusion import FACES, Diffusion
from netseg.simulate.electric import conjugate_gradients, field_strength, unit_field
from netseg.simulate.needle import KERNEL_RADIUS, REACH, LineKernel, Needle

SIGMA = 0.2


def field_of_a_spheroid(n, h, *, direction=(0.0, 0.0, 1.0), shift=(0.3, 0.45, 0.2), tolerance=1e-4):
    """A9: a needle of 30 mm tapering like a prolate spheroid of 1.5 mm, in a grounded box."""
    shape, spacing = (n, n, n), (h, h, h)
    sigma = torch.full(shape, SIGMA)
    middle = [(n - 1) / 2 * h + s * h for s in shift]
    tip = tuple(m - 15 * d for m, d in zip(middle, direction, strict=True))
    needle = Needle(tip_mm=tip, direction=direction, active_length_mm=30.0, diameter_mm=1.5)
    kernel = LineKernel.embed(needle, shape, spacing, like=sigma)
    radius = 0.75e-3 * torch.sqrt(1 - (kernel.offsets_m / 15e-3) ** 2)
    return unit_field(
        Diffusion.assemble(sigma, spacing),
        [(kernel, kernel.link(sigma, radius_m=radius))],
        cell_m3=(h * 1e-3) ** 3,
        start=torch.zeros(shape),
        tolerance=tolerance,
    )


@pytest.mark.parametrize("direction", [(0, 0, 1), (1, 0, 0), (0.6, 0.0, 0.8), (3**-0.5,) * 3])
def test_a_needle_thinner_than_a_cell_has_the_resistance_of_the_spheroid(direction):
    """A9: 97.9565 ohm in an infinite medium; two boxes, R(L) = R - c/L, give the infinite one."""
    small, large = (field_of_a_spheroid(n, 2.0, direction=direction) for n in (36, 54))
    infinite = large.impedance_ohm + (large.impedance_ohm - small.impedance_ohm) / (54 / 36 - 1)
    assert infinite == pytest.approx(97.9565, rel=0.02)


def test_resistance_does_not_notice_where_between_the_cells_the_needle_lies():
    generator = torch.Generator().manual_seed(5)
    ohms = []
    for _ in range(6):
        shift = (torch.rand(3, generator=generator) - 0.5).tolist()
        ohms.append(field_of_a_spheroid(36, 2.0, shift=shift).impedance_ohm)
    assert max(ohms) - min(ohms) < 0.002 * min(ohms)


def test_the_generators_power_is_the_heat_in_the_tissue():
    """A23 (ii): at 1 V the current is the power; Joule heat is summed from the faces."""
    field = field_of_a_spheroid(36, 2.0)
    heat = float(field.joule_w_m3.sum(dtype=torch.float64)) * 8e-9
    assert heat == pytest.approx(field.conductance_s, rel=1e-5)
    assert float(field.joule_w_m3.min()) >= 0


def test_power_is_right_long_before_the_field_is():
    """Variational: a residual of 1 % leaves the power right to 1e-3."""
    rough, fine = (field_of_a_spheroid(36, 2.0, tolerance=t) for t in (1e-2, 1e-6))
    assert rough.iterations < fine.iterations
    assert rough.impedance_ohm == pytest.approx(fine.impedance_ohm, rel=1e-3)


def test_kohlrausch_the_hottest_tissue_follows_from_the_voltage_alone():
    """A4: sigma V^2/(2k) = 63.000 K at 17.7482 V, whatever the shape of an uncooled electrode.

    An irregular electrode in an irregular ground: with Joule heat gathered from the faces the
    identity T = sigma/k (V0 V - V^2/2) holds on the grid itself, not only in the limit.
    """
    k, volts, n = 0.5, 17.7482, 14
    generator = torch.Generator().manual_seed(11)
    electrode = torch.zeros(n, n, n, dtype=torch.bool)
    electrode[4:9, 6:8, 5] = electrode[6, 6:11, 5:9] = True
    ground = torch.rand(n, n, n, generator=generator) < 0.05
    ground &= ~electrode
    ground[0] = True
    current = Diffusion.assemble(
        torch.full((n, n, n), SIGMA, dtype=torch.float64), (1.0, 1.0, 1.0), fixed=()
    )
    heat = Diffusion.assemble(
        torch.full((n, n, n), k, dtype=torch.float64), (1.0, 1.0, 1.0), fixed=()
    )

    def held(operator, cells, value, source):
        """Solve with some cells held at a value (by a very large conductance)."""
        tie = torch.where(cells, 1e6 * float(operator.diagonal().max()), 0.0).double()
        return conjugate_gradients(
            lambda x: tie * x - operator.apply(x),
            source + tie * value,
            start=value.clone(),
            inverse_diagonal=1.0 / (operator.diagonal() + tie),
            tolerance=1e-14,
        )[0]

    nothing = torch.zeros(n, n, n, dtype=torch.float64)
    voltage = held(current, electrode | ground, torch.where(electrode, volts, nothing), nothing)
    temperature = held(heat, ground, nothing, current.dissipation(voltage))
    assert float(temperature.max()) == pytest.approx(63.000, rel=1e-4)
    identity = SIGMA / k * (volts * voltage - voltage**2 / 2)
    assert torch.allclose(temperature, identity, atol=1e-2)


def test_the_kernels_radius_is_the_mean_distance_of_its_points():
    generator = torch.Generator().manual_seed(2)
    points = torch.randn(2_000_000, 3, generator=generator, dtype=torch.float64)
    kept = points[points.norm(dim=1) <= REACH][:, :2]  # seen along the line
    mean = torch.log((kept[::2][: len(kept) // 2] - kept[1::2]).norm(dim=1)).mean()
    width = kept.square().mean().sqrt()
    assert math.exp(float(mean)) == pytest.approx(KERNEL_RADIUS * float(width), rel=3e-3)


def test_a_needle_that_leaves_the_grid_is_refused():
    needle = Needle(
        tip_mm=(10.0, 10.0, 2.0), direction=(0, 0, 1), active_length_mm=30, diameter_mm=1.5
    )
    with pytest.raises(StudyRejectedError, match="probe outside the grid"):
        LineKernel.embed(needle, (20, 20, 20), (2.0, 2.0, 2.0), like=torch.zeros(()))


def test_a_grid_finer_than_the_needle_is_refused():
    needle = Needle(
        tip_mm=(5.0, 5.0, 3.0), direction=(0, 0, 1), active_length_mm=4, diameter_mm=3.0
    )
    shape = (40, 40, 40)
    kernel = LineKernel.embed(needle, shape, (0.25,) * 3, like=torch.zeros(()))
    with pytest.raises(StudyRejectedError, match="not thin on a grid"):
        kernel.link(torch.ones(shape))


def test_a_field_of_nan_is_refused_by_name():
    bad = torch.full((4, 4, 4), float("nan"))
    with pytest.raises(StudyRejectedError, match="became NaN"):
        conjugate_gradients(
            lambda x: x, bad, start=torch.zeros(4, 4, 4), inverse_diagonal=bad, tolerance=1e-3
        )


def pair_in_a_box(*, fixed, volts=(0.5, -0.5), n=40, h=2.0, tolerance=1e-5):
    """Two parallel needles of 20 mm, 15 mm apart, in the middle of a box."""
    sigma = torch.full((n, n, n), SIGMA)
    middle = (n - 1) / 2 * h
    kernels = [
        LineKernel.embed(
            Needle(
                tip_mm=(middle + side, middle, middle - 10),
                direction=(0, 0, 1),
                active_length_mm=20,
                diameter_mm=1.0,
            ),
            (n, n, n),
            (h, h, h),
            like=sigma,
        )
        for side in (-7.5, 7.5)
    ]
    return unit_field(
        Diffusion.assemble(sigma, (h, h, h), fixed=fixed),
        [(kernel, kernel.link(sigma)) for kernel in kernels],
        cell_m3=(h * 1e-3) ** 3,
        start=torch.zeros_like(sigma),
        tolerance=tolerance,
        volts=volts,
    )


@pytest.mark.parametrize("fixed", [(), FACES])
def test_a_pair_drives_its_current_from_one_needle_to_the_other(fixed):
    """Also where every side is insulated; at one volt between them the current is the power."""
    field = pair_in_a_box(fixed=fixed)
    heat = float(field.joule_w_m3.sum(dtype=torch.float64)) * 8e-9
    assert heat == pytest.approx(field.conductance_s, rel=1e-5)
    out, back = (float(line.mean()) * 20e-3 for line in field.line_a_m)
    assert out == pytest.approx(field.conductance_s, rel=1e-4)
    assert back == pytest.approx(-out, rel=1e-4)
    assert float(field.potential[20, 20, 20] + field.potential[19, 20, 20]) == pytest.approx(
        0, abs=1e-4
    )


def test_insulated_needles_at_one_potential_are_refused():
    with pytest.raises(StudyRejectedError, match="no current can flow: every electrode is at 1 V"):
        pair_in_a_box(fixed=(), volts=(1.0, 1.0))
    assert pair_in_a_box(fixed=FACES, volts=(1.0, 1.0)).conductance_s > 0


def test_the_field_of_a_linear_potential_is_its_slope_in_every_cell():
    i, j, k = torch.meshgrid(*(torch.arange(6.0) for _ in range(3)), indexing="ij")
    strength = field_strength(2 * i * 1e-3 + 3 * j * 2e-3 - 6 * k * 0.5e-3, (1.0, 2.0, 0.5))
    assert torch.allclose(strength, torch.full_like(strength, 7.0))


def test_the_field_between_two_needles_is_the_sum_of_their_lines():
    """In the middle of a long pair E = 2 I' / (2 pi sigma d/2); 20 mm needles are within 15 %."""
    field = pair_in_a_box(fixed=())
    line = float(field.line_a_m[0][len(field.line_a_m[0]) // 2])
    strength = field_strength(field.potential, (2.0, 2.0, 2.0))[19:21, 19:21, 19:21].mean()
    assert float(strength) == pytest.approx(2 * line / (2 * math.pi * SIGMA * 7.5e-3), rel=0.15)
