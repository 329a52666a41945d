"""`verify --pre --post` and `run --control`, from files to files."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from netseg.cli.main import main
from tests.control_pair import pair, write_pair

if TYPE_CHECKING:
    from pathlib import Path

RIGID = "register=rigid"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    there = tmp_path_factory.mktemp("pair")
    write_pair(pair(12.0), there)
    return there


def words(folder: Path, *more: str) -> list[str]:
    def at(name: str) -> str:
        return str(folder / f"{name}.nii.gz")

    return [
        "verify", "--pre", at("pre"), "--post", at("post"), "--lesion", at("lesion"),
        "--liver", at("liver_pre"), "--liver-post", at("liver_post"), "--modality", "CT", RIGID, *more,
    ]  # fmt: skip


def test_two_scans_become_margins_masks_and_a_page(folder: Path, tmp_path: Path):
    out = tmp_path / "out"
    assert main(words(folder, "-o", str(out), "-q")) == 0
    document = json.loads((out / "margin.json").read_text())
    [lesion] = document["lesions"]
    assert document["evidence"] == "control_scan"
    assert document["registration"]["method"]
    assert lesion["smallest_margin_mm"] == pytest.approx(12.0, abs=2.0)
    assert lesion["verdict"].startswith("A0")
    page = (out / "margin.html").read_text()
    assert "Research use only" in page
    assert page.count("data:image/") == 4  # fusion, map, solid, shells
    record = json.loads((out / "run.json").read_text())
    assert set(record["files"]) == {p.name for p in out.iterdir() if p.name != ".netseg.lock"}


def test_a_run_with_a_control_scan_gives_its_verdict_to_the_rules(folder: Path, tmp_path: Path):
    def at(name: str) -> str:
        return str(folder / f"{name}.nii.gz")

    out = tmp_path / "out"
    said = ["run", "-i", at("pre"), "--modality", "CT", "--lesions", at("lesion"), "--liver",
            at("liver_pre"), "--control", at("post"), "--liver-post", at("liver_post"), "--zone",
            at("zone"), "plan=none", RIGID, "-o", str(out), "-q"]  # fmt: skip
    assert main(said) == 0
    case = out / "pre"
    assert json.loads((case / "margin.json").read_text())["evidence"] == "control_scan"
    findings = json.loads((case / "findings.json").read_text())
    assert findings["post_ablation"]["evidence"] == "control_scan"
    assert findings["post_ablation"]["min_margin_mm"] == pytest.approx(12.0, abs=2.0)
    assert "Control scan" in (case / "report.html").read_text()
    assert (case / "control_zone.nii.gz").is_file()
    inputs = json.loads((case / "run.json").read_text())["provenance"]["input_sha256"]
    assert any(name.startswith("control ") for name in inputs)


def test_landmarks_are_reported(folder: Path, tmp_path: Path):
    made = pair(12.0)
    table = tmp_path / "landmarks.csv"
    rows = np.column_stack((made.landmarks_planning_mm[:5], made.landmarks_control_mm[:5]))
    names = ["pre_x_mm", "pre_y_mm", "pre_z_mm", "post_x_mm", "post_y_mm", "post_z_mm"]
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([names, *rows.tolist()])
    out = tmp_path / "out"
    assert main(words(folder, "--landmarks", str(table), "-o", str(out), "-q")) == 0
    assert "landmarks" in (out / "margin.html").read_text()


@pytest.mark.parametrize(
    ("content", "met"),
    [
        ("a,b\n1,2\n", "lack the columns"),
        ("pre_x_mm,pre_y_mm,pre_z_mm,post_x_mm,post_y_mm,post_z_mm\n", "no pair"),
        ("pre_x_mm,pre_y_mm,pre_z_mm,post_x_mm,post_y_mm,post_z_mm\n1,2,x,4,5,6\n", "got 'x'"),
    ],
)
def test_landmarks_that_are_none_are_refused(
    content: str, met: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    table = tmp_path / "landmarks.csv"
    table.write_text(content)
    assert main(words(folder, "--landmarks", str(table))) == 2
    assert met in capsys.readouterr().err


def test_a_zone_of_the_planning_scan_is_refused(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    made = pair(12.0)
    import nibabel

    shape = tuple(n - 1 for n in made.planning.grid.shape)
    nibabel.save(nibabel.Nifti1Image(np.ones(shape, np.uint8), np.eye(4)), tmp_path / "z.nii.gz")
    assert main(words(folder, "--zone", str(tmp_path / "z.nii.gz"))) == 4
    assert "GRID_MISMATCH" in capsys.readouterr().err
