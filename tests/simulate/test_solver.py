"""The whole run: energy with everything at once, and what is refused (row A23)."""

import dataclasses

import numpy as np
import pytest
import torch

from netseg.domain import AblationProtocol, Grid, PointMm
from netseg.domain.ablation import AblationModality
from netseg.domain.errors import StudyRejectedError
from netseg.simulate import load_device, load_tissue
from netseg.simulate.applicator import Deposit
from netseg.simulate.control import controller_for
from netseg.simulate.damage import damage_model
from netseg.simulate.diffusion import Diffusion
from netseg.simulate.drive import Timing
from netseg.simulate.phase import PhaseLaw
from netseg.simulate.scene import PlacedProbe, Scene
from netseg.simulate.scene_run import simulate_scene
from netseg.simulate.solver import Problem, run
from netseg.simulate.stepping import Conduction
from netseg.simulate.vessel import Vessel

MWA = AblationProtocol(modality=AblationModality.MWA, duration_s=40.0, power_w=150.0)


def scene(*, vessels=(), k_rise_1_k=0.0, n=26, h=2.0):
    affine = np.diag([h, h, h, 1.0])
    affine[:3, 3] = -(n - 1) / 2 * h
    device = load_device("mwa_generic_14g")
    probe = PlacedProbe(
        id="A",
        device=device,
        tip_mm=PointMm(0.0, 0.0, -10.0),
        direction=(0.0, 0.0, 1.0),
        active_length_mm=device.active_length_mm,
    )
    tissue = dataclasses.replace(load_tissue("liver_in_vivo"), k_rise_1_k=k_rise_1_k)
    grid = Grid((n, n, n), affine, frame_uid="x")
    return Scene(grid=grid, probes=(probe,), tissue=tissue, vessels=vessels)


def simulated(**given):
    return simulate_scene(
        scene(**given), MWA, [damage_model("arrhenius")], like=torch.zeros(()), cooling_s=20.0
    )


def along_y(x_mm, diameter_mm):
    return Vessel(
        from_mm=PointMm(x_mm, -60.0, 0.0), to_mm=PointMm(x_mm, 60.0, 0.0), diameter_mm=diameter_mm
    )


def test_all_energy_is_found_with_boiling_vessels_and_rising_conductivity():
    """A23 (i): 150 W for 40 s boils tissue between a 6 mm vessel of cells and a 1.5 mm line."""
    done = simulated(vessels=(along_y(10.0, 6.0), along_y(-8.0, 1.5)), k_rise_1_k=0.0025)
    assert done.energy.latent > 0.01 * done.energy.delivered
    assert done.energy.boundary > 0.01 * done.energy.delivered
    assert done.energy.balance_error < 1e-4


def test_a_vessel_takes_heat_and_spares_tissue_the_more_the_wider_it_is():
    """1.5 mm is a line on 2 mm cells, 6 mm is made of cells."""
    plain = simulated()
    line, cells = (simulated(vessels=(along_y(8.0, d),)) for d in (1.5, 6.0))
    assert plain.energy.boundary + 20 < line.energy.boundary < cells.energy.boundary
    left = [done.volumes_ml["arrhenius"] for done in (plain, line, cells)]
    assert left[0] > left[1] > left[2]


def test_rising_conductivity_widens_the_zone():
    plain, rising = simulated(), simulated(k_rise_1_k=0.01)
    assert rising.volumes_ml["arrhenius"] > plain.volumes_ml["arrhenius"]


class Broken:
    """An applicator whose pattern is no number."""

    def deposit(self, excess_k, vapour):
        """Not a number everywhere."""
        del vapour
        return Deposit(per_watt_m3=torch.full_like(excess_k, torch.nan))


def test_a_field_that_is_no_number_is_refused():
    shape = (8, 8, 8)
    k = torch.full(shape, 0.52)
    problem = Problem(
        conduction=Conduction(
            diffusion=Diffusion.assemble(k, (2.0, 2.0, 2.0)),
            inverse_capacity=torch.full(shape, 1 / 3.82e6),
            law=PhaseLaw(),
        ),
        capacity_j_m3k=torch.full(shape, 3.82e6),
        perfusion_1_s=torch.zeros(shape),
        cell_m3=8e-9,
    )
    with pytest.raises(StudyRejectedError, match="became NaN or infinite"):
        run(
            problem, Broken(), controller_for(MWA), [damage_model("arrhenius")],
            Timing(duration_s=5.0),
        )  # fmt: skip
