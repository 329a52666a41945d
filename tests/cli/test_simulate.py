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
    assert simulate(plan, out, "-q") == 0
    before = {f.name: f.read_bytes() for f in out.iterdir()}

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("netseg.report.simulation.write_simulation", stop)  # all but the pictures
    assert simulate(plan, out, "-q") == 130
    assert {f.name: f.read_bytes() for f in out.iterdir()} == before


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
