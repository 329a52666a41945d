"""Gradients of a zone's score: central differences, symmetry, ascent, and what is refused."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from netseg.domain import (
    Ablation,
    AblationModality,
    AblationProtocol,
    DifferentiableAblationModel,
    Grid,
    Mask,
    PointMm,
    Probe,
    StudyRejectedError,
)
from netseg.domain.errors import FrameMismatchError
from netseg.simulate import load_device, load_tissue
from netseg.simulate.adjoint_sweep import Sweep
from netseg.simulate.damage import damage_model
from netseg.simulate.differentiable import Settings, differentiate, heat_run
from netseg.simulate.gradient import DifferentiableBioheat
from netseg.simulate.pose import tangent
from netseg.simulate.scene import PlacedProbe, Scene
from netseg.simulate.scene_run import simulate_scene
from netseg.simulate.soft_cover import SoftCover
from netseg.simulate.vessel import Vessel

MWA, RFA = AblationModality.MWA, AblationModality.RFA
DOUBLE = torch.zeros((), dtype=torch.float64)
EXACT = Settings(tolerance=1e-10, cooling_s=5.0)
ARRHENIUS = damage_model("arrhenius")
BAR = 1e-3  # relative error that the reference allows
FINE = 3e-6  # what is reached where nothing boils; finds small terms that are missing


def grid(n, h, frame="x"):
    affine = np.diag([h, h, h, 1.0])
    affine[:3, 3] = -(n - 1) / 2 * h
    return Grid(shape=(n, n, n), affine_lps=affine, frame_uid=frame)


def unit(vector):
    x, y, z = (np.array(vector, dtype=float) / np.linalg.norm(vector)).tolist()
    return x, y, z


def placed(device, tip, direction, name="A"):
    d = load_device(device)
    return PlacedProbe(
        id=name,
        device=d,
        tip_mm=PointMm.of(tip),
        direction=unit(direction),
        active_length_mm=d.active_length_mm,
    )


def ball(where, centre, radius_mm):
    index = np.stack(np.meshgrid(*(np.arange(n) for n in where.shape), indexing="ij"), -1)
    away = np.linalg.norm(where.to_mm(index.reshape(-1, 3)) - np.array(centre), axis=1)
    return Mask((away <= radius_mm).reshape(where.shape), where)


TARGET = ball(grid(26, 1.7), (5.0, 3.0, 2.0), 11.0)
TIP, ALONG = np.array([1.3, 0.4, -9.1]), np.array(unit((0.2, -0.3, 1.0)))


def scene(device, *, tip=TIP, direction=ALONG, n=20, h=3.5, more=(), vessels=()):
    return Scene(
        grid=grid(n, h),
        probes=(placed(device, tip, direction), *more),
        tissue=load_tissue("liver_in_vivo"),
        vessels=vessels,
    )


def cover_of(where, target=TARGET):
    return SoftCover.place(target, where, softness=1.0, like=DOUBLE)


def central(score, step):
    return (score(step) - score(-step)) / (2 * step)


CASES = {
    "microwave": (
        "mwa_generic_14g",
        AblationProtocol(modality=MWA, duration_s=30.5, power_w=110.0),
    ),
    "watts": ("rfa_cooled_17g_30mm", AblationProtocol(modality=RFA, duration_s=30.5, power_w=40.0)),
    "volts": ("rfa_cooled_17g_30mm", AblationProtocol(modality=RFA, duration_s=30.5, voltage_v=70)),
}


@pytest.mark.parametrize(
    "case", ["microwave", "watts", pytest.param("volts", marks=pytest.mark.slow)]
)
def test_the_gradient_is_that_of_central_differences(case):
    """Tip, direction, drive and duration; boiling in the volts' case. Decisions are held."""
    device, protocol = CASES[case]
    n, bar = 20 if case == "microwave" else 24, FINE if case == "watts" else BAR
    start = scene(device, n=n)
    cover = cover_of(start.grid)
    _, slopes, decided = differentiate(
        start, protocol, ARRHENIUS, cover, like=DOUBLE, settings=EXACT
    )

    def score(at, by=protocol):
        run = heat_run(at, by, ARRHENIUS, like=DOUBLE, settings=EXACT, given=decided)
        return cover.score(ARRHENIUS, run.forward())[0]

    tip = slopes.tips[0].numpy()
    turned = tangent(slopes.directions[0], tuple(ALONG)).numpy()
    for axis in (0, 2):
        e = np.eye(3)[axis]
        measured = central(lambda s, e=e: score(scene(device, tip=TIP + s * e, n=n)), 1e-4)
        assert tip[axis] == pytest.approx(measured, abs=bar * np.linalg.norm(tip))
        across = e - (e @ ALONG) * ALONG
        measured = central(
            lambda s, a=across: score(scene(device, direction=ALONG + s * a, n=n)), 1e-5
        )
        assert turned @ across == pytest.approx(measured, abs=bar * np.linalg.norm(turned))
    name = "voltage_v" if protocol.power_w is None else "power_w"
    unit_drive = getattr(protocol, name)
    measured = central(
        lambda s: score(start, dataclasses.replace(protocol, **{name: unit_drive + s})), 1e-3
    )
    by_drive = slopes.drive * (2 * unit_drive if name == "voltage_v" else 1)
    assert by_drive == pytest.approx(measured, rel=BAR)
    measured = central(
        lambda s: score(start, dataclasses.replace(protocol, duration_s=30.5 + s)), 1e-3
    )
    assert slopes.duration_s == pytest.approx(measured, rel=BAR)


def test_the_gradient_with_boiling_vessels_and_two_needles():
    """120 W for a minute between two antennas, a thick and a thin vessel beside them."""
    more = (placed("mwa_generic_14g", (-12.0, 3.0, -8.0), (0.0, 0.2, 1.0), "B"),)
    vessels = tuple(
        Vessel(from_mm=PointMm(*a), to_mm=PointMm(*b), diameter_mm=d)
        for a, b, d in (
            ((15.0, -40.0, 1.0), (15.0, 40.0, 1.0), 9.0),
            ((-40.0, 9.0, 5.0), (40.0, 9.0, 5.0), 1.5),
        )
    )
    protocol = AblationProtocol(modality=MWA, duration_s=60.5, power_w=140.0)
    start = scene("mwa_generic_14g", n=24, h=3.0, more=more, vessels=vessels)
    cover = cover_of(start.grid)
    _, slopes, decided = differentiate(
        start, protocol, ARRHENIUS, cover, like=DOUBLE, settings=EXACT
    )
    run = heat_run(start, protocol, ARRHENIUS, like=DOUBLE, settings=EXACT, given=decided)
    run.forward()
    assert len(run.problem.sinks) == 1
    boiling = run.problem.conduction.law.starts_k
    assert any(float(r.heat.max()) > boiling for r in run.recorded(max(run.saved)) if len(r.heat))

    def score(shift):
        moved = placed("mwa_generic_14g", (-12.0 + shift, 3.0, -8.0), (0.0, 0.2, 1.0), "B")
        at = scene("mwa_generic_14g", n=24, h=3.0, more=(moved,), vessels=vessels)
        again = heat_run(at, protocol, ARRHENIUS, like=DOUBLE, settings=EXACT, given=decided)
        return cover.score(ARRHENIUS, again.forward())[0]

    assert float(slopes.tips[1][0]) == pytest.approx(
        central(score, 1e-4), abs=BAR * float(slopes.tips[1].norm())
    )


@pytest.mark.parametrize("damage", ["cem43", "oneill"])
def test_the_gradient_through_long_steps_and_other_damage(damage):
    """Steps of 8 s on 2 mm cells take three stages of RKL2."""
    model, settings = damage_model(damage), dataclasses.replace(EXACT, step_s=8.0)
    device, protocol = CASES["microwave"]
    protocol = dataclasses.replace(protocol, duration_s=94.0)
    start = scene(device, n=30, h=2.0)
    cover = SoftCover.place(TARGET, start.grid, softness=0.3, like=DOUBLE)
    _, slopes, decided = differentiate(
        start, protocol, model, cover, like=DOUBLE, settings=settings
    )
    assert set(decided.stages) == {3}

    def score(shift):
        at = scene(device, tip=TIP + np.array((shift, 0, 0)), n=30, h=2.0)
        again = heat_run(at, protocol, model, like=DOUBLE, settings=settings, given=decided)
        return cover.score(model, again.forward())[0]

    assert float(slopes.tips[0][0]) == pytest.approx(
        central(score, 1e-4), abs=BAR * float(slopes.tips[0].norm())
    )


def test_what_was_forgotten_is_run_again_to_the_same_gradient():
    device, protocol = CASES["microwave"]
    start = scene(device)
    cover = cover_of(start.grid)
    kept, again = (
        differentiate(start, protocol, ARRHENIUS, cover, like=DOUBLE, settings=how)
        for how in (EXACT, dataclasses.replace(EXACT, keep_bytes=0))
    )
    assert kept[0] == again[0]
    assert torch.equal(kept[1].tips[0], again[1].tips[0])
    assert kept[1].duration_s == again[1].duration_s


@pytest.mark.parametrize(("keep_bytes", "runs"), [(1 << 30, 1), (0, 2)])
def test_the_way_back_repeats_no_step_or_each_step_once(keep_bytes, runs):
    """Evaluations of the conduction operator, forward and for the way back."""
    device, protocol = CASES["microwave"]
    start = scene(device)
    settings = dataclasses.replace(EXACT, keep_bytes=keep_bytes)
    run = heat_run(start, protocol, ARRHENIUS, like=DOUBLE, settings=settings)
    _, bar = cover_of(start.grid).score(ARRHENIUS, run.forward())
    Sweep(run, bar).back()
    assert run.updates == runs * sum(run.schedule.stages)
    assert len(run.saved) == math.ceil(run.steps / round(math.sqrt(run.steps)))


def test_the_run_that_is_differentiated_is_the_solvers_run():
    device, protocol = CASES["microwave"]
    start = scene(device)
    cover = cover_of(start.grid)
    done = simulate_scene(start, protocol, [ARRHENIUS], like=DOUBLE, cooling_s=5.5)
    depth = torch.from_numpy(done.depth["arrhenius"]).reshape(-1)[cover.cells]
    expected = torch.sigmoid((depth * cover.weights).sum(1) - 5.0 * cover.beyond).mean()
    settings = dataclasses.replace(EXACT, cooling_s=5.5)
    score, _, _ = differentiate(start, protocol, ARRHENIUS, cover, like=DOUBLE, settings=settings)
    assert score == pytest.approx(float(expected), rel=1e-9)


PATIENT = grid(60, 2.0, "patient")


def ablation(tip, entry, *, power_w=70.0, device="mwa_generic_14g", **protocol):
    probe = Probe(
        id="A",
        device=device,
        entry_mm=PointMm.of(entry),
        tip_mm=PointMm.of(tip),
        active_length_mm=load_device(device).active_length_mm,
    )
    energy = AblationProtocol(
        modality=load_device(device).modality,
        duration_s=60.0,
        power_w=power_w,
        **protocol,
    )
    return Ablation(lesion_id=1, probes=(probe,), protocol=energy, path_mm=100.0)


def model(**how) -> DifferentiableAblationModel:
    numbers = {"spacing_mm": 3.0, "margin_mm": 27.0, "settings": Settings(cooling_s=10.0)} | how
    return DifferentiableBioheat("liver_in_vivo", "cpu", **numbers)


def test_ascent_brings_a_needle_back_to_its_target():
    """A needle 9 mm beside the middle of a 9 mm ball: five steps uphill, most of it covered."""
    target = ball(PATIENT, (0.0, 0.0, 0.0), 9.0)
    simulator, tip = model(), np.array([8.0, 4.0, -10.0])
    scores = []
    for stride in (3.0, 3.0, 2.0, 1.0, 0.5):
        plan = ablation(tip, tip + np.array((0, 0, 120)))
        score, gradient = simulator.score_and_gradient(plan, target, PATIENT)
        uphill = np.array(gradient.probes["A"].tip_per_mm)
        scores.append(score)
        tip = tip + stride * uphill / np.linalg.norm(uphill)
    assert scores[0] < 0.45
    assert scores[-1] > 1.5 * scores[0]
    assert scores == sorted(scores)
    assert np.linalg.norm(tip[:2]) < 5.0


def test_a_target_around_the_needle_pulls_to_no_side():
    target = ball(PATIENT, (0.0, 0.0, 0.0), 12.0)
    plan = ablation((0.0, 0.0, -10.0), (0.0, 0.0, 110.0))
    _, gradient = model().score_and_gradient(plan, target, PATIENT)
    x, y, _ = gradient.probes["A"].tip_per_mm
    assert max(abs(x), abs(y)) < 1e-4
    assert gradient.power_per_w is not None
    assert gradient.power_per_w > 0
    assert gradient.duration_per_s > 0
    assert gradient.voltage_per_v is None


def test_shifting_target_and_needle_together_changes_nothing():
    shift = np.array([6.0, -4.0, 8.0])  # whole voxels of the image
    plain, moved = (
        model().score_and_gradient(
            ablation(np.array((5.0, 0.0, -10.0)) + s, np.array((5.0, 0.0, 110.0)) + s),
            ball(PATIENT, s, 9.0),
            PATIENT,
        )
        for s in (np.zeros(3), shift)
    )
    assert moved[0] == pytest.approx(plain[0], rel=1e-5)
    assert moved[1].probes["A"].tip_per_mm == pytest.approx(
        plain[1].probes["A"].tip_per_mm, abs=1e-5
    )


def test_turning_target_and_needle_together_turns_the_gradient():
    """A needle along z and target at +x, against a needle along x and target at +y."""
    along_z, along_x = (
        model().score_and_gradient(
            ablation(-10 * np.array(a), 110 * np.array(a)), ball(PATIENT, side, 8.0), PATIENT
        )
        for a, side in (((0, 0, 1), (6.0, 0.0, 0.0)), ((1, 0, 0), (0.0, 6.0, 0.0)))
    )
    assert along_x[0] == pytest.approx(along_z[0], rel=1e-3)
    x, y, z = along_z[1].probes["A"].tip_per_mm
    assert along_x[1].probes["A"].tip_per_mm == pytest.approx((z, x, y), abs=1e-4)
    turn = along_z[1].probes["A"].direction_per_rad
    assert turn[2] == pytest.approx(0, abs=1e-9)  # along the needle there is no turning
    assert turn[0] > 0


def test_a_target_out_of_reach_is_not_covered_and_has_no_slope():
    far = ball(PATIENT, (-50.0, -50.0, -50.0), 6.0)
    plan = ablation((30.0, 30.0, 20.0), (30.0, 30.0, 140.0))
    score, gradient = model().score_and_gradient(plan, far, PATIENT)
    assert score == pytest.approx(1 / (1 + math.exp(5.0)), rel=0.5)
    assert gradient.probes["A"].tip_per_mm == (0.0, 0.0, 0.0)


def test_a_generator_that_pauses_is_held_as_it_went():
    """The impedance controller cuts power; central differences keep its record."""
    device = "rfa_cooled_17g_30mm"
    protocol = AblationProtocol(
        modality=RFA,
        duration_s=60.5,
        power_w=120.0,
        controller="impedance",
        settings={"rise": 0.03, "off_s": 8.0},
    )
    start = scene(device)
    cover = cover_of(start.grid)
    _, slopes, decided = differentiate(
        start, protocol, ARRHENIUS, cover, like=DOUBLE, settings=EXACT
    )
    assert 0.0 in decided.powers
    assert max(decided.powers[:5]) <= 1.0

    def score(at, by=protocol):
        run = heat_run(at, by, ARRHENIUS, like=DOUBLE, settings=EXACT, given=decided)
        return cover.score(ARRHENIUS, run.forward())[0]

    measured = central(lambda s: score(scene(device, tip=TIP + np.array((0, s, 0)))), 1e-4)
    assert float(slopes.tips[0][1]) == pytest.approx(
        measured, abs=BAR * float(slopes.tips[0].norm())
    )
    measured = central(lambda s: score(start, dataclasses.replace(protocol, power_w=120 + s)), 1e-3)
    assert slopes.drive == pytest.approx(measured, rel=BAR)


def test_the_generator_that_is_held_is_the_solvers():
    """Score of the solver's own impedance-controlled run, electric grid and all: within 2 %."""
    protocol = AblationProtocol(
        modality=RFA,
        duration_s=60.5,
        power_w=120.0,
        controller="impedance",
        settings={"rise": 0.03, "off_s": 8.0},
    )
    start = scene("rfa_cooled_17g_30mm")
    cover = cover_of(start.grid)
    done = simulate_scene(start, protocol, [ARRHENIUS], like=DOUBLE, cooling_s=5.5)
    depth = torch.from_numpy(done.depth["arrhenius"]).reshape(-1)[cover.cells]
    expected = torch.sigmoid((depth * cover.weights).sum(1) - 5.0 * cover.beyond).mean()
    settings = dataclasses.replace(EXACT, cooling_s=5.5)
    score, _, decided = differentiate(
        start, protocol, ARRHENIUS, cover, like=DOUBLE, settings=settings
    )
    assert score == pytest.approx(float(expected), rel=0.02)
    assert sum(1 for p in decided.powers if p == 0) > 0


@pytest.mark.parametrize(
    "how",
    [
        {"controller": "switching"},
        {"schedule": ({"duration_s": 30.0}, {"duration_s": 30.0, "power_w": 20.0})},
    ],
)
def test_needles_that_are_not_driven_together_are_refused(how):
    plan = ablation((0, 0, -10), (0, 0, 110), device="rfa_cooled_17g_30mm", **how)
    met = rf"together in one phase; got the {plan.protocol.controller} generator with {len(how.get('schedule', ()))}"
    with pytest.raises(StudyRejectedError, match=met) as refused:
        model().score_and_gradient(plan, ball(PATIENT, (0, 0, 0), 9.0), PATIENT)
    assert "Drive the needles together" in refused.value.notice.hint


def test_conductivity_that_follows_temperature_is_refused():
    tissue = dataclasses.replace(load_tissue("liver_in_vivo"), k_rise_1_k=0.0025)
    simulator = DifferentiableBioheat(tissue, "cpu")
    with pytest.raises(
        StudyRejectedError, match=r"constant thermal conductivity; .* 0\.0025"
    ) as no:
        simulator.score_and_gradient(
            ablation((0, 0, -10), (0, 0, 110)), ball(PATIENT, (0, 0, 0), 9.0), PATIENT
        )
    assert "k_rise_1_k to 0" in no.value.notice.hint


@pytest.mark.parametrize("modality", [AblationModality.CRYO, AblationModality.IRE])
def test_cold_and_pulses_have_no_gradient(modality):
    plan = ablation((0, 0, -10), (0, 0, 110))
    other = AblationProtocol(modality=modality, duration_s=60.0)
    met = f"gradients are for mwa and rfa; got {modality.value}"
    with pytest.raises(StudyRejectedError, match=met) as refused:
        model().score_and_gradient(
            dataclasses.replace(plan, protocol=other), ball(PATIENT, (0, 0, 0), 9.0), PATIENT
        )
    assert "BioheatModel" in refused.value.notice.hint


def test_a_target_of_another_frame_is_refused():
    with pytest.raises(FrameMismatchError, match="never registered"):
        model().score_and_gradient(
            ablation((0, 0, -10), (0, 0, 110)), ball(grid(20, 2.0), (0, 0, 0), 9.0), PATIENT
        )


def test_an_empty_target_is_refused():
    empty = Mask(np.zeros(PATIENT.shape, np.bool_), PATIENT)
    with pytest.raises(StudyRejectedError, match="the target holds no voxel"):
        model().score_and_gradient(ablation((0, 0, -10), (0, 0, 110)), empty, PATIENT)


def test_a_needle_outside_the_image_is_refused():
    with pytest.raises(StudyRejectedError, match="probe outside the grid: the tip of A"):
        model().score_and_gradient(
            ablation((0, 0, -100), (0, 0, 110)), ball(PATIENT, (0, 0, 0), 9.0), PATIENT
        )


def test_no_needle_is_refused():
    plan = dataclasses.replace(ablation((0, 0, -10), (0, 0, 110)), probes=())
    with pytest.raises(StudyRejectedError, match="at least one probe; got none"):
        model().score_and_gradient(plan, ball(PATIENT, (0, 0, 0), 9.0), PATIENT)


@pytest.mark.parametrize("name", ["softness", "spacing_mm"])
def test_a_softness_or_spacing_of_zero_is_refused(name):
    with pytest.raises(StudyRejectedError, match=rf"{name} must be positive; got 0\.0"):
        model(**{name: 0.0})
