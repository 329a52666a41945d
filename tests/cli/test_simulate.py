"""`netseg simulate` as its user runs it: files, exit codes, and nothing half done."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import jsonschema
import nibabel as nib
import numpy as np
import pytest
import torch
import yaml

from netseg.cli.main import main
from netseg.export import schema

if TYPE_CHECKING:
    from pathlib import Path

RFA: dict[str, Any] = {
    "grid": {"shape": [22, 22, 26], "spacing_mm": [3, 3, 3]},
    "probes": [
        {"id": "A", "device": "rfa_cooled_17g_30mm", "tip_mm": [0, 0, -15], "direction": [0, 0, 1]}
    ],
    "protocol": {"modality": "rfa", "duration_s": 60, "power_w": 50, "controller": "impedance"},
}
CONTRACT_KEYS = {
    "schema_version", "volume_ml", "volume_band_ml", "diameters_mm", "sphericity",
    "max_temperature_c", "energy_j", "trace",
}  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def unpictured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures take longer than these small runs; only some tests look at them."""
    monkeypatch.setattr("netseg.cli.simulate_pictures.write_pictures", lambda *_: None)


def written(folder: Path, **changes: Any) -> Path:
    path = folder / "plan.yaml"
    path.write_text(yaml.safe_dump({**copy.deepcopy(RFA), **changes}), "utf-8")
    return path


def simulate(plan: Path, out: Path, *words: str) -> int:
    return main(["simulate", "--plan", str(plan), "-o", str(out), "--device", "cpu", *words])


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text("utf-8"))


def test_a_plan_becomes_maps_zone_pictures_and_a_record(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "out"
    assert simulate(written(tmp_path), out, "--format", "json") == 0
    printed = capsys.readouterr()
    assert printed.err == ""  # nobody looks at a bar here
    zone = read(out / "zone.json")
    assert json.loads(printed.out) == zone
    jsonschema.validate(zone, schema("zone"))
    assert set(zone) >= CONTRACT_KEYS
    assert zone["evidence"] == "simulated"
    assert "generic" in zone["model"]["device_labels"]["rfa_cooled_17g_30mm"]
    run = read(out / "run.json")
    assert set(run["files"]) == {f.name for f in out.iterdir()}
    assert run["steps"] == 120
    assert run["cell_updates"] >= 120 * 22 * 22 * 26
    rate = run["cell_updates"] / run["field_wall_s"]
    assert run["cell_updates_per_s"] == pytest.approx(rate, rel=1e-5)
    assert run["field_wall_s"] <= run["wall_s"]
    assert run["device"] == "cpu"
    assert run["engine"] == "torch eager"  # too small a run to compile anything for
    mask = nib.load(out / "zone.nii.gz")
    inside = np.asarray(mask.dataobj).astype(bool)
    assert inside.sum() * 0.027 == pytest.approx(zone["volume_ml"], rel=0.15)
    hottest = np.asarray(nib.load(out / "hottest_c.nii.gz").dataobj)
    assert hottest.max() == pytest.approx(zone["max_temperature_c"], rel=1e-5)
    depth = np.asarray(nib.load(out / "damage_arrhenius.nii.gz").dataobj)
    assert np.array_equal(depth >= 0, inside)
    page = (out / "simulation.html").read_text("utf-8")
    assert "Research use only" in page
    assert "generic cooled 17 G needle" in page
    assert "http" not in page.replace("http-equiv", "")
    assert {"cut.png", "planes.png", "strip.png", "trace.png"} <= set(run["files"])


def test_a_rerun_gives_the_same_bytes_but_for_times(tmp_path: Path):
    plan = written(tmp_path, protocol={"modality": "rfa", "duration_s": 9, "power_w": 40})
    for name in ("first", "second"):
        assert simulate(plan, tmp_path / name, "-q") == 0
    for file in (tmp_path / "first").iterdir():
        if file.name != "run.json":
            assert file.read_bytes() == (tmp_path / "second" / file.name).read_bytes(), file.name


@pytest.mark.usefixtures("unpictured")
def test_the_text_names_volume_band_diameters_and_heat(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert simulate(written(tmp_path), tmp_path / "out") == 0
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    for word in ("zone ", " ml (damage models: ", " mm, hottest ", "°C"):
        assert word in said


def test_an_interrupted_run_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    from netseg.simulate.recorder import Recorder

    def stop(_: object, time_s: float, excess_k: object) -> None:  # noqa: ARG001
        if time_s >= 30:
            raise KeyboardInterrupt

    monkeypatch.setattr(Recorder, "__call__", stop)
    assert simulate(written(tmp_path), tmp_path / "out") == 130
    assert "interrupted after 29 of 120 simulated seconds" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_interrupted_run_leaves_older_results_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    plan, out = written(tmp_path), tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr("netseg.cli.simulate_pictures.write_pictures", lambda *_: None)
        assert simulate(plan, out, "-q") == 0
    before = {f.name: f.read_bytes() for f in out.iterdir()}

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("netseg.cli.simulate_pictures.write_pictures", stop)  # maps are written
    assert simulate(plan, out, "-q") == 130
    assert {f.name: f.read_bytes() for f in out.iterdir()} == before


@pytest.mark.usefixtures("unpictured")
def test_a_later_run_takes_the_maps_of_the_earlier_one_away(tmp_path: Path):
    """A damage map of another plan beside a new zone would be a lie; foreign files stay."""
    out = tmp_path / "out"
    assert simulate(written(tmp_path), out, "-q") == 0
    (out / "notes.txt").write_text("mine", "utf-8")
    assert simulate(written(tmp_path, damage=["cem43"]), out, "-q") == 0
    assert [f.name for f in sorted(out.glob("damage_*"))] == ["damage_cem43.nii.gz"]
    assert (out / "notes.txt").exists()


@pytest.mark.parametrize(
    ("changes", "code", "met"),
    [
        ({"grid": None}, 4, "grid must be a mapping"),
        ({"probs": []}, 4, "unknown key 'probs'"),
        ({"protocol": {"modality": "rfa", "duration_s": 60, "power_w": 0}}, 4, "power_w"),
        ({"probes": [{**RFA["probes"][0], "tip_mm": [0, 0, 99]}]}, 4, "probe outside the grid"),
    ],
)
def test_a_bad_plan_is_one_line_and_no_folder(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, Any],
    code: int,
    met: str,
):
    assert simulate(written(tmp_path, **changes), tmp_path / "out") == code
    said = capsys.readouterr().err
    assert met in said
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_words_that_name_nothing_leave_with_two(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert simulate(tmp_path / "none.yaml", tmp_path / "out") == 2
    plan = written(tmp_path)
    assert (
        main(["simulate", "--plan", str(plan), "-o", str(tmp_path / "o"), "--device", "tpu"]) == 2
    )
    assert "none of auto, cpu, cuda" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


def test_an_output_that_is_a_file_is_said_before_anything_is_computed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "out").write_text("", "utf-8")
    assert simulate(written(tmp_path), tmp_path / "out") == 5
    assert "OUTPUT_UNWRITABLE" in capsys.readouterr().err
    assert (tmp_path / "out").read_text("utf-8") == ""


def tissue_image(path: Path, labels: np.ndarray, spacing_mm: float = 3.0) -> Path:
    affine = np.diag([-spacing_mm, -spacing_mm, spacing_mm, 1.0])  # RAS+ of an LPS grid
    affine[:3, 3] = [30.0, 30.0, -30.0]
    nib.save(nib.Nifti1Image(labels.astype(np.uint8), affine), path)
    return path


@pytest.mark.usefixtures("unpictured")
def test_a_label_image_brings_grid_coordinates_and_tissues(tmp_path: Path):
    labels = np.zeros((22, 22, 26))
    labels[14:] = 2
    image = tissue_image(tmp_path / "labels.nii.gz", labels)
    changes: dict[str, Any] = {
        "grid": RFA["grid"],  # the same cells: the image's coordinates win
        "labels": {2: {"k_w_mk": 2.0, "sigma_s_m": 0.05}},
        "probes": [{**RFA["probes"][0], "tip_mm": [1.5, 1.5, -6.0]}],
    }
    words = ("--tissue", str(image), "-q")
    assert simulate(written(tmp_path, **changes), tmp_path / "out", *words) == 0
    zone = nib.load(tmp_path / "out" / "zone.nii.gz")
    assert np.allclose(zone.affine, nib.load(image).affine)
    inside = np.asarray(zone.dataobj).astype(bool)
    assert inside[11:].sum() != inside[:11][::-1].sum()


@pytest.mark.parametrize(
    ("changes", "met"),
    [
        ({"labels": {1: "liver_in_vivo"}}, "tissue label 2 has no properties; the plan names 1"),
        ({"grid": {"shape": [9, 9, 9], "spacing_mm": [3, 3, 3]}}, "is not the label image's"),
    ],
)
def test_a_label_image_that_does_not_fit_the_plan_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], met: str
):
    labels = np.zeros((22, 22, 26))
    labels[14:] = 2
    image = tissue_image(tmp_path / "labels.nii.gz", labels)
    changes.setdefault("grid", RFA["grid"])
    changes["probes"] = [{**RFA["probes"][0], "tip_mm": [1.5, 1.5, -6.0]}]
    code = simulate(written(tmp_path, **changes), tmp_path / "out", "--tissue", str(image))
    assert code == 4
    assert met in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


CRYO: dict[str, Any] = {
    "grid": {"shape": [24, 22, 24], "spacing_mm": [3, 3, 3]},
    "probes": [
        {"id": n, "device": "cryo_generic_20mm", "tip_mm": [x, 0, -10], "direction": [0, 0, 1]}
        for n, x in (("A", -7), ("B", 7))
    ],
    "protocol": {
        "modality": "cryo",
        "schedule": [
            {"duration_s": 180, "name": "freeze"},
            {"duration_s": 40, "off": True},
            {"duration_s": 120, "name": "again"},
        ],
    },
}
IRE: dict[str, Any] = {
    "grid": {"shape": [26, 26, 28], "spacing_mm": [2, 2, 2]},
    "probes": [
        {"id": n, "device": "ire_generic_19g_20mm", "tip_mm": [x, 0, -10], "direction": [0, 0, 1]}
        for n, x in (("A", -7.5), ("B", 7.5))
    ],
    "protocol": {"modality": "ire", "voltage_v": 2250, "pulses": 70, "pairs": [["A", "B"]]},
}
MWA: dict[str, Any] = {
    "grid": {"shape": [20, 20, 22], "spacing_mm": [4, 4, 4]},
    "probes": [
        {"id": "A", "device": "mwa_generic_14g", "tip_mm": [0, 0, -10], "direction": [0, 0, 1]}
    ],
    "protocol": {"modality": "mwa", "duration_s": 90, "power_w": 60},
    "step_s": 2.0,
}


def whole(folder: Path, plan: dict[str, Any]) -> Path:
    path = folder / "plan.yaml"
    path.write_text(yaml.safe_dump(plan), "utf-8")
    return path


def test_a_freeze_thaw_plan_tells_how_cold_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "out"
    assert simulate(whole(tmp_path, CRYO), out) == 0
    assert "mm, coldest -" in capsys.readouterr().out
    zone = read(out / "zone.json")
    jsonschema.validate(zone, schema("zone"))
    assert set(zone) >= CONTRACT_KEYS
    assert zone["max_temperature_c"] is None
    assert -140 < zone["min_temperature_c"] < -40
    assert zone["volumes_ml"]["isotherm_40"] < zone["volumes_ml"]["isotherm_20"]
    assert zone["volume_ml"] < zone["largest_ice_ball_ml"]
    times, probe = zone["trace"]["time_s"], zone["trace"]["probe_c"]
    thawing = [c for t, c in zip(times, probe, strict=True) if 184 <= t <= 216]
    assert thawing
    assert set(thawing) == {None}
    assert zone["energy_j"]["balance_error"] < 1e-4
    coldest = np.asarray(nib.load(out / "coldest_c.nii.gz").dataobj)
    inside = np.asarray(nib.load(out / "zone.nii.gz").dataobj).astype(bool)
    assert np.array_equal(coldest <= -40, inside)
    assert "ice that an image shows is larger" in (out / "simulation.html").read_text("utf-8")


def test_pulses_between_two_needles_make_a_zone_between_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "out"
    assert simulate(whole(tmp_path, IRE), out) == 0
    assert "mm, strongest field " in capsys.readouterr().out
    zone = read(out / "zone.json")
    jsonschema.validate(zone, schema("zone"))
    assert zone["trace"]["voltage_v"] == [2250.0]
    energy = zone["energy_j"]
    # the rest is further out
    assert energy["stored"] == pytest.approx(energy["delivered"], rel=0.1)
    assert energy["balance_error"] < 1e-4
    assert zone["trace"]["impedance_ohm"][0] == pytest.approx(
        2250 / zone["trace"]["current_a"][0], rel=1e-5
    )
    chance = np.asarray(nib.load(out / "coverage.nii.gz").dataobj)
    field = np.asarray(nib.load(out / "field_v_cm.nii.gz").dataobj)
    middle = (12, 12, 13)
    assert chance[middle] > 0.9  # 884 V/cm between two cylinders of 15 mm and 2250 V
    assert 600 < field[middle] < 1000
    assert 0 <= chance.min() <= chance.max() <= 1
    assert chance[0, 0, 0] < 0.01
    assert "heating_bound_k" in (out / "simulation.html").read_text("utf-8")


def test_an_ensemble_gives_a_coverage_and_a_wider_band(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "out"
    assert simulate(whole(tmp_path, {**MWA, "ensemble": 3}), out) == 0
    said = capsys.readouterr().out
    assert "damage models and draws: " in said
    assert "3 draws: 90 % of the zones by arrhenius have " in said
    zone = read(out / "zone.json")
    assert zone["ensemble"]["draws"] == 3
    low, high = zone["volume_band_ml"]
    assert low <= min(zone["volumes_ml"].values())
    assert high >= max(zone["volumes_ml"].values())
    chance = np.asarray(nib.load(out / "coverage.nii.gz").dataobj)
    assert set(np.unique(np.round(chance * 9)).astype(int)) <= set(range(10))  # 3 draws, 3 models
    assert (out / "coverage.png").exists()


@pytest.mark.usefixtures("unpictured")
def test_certified_gives_an_error_bar_or_says_why_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    plan = {**MWA, "certified": {"spacing_mm": 4}}
    assert simulate(whole(tmp_path, plan), tmp_path / "out") == 0
    said = capsys.readouterr().out
    error = read(tmp_path / "out" / "zone.json")["numeric_error"]
    assert error["spacing_mm"] == [8.0, 4.0, 2.0]
    if error["certified"]:
        assert error["values"]["volume_ml"]["error"] > 0
        assert "numeric error: " in said
    else:
        assert error["why"] in said


@pytest.mark.parametrize(
    ("plan", "met"),
    [
        ({**IRE, "ensemble": 4}, "ire has no ensemble"),
        ({**IRE, "probes": IRE["probes"][:1], "protocol": {**IRE["protocol"], "pairs": []}},
         "ire needs at least two electrodes"),
        (
            {**IRE, "damage": ["human_liver", "cem43"]},
            "no damage model of ire is called 'cem43'",
        ),
        ({**IRE, "protocol": {**IRE["protocol"], "voltage_v": 9000}}, "gives at most 3000"),
        ({**CRYO, "certified": True}, "certified mode bounds the error of heating"),
        ({**MWA, "certified": True, "vessels": [
            {"from_mm": [20, -30, 0], "to_mm": [20, 30, 0], "diameter_mm": 6}
        ]}, "without vessels; got vessels"),
        ({**MWA, "ensemble": 2, "tissue": {"k_w_mk": 0.5}}, "has no priors"),
    ],
)  # fmt: skip
def test_what_a_physics_cannot_do_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], plan: dict[str, Any], met: str
):
    assert simulate(whole(tmp_path, plan), tmp_path / "out") == 4
    assert met in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("unpictured")
def test_switching_electrodes_show_their_power_one_by_one(tmp_path: Path):
    probes = [
        {"id": n, "device": "rfa_cooled_17g_30mm", "tip_mm": [x, 0, -15], "direction": [0, 0, 1]}
        for n, x in (("A", -9), ("B", 9))
    ]
    plan = {
        **RFA,
        "probes": probes,
        "protocol": {
            "modality": "rfa", "duration_s": 60, "power_w": 50, "controller": "switching",
            "dwell_s": 20,
        },
    }  # fmt: skip
    assert simulate(whole(tmp_path, plan), tmp_path / "out", "-q") == 0
    trace = read(tmp_path / "out" / "zone.json")["trace"]
    single = np.array([trace["power_w_A"], trace["power_w_B"]])
    assert np.allclose(single.sum(axis=0), trace["power_w"])
    assert single[0, 0] > 0  # A has its turn first
    assert single[1, 0] == 0
    assert (single > 0).any(axis=1).all()
    assert ((single > 0).sum(axis=0) <= 1).all()


@pytest.mark.parametrize("plan", [CRYO, IRE])
def test_models_of_heat_alone_give_way_to_those_of_the_physics_and_are_named(
    plan: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """A plan carried over from radiofrequency lists them; heat does not kill here."""
    carried = {**plan, "damage": ["arrhenius", "cem43", "oneill"]}
    assert simulate(whole(tmp_path, plan), tmp_path / "own") == 0
    capsys.readouterr()
    assert simulate(whole(tmp_path, carried), tmp_path / "carried") == 0
    assert "are models of heat" in capsys.readouterr().out
    own, other = (read(tmp_path / name / "zone.json") for name in ("own", "carried"))
    assert other["notes"]
    assert "notes" not in own
    assert other["volumes_ml"] == own["volumes_ml"]
