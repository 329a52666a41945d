"""Freezing fronts against similarity solutions (rows A10 to A12 of the evidence).

Neumann's two-phase problem, and Paterson's line sink (Ozisik, Heat Conduction, 1980). The front is
a share of the square root of time; both shares follow from one transcendental equation.
"""

import math

import pytest
import torch
from scipy.optimize import brentq
from scipy.special import erf, erfc, exp1

from netseg.simulate.freezing_step import IceField, IceStepper, Kernels
from netseg.simulate.phase import FreezingLaw
from netseg.simulate.stepping import stages_for

START_C = 37.0
K_ICE, K_WET = 2.0, 0.5
RHO_C_ICE, RHO_C_WET, LATENT = 1.86e6, 3.6e6, 2.5e8  # 1000 kg/m3
TISSUE = FreezingLaw(
    starts_k=-START_C,
    plateau_k=LATENT / RHO_C_WET,
    width_k=0.0,
    ice_slope=RHO_C_WET / RHO_C_ICE,
    mushy_conduction=2.5,
    ice_conduction=K_ICE / K_WET,
)


def box(shape, h, *, law, k, rho_c, fixed=(), outside_heat_k=0.0):
    field = IceField.assemble(
        torch.full(shape, k, dtype=torch.float64),
        torch.full(shape, 1 / rho_c, dtype=torch.float64),
        torch.zeros(shape, dtype=torch.float64),
        law,
        spacing_mm=(h, h, h),
        fixed=fixed,
        outside_heat_k=outside_heat_k,
    )
    padded = torch.full([n + 2 for n in shape], outside_heat_k, dtype=torch.float64)
    padded[1:-1, 1:-1, 1:-1] = 0.0
    return IceStepper(
        coefficients=field,
        lines=(),
        cell_m3=(h * 1e-3) ** 3,
        kernels=Kernels(),
        heat=padded,
        spare=[padded.clone() for _ in range(3)],
    )


def front_mm(heat, law, h):
    """Where as much water has frozen as ice would fill from the wall."""
    return float(law.vapour(heat).sum()) * h


def share_of_neumann(wall_c):
    """Lambda of sqrt(4 D_ice t) for a wall held at a temperature."""
    d_ice, d_wet = K_ICE / RHO_C_ICE, K_WET / RHO_C_WET

    def residual(share):
        ratio = math.sqrt(d_ice / d_wet)
        cold = math.exp(-(share**2)) / erf(share)
        warm = K_WET / K_ICE * ratio * START_C / wall_c
        warm *= math.exp(-(share**2) * d_ice / d_wet) / erfc(share * ratio)
        return cold + warm - share * LATENT * math.sqrt(math.pi) / (RHO_C_ICE * -wall_c)

    return brentq(residual, 0.05, 2.0)


def neumann_c(x_mm, t_s, wall_c):
    """Temperature at a depth."""
    share = share_of_neumann(wall_c)
    d_ice, d_wet = K_ICE / RHO_C_ICE * 1e6, K_WET / RHO_C_WET * 1e6
    if x_mm < 2 * share * math.sqrt(d_ice * t_s):
        return wall_c * (1 - erf(x_mm / math.sqrt(4 * d_ice * t_s)) / erf(share))
    far = erfc(x_mm / math.sqrt(4 * d_wet * t_s)) / erfc(share * math.sqrt(d_ice / d_wet))
    return START_C * (1 - far)


def test_the_closed_form_is_the_published_row():
    assert share_of_neumann(-140.0) == pytest.approx(0.516417, rel=1e-5)
    published = {5: -111.02, 10: -82.596, 15: -55.251, 25: -5.564}
    for depth_mm, celsius in published.items():
        assert neumann_c(depth_mm, 600, -140.0) == pytest.approx(celsius, abs=0.01)


@pytest.mark.parametrize(("h", "step_s"), [(1.0, 1.0), (2.0, 3.0)])
def test_a_wall_of_minus_140_freezes_tissue_as_neumann_says(h, step_s):
    """A10: 8.2959, 18.5502 and 26.2340 mm at 60, 300 and 600 s, within half a cell."""
    wall_heat_k = TISSUE.starts_k - TISSUE.plateau_k - 140.0 / TISSUE.ice_slope
    n = round(120 / h)
    stepper = box(
        (n, 1, 1), h, law=TISSUE, k=K_WET, rho_c=RHO_C_WET,
        fixed=("i-",), outside_heat_k=wall_heat_k,
    )  # fmt: skip
    limit_s = 2.0 / (stepper.coefficients.fastest_1_s((), 1.0) * TISSUE.steepest(-math.inf))
    now = 0.0
    for until_s, expected_mm in ((60, 8.2959), (300, 18.5502), (600, 26.2340)):
        while now < until_s:
            stepper.conduct(None, step_s=step_s, stages=stages_for(step_s, limit_s))
            now += step_s
        assert front_mm(stepper.inner, TISSUE, h) == pytest.approx(expected_mm, abs=0.5 * h)
    excess = TISSUE.excess(stepper.inner)[:, 0, 0] + START_C
    for depth_mm, celsius in ((5, -111.02), (10, -82.596), (15, -55.251), (25, -5.564)):
        place = depth_mm / h - 0.5
        cell = math.floor(place)
        between = torch.lerp(excess[cell], excess[cell + 1], place - cell)
        assert float(between) == pytest.approx(celsius, abs=0.5 * h * 5.7)


def test_heat_drawn_from_a_freezing_column_is_stored_and_latent():
    """The balance with latent heat, booked at the wall stage by stage."""
    wall_heat_k = TISSUE.starts_k - TISSUE.plateau_k - 140.0 / TISSUE.ice_slope
    stepper = box(
        (40, 1, 1), 1.0, law=TISSUE, k=K_WET, rho_c=RHO_C_WET,
        fixed=("i-",), outside_heat_k=wall_heat_k,
    )  # fmt: skip
    lost = sum(float(stepper.conduct(None, step_s=1.0, stages=7)[-1]) for _ in range(100))
    stored = float(stepper.inner.sum()) * RHO_C_WET * 1e-9
    assert lost > 0
    assert stored == pytest.approx(-lost, rel=1e-10)


SAME = FreezingLaw(
    starts_k=-START_C, plateau_k=3.38e8 / 1.762e6, width_k=0.0,
    ice_slope=1.0, mushy_conduction=1.0, ice_conduction=1.0,
)  # fmt: skip


def share_of_a_line(law, k_wet, rho_c, watt_m):
    """Lambda of sqrt(4 D_ice t) around a line sink."""
    k_ice, c_ice = k_wet * law.ice_conduction, rho_c / law.ice_slope
    d_ice, d_wet = k_ice / c_ice, k_wet / rho_c
    latent = law.plateau_k * rho_c

    def residual(share):
        z = share**2 * d_ice / d_wet
        cold = watt_m / (4 * math.pi) * math.exp(-(share**2))
        return cold - k_wet * START_C * math.exp(-z) / exp1(z) - share**2 * d_ice * latent

    return brentq(residual, 0.02, 3.0)


@pytest.mark.parametrize(
    ("law", "k", "rho_c", "watt_m", "share"),
    [
        (SAME, 2.22, 1.762e6, 1e4, 0.828804),
        (TISSUE, K_WET, RHO_C_WET, 1e3, 0.370865),
        (TISSUE, K_WET, RHO_C_WET, 2e3, 0.512370),
    ],
)
def test_the_line_sinks_share_is_the_published_row(law, k, rho_c, watt_m, share):
    assert share_of_a_line(law, k, rho_c, watt_m) == pytest.approx(share, rel=2e-5)


@pytest.mark.parametrize(
    ("law", "k", "rho_c", "watt_m", "reach_mm", "fronts_mm", "colder_mm"),
    [
        (SAME, 2.22, 1.762e6, 1e4, 130, {60: 14.4122, 600: 45.5755}, {}),
        (TISSUE, K_WET, RHO_C_WET, 1e3, 70, {600: 18.840}, {-20: 14.250, -40: 10.910}),
        (TISSUE, K_WET, RHO_C_WET, 2e3, 80, {600: 26.028}, {-20: 22.238, -40: 19.173}),
    ],
    ids=["A11", "A12 1 kW/m", "A12 2 kW/m"],
)
def test_a_line_sink_freezes_a_cylinder(law, k, rho_c, watt_m, reach_mm, fronts_mm, colder_mm):
    """A11, A12 in a quarter plane: a quarter of the sink in the corner cell, within half a cell."""
    h, step_s = 1.0, 2.0
    shape = (round(reach_mm / h), round(reach_mm / h), 1)
    stepper = box(shape, h, law=law, k=k, rho_c=rho_c, fixed=("i+", "j+"))
    limit_s = 2.0 / (stepper.coefficients.fastest_1_s((), 1.0) * law.steepest(-math.inf))
    sink = watt_m / 4 / (h * 1e-3) ** 2 / rho_c  # K/s of the corner cell
    now = 0.0
    for until_s, expected_mm in fronts_mm.items():
        while now < until_s:
            stepper.inner[0, 0, 0] -= 0.5 * step_s * sink
            stepper.conduct(None, step_s=step_s, stages=stages_for(step_s, limit_s))
            stepper.inner[0, 0, 0] -= 0.5 * step_s * sink
            now += step_s
        frozen_mm2 = 4 * float(law.vapour(stepper.inner).sum()) * h * h
        assert math.sqrt(frozen_mm2 / math.pi) == pytest.approx(expected_mm, abs=0.5 * h)
        along = law.vapour(stepper.inner)[:, 0, 0]
        assert float(along.sum()) * h == pytest.approx(expected_mm, abs=0.5 * h)
    celsius = law.excess(stepper.inner)[:, 0, 0] + START_C
    for isotherm_c, expected_mm in colder_mm.items():
        cell = int((celsius < isotherm_c).sum()) - 1
        slope = float(celsius[cell + 1] - celsius[cell])
        place = (cell + 0.5 + (isotherm_c - float(celsius[cell])) / slope) * h
        assert place == pytest.approx(expected_mm, abs=0.5 * h)
