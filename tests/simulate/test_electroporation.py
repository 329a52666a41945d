"""Pulses between needles: pairs, conductivity, thresholds, survival."""

import math

import pytest
import torch

from netseg.domain.errors import StudyRejectedError
from netseg.simulate.devices import load_device
from netseg.simulate.electroporation import Pulses, all_pairs, electroporate
from netseg.simulate.needle import Needle
from netseg.simulate.pulsed_tissue import PULSED, PulsedTissue, Ramp
from netseg.simulate.survival import THRESHOLDS, FieldThreshold, PelegFermi, coverage

EVEN = Ramp(intact_s_m=0.1, open_s_m=0.1, from_v_cm=350.0, to_v_cm=700.0)


def cube(ramp=PULSED["tissue"], n=40, h=2.0, dtype=torch.float32):
    like = torch.zeros((), dtype=dtype)
    return PulsedTissue.uniform(ramp, (n, n, n), (h, h, h), like=like)


def needles(*at_mm, n=40, h=2.0, length_mm=20.0):
    middle = (n - 1) * h / 2
    return {
        name: Needle(
            tip_mm=(middle + x, middle + y, middle - length_mm / 2),
            direction=(0.0, 0.0, 1.0),
            active_length_mm=length_mm,
            diameter_mm=1.0,
        )
        for name, (x, y) in zip("ABCDEF", at_mm, strict=False)
    }


TWO = needles((-7.5, 0.3), (7.5, 0.3))
AB = Pulses(pair=("A", "B"), volts=2250.0)


def volume_ml(depth, h=2.0):
    return float((depth > 0).sum()) * h**3 / 1000


def test_conductivity_ramps_are_the_published_ones():
    """0.08 to 0.32 S/m over 350 to 700 V/cm: 0.2 half-way."""
    tissue = cube(n=4)
    for v_cm, sigma in ((0, 0.08), (350, 0.08), (525, 0.2), (700, 0.32), (5000, 0.32)):
        field = torch.full((4, 4, 4), v_cm * 100.0)
        assert float(tissue.sigma_s_m(field)[0, 0, 0]) == pytest.approx(sigma)


def test_a_label_has_its_own_ramp():
    labels = torch.zeros((2, 2, 2), dtype=torch.uint8)
    labels[1] = 7
    ramps = {0: PULSED["tissue"], 7: PULSED["vessel"]}
    tissue = PulsedTissue.labelled(labels, ramps, (1.0, 1.0, 1.0), like=torch.zeros(()))
    assert tissue.intact_s_m[:, 0, 0].tolist() == pytest.approx([0.08, 0.7])
    with pytest.raises(StudyRejectedError, match=r"labels \[7\] have no conductivity"):
        PulsedTissue.labelled(labels, {0: PULSED["tissue"]}, (1.0,) * 3, like=torch.zeros(()))


def test_the_survival_curve_has_the_derived_values():
    """Critical field at 50, 70, 90 and 100 pulses: 892, 489, 269, 199 V/cm."""
    for pulses, v_cm in ((50, 892), (70, 489), (90, 269), (100, 199)):
        curve = PelegFermi(pulses=pulses)
        assert curve.critical_v_m / 100 == pytest.approx(v_cm, abs=0.5)
        half = curve.survival(torch.tensor([curve.critical_v_m]))
        assert float(half) == pytest.approx(0.5)
    fields = torch.linspace(0, 2e5, 50)
    assert bool((PelegFermi(pulses=70).survival(fields).diff() <= 0).all())


@pytest.mark.parametrize("pulses", [0, 8, 49, 101])
def test_a_number_of_pulses_outside_the_fit_is_refused(pulses):
    with pytest.raises(StudyRejectedError, match="holds for 50 to 100 pulses"):
        PelegFermi(pulses=pulses)


def test_coverage_is_the_mixture_of_the_published_thresholds():
    fields = torch.tensor([0.0, 26_900.0, 45_000.0, 68_000.0, 2e5])
    chances = coverage(fields)
    assert float(chances[0]) < 1e-4
    assert float(chances[1]) == pytest.approx(0.1, abs=0.01)  # half of one source of five
    assert float(chances[2]) == pytest.approx(0.4, abs=0.04)  # two sources lie well below
    assert float(chances[4]) == pytest.approx(1.0)
    assert bool((chances.diff() > 0).all())


def test_the_named_threshold_is_where_depth_is_zero():
    threshold = THRESHOLDS["human_liver"]
    assert next(iter(THRESHOLDS)) == "human_liver"
    depth = threshold.depth(torch.tensor([0.0, 55_000.0, 110_000.0]))
    assert depth.tolist() == pytest.approx([-5.0, 0.0, math.log(2)], abs=1e-6)
    assert [t.v_cm for t in THRESHOLDS.values()] == [550, 680, 637, 386, 269]


def test_a_threshold_that_is_none_is_refused():
    with pytest.raises(StudyRejectedError, match="must be positive"):
        FieldThreshold(v_cm=0.0, sd_v_cm=43.0, name="x", source="")


def test_twice_the_voltage_is_twice_the_field_in_tissue_that_does_not_open():
    done, double = (
        electroporate(cube(EVEN), TWO, [Pulses(pair=("A", "B"), volts=v)]) for v in (1000, 2000)
    )
    assert torch.allclose(double.field_v_m, 2 * done.field_v_m, rtol=1e-3)
    assert double.currents_a[0] == pytest.approx(2 * done.currents_a[0], rel=1e-4)
    assert double.energy_j[0] == pytest.approx(4 * done.energy_j[0], rel=1e-4)
    assert done.turns == (1,)


def test_the_energy_of_the_pulses_is_voltage_current_and_time():
    """90 pulses of 70 microseconds are 6.3 ms."""
    done = electroporate(cube(EVEN), TWO, [AB])
    assert done.energy_j[0] == pytest.approx(2250 * done.currents_a[0] * 90 * 7e-5)
    assert AB.on_s == pytest.approx(6.3e-3)


@pytest.mark.parametrize("ramp", [EVEN, PULSED["tissue"]], ids=["even", "opening"])
@pytest.mark.parametrize("shift", [0.0, 0.3, 1.0])
def test_all_energy_of_the_pulses_becomes_heat(ramp, shift):
    """A23 (i): V I t is what the tissue dissipates, wherever the metal lies between the cells."""
    done = electroporate(cube(ramp), needles((-7.5 + shift, 0.3), (7.5 + shift, 0.3)), [AB, AB])
    for delivered, (within, beyond) in zip(done.energy_j, done.heat_j, strict=True):
        assert within + beyond == pytest.approx(delivered, rel=1e-4)
        assert 0 < beyond < 0.1 * within


@pytest.mark.parametrize("ramp", [EVEN, PULSED["tissue"]], ids=["even", "opening"])
def test_heat_that_a_smaller_box_does_not_hold_is_counted_beyond_it(ramp):
    wide = electroporate(cube(ramp, n=60), needles((-7.5, 0.3), (7.5, 0.3), n=60), [AB])
    around = needles((-7.5, 0.3), (7.5, 0.3), n=60)
    narrow = electroporate(cube(ramp, n=60), around, [AB], margin_mm=15.0)
    assert narrow.heat_j[0][1] > wide.heat_j[0][1]
    assert sum(narrow.heat_j[0]) == pytest.approx(sum(wide.heat_j[0]), rel=0.02)


def test_tissue_that_opens_draws_more_current_and_carries_the_field_further():
    """Between the currents of intact and of open tissue; the flatter field is wider."""
    intact, opening, opened = (
        electroporate(cube(r), TWO, [AB])
        for r in (
            Ramp(intact_s_m=0.08, open_s_m=0.08, from_v_cm=350, to_v_cm=700),
            PULSED["tissue"],
            Ramp(intact_s_m=0.32, open_s_m=0.32, from_v_cm=350, to_v_cm=700),
        )
    )
    assert intact.currents_a[0] < opening.currents_a[0] < opened.currents_a[0]
    assert opened.currents_a[0] == pytest.approx(4 * intact.currents_a[0], rel=1e-3)
    assert volume_ml(opening.depth["human_liver"]) > volume_ml(intact.depth["human_liver"])


def test_what_was_opened_stays_open_for_the_next_pair():
    """The same pair again draws no less, and settles at once."""
    done = electroporate(cube(), TWO, [AB, AB])
    assert done.currents_a[1] >= done.currents_a[0] * 0.999
    assert done.turns[0] > done.turns[1]
    assert done.turns[1] <= 2


def test_pairs_combine_by_the_strongest_field():
    """A cell keeps the strongest field; the zone of three pairs holds that of each."""
    three = needles((-7.5, 0.0), (7.5, 0.0), (0.0, 13.0))
    trains = all_pairs(three, volts_cm=1500.0)
    assert [t.pair for t in trains] == [("A", "B"), ("A", "C"), ("B", "C")]
    assert trains[0].volts == pytest.approx(2250.0)
    together = electroporate(cube(EVEN), three, trains)
    alone = [electroporate(cube(EVEN), three, [t]).field_v_m for t in trains]
    strongest = torch.stack(alone).amax(0)
    assert torch.allclose(together.field_v_m, strongest, rtol=1e-5)
    assert len(together.currents_a) == len(together.energy_j) == 3


def test_the_order_of_the_poles_does_not_matter():
    there, back = (
        electroporate(cube(), TWO, [Pulses(pair=p, volts=2250.0)]) for p in (("A", "B"), ("B", "A"))
    )
    assert torch.allclose(there.field_v_m, back.field_v_m, rtol=1e-3)


def test_thresholds_nest_and_coverage_falls_outwards():
    done = electroporate(cube(), TWO, [AB])
    volumes = {name: volume_ml(depth) for name, depth in done.depth.items()}
    names = sorted(THRESHOLDS, key=lambda n: THRESHOLDS[n].v_cm)
    ordered = [volumes[n] for n in names]
    assert ordered == sorted(ordered, reverse=True)
    inside = done.depth["davalos"] > 0.3
    assert float(done.coverage[inside].min()) > 0.95
    assert float(done.coverage[0, 0, 0]) == pytest.approx(0.0, abs=1e-4)


def test_heating_without_loss_is_an_upper_bound_of_all_pulses():
    """Conductivity, E^2, n and t / rho c at 800 V/cm: 0.32 x 6.4e9 x 6.3e-3 / 3.82e6 = 3.4 K."""
    done = electroporate(cube(), TWO, [AB])
    middle = done.heating_k[20, 20, 20]
    field = float(done.field_v_m[20, 20, 20])
    sigma = float(done.sigma_s_m[20, 20, 20])
    assert float(middle) == pytest.approx(sigma * field**2 * 6.3e-3 / 3.81966e6, rel=0.05)
    assert float(done.heating_k.min()) >= 0


def test_needles_in_any_direction_make_the_same_zone():
    """A23 (iv): turned by a quarter, and slanted to the grid within 2 %."""
    upright = electroporate(cube(n=44), needles((-7.5, 0.0), (7.5, 0.0), n=44), [AB])
    middle = 43.0
    turned = {}
    for name, sign in (("A", -1), ("B", 1)):
        across, along = (0.8, -0.6, 0.0), (0.36, 0.48, 0.8)
        tip = [middle + sign * 7.5 * a - 10 * b for a, b in zip(across, along, strict=True)]
        turned[name] = Needle(
            tip_mm=(tip[0], tip[1], tip[2]),
            direction=along,
            active_length_mm=20.0,
            diameter_mm=1.0,
        )
    slanted = electroporate(cube(n=44), turned, [AB])
    assert slanted.currents_a[0] == pytest.approx(upright.currents_a[0], rel=0.02)
    soft = [float(torch.sigmoid(8 * d.depth["pig_liver"]).sum()) * 8e-3 for d in (upright, slanted)]
    assert soft[1] == pytest.approx(soft[0], rel=0.02)


def test_only_a_box_around_the_needles_is_solved():
    """Tissue 30 mm away sees under 3 % of the field in the middle; it counts as none."""
    wide = electroporate(cube(n=60), needles((-7.5, 0.0), (7.5, 0.0), n=60), [AB])
    near = electroporate(cube(n=60), needles((-7.5, 0.0), (7.5, 0.0), n=60), [AB], margin_mm=20.0)
    assert float(near.field_v_m[2, 2, 2]) == 0.0
    assert near.currents_a[0] == pytest.approx(wide.currents_a[0], rel=0.03)


def test_the_carried_electrode_has_a_voltage_and_pulses():
    device = load_device("ire_generic_19g_20mm")
    assert device.max_voltage_v == 3000
    assert device.protocols[-1].pulses in (70, 90)
    assert all(p.voltage_v for p in device.protocols)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"volts": 0.0}, "voltage must be positive"),
        ({"volts": -500.0}, "voltage must be positive"),
        ({"volts": math.nan}, "voltage must be positive"),
        ({"volts": 22_500.0}, "at most 5000 V"),
        ({"pair": ("A", "A")}, "two different electrodes"),
        ({"count": 0}, "at least one pulse"),
        ({"pulse_s": 70.0}, "pulse_s is in seconds"),
    ],
)
def test_a_train_that_is_none_is_refused(change, match):
    with pytest.raises(StudyRejectedError, match=match):
        Pulses(**{"pair": ("A", "B"), "volts": 2250.0, **change})


def test_a_pair_with_an_unknown_electrode_is_refused():
    with pytest.raises(StudyRejectedError, match="there is no electrode Z; there are A, B"):
        electroporate(cube(), TWO, [Pulses(pair=("A", "Z"), volts=2250.0)])


def test_no_pair_and_no_threshold_are_refused():
    with pytest.raises(StudyRejectedError, match="at least one pair of electrodes"):
        electroporate(cube(), TWO, [])
    with pytest.raises(StudyRejectedError, match="at least one threshold"):
        electroporate(cube(), TWO, [AB], thresholds={})


def test_electrodes_that_touch_are_refused():
    with pytest.raises(StudyRejectedError, match="current flashes over"):
        electroporate(cube(), needles((0.0, 0.0), (0.6, 0.0)), [AB])


def test_pulses_outside_the_fit_are_refused_unless_survival_is_left_away():
    few = Pulses(pair=("A", "B"), volts=2250.0, count=8)
    with pytest.raises(StudyRejectedError, match="holds for 50 to 100 pulses; got 8"):
        electroporate(cube(), TWO, [few])
    assert electroporate(cube(), TWO, [few], survival=False).survival is None


@pytest.mark.parametrize(
    "change",
    [{"intact_s_m": 0.0}, {"open_s_m": 0.01}, {"to_v_cm": 350.0}, {"from_v_cm": -1.0}],
)
def test_a_ramp_that_falls_is_refused(change):
    numbers = {"intact_s_m": 0.08, "open_s_m": 0.32, "from_v_cm": 350.0, "to_v_cm": 700.0}
    with pytest.raises(StudyRejectedError, match="not fall with the field"):
        Ramp(**{**numbers, **change})
