"""Electrodes on a coarser grid than the heat, built from a protocol."""

import dataclasses
import math

import pytest
import torch

from netseg.domain import AblationModality, AblationProtocol, StudyRejectedError
from netseg.simulate.applicator import ManyWays
from netseg.simulate.coarse import coarsening
from netseg.simulate.control import controller_for
from netseg.simulate.damage import damage_model
from netseg.simulate.diffusion import Diffusion
from netseg.simulate.drive import Timing
from netseg.simulate.needle import Needle
from netseg.simulate.radiofrequency import build_rfa, heated_conductivity
from netseg.simulate.solver import Problem, run
from netseg.simulate.stepping import Conduction
from netseg.simulate.tissue import load_tissue

LIVER = load_tissue("liver_in_vivo")
RFA = AblationProtocol(modality=AblationModality.RFA, duration_s=30.0, power_w=40.0)
TRIANGLE = {"A": (-9.0, -5.0), "B": (9.0, -5.0), "C": (0.0, 10.0)}


def electrodes(protocol, *, n=48, h=1.0, ids=("A", "B", "C"), places=None, electric_mm=2.0):
    middle = (n - 1) / 2 * h
    where = places or [TRIANGLE[i] for i in ids]
    needles = [
        Needle(
            tip_mm=(middle + x, middle + y, middle - 7.5),
            direction=(0.0, 0.0, 1.0),
            active_length_mm=15.0,
            diameter_mm=1.5,
        )
        for x, y in where
    ]
    sigma = torch.full((n, n, n), LIVER.sigma_s_m)
    return build_rfa(needles, ids, sigma, (h,) * 3, LIVER, protocol, electric_mm=electric_mm)


def cold(n=48):
    return torch.zeros(n, n, n), torch.zeros(n, n, n)


@pytest.mark.parametrize("shape", [(12, 12, 12), (13, 12, 11)])
@pytest.mark.parametrize("largest_mm", [1.0, 2.0, 3.0])
def test_heat_comes_back_from_the_coarse_grid_whole(shape, largest_mm):
    grid = coarsening(shape, (1.0, 1.0, 1.0), largest_mm)
    generator = torch.Generator().manual_seed(1)
    density = torch.rand(grid.shape, generator=generator)
    cells = math.prod(grid.blocks)
    assert float(grid.spread(density).sum()) == pytest.approx(
        float(density.sum()) * cells, rel=1e-5
    )
    assert float(grid.spread(density).min()) >= 0


def test_a_linear_temperature_is_averaged_and_brought_back_as_it_was():
    grid = coarsening((12, 12, 12), (1.0, 1.0, 1.0), 2.0)
    i = torch.arange(12.0)[:, None, None].expand(12, 12, 12)
    assert torch.equal(grid.mean(i)[:, 0, 0], torch.arange(6) * 2 + 0.5)
    assert torch.allclose(grid.spread(grid.mean(i))[1:-1], i[1:-1], atol=1e-5)


def test_a_needle_keeps_its_place_on_the_coarse_grid():
    """The first coarse centre lies half a fine cell further in."""
    needle = Needle(tip_mm=(5.5, 6.5, 2.5), direction=(0, 0, 1), active_length_mm=5, diameter_mm=1)
    assert coarsening((20, 20, 20), (1.0,) * 3, 2.0).needle(needle).tip_mm == (5.0, 6.0, 2.0)
    assert coarsening((20, 20, 20), (2.0,) * 3, 2.0).needle(needle) == needle


def test_the_coarse_field_has_nearly_the_load_of_the_fine_one():
    """Blunt ends of a 15 mm needle: 4 % between 2 and 1 mm; 2 % for 30 mm."""
    protocol = dataclasses.replace(RFA, controller="switching")
    fine, coarse = (electrodes(protocol, electric_mm=mm).renew(*cold()) for mm in (1.0, 2.0))
    assert coarse == pytest.approx(fine, rel=0.05)


def test_a_watt_is_a_watt_for_every_connection():
    protocol = dataclasses.replace(
        RFA, controller="switching", schedule=({"duration_s": 15.0, "pairs": (("A", "B"),)},
                                               {"duration_s": 15.0}),
    )  # fmt: skip
    built = electrodes(protocol)
    assert isinstance(built, ManyWays)
    loads = built.renew(*cold())
    assert len(loads) == 4  # the pair, and each alone
    for number, load in enumerate(loads):
        deposit = built.way(number)
        assert float(deposit.per_watt_m3.sum(dtype=torch.float64)) * 1e-9 == pytest.approx(
            1.0, rel=1e-5
        )
        assert deposit.impedance_ohm == pytest.approx(load)


def test_needles_that_are_never_driven_apart_are_solved_as_one():
    cluster = electrodes(RFA, ids=("A.1", "A.2", "A.3"), places=[(-2.5, 0), (2.5, 0), (0, 4.33)])
    assert len(cluster.ids) == 1
    assert len(cluster.kernels[0]) == 3
    assert len(electrodes(RFA).ids) == 1
    apart = electrodes(dataclasses.replace(RFA, controller="switching"))
    assert apart.ids == ("A", "B", "C")
    assert cluster.renew(*cold())[0] < apart.renew(*cold())[0]


def test_sigma_counts_its_rise_from_37_degrees_in_a_cold_dish_too():
    sigma, zero = torch.tensor([0.2]), torch.tensor([0.0])
    assert float(heated_conductivity(sigma, zero, zero, baseline_c=20.0)) == pytest.approx(
        0.2 * (1 - 17 * 0.015)
    )
    assert float(heated_conductivity(sigma, zero + 17, zero, baseline_c=20.0)) == pytest.approx(0.2)
    assert float(heated_conductivity(sigma, zero + 90, zero)) == pytest.approx(0.2 * 1.945)
    assert float(heated_conductivity(sigma, zero + 90, zero + 1)) == pytest.approx(0.002)


def outcome(protocol, *, n=40):
    h = 1.5
    shape = (n, n, n)
    problem = Problem(
        conduction=Conduction(
            diffusion=Diffusion.assemble(torch.full(shape, LIVER.k_w_mk), (h,) * 3),
            inverse_capacity=torch.full(shape, 1.0 / LIVER.capacity_j_m3k),
            law=LIVER.boiling,
        ),
        capacity_j_m3k=torch.full(shape, LIVER.capacity_j_m3k),
        perfusion_1_s=torch.full(shape, LIVER.perfusion_rate_1_s),
        cell_m3=(h * 1e-3) ** 3,
    )
    timing = Timing(duration_s=protocol.duration_s, cooling_s=10.0, record_s=1.0)
    applied = electrodes(protocol, n=n, h=h)
    return run(problem, applied, controller_for(protocol), [damage_model("arrhenius")], timing)


def test_a_run_with_switched_electrodes_books_all_energy_and_tells_which_one_was_on():
    protocol = dataclasses.replace(RFA, controller="switching", settings={"dwell_s": 4.0})
    done = outcome(protocol)
    assert done.energy.balance_error < 1e-4
    assert done.energy.delivered == pytest.approx(sum(done.trace["power_w"]), rel=1e-5)
    assert done.trace["connection"][:9] == [0.0] * 4 + [1.0] * 4 + [2.0]


def test_phases_drive_pair_after_pair_and_rest_between():
    phases = ({"duration_s": 10.0, "pairs": (("A", "B"),)}, {"duration_s": 10.0, "off": True},
              {"duration_s": 10.0, "pairs": (("B", "C"),), "power_w": 20.0})  # fmt: skip
    done = outcome(dataclasses.replace(RFA, schedule=phases))
    assert done.trace["power_w"] == pytest.approx([40.0] * 10 + [0.0] * 10 + [20.0] * 10)
    assert done.energy.delivered == pytest.approx(600.0, rel=1e-5)


def test_a_needle_that_leaves_the_grid_is_refused_on_the_coarse_grid_too():
    with pytest.raises(StudyRejectedError, match="probe outside the grid"):
        electrodes(RFA, ids=("A",), places=[(22.0, 0.0)])
