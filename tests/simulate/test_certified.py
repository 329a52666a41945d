"""The numeric error bar of the certified mode."""

import math

import numpy as np
import pytest
import torch

from netseg.domain import Grid
from netseg.domain.ablation import AblationModality, AblationProtocol
from netseg.domain.errors import StudyRejectedError
from netseg.domain.point import PointMm
from netseg.simulate.certified import certified, certified_zone, finer
from netseg.simulate.damage import damage_model
from netseg.simulate.devices import load_device
from netseg.simulate.diffusion import Diffusion
from netseg.simulate.phase import PhaseLaw
from netseg.simulate.richardson import extrapolated
from netseg.simulate.scene import PlacedProbe
from netseg.simulate.stepping import Conduction, conduct
from netseg.simulate.surface import measure_shape
from netseg.simulate.tissue import load_tissue

K, RHO_C = 0.52, 1079.0 * 3540.0
D = K / RHO_C * 1e6  # mm2/s


def test_second_order_is_extrapolated_to_the_limit():
    """f(h) = 10 + 0.4 h^2 at 2, 1 and 0.5: the limit is 10, the last error 0.1."""
    bounded = extrapolated(11.6, 10.4, 10.1, noise=1e-6)
    assert bounded.value == pytest.approx(10.0)
    assert bounded.order == pytest.approx(2.0)
    assert bounded.error == pytest.approx(0.125)


def test_values_within_the_noise_have_the_noise_as_error():
    bounded = extrapolated(5.001, 5.0, 5.0005, noise=0.01)
    assert (bounded.value, bounded.order) == (5.0005, None)
    assert bounded.error == pytest.approx(1.25 * 0.0105)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ((10.0, 11.0, 10.4), "do not approach from one side"),
        ((10.0, 11.0, 12.0), "order 0.00"),
        ((10.0, 13.2, 13.4), "order 4.00"),
        ((1.0, math.nan, 1.0), "not finite"),
    ],
)
def test_three_values_that_are_no_sequence_are_refused(values, why):
    with pytest.raises(StudyRejectedError, match=why):
        extrapolated(*values, noise=1e-3)


def test_a_spacing_that_is_none_is_refused():
    with pytest.raises(StudyRejectedError, match="positive"):
        certified(lambda h: {"x": h}, spacing_mm=0.0)


def test_a_finer_grid_fills_the_same_box():
    coarse = Grid(shape=(4, 5, 6), affine_lps=np.diag([2.0, 2.0, 2.0, 1.0]), frame_uid="x")
    fine = finer(coarse, 4)
    assert fine.shape == (16, 20, 24)
    for corner in (np.full((1, 3), -0.5), np.array([[3.5, 4.5, 5.5]])):
        assert np.allclose(fine.to_index(coarse.to_mm(corner)), (corner + 0.5) * 4 - 0.5)


def warm_ball(h, *, after_s=30.0, extent_mm=48.0, width2_mm2=64.0, threshold_k=8.0):
    """A Gaussian of 40 K cools: its temperature at the middle and where it is above 8 K."""
    n = round(extent_mm / h)
    axis = (torch.arange(n, dtype=torch.float64) - (n - 1) / 2) * h
    r2 = sum(a**2 for a in torch.meshgrid(axis, axis, axis, indexing="ij"))
    equation = Conduction(
        diffusion=Diffusion.assemble(torch.full((n,) * 3, K, dtype=torch.float64), (h,) * 3),
        inverse_capacity=torch.full((n,) * 3, 1 / RHO_C, dtype=torch.float64),
        law=PhaseLaw(),
    )
    heat = 40 * torch.exp(-r2 / width2_mm2)
    step_s = 0.5 * h
    for _ in range(round(after_s / step_s)):
        heat, _ = conduct(heat, equation, torch.zeros_like(heat), step_s=step_s, stages=3)
    affine = np.diag([h, h, h, 1.0])
    shape = measure_shape((heat - threshold_k).numpy(), Grid((n,) * 3, affine, frame_uid="x"))
    eight = heat[n // 2 - 1 : n // 2 + 1, n // 2 - 1 : n // 2 + 1, n // 2 - 1 : n // 2 + 1]
    return {
        "volume_ml": shape.volume_ml,
        "diameter_mm": shape.diameters_mm[0],
        "corner_k": float(eight.mean()),
    }


def test_the_error_bar_covers_the_closed_form():
    """A1's ball at 3, 1.5 and 0.75 mm: isotherm and temperature are known on paper."""
    bounded = certified(warm_ball, spacing_mm=1.5, noise={"corner_k": 1e-3})
    width2 = 64.0 + 4 * D * 30.0
    peak = 40 * (64.0 / width2) ** 1.5
    radius = math.sqrt(width2 * math.log(peak / 8.0))
    exact = {
        "volume_ml": 4e-3 / 3 * math.pi * radius**3,
        "diameter_mm": 2 * radius,
        "corner_k": peak,
    }
    for name, truth in exact.items():
        found = bounded[name]
        assert abs(found.value - truth) <= found.error, name
        assert found.error <= 0.01 * truth, name


@pytest.mark.slow
def test_a_microwave_zone_is_certified():
    """60 W for two minutes at 1.2 mm: the volume is known to 3 %, a temperature to half a kelvin."""
    device = load_device("mwa_generic_14g")
    probe = PlacedProbe(
        id="A", device=device, tip_mm=PointMm(0.0, 0.0, 0.0), direction=(0.0, 0.0, 1.0),
        active_length_mm=device.active_length_mm,
    )  # fmt: skip
    protocol = AblationProtocol(modality=AblationModality.MWA, duration_s=120.0, power_w=60.0)
    bounded = certified_zone(
        (probe,), load_tissue("liver_in_vivo"), protocol, [damage_model("arrhenius")],
        points_mm={"beside": PointMm(8.0, 0.0, 10.0)}, spacing_mm=1.2, margin_mm=21.0,
    )  # fmt: skip
    assert bounded["volume_ml"].error <= 0.03 * bounded["volume_ml"].value
    assert bounded["width_mm"].error <= 0.02 * bounded["width_mm"].value
    assert bounded["temperature_c of beside"].error < 0.5
