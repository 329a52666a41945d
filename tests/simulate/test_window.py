"""A window that grows with the heat gives what the whole grid gives, for less."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from netseg.domain import AblationProtocol, Grid, PointMm
from netseg.simulate import growing, load_device, load_tissue
from netseg.simulate.active import BLOCK, Window, block_operator, block_sums
from netseg.simulate.coarse import WindowView, coarsening
from netseg.simulate.damage import damage_model
from netseg.simulate.diffusion import Diffusion
from netseg.simulate.drive import Timing
from netseg.simulate.far import FarField
from netseg.simulate.growing import GrowingWindow
from netseg.simulate.heating import heating_parts
from netseg.simulate.microwave_window import Blocks
from netseg.simulate.scene import PlacedProbe, Scene
from netseg.simulate.solver import run
from netseg.simulate.surface import measure_shape
from netseg.simulate.vessel import Vessel

ZONE, KELVIN = 1e-3, 0.02  # the bounds: share of the zone's volume, temperature at the end


def treatment(device="mwa_generic_14g", *, seconds=90.0, cells=(48, 48, 50), h=2.0, vessels=()):
    """One needle in the middle, 60 W."""
    affine = np.diag([h, h, h, 1.0])
    affine[:3, 3] = [-(n - 1) / 2 * h for n in cells]
    kind = load_device(device)
    length = kind.active_length_mm
    probe = PlacedProbe(
        id="A", device=kind, tip_mm=PointMm(0.3, 0.1, -0.5 * length),
        direction=(0.0, 0.0, 1.0), active_length_mm=length,
    )  # fmt: skip
    rfa = kind.modality.value == "rfa"
    protocol = AblationProtocol(
        modality=kind.modality, duration_s=seconds, power_w=60.0,
        controller="impedance" if rfa else "constant",
    )  # fmt: skip
    scene = Scene(
        grid=Grid(cells, affine, frame_uid="x"), probes=(probe,),
        tissue=load_tissue("liver_mevis" if rfa else "liver_in_vivo"), vessels=vessels,
    )  # fmt: skip
    stepper = Timing(duration_s=seconds, cooling_s=20.0, refresh_s=1.0)  # lag is not the question
    return scene, heating_parts(
        scene, protocol, [damage_model("arrhenius")], stepper, like=torch.zeros(())
    )


def outcome(given, *, window, progress=None):
    """The run, and the zone's volume."""
    scene, parts = given
    done = run(
        parts.equation, parts.source, parts.controller, parts.damage, parts.stepper, progress,
        engine="eager", window=window,
    )  # fmt: skip
    depth = parts.damage[0].depth(done.damage["arrhenius"]).numpy()
    return done, measure_shape(depth, scene.grid).volume_ml


def off(first, second):
    """Largest difference of the temperature at the end, and that of the zones, relative."""
    (a, volume), (b, other) = first, second
    kelvin = float((a.excess_k - b.excess_k).abs().max())
    return kelvin, abs(other / volume - 1.0)


@pytest.fixture(scope="module")
def microwaves():
    return outcome(treatment(), window=False)


def test_microwaves_in_a_window_heat_what_they_heat_in_the_whole_grid(microwaves):
    windowed = outcome(treatment(), window=True)
    kelvin, volume = off(microwaves, windowed)
    assert kelvin < KELVIN
    assert volume < ZONE
    done = windowed[0]
    assert done.excess_k.shape == done.damage["arrhenius"].shape == (48, 48, 50)
    assert done.energy.balance_error < 1e-4
    assert done.energy.delivered == pytest.approx(microwaves[0].energy.delivered, rel=1e-6)
    assert done.cell_updates < 0.7 * microwaves[0].cell_updates


def test_a_window_that_keeps_the_power_of_the_tissue_beyond_is_wrong(microwaves, monkeypatch):
    """The twin: blocks absorb nothing, so that the window gets their share."""
    blocks = Blocks.of(treatment()[1].source)
    dark = dataclasses.replace(blocks, spread_1_m2=torch.zeros_like(blocks.spread_1_m2))
    monkeypatch.setattr(Blocks, "of", lambda _: dark)
    kelvin, volume = off(microwaves, outcome(treatment(), window=True))
    assert kelvin > 5 * KELVIN
    assert volume > ZONE


def test_electrodes_with_coolant_and_varying_conductivity_in_a_window():
    kind = {"device": "rfa_cooled_17g_30mm", "cells": (44, 40, 52)}
    whole, windowed = (outcome(treatment(**kind), window=w) for w in (False, True))
    kelvin, volume = off(whole, windowed)
    assert kelvin < KELVIN
    assert volume < ZONE
    assert windowed[0].energy.balance_error < 1e-4
    assert windowed[0].energy.coolant == pytest.approx(whole[0].energy.coolant, rel=1e-3)


def test_the_window_grows_and_who_watches_sees_the_whole_grid(monkeypatch):
    monkeypatch.setattr(growing, "EDGE_K", 0.05)
    seen, shapes = [], set()
    scene, parts = treatment(seconds=40.0)
    window = GrowingWindow.open(parts.equation, parts.source)

    def watch(_time, field):
        shapes.add(tuple(field.shape))
        seen.append(float(field.max()))

    done, _ = outcome((scene, parts), window=True, progress=watch)
    assert shapes == {(48, 48, 50)}
    assert max(seen) == pytest.approx(float(done.hottest_k.max()), abs=1e-3)
    first = math.prod(window.window.size)
    assert done.cell_updates / done.updates > 1.2 * first


def test_a_new_window_keeps_the_heat_of_every_block():
    _, parts = treatment()
    window = Window(shape=(48, 48, 50), low=(16, 16, 16), high=(32, 32, 32))
    far = FarField.around(window, parts.equation)
    generator = torch.Generator().manual_seed(5)
    far.excess_k = torch.rand(far.excess_k.shape, generator=generator)
    before = float((far.excess_k * far.capacity).sum())
    larger = Window(shape=(48, 48, 50), low=(8, 16, 16), high=(32, 40, 50))
    fine = far.into(larger)
    kept = block_sums(fine * parts.equation.capacity_j_m3k[larger.slices])
    wanted = (far.excess_k * far.capacity)[larger.blocks]
    assert torch.allclose(kept, wanted, rtol=1e-5)
    far.reach(larger)
    assert before > float((far.excess_k * far.capacity)[far.outside].sum()) > 0


def test_blocks_look_the_same_through_a_window():
    """One block around is all that linear interpolation needs."""
    _, parts = treatment()
    window = Window(shape=(48, 48, 50), low=(8, 16, 0), high=(32, 40, 50))
    far = FarField.around(window, parts.equation)
    blocks = torch.rand(far.excess_k.shape, generator=torch.Generator().manual_seed(6))
    whole = far.in_cells(blocks)
    assert whole.shape == (48, 48, 50)
    assert torch.allclose(far.in_cells(blocks, window), whole[window.slices], atol=1e-6)
    assert not torch.allclose(far.in_cells(blocks.flip(0), window), whole[window.slices], atol=0.1)


def test_blocks_of_even_tissue_conduct_like_a_grid_of_blocks():
    """64 cells of volume, four times the way through sixteen times the face."""
    k = torch.full((12, 12, 12), 0.5, dtype=torch.float64)
    inner, ground = block_operator(Diffusion.assemble(k, (1.0, 1.0, 1.0)))
    coarse = Diffusion.assemble(k[::BLOCK, ::BLOCK, ::BLOCK], (4.0, 4.0, 4.0))
    for ours, theirs in zip(inner, coarse.inner, strict=True):
        assert torch.allclose(ours, 64 * theirs)
    middle = ground[1, 1, 0], ground[0, 1, 1], ground[1, 0, 1]  # edges of the grid apart
    wanted = coarse.outer[1, 1, 0], coarse.outer[0, 1, 1], coarse.outer[1, 0, 1]
    assert middle == pytest.approx([64 * float(w) for w in wanted])


def test_an_electric_grid_seen_through_a_window_keeps_its_heat():
    grid = coarsening((48, 48, 50), (1.0, 1.0, 1.0), 2.0)
    window = Window(shape=(48, 48, 50), low=(16, 8, 16), high=(32, 40, 50))
    view = WindowView(grid=grid, window=window)
    generator = torch.Generator().manual_seed(6)
    density = torch.rand(grid.shape, generator=generator)
    inside, beyond = view.spread(density), view.beyond(density)
    assert float(inside.sum() + beyond.sum()) == pytest.approx(8 * float(density.sum()), rel=1e-5)
    assert float(beyond[window.blocks].abs().max()) == 0.0
    assert torch.allclose(view.mean(torch.ones(window.size))[view.coarse_slices], torch.ones(()))


def test_tissue_with_vessels_is_computed_cell_by_cell():
    vessel = Vessel(from_mm=PointMm(-40, 10, 0), to_mm=PointMm(40, 10, 0), diameter_mm=8.0)
    _, parts = treatment(vessels=(vessel,))
    assert GrowingWindow.open(parts.equation, parts.source) is None
    assert GrowingWindow.open(*_without(parts)) is not None


def test_an_electric_grid_that_does_not_fit_the_blocks_is_not_seen_through_a_window():
    _, parts = treatment("rfa_cooled_17g_30mm", h=0.66, cells=(90, 90, 120))
    assert parts.source.grid.blocks == (3, 3, 3)
    assert GrowingWindow.open(parts.equation, parts.source) is None


def _without(parts):
    equation = parts.equation
    conduction = dataclasses.replace(equation.conduction, held=None)
    return dataclasses.replace(equation, conduction=conduction, sinks=()), parts.source
