"""PLAN.yaml and zone.json."""

import copy

import numpy as np
import pytest
import yaml

from netseg.domain import Grid, LabelMap, StudyRejectedError, UsageError
from netseg.simulate import parse_plan, read_plan, simulate_plan

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


REFUSED = {
    "unknown key 'tisue'.*Did you mean 'tissue'": {"tisue": "x"},
    "protocol.power_w must be a positive number; got 0": {
        "protocol": {"modality": "rfa", "duration_s": 60, "power_w": 0}
    },
    "protocol.power_w must be finite; got nan": {
        "protocol": {"modality": "rfa", "duration_s": 60, "power_w": float("nan")}
    },
    "duration_s must be given": {"protocol": {"modality": "rfa", "power_w": 60}},
    "modality must be one of rfa, mwa, cryo, ire; got 'laser'": {
        "protocol": {"modality": "laser", "duration_s": 60, "power_w": 60}
    },
    "cryo is not built yet": {"protocol": {"modality": "cryo", "duration_s": 600}},
    "ire is not built yet": {"protocol": {"modality": "ire", "duration_s": 1, "voltage_v": 2250}},
    "schedule is not built yet": {
        "protocol": {"modality": "rfa", "duration_s": 60, "schedule": []}
    },
    "ensembles over parameter priors are not built yet": {"ensemble": 8},
    "no damage model is called 'omega'": {"damage": ["omega"]},
    "damage must list different models": {"damage": ["cem43", "cem43"]},
    "grid.shape must be three whole numbers": {
        "grid": {"shape": [1, 26, 26], "spacing_mm": [1, 1, 1]}
    },
    "grid.spacing_mm must be positive": {"grid": {"shape": [9, 9, 9], "spacing_mm": [1, 0, 1]}},
    "a vessel's diameter_mm must be positive": {
        "vessels": [{"from_mm": [0, 0, 0], "to_mm": [1, 0, 0], "diameter_mm": -1}]
    },
    "tissue has no property 'k'": {"tissue": {"k": 0.5}},
    "k_w_mk must be a positive finite number": {"tissue": {"k_w_mk": -0.5}},
    "labels: keys are label numbers": {"labels": {"liver": "liver_in_vivo"}},
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


def test_a_vessel_that_would_fall_between_the_cells_is_refused():
    document = plan(vessels=[{"from_mm": [9, -60, 0], "to_mm": [9, 60, 0], "diameter_mm": 1}])
    with pytest.raises(StudyRejectedError, match="thinner than a cell"):
        simulate_plan(parse_plan(document))


def test_a_file_that_is_no_yaml_is_a_usage_error(tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text("probes: [", "utf-8")
    with pytest.raises(UsageError, match="not well-formed YAML"):
        read_plan(path)
    with pytest.raises(UsageError, match="there is no plan"):
        read_plan(tmp_path / "nothing.yaml")
