"""Devices as data: what they may say, clusters, and numbers given in a plan."""

import math

import numpy as np
import pytest

from netseg.domain import PointMm, StudyRejectedError
from netseg.simulate import device_names, load_device, parse_plan, simulate_plan
from netseg.simulate.devices import parse_device
from netseg.simulate.scene import PlacedProbe, single_needles

NEEDLE = {"modality": "rfa", "diameter_mm": 1.5, "active_length_mm": 30, "max_power_w": 200}


@pytest.mark.parametrize("direction", [(0, 0, 1), (1, 0, 0), (0.6, 0, 0.8), (0, -1, 0)])
def test_a_cluster_is_three_parallel_needles_five_millimetres_apart(direction):
    probe = PlacedProbe(
        id="A",
        device=load_device("rfa_cluster_17g_25mm"),
        tip_mm=PointMm(10.0, -4.0, 7.0),
        direction=direction,
        active_length_mm=25.0,
    )
    needles = single_needles(probe)
    assert [n.id for n in needles] == ["A.1", "A.2", "A.3"]
    tips = np.array([n.tip_mm.as_array() for n in needles])
    for first, second in ((0, 1), (1, 2), (0, 2)):
        assert math.dist(tips[first], tips[second]) == pytest.approx(5.0)
    assert tips.mean(axis=0) == pytest.approx([10.0, -4.0, 7.0])
    assert (tips - tips[0]) @ np.array(direction) == pytest.approx([0, 0, 0], abs=1e-12)
    assert all(n.direction == direction for n in needles)


def test_one_needle_is_itself():
    probe = PlacedProbe(
        id="A",
        device=load_device("rfa_cooled_17g_30mm"),
        tip_mm=PointMm(0.0, 0.0, 0.0),
        direction=(0, 0, 1),
        active_length_mm=30.0,
    )
    assert single_needles(probe) == (probe,)


def plan(probe, **protocol):
    return {
        "grid": {"shape": [24, 24, 26], "spacing_mm": [3, 3, 3]},
        "tissue": "liver_ex_vivo",
        "probes": [{"id": "A", "tip_mm": [0, 0, -12], "direction": [0, 0, 1], **probe}],
        "protocol": {"modality": "rfa", "duration_s": 120, "power_w": 60, **protocol},
    }


def test_a_cluster_of_a_plan_shares_the_power_of_its_generator():
    """60 W over three needles: the zone is wider and less hot at its start than one needle's."""
    alone = simulate_plan(parse_plan(plan({"device": "rfa_cooled_17g_30mm"}))).document
    read = parse_plan(plan({"device": "rfa_cluster_17g_25mm"}))
    assert [p.id for p in read.probes] == ["A.1", "A.2", "A.3"]
    together = simulate_plan(read).document
    assert together["trace"]["impedance_ohm"][0] < alone["trace"]["impedance_ohm"][0]
    assert together["trace"]["temperature_c"][3] < alone["trace"]["temperature_c"][3]
    assert together["diameters_mm"][0] < 1.3 * alone["diameters_mm"][0]
    assert together["energy_j"]["balance_error"] < 1e-4


@pytest.mark.parametrize(
    "probe",
    [
        {"device": {**NEEDLE}},
        {"device": {"diameter_mm": 1.5, "active_length_mm": 30}},  # physics of the protocol
        {"diameter_mm": 1.5, "active_length_mm": 30},  # beside the probe's own keys
    ],
)
def test_a_devices_numbers_may_stand_in_the_plan(probe):
    device = parse_plan(plan(probe)).probes[0].device
    assert (device.diameter_mm, device.active_length_mm) == (1.5, 30)
    assert device.modality == "rfa"
    assert device.label == "given in the plan"


REFUSED = {
    "probe 1.device must be a device's name or its numbers": {},
    "probe 1: unknown key 'diameter_mm'": {"device": "rfa_cooled_17g_30mm", "diameter_mm": 2},
    "probe 1: unknown key 'tip'.*Did you mean 'tip_mm'": {
        "device": "rfa_cooled_17g_30mm",
        "tip": [0, 0, 0],
    },
    "unknown key 'protocols'": {"device": {**NEEDLE, "protocols": []}},
    "device of probe 1: diameter_mm must be positive; got -1": {
        "device": {**NEEDLE, "diameter_mm": -1}
    },
    "device of probe 1: coolant_c must be finite; got nan": {
        "device": {**NEEDLE, "coolant_c": float("nan")}
    },
    "coolant_c must lie between -200 and 100 C; got 310": {
        "device": {**NEEDLE, "coolant_c": 310}  # kelvin
    },
    "coolant_w_m2k must be positive": {"device": {**NEEDLE, "coolant_w_m2k": 0}},
    "a cluster has 2 to 9 needles further apart than they are thick; got 3, 0.0 mm": {
        "device": {**NEEDLE, "needles": 3}
    },
    "a cluster has 2 to 9 needles.* got 1, 5.0 mm": {"device": {**NEEDLE, "needles_apart_mm": 5}},
    "needles must be a int; got 2.5": {"device": {**NEEDLE, "needles": 2.5}},
    "probe A is a device for mwa, the protocol is rfa": {"device": "mwa_generic_14g"},
    "is not thin on a grid": {"device": {**NEEDLE, "diameter_mm": 30}},
}


@pytest.mark.parametrize("match", REFUSED)
def test_a_device_that_cannot_be_is_refused(match):
    with pytest.raises(StudyRejectedError, match=match):
        simulate_plan(parse_plan(plan(REFUSED[match])))


def test_a_device_file_must_state_its_limit():
    document = {k: v for k, v in NEEDLE.items() if k != "max_power_w"}
    with pytest.raises(StudyRejectedError, match="max_power_w must be given"):
        parse_device(document, "x")
    assert parse_device(document, "x", inline=True).max_power_w == math.inf


def test_every_physics_has_a_device_with_protocols():
    devices = [load_device(name) for name in device_names()]
    for physics in ("rfa", "mwa", "cryo", "ire"):
        assert any(d.modality == physics and d.protocols for d in devices)
