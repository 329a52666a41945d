"""PLAN.yaml and zone.json."""

import copy

import numpy as np
import pytest
import yaml

from netseg.domain import EnvironmentFaultError, Grid, LabelMap, StudyRejectedError, UsageError
from netseg.simulate import parse_plan, read_plan, simulate_plan
from netseg.simulate.plan_parts import gap_mm

PLAN = {
    "grid": {"shape": [26, 26, 30], "spacing_mm": [2.5, 2.5, 2.5]},
    "tissue": "liver_in_vivo",
    "probes": [
        {
            "id": "A",
            "device": "rfa_cooled_17g_30mm",
            "tip_mm": [0, 0, -15],
            "direction": [0, 0, 2],
        }
    ],
    "protocol": {
        "modality": "rfa",
        "duration_s": 60,
        "power_w": 50,
        "controller": "impedance",
    },
}


def plan(**changes):
    return {**copy.deepcopy(PLAN), **changes}


def test_a_plan_file_gives_every_key_of_the_contract(tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text(yaml.safe_dump(PLAN), "utf-8")
    result = simulate_plan(read_plan(path), device="cpu")
    document = result.document
    assert document["schema_version"] == "1"
    low, high = document["volume_band_ml"]
    assert low <= document["volume_ml"] <= high
    assert document["diameters_mm"] == sorted(document["diameters_mm"], reverse=True)
    assert 0.7 < document["sphericity"] <= 1.0
    energy = document["energy_j"]
    assert {"delivered", "stored", "latent", "perfusion", "boundary"} <= set(energy)
    assert energy["balance_error"] < 1e-4
    trace = document["trace"]
    assert set(trace) == {"time_s", "power_w", "impedance_ohm", "temperature_c"}
    assert len({len(v) for v in trace.values()}) == 1
    assert trace["time_s"][0] == 0.0
    assert result.zone.mask.volume_ml == pytest.approx(document["volume_ml"], rel=0.1)
    assert float(result.hottest.values.max()) == pytest.approx(document["max_temperature_c"])
    assert set(result.depth) == {"arrhenius", "cem43", "oneill"}


def test_a_vessel_beside_the_needle_takes_heat_and_shrinks_the_zone():
    wide = plan(grid={"shape": [26, 26, 30], "spacing_mm": [2.5, 2.5, 2.5]})
    alone = simulate_plan(parse_plan(wide)).document
    vessel = {"from_mm": [12, -60, 0], "to_mm": [12, 60, 0], "diameter_mm": 8}
    cooled = simulate_plan(parse_plan({**wide, "vessels": [vessel]})).document
    assert cooled["volume_ml"] < alone["volume_ml"]
    assert cooled["energy_j"]["boundary"] > alone["energy_j"]["boundary"]
    assert cooled["energy_j"]["balance_error"] < 1e-4


def label_map(labels):
    affine = np.diag([2.5, 2.5, 2.5, 1.0])
    affine[:3, 3] = -12.5 * 2.5
    return LabelMap(labels, Grid(shape=labels.shape, affine_lps=affine, frame_uid="p"))


def test_labels_bring_their_own_tissue():
    """Tissue that conducts heat ten times better beside the needle changes the zone there."""
    labels = np.zeros((26, 26, 26), np.uint8)
    labels[16:] = 3
    mwa = {"id": "A", "device": "mwa_generic_14g", "tip_mm": [0, 0, -10], "direction": [0, 0, 1]}
    protocol = {"modality": "mwa", "duration_s": 120, "power_w": 60}
    document = plan(probes=[mwa], protocol=protocol, labels={3: {"k_w_mk": 5.0}})
    document.pop("grid")
    inside = simulate_plan(parse_plan(document), label_map(labels)).zone.mask.inside
    mirrored = inside[::-1]
    assert inside[16:].sum() < 0.8 * mirrored[16:].sum()


def test_a_generator_gives_no_more_than_its_devices_have():
    """150 V over some 80 ohm are 280 W; the needle takes 200."""
    protocol = {"modality": "rfa", "duration_s": 60, "voltage_v": 150}
    with pytest.raises(
        StudyRejectedError, match=r"would need [23].. W; the devices give at most 200"
    ):
        simulate_plan(parse_plan(plan(protocol=protocol)))


def test_a_grid_that_no_machine_can_hold_is_refused(monkeypatch):
    monkeypatch.setattr("netseg.simulate.plan_space.memory_bytes", lambda: 1_000_000)
    with pytest.raises(EnvironmentFaultError, match="need about 0 GB; this machine has 0 GB"):
        simulate_plan(parse_plan(plan()))


def test_a_label_without_properties_is_refused():
    labels = np.zeros((26, 26, 26), np.uint8)
    labels[16:] = 7
    document = plan()
    document.pop("grid")
    with pytest.raises(StudyRejectedError, match="tissue label 7 has no properties"):
        simulate_plan(parse_plan(document), label_map(labels))


def test_a_plan_without_grid_or_labels_is_refused():
    document = plan()
    document.pop("grid")
    with pytest.raises(StudyRejectedError, match="no grid and no label image"):
        simulate_plan(parse_plan(document))


def test_a_device_may_be_given_by_its_numbers():
    device = {
        "modality": "rfa", "diameter_mm": 1.5, "active_length_mm": 20, "max_power_w": 100,
    }  # fmt: skip
    document = plan()
    document["probes"][0]["device"] = device
    probe = parse_plan(document).probes[0]
    assert probe.device.coolant_c is None
    assert probe.active_length_mm == 20
    device["lenght"] = 3
    with pytest.raises(StudyRejectedError, match="unknown key 'lenght'"):
        parse_plan(document)


RFA = {"modality": "rfa", "duration_s": 60, "power_w": 60}
CRYO = {"modality": "cryo", "duration_s": 60}
IRE = {"modality": "ire", "voltage_v": 2000, "pulses": 70}


def rfa(**changes):
    return {"protocol": {**RFA, **changes}}


def probe(**changes):
    return {"probes": [{**PLAN["probes"][0], **changes}]}


def two(**changes):
    return {"probes": [PLAN["probes"][0], {**PLAN["probes"][0], "id": "B", **changes}]}


REFUSED = {
    "unknown key 'tisue'.*Did you mean 'tissue'": {"tisue": "x"},
    "protocol.power_w must be a positive number; got 0": rfa(power_w=0),
    "protocol.power_w must be finite; got nan": rfa(power_w=float("nan")),
    "protocol.power_w must be a number; got '6e1'. This is a text; write 60.0": rfa(power_w="6e1"),
    "protocol.duration_s must be a positive number; got 0": rfa(duration_s=0),
    "protocol.duration_s must be a positive number; got -60": rfa(duration_s=-60),
    "an ablation lasts at most 4 h; got 43200 s.*in seconds": rfa(duration_s=43200),
    "duration_s must be given": {"protocol": {"modality": "rfa", "power_w": 60}},
    "rfa needs one of power_w and voltage_v; got neither": {
        "protocol": {"modality": "rfa", "duration_s": 60}
    },
    "rfa needs one of power_w and voltage_v; got power_w and voltage_v": rfa(voltage_v=60),
    "modality must be one of rfa, mwa, cryo, ire; got 'laser'": rfa(modality="laser"),
    "protocol: unknown key 'duraton_s'.*Did you mean 'duration_s'": rfa(duraton_s=60),
    "protocol: unknown key 'rise'": rfa(rise=0.2),  # constant power has no rise
    "protocol: unknown key 'notes'": rfa(notes="x"),
    "rise is given twice": rfa(controller="impedance", rise=0.2, settings={"rise": 0.3}),
    "protocol.power_w has no sense for cryo; .* the temperature of its probes": {
        "protocol": {**CRYO, "power_w": 60}
    },
    "protocol.pulses has no sense for rfa; it is driven by power_w or voltage_v": rfa(pulses=70),
    "protocol.controller has no sense for ire": {"protocol": {**IRE, "controller": "constant"}},
    "protocol: unknown key 'rise'; known are modality": {"protocol": {**IRE, "rise": 1}},
    "ire needs one of voltage_v; got none": {"protocol": {"modality": "ire", "pulses": 70}},
    "protocol.pulses must be a whole number from 1 to 10000; got 0": {
        "protocol": {**IRE, "pulses": 0}
    },
    "duty is the share of time that gas flows": {"protocol": {**CRYO, "duty": 70}},
    "schedule has no sense for ire": {"protocol": {**IRE, "schedule": [{"duration_s": 1}]}},
    "schedule must be a list; got 7": rfa(schedule=7),
    "schedule phase 1: duration_s must be a number; got nothing": rfa(schedule=[{"power_w": 60}]),
    "schedule phase 1: unknown key 'power'.*Did you mean 'power_w'": rfa(
        schedule=[{"duration_s": 60, "power": 60}]
    ),
    "phase 2 of the schedule: it is off and yet has power": rfa(
        schedule=[{"duration_s": 30, "power_w": 60}, {"duration_s": 30, "off": True, "power_w": 9}]
    ),
    "phase 1: off must be true or false": rfa(schedule=[{"duration_s": 30, "off": 1}]),
    "duration_s is 60, its phases last 90 s": rfa(schedule=[{"duration_s": 90, "power_w": 60}]),
    "pairs: a pair is two probes.*got 'A'": rfa(pairs=["A"]),
    "pairs names probe 'C'; the plan has A": rfa(pairs=[["A", "C"]]),
    "a pair needs two different electrodes; got A and A": rfa(pairs=[["A", "A"]]),
    "schedule phase 1: unknown key 'rises'.*Did you mean 'rise'": rfa(
        schedule=[{"duration_s": 60, "controller": "impedance", "rises": 0.2}]
    ),
    "schedule phase 1: unknown key 'rise'; known": rfa(
        schedule=[{"duration_s": 60, "controller": "constant", "rise": 0.2}]
    ),
    "schedule phase 1: unknown key 'power_w'": {
        "protocol": {**CRYO, "schedule": [{"duration_s": 60, "power_w": 60}]}
    },
    "power_w must be a positive number; got 0.*`off: true`": rfa(
        schedule=[{"duration_s": 60, "power_w": 0}]
    ),
    "no controller is called 'impedence'": rfa(controller="impedence"),
    "protocol.rise must be a positive number; got -0.2": rfa(controller="impedance", rise=-0.2),
    "protocol.off_s must be a positive number; got -3": rfa(controller="impedance", off_s=-3),
    "voltage_v of rfa is at most 500": {
        "protocol": {"modality": "rfa", "duration_s": 60, "voltage_v": 1e6}
    },
    "baseline_c of living or excised tissue lies between 0 and 45 C; got 310.*unit": {
        "tissue": {"baseline_c": 310}
    },
    "k_w_mk of living or excised tissue lies between 0.01 and 50": {"tissue": {"k_w_mk": 520}},
    "label 2: baseline_c is 20, that of the plan's tissue 37": {"labels": {2: "liver_ex_vivo"}},
    "label 2: water_fraction is 0.5, .*; cells differ in c_j_kgk, k_w_mk": {
        "labels": {2: {"water_fraction": 0.5}}
    },
    "pulsed 2: unknown key 'liver'; known are tissue, tumour": {"pulsed": {2: "liver"}},
    "pulsed 0.open_s_m must be a number; got nothing": {"pulsed": {0: {"intact_s_m": 0.1}}},
    "ensemble must be a whole number from 0 to 4096; got -1": {"ensemble": -1},
    "ensemble must be a whole number from 0 to 4096; got 2.5": {"ensemble": 2.5},
    "certified must be a mapping; got 'yes please'": {"certified": "yes please"},
    "certified.spacing_mm must be a positive number; got 0": {"certified": {"spacing_mm": 0}},
    "step_s must be at most 10": {"step_s": 60},
    "no damage model is called 'omega'": {"damage": ["omega"]},
    "damage must list different models": {"damage": ["cem43", "cem43"]},
    "damage must be a name of 1 to 40 characters": {"damage": [["cem43"]]},
    "grid.shape must be three whole numbers": {
        "grid": {"shape": [1, 26, 26], "spacing_mm": [1, 1, 1]}
    },
    "grid.spacing_mm must be positive": {"grid": {"shape": [9, 9, 9], "spacing_mm": [1, -1, 1]}},
    "vessel 1.diameter_mm must be a positive number; got -1": {
        "vessels": [{"from_mm": [0, 0, 0], "to_mm": [1, 0, 0], "diameter_mm": -1}]
    },
    "vessel 1 has no length": {
        "vessels": [{"from_mm": [1, 0, 0], "to_mm": [1, 0, 0], "diameter_mm": 5}]
    },
    "tissue has no property 'k'": {"tissue": {"k": 0.5}},
    "k_w_mk must be a positive finite number": {"tissue": {"k_w_mk": -0.5}},
    "labels: keys are label numbers": {"labels": {"liver": "liver_in_vivo"}},
    "label numbers from 1, each once; got 3": {"labels": {3: "liver_in_vivo", "3": {}}},
    "at least one probe; got none": {"probes": []},
    "probes must be a list; got {}": {"probes": {}},
    "probe 1.direction must not be zero": probe(direction=[0, 0, 0]),
    "probe 1.tip_mm must be three numbers; got nothing": probe(tip_mm=None),
    "probe 1.active_length_mm must be a positive number; got 0": probe(active_length_mm=0),
    "probe 1.id must be a name of 1 to 40 characters; got True": probe(id=True),
    "two probes are called 'A'": two(id="A", tip_mm=[20, 0, -15]),
    "probes A and B cross: their axes come within 0.00 mm": two(),
    "probes A and B cross: .* and the needles together need 1.50 mm": two(
        tip_mm=[20, 1, 0], direction=[-1, 0, 1]
    ),
}


@pytest.mark.parametrize("match", REFUSED)
def test_a_plan_that_is_wrong_is_refused_by_name(match):
    with pytest.raises(StudyRejectedError, match=match):
        parse_plan(plan(**REFUSED[match]))


@pytest.mark.parametrize(
    ("tip", "match"),
    [([0, 0, 500], "the tip of A"), ([0, 0, 20], "active part from")],
    ids=["tip", "active part"],
)
def test_a_probe_outside_the_grid_is_refused(tip, match):
    document = plan()
    document["probes"][0]["tip_mm"] = tip
    with pytest.raises(StudyRejectedError, match=f"probe outside the grid.*{match}"):
        simulate_plan(parse_plan(document))


def test_a_vessel_thinner_than_a_cell_still_takes_heat():
    """1 mm of blood between cells of 2.5 mm is a line that draws heat."""
    thin = {"from_mm": [6, -60, 0], "to_mm": [6, 60, 0], "diameter_mm": 1}
    alone = simulate_plan(parse_plan(plan())).document
    cooled = simulate_plan(parse_plan(plan(vessels=[thin]))).document
    assert cooled["volume_ml"] < alone["volume_ml"]
    assert cooled["energy_j"]["balance_error"] < 1e-4


def test_a_vessel_outside_the_grid_is_refused():
    """8 mm wide and 40 mm off: beyond the grid's border at 32.5 mm, which it cannot touch."""
    away = {"from_mm": [40, -60, 0], "to_mm": [40, 60, 0], "diameter_mm": 8}
    with pytest.raises(StudyRejectedError, match="vessel 1 lies outside the grid"):
        simulate_plan(parse_plan(plan(vessels=[away])))


def test_a_file_that_is_no_yaml_is_a_usage_error(tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text("probes: [", "utf-8")
    with pytest.raises(UsageError, match="not well-formed YAML"):
        read_plan(path)
    with pytest.raises(UsageError, match="there is no plan"):
        read_plan(tmp_path / "nothing.yaml")
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="no UTF-8 text"):
        read_plan(path)


def test_a_key_that_stands_twice_is_refused(tmp_path):
    """YAML itself would keep the last one and forget the first."""
    path = tmp_path / "plan.yaml"
    path.write_text("probes: []\nprotocol: {power_w: 10, power_w: 60}\n", "utf-8")
    with pytest.raises(StudyRejectedError, match=r"'power_w' twice in one place \(line 2\)"):
        read_plan(path)


def test_off_is_a_word_and_1e3_a_number(tmp_path):
    """YAML 1.1 would read `off: true` as `false: true` and 6e1 as a text."""
    path = tmp_path / "plan.yaml"
    document = plan(protocol={"modality": "rfa", "schedule": "PHASES"})
    text = yaml.safe_dump(document).replace(
        "PHASES", "[{duration_s: 3e1, power_w: 6e1}, {duration_s: 15, off: true}]"
    )
    path.write_text(text, "utf-8")
    phases = read_plan(path).protocol.schedule
    assert phases[0] == {"duration_s": 30.0, "power_w": 60.0}
    assert phases[1]["off"] is True
    path.write_text(text.replace("off: true", "off: yes"), "utf-8")
    with pytest.raises(StudyRejectedError, match="off must be true or false; got 'yes'"):
        read_plan(path)


def test_needles_side_by_side_do_not_cross():
    """A cluster: 5 mm apart, in parallel; and two skew needles whose axes pass at 3 mm."""
    assert len(parse_plan(plan(**two(tip_mm=[5, 0, -15]))).probes) == 2
    skew = two(tip_mm=[20, 3, 0], direction=[-1, 0, 1])
    assert len(parse_plan(plan(**skew)).probes) == 2


@pytest.mark.parametrize(
    ("ends", "gap"),
    [
        (([0, 0, 0], [10, 0, 0], [5, -5, 3], [5, 5, 3]), 3.0),  # skew, crossing inside both
        (([0, 0, 0], [10, 0, 0], [13, 4, 0], [20, 4, 0]), 5.0),  # end to end, 3-4-5
        (([0, 0, 0], [10, 0, 0], [2, 6, 0], [8, 6, 0]), 6.0),  # parallel
        (([0, 0, 0], [10, 0, 0], [5, 0, 0], [5, 5, 0]), 0.0),  # touching
    ],
)
def test_the_gap_of_two_straight_pieces(ends, gap):
    assert gap_mm(*(np.array(e, float) for e in ends)) == pytest.approx(gap, abs=1e-9)


def test_phases_pulses_and_pairs_reach_the_protocol():
    phases = [{"duration_s": 30, "power_w": 60}, {"duration_s": 15, "off": True}]
    document = plan(protocol={"modality": "rfa", "schedule": phases}, ensemble=8, certified=True)
    read = parse_plan(document)
    assert read.protocol.duration_s == 45
    assert read.protocol.schedule == tuple(phases)
    assert (read.ensemble, read.certified_mm) == (8, 1.0)
    pulsed = plan(**two(tip_mm=[15, 0, -15]), protocol={**IRE, "pairs": [["A", "B"]]})
    protocol = parse_plan(pulsed).protocol
    assert (protocol.pulses, protocol.pairs) == (70, (("A", "B"),))
    assert protocol.duration_s == pytest.approx(70 / 1.5)


def test_a_cluster_is_one_electrode():
    """Needles A.1 and A.2 are the cluster A, which a pair may name; they are no pair themselves."""
    needles = [
        {**PLAN["probes"][0], "id": "A.1"},
        {**PLAN["probes"][0], "id": "A.2", "tip_mm": [5, 0, -15]},
        {**PLAN["probes"][0], "id": "B", "tip_mm": [20, 0, -15]},
    ]
    protocol = {**RFA, "pairs": [["A", "B"]]}
    assert parse_plan(plan(probes=needles, protocol=protocol)).protocol.pairs == (("A", "B"),)
    protocol["pairs"] = [["A.1", "A.2"]]
    with pytest.raises(StudyRejectedError, match=r"two different electrodes; got A.1 and A.2"):
        parse_plan(plan(probes=needles, protocol=protocol))


def test_a_generators_own_numbers_stand_in_the_protocol():
    beside = rfa(controller="impedance", rise=0.2, off_s=10)
    under = rfa(controller="impedance", settings={"rise": 0.2, "off_s": 10})
    assert parse_plan(plan(**beside)).protocol.settings == {"rise": 0.2, "off_s": 10}
    assert parse_plan(plan(**under)).protocol == parse_plan(plan(**beside)).protocol
