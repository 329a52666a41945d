"""Ensembles: draws, coverage against a closed form, margins, and what is refused."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from scipy import optimize

from netseg.domain import (
    AblationModality,
    AblationProtocol,
    Grid,
    Mask,
    PointMm,
    StudyRejectedError,
)
from netseg.domain.errors import FrameMismatchError
from netseg.simulate import load_device, load_tissue
from netseg.simulate.conjugate import conjugate_gradients
from netseg.simulate.damage import Arrhenius, ThreeState, damage_model
from netseg.simulate.diffusion import Diffusion
from netseg.simulate.ensemble import ensemble
from netseg.simulate.ledger import Ledger
from netseg.simulate.priors import Prior, draw, load_priors, parse_priors, priors_for, vary
from netseg.simulate.scene import PlacedProbe, Scene
from netseg.simulate.scene_run import Simulated, simulate_scene
from netseg.simulate.sensitivity import first_order_indices
from netseg.simulate.target_margin import Target
from netseg.simulate.tissue import BLOOD_J_M3K
from netseg.simulate.together import simulate_together
from netseg.simulate.vessel import Vessel

MWA = AblationProtocol(modality=AblationModality.MWA, duration_s=60.0, power_w=60.0)
LIKE = torch.zeros(())
ARRHENIUS = damage_model("arrhenius")


def centred(n, h):
    affine = np.diag([h, h, h, 1.0])
    affine[:3, 3] = -(n - 1) / 2 * h
    return Grid(shape=(n, n, n), affine_lps=affine, frame_uid="x")


def scene(n=20, h=3.0, device="mwa_generic_14g"):
    d = load_device(device)
    probe = PlacedProbe(
        id="A",
        device=d,
        tip_mm=PointMm(0.4, -0.3, -d.active_length_mm / 2),
        direction=(0.0, 0.0, 1.0),
        active_length_mm=d.active_length_mm,
    )
    return Scene(grid=centred(n, h), probes=(probe,), tissue=load_tissue("liver_in_vivo"))


def ball(grid, radius_mm):
    index = np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij"), -1)
    away = np.linalg.norm(grid.to_mm(index.reshape(-1, 3)), axis=1).reshape(grid.shape)
    return Mask(away <= radius_mm, grid)


def fixed(name, value):
    return Prior(name=name, values=(value, value))


def test_a_prior_of_no_width_gives_the_single_zone():
    one = simulate_scene(scene(), MWA, [ARRHENIUS], like=LIKE)
    tissue = load_tissue("liver_in_vivo")
    result = ensemble(
        scene(),
        MWA,
        [ARRHENIUS],
        draws=2,
        seed=5,
        like=LIKE,
        priors=[fixed("tissue.perfusion_1_s", tissue.perfusion_1_s)],
    )
    assert np.array_equal(result.coverage, (one.depth["arrhenius"] >= 0).astype(np.float32))
    assert result.volume_quantiles_ml("arrhenius") == (one.volumes_ml["arrhenius"],) * 3


# --- a point source of 10 W with random perfusion, steady: closed form for every draw ---

WATTS, DEAD_K = 10.0, 12.0


@dataclasses.dataclass(frozen=True)
class Isotherm:
    """Dead above a temperature; only its name and depth are asked for here."""

    name: str = "isotherm"


def steady_point_source(scene, _, models, **__):
    """div(k grad T) - w rho_b c_b T + Q = 0, solved on the scene's grid."""
    k, w = scene.tissue.k_w_mk, scene.tissue.perfusion_1_s
    shape, spacing = scene.grid.shape, scene.grid.spacing_mm
    conduction = Diffusion.assemble(torch.full(shape, k, dtype=torch.float64), spacing)
    source = torch.zeros(shape, dtype=torch.float64)
    source[tuple(n // 2 for n in shape)] = WATTS / (math.prod(spacing) * 1e-9)
    excess, _ = conjugate_gradients(
        lambda t: w * BLOOD_J_M3K * t - conduction.apply(t),
        source,
        start=torch.zeros_like(source),
        inverse_diagonal=1.0 / (conduction.diagonal() + w * BLOOD_J_M3K),
        tolerance=1e-6,
    )
    depth = (excess / DEAD_K).log().numpy()
    return Simulated(
        window=scene.grid,
        depth={models[0].name: depth},
        fields={},
        volumes_ml={models[0].name: float((depth >= 0).mean())},
        energy=Ledger(),
        trace={},
        run={},
    )


def test_coverage_is_the_probability_that_the_isotherm_lies_further_out():
    """T(r) = Q/(4 pi k r) exp(-r/l), l = sqrt(k/(w rho_b c_b)): dead where w < w*(r)."""
    low, high, draws, h = 0.0036, 0.0177, 32, 1.0
    prior = Prior(name="tissue.perfusion_1_s", values=(low, high))
    plain = dataclasses.replace(scene(41, h), probes=())
    k = plain.tissue.k_w_mk
    result = ensemble(
        plain,
        MWA,
        [Isotherm()],
        draws=draws,
        seed=3,
        like=LIKE,
        priors=[prior],
        simulate=steady_point_source,
    )

    def limit(r):
        def excess(w):
            decay = math.exp(-r * 1e-3 / math.sqrt(k / (w * BLOOD_J_M3K)))
            return WATTS / (4 * math.pi * k * r * 1e-3) * decay - DEAD_K

        return optimize.brentq(excess, 1e-5, 1.0)

    shares = []
    for cell in range(7, 18):
        exact = np.clip((limit(cell * h) - low) / (high - low), 0, 1)
        shares.append(exact)
        # a Latin hypercube is off by one draw at most; the grid by 1 % of T
        assert float(result.coverage[20 + cell, 20, 20]) == pytest.approx(exact, abs=2.5 / draws)
    assert shares[0] == 1
    assert shares[-1] == 0
    assert sum(0.05 < s < 0.95 for s in shares) >= 3


def test_the_same_seed_gives_the_same_bytes_however_many_work():
    models = [ARRHENIUS, damage_model("oneill")]
    runs = [
        ensemble(scene(16, 3.5), MWA, models, draws=3, seed=11, like=LIKE, workers=n)
        for n in (1, 2)
    ]
    assert runs[0].coverage.tobytes() == runs[1].coverage.tobytes()
    for model in ("arrhenius", "oneill"):
        assert runs[0].volumes_ml[model].tobytes() == runs[1].volumes_ml[model].tobytes()
    assert runs[0].document() == runs[1].document()
    assert set(runs[0].parameters) == {
        "tissue.perfusion_1_s", "tissue.k_w_mk", "tissue.water_fraction", "device.efficiency",
        "oneill.forward_1_s", "oneill.backward_1_s", "oneill.scale_c", "oneill.viable",
    }  # fmt: skip


def test_another_seed_draws_other_numbers():
    priors = load_priors("liver_in_vivo")
    first, again, other = (draw(priors, 8, seed) for seed in (1, 1, 2))
    assert all(first[n].tobytes() == again[n].tobytes() for n in first)
    assert any((first[n] != other[n]).any() for n in first)


def test_every_draw_has_its_own_part_of_the_range():
    """A Latin hypercube: sorted, the n-th of 20 draws lies in the n-th twentieth."""
    values = draw([Prior(name="tissue.k_w_mk", values=(0.0, 20.0))], 20, 4)["tissue.k_w_mk"]
    assert np.floor(np.sort(values)).tolist() == list(range(20))


def test_quartiles_of_the_draws_are_the_published_ones():
    """Hall et al. 2015: k_f .00262/.00352/.00454."""
    prior = next(p for p in load_priors("liver_in_vivo") if p.name == "oneill.forward_1_s")
    values = draw([prior], 400, 9)["oneill.forward_1_s"]
    assert np.quantile(values, (0.25, 0.5, 0.75)) == pytest.approx(
        (0.00262, 0.00352, 0.00454), rel=0.01
    )


def test_a_draw_that_kills_untreated_liver_is_drawn_anew():
    """k_f 0.009 and T_k 25 C kill at 37 C within the hour: 0.009 e^(37/25) = 0.04 per second."""
    priors = [p for p in load_priors("liver_in_vivo") if p.name.startswith("oneill")]
    values = draw(priors, 64, 2, models=[ThreeState()])
    body = torch.full((64,), 37.0, dtype=torch.float64)
    drawn = {n.split(".")[1]: torch.from_numpy(v) for n, v in values.items()}
    model = dataclasses.replace(ThreeState(), **drawn)
    state = model.start(body)
    for _ in range(60):
        state = model.advance(state, body, body, 60.0)
    assert bool((model.depth(state) < 0).all())
    without = draw(priors, 64, 2)
    assert any((without[n] != values[n]).any() for n in values)


def test_a_prior_that_always_kills_is_refused():
    deadly = [fixed("oneill.forward_1_s", 0.009), fixed("oneill.scale_c", 25.0)]
    with pytest.raises(StudyRejectedError, match="let untreated liver live"):
        draw(deadly, 4, 1, models=[ThreeState()])


def test_a_wider_prior_makes_a_softer_edge():
    result = ensemble(
        scene(),
        MWA,
        [ARRHENIUS],
        draws=6,
        seed=1,
        like=LIKE,
        priors=[Prior(name="tissue.perfusion_1_s", values=(0.0, 0.03))],
    )
    assert ((result.coverage > 0) & (result.coverage < 1)).any()
    volumes = result.volumes_ml["arrhenius"]
    perfusion = result.parameters["tissue.perfusion_1_s"]
    assert np.argsort(perfusion).tolist() == np.argsort(-volumes).tolist()  # blood cools
    low, middle, high = result.volume_quantiles_ml("arrhenius")
    assert low < middle < high


def test_two_models_make_one_probability():
    """Where only one of two equally likely models kills, tissue dies with one half."""
    result = ensemble(
        scene(), MWA, [ARRHENIUS, damage_model("cem43")], draws=1, seed=1, like=LIKE, priors=[]
    )
    assert set(np.unique(result.coverage)) == {0.0, 0.5, 1.0}


def test_a_ball_in_a_ball_has_the_difference_of_their_radii():
    """A zone of 15 mm around a target of 9 mm: 6 mm, whatever the grids; short ways are the rule."""
    window, image = centred(40, 1.3), centred(60, 0.9)
    index = np.stack(np.meshgrid(*(np.arange(40),) * 3, indexing="ij"), -1)
    away = np.linalg.norm(window.to_mm(index.reshape(-1, 3)), axis=1).reshape(window.shape)
    target = Target.prepare(ball(image, 9.0), window)
    assert target.margin_mm((15.0 - away) / 4) == pytest.approx(6.0, abs=0.5)
    assert target.margin_mm((7.0 - away) / 4) == pytest.approx(-2.0, abs=0.4)
    deepest = 9.0 - 0.9 * math.sqrt(0.75)  # the ball's middle lies between eight voxels
    assert target.margin_mm(np.full(window.shape, -5.0)) == pytest.approx(-deepest, abs=0.4)


def test_the_probability_of_a_margin_counts_the_draws_that_reach_it():
    image = centred(41, 1.0)
    result = ensemble(
        scene(),
        MWA,
        [ARRHENIUS],
        draws=5,
        seed=1,
        like=LIKE,
        priors=[Prior(name="device.efficiency", values=(0.4, 1.6), relative=True)],
        targets={"1": ball(image, 5.0)},
    )
    margins = result.margins_mm["1"]["arrhenius"]
    assert (
        np.argsort(margins).tolist() == np.argsort(result.parameters["device.efficiency"]).tolist()
    )
    for wanted in (0.0, 2.0, 5.0):
        assert result.probability_of_margin("1", wanted) == np.mean(margins >= wanted)
    assert result.document()["probability_of_cover"]["1"] == np.mean(margins >= 0)


def test_a_target_of_another_frame_is_refused():
    elsewhere = Grid(shape=(9, 9, 9), affine_lps=np.eye(4), frame_uid="other")
    with pytest.raises(FrameMismatchError, match="never registered"):
        Target.prepare(Mask(np.ones((9, 9, 9), np.bool_), elsewhere), centred(9, 1.0))


def test_indices_are_the_shares_of_a_sum():
    """Y = 3 a + 4 b of equal spreads: 9/25 and 16/25; c says nothing, d does not vary."""
    generator = np.random.default_rng(0)
    a, b, c = generator.random((3, 4000))
    found = first_order_indices({"a": a, "b": b, "c": c, "d": np.ones(4000)}, 3 * a + 4 * b)
    assert found["a"] == pytest.approx(9 / 25, abs=0.03)
    assert found["b"] == pytest.approx(16 / 25, abs=0.03)
    assert found["c"] < 0.01
    assert "d" not in found


def test_a_chance_likeness_is_no_cause():
    """Y = a alone; b happens to resemble a in these 64 draws."""
    generator = np.random.default_rng(3)
    a, noise = generator.random((2, 64))
    b = 0.4 * a + 0.6 * noise
    found = first_order_indices({"a": a, "b": b}, a + 0.02 * generator.random(64))
    assert found["a"] == pytest.approx(1, abs=0.02)
    assert found["b"] < 0.01


def test_indices_of_few_draws_are_refused():
    with pytest.raises(StudyRejectedError, match="at least 20 draws; got 19"):
        first_order_indices({"a": np.arange(19.0)}, np.arange(19.0))


def test_priors_speak_only_where_they_have_a_say():
    microwave = {p.name for p in priors_for(scene(), [ARRHENIUS])}
    electrode = {p.name for p in priors_for(scene(device="rfa_cooled_17g_30mm"), [ARRHENIUS])}
    assert "device.efficiency" in microwave - electrode
    assert "tissue.sigma_s_m" in electrode - microwave
    assert not any(n.startswith("oneill") for n in microwave | electrode)
    excised = dataclasses.replace(scene(), tissue=load_tissue("liver_ex_vivo"))
    assert "tissue.perfusion_1_s" not in {p.name for p in priors_for(excised, [ARRHENIUS])}


def test_a_relative_prior_multiplies():
    varied, models = vary(
        scene(), [Arrhenius()], {"device.efficiency": 1.1, "arrhenius.lowest_c": 40.0},
        frozenset({"device.efficiency"}),
    )  # fmt: skip
    before = scene().probes[0].device.efficiency
    assert varied.probes[0].device.efficiency == pytest.approx(1.1 * before)
    assert models[0].lowest_c == 40.0


@pytest.mark.parametrize("name", ["liver_in_vivo", "liver_ex_vivo"])
def test_every_prior_says_where_it_is_from(name):
    assert all(p.source for p in load_priors(name))


def test_a_tissue_without_priors_is_refused():
    unnamed = dataclasses.replace(scene(), tissue=dataclasses.replace(scene().tissue, name="mine"))
    with pytest.raises(StudyRejectedError, match="tissue 'mine' has no priors; there are sets for"):
        priors_for(unnamed, [ARRHENIUS])


@pytest.mark.parametrize(
    "numbers",
    [
        {"values": (0.02, 0.01)},
        {"values": (0.0, 1.0, 2.0), "shares": (0.0, 0.5, 0.5)},
    ],
)
def test_a_prior_upside_down_is_refused(numbers):
    with pytest.raises(StudyRejectedError, match=r"upside down|shares from 0 to 1"):
        Prior(name="tissue.perfusion_1_s", **numbers)


def test_a_prior_with_a_key_nobody_knows_is_refused():
    with pytest.raises(StudyRejectedError, match="must be a mapping with values"):
        parse_priors({"tissue.k_w_mk": {"value": [0.4, 0.5]}})


def test_an_unknown_parameter_is_refused_with_the_nearest_name():
    with pytest.raises(StudyRejectedError, match=r"no parameter 'tissue\.perfusion'") as refusal:
        vary(scene(), [ARRHENIUS], {"tissue.perfusion": 0.01})
    assert "Did you mean 'tissue.perfusion_1_s'" in str(refusal.value)


@pytest.mark.parametrize("draws", [0, -3])
def test_no_draws_are_refused(draws):
    with pytest.raises(StudyRejectedError, match=f"at least one draw; got {draws}"):
        ensemble(scene(), MWA, [ARRHENIUS], draws=draws, seed=1, like=LIKE)


def test_a_parameter_with_two_priors_is_refused():
    twice = [fixed("tissue.k_w_mk", 0.5), fixed("tissue.k_w_mk", 0.6)]
    with pytest.raises(StudyRejectedError, match="given twice"):
        draw(twice, 2, 1)


def test_an_impossible_draw_is_refused_before_the_first_run():
    def never(*_, **__):
        raise AssertionError

    with pytest.raises(StudyRejectedError, match="k_w_mk must be a positive"):
        ensemble(
            scene(), MWA, [ARRHENIUS], draws=2, seed=1, like=LIKE,
            priors=[Prior(name="tissue.k_w_mk", values=(-1.0, -0.5))], simulate=never,
        )  # fmt: skip


@pytest.mark.parametrize("name", ["workers", "batch"])
def test_no_workers_and_no_batch_are_refused(name):
    with pytest.raises(StudyRejectedError, match=f"{name} must be at least 1; got 0"):
        ensemble(scene(), MWA, [ARRHENIUS], draws=1, seed=1, like=LIKE, **{name: 0})


RFA = AblationProtocol(
    modality=AblationModality.RFA, duration_s=60.0, power_w=60.0, controller="impedance"
)


@pytest.mark.parametrize(
    ("device", "protocol"), [("mwa_generic_14g", MWA), ("rfa_cooled_17g_30mm", RFA)]
)
def test_draws_side_by_side_are_the_draws_one_by_one(device, protocol):
    """Each with its own generator, boiling, blood and three-state numbers."""
    models = [damage_model(n) for n in ("arrhenius", "cem43", "oneill")]
    vessel = Vessel(from_mm=PointMm(9, -60, 0), to_mm=PointMm(9, 60, 0), diameter_mm=2.0)
    tissue = dataclasses.replace(scene(22, 3.2, device), vessels=(vessel,))
    alone, together = (
        ensemble(tissue, protocol, models, draws=3, seed=4, like=LIKE, batch=b) for b in (1, 3)
    )
    for model in ("arrhenius", "cem43", "oneill"):
        assert together.volumes_ml[model] == pytest.approx(alone.volumes_ml[model], rel=2e-3)
    assert np.mean(together.coverage != alone.coverage) < 1e-3
    assert len(set(alone.volumes_ml["arrhenius"])) == 3


def test_cold_draws_do_not_lie_side_by_side():
    frozen = AblationProtocol(modality=AblationModality.CRYO, duration_s=60.0)
    with pytest.raises(StudyRejectedError, match="side by side for mwa and rfa; got cryo"):
        simulate_together([(scene(), [ARRHENIUS])] * 2, frozen, like=LIKE)
