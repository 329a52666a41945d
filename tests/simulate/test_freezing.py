"""Cryo probes in freezing tissue: latent heat, protocols, isotherms, several probes."""

import math

import pytest
import torch

from netseg.domain.ablation import AblationModality, AblationProtocol
from netseg.domain.errors import StudyRejectedError
from netseg.simulate.coolant import ColdLine
from netseg.simulate.cryo_protocol import ARGON_C, FreezeThaw, Phase
from netseg.simulate.damage.isotherm import ISOTHERMS, Isotherm
from netseg.simulate.devices import load_device
from netseg.simulate.freezing import FreezableTissue, compiled_kernels, freeze
from netseg.simulate.freezing_step import Kernels
from netseg.simulate.needle import LineKernel, Needle
from netseg.simulate.phase import FreezingLaw
from netseg.simulate.tissue import Tissue, load_tissue

LAW = FreezingLaw()
LIVER = load_tissue("liver_cryo")


def scene(*at_mm, h=2.0, n=36, tissue=LIVER, length_mm=25.0, shift=0.0, **link):
    """Probes along k at these places (mm from the middle) in a cube of tissue."""
    shape, spacing = (n, n, n), (h, h, h)
    like = torch.zeros(())
    made = FreezableTissue.of(tissue, shape, spacing, like=like)
    middle = (n - 1) * h / 2
    probes = []
    for x, y in at_mm or ((0.0, 0.0),):
        needle = Needle(
            tip_mm=(middle + x + shift, middle + y, middle - length_mm / 2),
            direction=(0.0, 0.0, 1.0),
            active_length_mm=length_mm,
            diameter_mm=1.5,
        )
        kernel = LineKernel.embed(needle, shape, spacing, like=like)
        probes.append(ColdLine.place(kernel, made.k_w_mk, **link))
    return made, tuple(probes)


def volume_ml(depth, h=2.0):
    return float((depth > 0).sum()) * h**3 / 1000


def test_enthalpy_of_freezing_is_what_the_reference_says():
    """3600 J/kgK to 272 K, 250 kJ/kg to 265 K, then 1860 J/kgK."""
    law = load_tissue("liver_cryo").freezing
    body_k, freezing_k, frozen_k, deep_k = 310.15, 272.0, 265.0, 133.0
    heat = (freezing_k - body_k) - 250e3 / 3600 - (frozen_k - deep_k) * 1860 / 3600
    assert float(law.excess(torch.tensor(heat))) == pytest.approx(deep_k - body_k, abs=1e-3)
    assert law.latent_k * 3600 == pytest.approx(-250e3)
    assert float(law.vapour(torch.tensor(freezing_k - body_k))) == pytest.approx(0, abs=1e-5)
    assert float(law.vapour(torch.tensor(-38.15 - 250e3 / 3600))) == pytest.approx(1)


def test_conduction_potential_is_the_integral_of_k():
    """0.5 W/mK above 272 K, 1.25 to 265 K, 2.0 below; over 0.5."""
    law = load_tissue("liver_cryo").freezing
    assert law.potential_of(-20.0) == -20.0
    assert law.potential_of(265.0 - 310.15) == pytest.approx(-38.15 - 7 * 2.5)
    assert law.potential_of(133.0 - 310.15) == pytest.approx(-38.15 - 7 * 2.5 - 132 * 4.0)
    for celsius in (-140.15, -30.0, -5.0, 10.0):
        excess = celsius - 37.0
        heats = torch.linspace(-400, 0, 400_001, dtype=torch.float64)
        heat = heats[(law.excess(heats) - excess).abs().argmin()]
        assert float(law.potential(heat)) == pytest.approx(law.potential_of(excess), abs=0.02)


@pytest.mark.parametrize("change", [{"starts_k": 0.0}, {"plateau_k": 0.0}, {"ice_slope": -1.0}])
def test_a_law_that_is_no_freezing_is_refused(change):
    with pytest.raises(ValueError, match="tissue is not frozen at its baseline"):
        FreezingLaw(**change)


def test_energy_balances_through_freezing_and_thawing():
    """A23 (i) with latent heat: what the probe drew is cold, ice and what blood brought."""
    tissue, probes = scene()
    protocol = FreezeThaw(
        phases=(
            Phase(duration_s=200.0, probe_c=ARGON_C),
            Phase(duration_s=60.0, probe_c=None),
            Phase(duration_s=60.0, probe_c=15.0),
        )
    )
    done = freeze(tissue, probes, protocol)
    energy = done.energy
    assert energy.balance_error < 1e-4
    assert energy.coolant > 1000
    assert energy.perfusion < 0  # blood brings heat
    assert energy.latent < 0  # some ice is left
    assert done.drawn_j == pytest.approx((energy.coolant,))


def test_energy_balances_when_a_thaw_is_so_slow_that_one_stage_does():
    """Explicit steps between the long ones of two freezes."""
    tissue, probes = scene(h=3.0, n=28)
    freezing = Phase(duration_s=100.0, probe_c=ARGON_C)
    phases = (freezing, Phase(duration_s=160.0, probe_c=None), Phase(duration_s=60.0, probe_c=15.0))
    done = freeze(tissue, probes, FreezeThaw(phases=(*phases, freezing)), step_s=2.0)
    assert done.updates < 5 * done.steps
    assert done.energy.balance_error < 1e-5


def test_ice_takes_latent_heat_with_it():
    """A millilitre frozen from 272 to 265 K: 1.079 g of 250 J/g."""
    tissue, probes = scene()
    done = freeze(tissue, probes, FreezeThaw.single(120.0))
    assert done.energy.latent == pytest.approx(-done.trace["ice_ml"][-1] * 1.079 * 250, rel=1e-3)


def test_the_colder_the_isotherm_the_smaller_the_zone():
    tissue, probes = scene()
    done = freeze(tissue, probes, FreezeThaw.single(300.0))
    names = ["isotherm_40", "isotherm_30", "isotherm_20", "ice_ball"]
    assert list(done.depth) == names
    volumes = [volume_ml(done.depth[n]) for n in names]
    assert volumes == sorted(volumes)
    assert volumes[0] > 0
    assert done.depth["isotherm_40"].isfinite().all()
    assert float(done.coldest_k.min()) + 37 > ARGON_C  # nothing is colder than the probe


def test_depth_is_linear_through_the_isotherm():
    model = Isotherm()
    state = model.advance(
        model.start(torch.zeros(3)),
        torch.full((3,), 37.0),
        torch.tensor([-38.0, -40.0, -42.0]),
        1.0,
    )
    assert model.depth(state).tolist() == pytest.approx([-0.2, 0.0, 0.2])
    assert model.perfused(state).tolist() == [1.0, 0.0, 0.0]
    thawed = model.advance(state, state, torch.full((3,), 37.0), 1.0)
    assert thawed.tolist() == state.tolist()  # the coldest counts
    assert model.depth(model.start(torch.zeros(2))).tolist() == [-5.0, -5.0]


def test_a_passive_thaw_draws_nothing_and_an_active_one_warms():
    tissue, probes = scene()
    phases = (Phase(duration_s=100.0, probe_c=ARGON_C), Phase(duration_s=60.0, probe_c=None))
    passive = freeze(tissue, probes, FreezeThaw(phases=phases), step_s=2.0)
    drawn = dict(zip(passive.trace["time_s"], passive.trace["drawn_w"], strict=True))
    assert drawn[90.0] > 0
    assert drawn[120.0] == drawn[160.0] == 0
    probe = dict(zip(passive.trace["time_s"], passive.trace["probe_c"], strict=True))
    assert probe[90.0] == ARGON_C
    assert math.isnan(probe[120.0])
    active = freeze(
        tissue, probes, FreezeThaw(phases=(phases[0], Phase(duration_s=60.0, probe_c=15.0)))
    )
    assert active.trace["drawn_w"][-1] < 0
    assert active.trace["ice_ml"][-1] < passive.trace["ice_ml"][-1]


def test_a_second_freeze_starts_cold_and_reaches_further():
    tissue, probes = scene(h=3.0, n=28)
    freezing = Phase(duration_s=120.0, probe_c=ARGON_C)
    once = freeze(tissue, probes, FreezeThaw(phases=(freezing,)))
    twice = freeze(
        tissue,
        probes,
        FreezeThaw(phases=(freezing, Phase(duration_s=30.0, probe_c=None), freezing)),
    )
    assert twice.ice_ml > 1.05 * once.ice_ml
    assert volume_ml(twice.depth["isotherm_40"]) >= volume_ml(once.depth["isotherm_40"])


def test_the_double_protocol_lasts_26_minutes():
    """Go-Smart: 10 min freeze, 2 min passive, 1 min active thaw at 288 K, and again."""
    double = FreezeThaw.double()
    assert double.duration_s == 1560
    assert [p.probe_c for p in double.phases[:3]] == pytest.approx([-140.15, None, 14.85])
    device = load_device("cryo_generic_25mm")
    planned = FreezeThaw.of(device.protocols[-1], probe_c=device.coolant_c)
    assert [p.duration_s for p in planned.phases] == [p.duration_s for p in double.phases]
    assert [p.probe_c for p in planned.phases] == pytest.approx([p.probe_c for p in double.phases])


def test_two_probes_freeze_what_neither_does_alone():
    """At 20 mm the middle between two probes dies; one probe leaves it alive."""
    tissue, two = scene((-10.0, 0.0), (10.0, 0.0))
    done = freeze(tissue, two, FreezeThaw.single(600.0))
    alone = freeze(tissue, two[:1], FreezeThaw.single(600.0))
    assert float(done.depth["isotherm_20"][17:19, 17:19, 18].min()) > 0
    assert float(alone.depth["isotherm_20"][17:19, 17:19, 18].max()) < 0
    assert done.ice_ml > 2 * alone.ice_ml
    assert done.drawn_j[0] == pytest.approx(done.drawn_j[1], rel=1e-3)


def test_a_probe_at_70_percent_duty_freezes_less():
    protocol = FreezeThaw.single(300.0)
    full, part = (
        freeze(tissue, probes, protocol)
        for tissue, probes in (scene(h=3.0, n=24), scene(h=3.0, n=24, duty=0.7))
    )
    assert part.ice_ml < 0.97 * full.ice_ml
    assert part.energy.coolant < full.energy.coolant


def test_duty_of_a_phase_is_duty_of_the_probe():
    """70 % in the phase and 70 % at the valve of the probe are the same; both together are 49 %."""
    scaled = [
        freeze(*scene(h=3.0, n=24, duty=own), FreezeThaw.single(120.0, duty=phase))
        for own, phase in ((0.7, 1.0), (1.0, 0.7), (0.7, 0.7), (0.49, 1.0))
    ]
    drawn = [s.energy.coolant for s in scaled]
    assert drawn[1] == pytest.approx(drawn[0], rel=1e-6)
    assert drawn[3] == pytest.approx(drawn[2], rel=1e-5)
    assert drawn[2] < drawn[1]
    assert scaled[2].energy.balance_error < 1e-4


def test_a_later_phase_has_its_own_duty():
    """120 s at full duty, then 120 s at a tenth: the ball grows at first, then melts."""
    protocol = AblationProtocol(
        modality=AblationModality.CRYO,
        duration_s=240.0,
        settings={"duty": 1.0},
        schedule=({"duration_s": 120.0}, {"duration_s": 120.0, "duty": 0.1}),
    )
    phases = FreezeThaw.of(protocol, probe_c=ARGON_C)
    assert [p.duty for p in phases.phases] == [1.0, 0.1]
    done = freeze(*scene(h=3.0, n=24), phases)
    ice = done.trace["ice_ml"]
    assert ice[-1] < 0.9 * max(ice)
    whole = freeze(*scene(h=3.0, n=24), FreezeThaw.single(240.0))
    assert whole.trace["ice_ml"][-1] > max(ice)


@pytest.mark.parametrize("duty", [0.0, 70.0, math.nan])
def test_a_phase_whose_duty_is_no_share_is_refused(duty):
    with pytest.raises(StudyRejectedError, match="share of time that gas flows"):
        FreezeThaw.single(60.0, duty=duty)


def test_a_probe_that_is_off_has_no_duty():
    protocol = AblationProtocol(
        modality=AblationModality.CRYO,
        duration_s=60.0,
        schedule=({"duration_s": 60.0, "off": True, "duty": 0.5},),
    )
    with pytest.raises(StudyRejectedError, match="off has no duty"):
        FreezeThaw.of(protocol, probe_c=ARGON_C)


def test_a_setting_that_cryo_does_not_have_is_refused():
    protocol = AblationProtocol(
        modality=AblationModality.CRYO, duration_s=60.0, settings={"dutty": 0.5}
    )
    with pytest.raises(StudyRejectedError, match="setting duty alone; got dutty"):
        FreezeThaw.of(protocol, probe_c=ARGON_C)


def test_a_film_between_gas_and_metal_slows_the_probe_down():
    """A film so good that it is none gives the bare probe; 500 W/m2K halve what is drawn."""
    protocol = FreezeThaw.single(60.0)
    bare, perfect, poor = (
        freeze(*scene(h=3.0, n=24, **film), protocol)
        for film in ({}, {"film_w_m2k": 1e8}, {"film_w_m2k": 500.0})
    )
    assert perfect.energy.coolant == pytest.approx(bare.energy.coolant, rel=1e-3)
    assert poor.energy.coolant < 0.6 * bare.energy.coolant


def test_the_metal_between_film_and_tissue_keeps_the_balance():
    """In every state of the tissue near (felt - potential(T)) is film (T - gas)."""
    near, film, gas = torch.tensor([0.01]), torch.tensor([0.004]), -177.0
    line = ColdLine(cells=torch.tensor([0]), weights=torch.ones(1, 1), near_w_k=near, film_w_k=film)
    for felt in (0.0, -20.0, -60.0, -300.0):
        drawn = float(line.drawn_w(torch.tensor([felt]), LAW, gas))
        metal = gas + drawn / 0.004
        assert 0.01 * (felt - LAW.potential_of(metal)) == pytest.approx(drawn, rel=1e-4)


def test_blood_does_not_come_back_to_what_has_died():
    """With no isotherm to kill, thawed tissue is perfused again and warms faster."""
    tissue, probes = scene(h=3.0, n=24, tissue=load_tissue("liver_in_vivo"))
    protocol = FreezeThaw(
        phases=(Phase(duration_s=200.0, probe_c=ARGON_C), Phase(duration_s=400.0, probe_c=None))
    )
    dead = freeze(tissue, probes, protocol)
    never = {"none": Isotherm(lethal_c=-500.0, name="none")}
    alive = freeze(tissue, probes, protocol, models=never)
    assert float(alive.excess_k[11:13, 11:13, 12].mean()) > float(
        dead.excess_k[11:13, 11:13, 12].mean()
    )


def test_blood_holds_ice_back():
    still = Tissue(**{**_numbers(LIVER), "perfusion_1_s": 0.0})
    balls = [
        freeze(*scene(h=3.0, n=24, tissue=t), FreezeThaw.single(400.0)).ice_ml
        for t in (still, LIVER, load_tissue("liver_in_vivo"))
    ]
    assert balls == sorted(balls, reverse=True)


def test_a_vessel_warms_the_ball_from_one_side():
    tissue, probes = scene(h=2.0, n=28)
    film = torch.zeros_like(tissue.k_w_mk)
    film[18:21, 12:16, :] = 2000.0
    from dataclasses import replace

    done = freeze(replace(tissue, film=film), probes, FreezeThaw.single(300.0))
    depth = done.depth["ice_ball"]
    assert float(depth[9, 13, 14]) > 0 > float(depth[19, 13, 14])  # 9 and 11 mm either side
    assert float(done.excess_k[film > 0].abs().max()) < 0.01
    assert done.energy.boundary < -100  # what the blood gave through the wall
    assert done.energy.balance_error < 1e-4


def test_the_zone_does_not_notice_where_between_the_cells_the_probe_lies():
    """A23 (v): within 2 %."""
    volumes = []
    for shift in (0.0, 0.5, 1.0, 1.4):
        tissue, probes = scene(h=2.0, n=28, length_mm=20.0, shift=shift)
        done = freeze(tissue, probes, FreezeThaw.single(200.0))
        volumes.append(done.ice_ml)
    assert max(volumes) - min(volumes) < 0.02 * min(volumes)


def test_halving_the_step_changes_the_ball_by_little():
    long, short = (
        freeze(*scene(h=2.0, n=28), FreezeThaw.single(200.0), step_s=s) for s in (8.0, 1.0)
    )
    assert long.ice_ml == pytest.approx(short.ice_ml, rel=0.01)


def test_only_the_box_around_the_probes_is_computed():
    tissue, probes = scene(h=2.0, n=60)
    done = freeze(tissue, probes, FreezeThaw.single(60.0))
    assert done.cell_updates < 0.2 * done.updates * 60**3
    smaller = freeze(*scene(h=2.0, n=36), FreezeThaw.single(60.0))
    assert done.ice_ml == pytest.approx(smaller.ice_ml, rel=1e-3)


@pytest.mark.slow
def test_compiled_and_plain_agree():
    protocol = FreezeThaw.single(40.0)
    plain = freeze(*scene(), protocol, kernels=Kernels())
    compiled = freeze(*scene(), protocol, kernels=compiled_kernels())
    assert torch.allclose(plain.excess_k, compiled.excess_k, atol=1e-3)
    assert plain.energy.coolant == pytest.approx(compiled.energy.coolant, rel=1e-5)


def _numbers(tissue):
    return {f: getattr(tissue, f) for f in tissue.__dataclass_fields__}


def test_no_probe_is_refused():
    tissue, _ = scene(n=20)
    with pytest.raises(StudyRejectedError, match="at least one probe"):
        freeze(tissue, (), FreezeThaw.single(10.0))


def test_no_isotherm_is_refused():
    tissue, probes = scene(n=28)
    with pytest.raises(StudyRejectedError, match="at least one isotherm"):
        freeze(tissue, probes, FreezeThaw.single(10.0), models={})


@pytest.mark.parametrize("duty", [0.0, 1.2, 70.0])
def test_a_duty_that_is_no_share_is_refused(duty):
    with pytest.raises(StudyRejectedError, match="share of time that gas flows"):
        scene(n=28, duty=duty)


def test_a_film_that_is_none_is_refused():
    with pytest.raises(StudyRejectedError, match="film_w_m2k must be positive"):
        scene(n=28, film_w_m2k=0.0)


def test_a_field_that_becomes_nan_is_refused():
    tissue, probes = scene(n=28)
    tissue.capacity_j_m3k[14, 14, 14] = math.nan
    with pytest.raises(StudyRejectedError, match="NaN"):
        freeze(tissue, probes, FreezeThaw.single(10.0))


@pytest.mark.parametrize(
    ("phase", "match"),
    [
        ({"duration_s": 0.0, "probe_c": -100.0}, "duration_s must be positive"),
        ({"duration_s": 60.0, "probe_c": -273.0}, "between -196 and 60 C"),
        ({"duration_s": 60.0, "probe_c": 133.0}, "between -196 and 60 C"),
    ],
)
def test_an_impossible_phase_is_refused(phase, match):
    with pytest.raises(StudyRejectedError, match=match):
        Phase(**phase)


@pytest.mark.parametrize(
    ("schedule", "match"),
    [
        (({"duration_s": 60, "of": True},), "cryo knows"),
        (({"duration_s": 60, False: True},), "got False"),
        (({"duration_s": 60, "off": True, "probe_c": -100},), "no temperature"),
        (({"duration_s": "60"},), "duration_s has the wrong type"),
        (({"duration_s": 60, "probe_c": "cold"},), "probe_c has the wrong type"),
        (({"duration_s": 50},), "last 50 s, the protocol says 60 s"),
    ],
)
def test_a_schedule_that_is_no_freeze_thaw_protocol_is_refused(schedule, match):
    protocol = AblationProtocol(modality=AblationModality.CRYO, duration_s=60, schedule=schedule)
    with pytest.raises(StudyRejectedError, match=match):
        FreezeThaw.of(protocol, probe_c=-140.0)


def test_a_protocol_for_heat_is_refused():
    protocol = AblationProtocol(modality=AblationModality.MWA, duration_s=60, power_w=60)
    with pytest.raises(StudyRejectedError, match="must be for cryo; got mwa"):
        FreezeThaw.of(protocol, probe_c=-140.0)
    with pytest.raises(StudyRejectedError, match="at least one phase"):
        FreezeThaw(phases=())


def test_isotherms_are_listed_with_their_source():
    assert next(iter(ISOTHERMS.values())).lethal_c == -40.0
    assert all(m.source for m in ISOTHERMS.values())
