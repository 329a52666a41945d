"""A folder of studies that bring their own masks; one of them is broken."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from netseg.cli.main import main
from netseg.domain import Phase
from netseg.phantom import LesionSpec, Protocol, make_phantom, write_nifti_study

if TYPE_CHECKING:
    from pathlib import Path

COARSE_MM = (3.0, 3.0, 4.0)


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three patients as NIfTI with masks; the second one's CT lost its last third in a copy."""
    folder = tmp_path_factory.mktemp("batch")
    for number, seed in enumerate((3, 4, 5)):
        ball = LesionSpec(segment="VI", diameter_mm=30.0, elongation=1.0, irregularity=0.0)
        phantom = make_phantom(seed, spacing_mm=COARSE_MM, lesions=[ball])
        portal = Protocol(ct_phases=(Phase.PORTAL_VENOUS,), pet=False)
        written = write_nifti_study(
            phantom, folder / f"written{number}", protocol=portal, with_masks=True
        )
        written.study.rename(folder / f"patient-{number}")
        written.case.rename(folder / "case.yaml")
    for rest in folder.glob("written*"):
        for file in sorted(rest.rglob("*"), reverse=True):
            file.rmdir() if file.is_dir() else file.unlink()
        rest.rmdir()
    (folder / "case.yaml").rename(folder.parent / "case.yaml")
    (ct,) = (folder / "patient-1").glob("ct*.nii.gz")
    ct.write_bytes(ct.read_bytes()[: -ct.stat().st_size // 3])
    return folder


@pytest.fixture(scope="module")
def out(batch: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("out")
    table = folder.parent / "table.csv"
    table.write_text("case,ki67,differentiation\npatient-0,4,well\npatient-1,4,well\n")
    words = ["run", "-i", str(batch), "-o", str(folder), "--clinical", str(table), "plan=none"]
    assert main([*words, "-q"]) == 3
    return folder


def test_the_broken_study_is_named_and_the_others_are_whole(out: Path):
    status = json.loads((out / "status.json").read_text())
    assert status["studies"]["patient-1"] == "rejected"
    assert set(status["studies"].values()) == {"rejected", "warn"}
    assert [f.name for f in (out / "patient-1").iterdir()] == ["status.json"]
    (error,) = json.loads((out / "patient-1" / "status.json").read_text())["errors"]
    assert error["code"] in ("TRUNCATED_FILE", "CORRUPT_FILE")
    assert error["file"].endswith(".nii.gz")
    assert error["hint"]
    for case in ("patient-0", "patient-2"):
        assert (out / case / "report.html").exists()
    errors = (out / "errors.jsonl").read_text().splitlines()
    assert [json.loads(line)["case"] for line in errors] == ["patient-1"]


def test_a_lesion_of_thirty_millimetres_in_segment_six_is_measured_as_such(out: Path):
    """The truth masks are given, so only the grid (3 x 3 x 4 mm) stands between truth and table."""
    (lesion,) = pd.read_csv(out / "patient-0" / "lesions.csv").to_dict("records")
    sphere_ml = np.pi / 6 * 3.0**3
    assert lesion["volume_ml"] == pytest.approx(sphere_ml, rel=0.1)
    assert lesion["longest_diameter_mm"] == pytest.approx(30.0, abs=3.0)


def test_the_case_without_a_row_is_told_so_and_nothing_is_assumed(out: Path):
    status = json.loads((out / "patient-2" / "status.json").read_text())
    assert "TABLE_MISSING" in [w["code"] for w in status["warnings"]]
    allocation = json.loads((out / "patient-2" / "allocation.json").read_text())
    assert allocation["grade"] is None
    assert "ki67" in allocation["must_ask"]
    known = json.loads((out / "patient-0" / "allocation.json").read_text())
    assert known["grade"] == "G2"


def test_one_mask_for_many_studies_is_refused(
    batch: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    words = ["run", "-i", str(batch), "-o", str(tmp_path / "o"), "--lesions", "some.nii.gz"]
    assert main(words) == 2
    assert "one mask cannot belong to 3 studies" in capsys.readouterr().err


def test_results_inside_the_input_are_refused(batch: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["run", "-i", str(batch), "-o", str(batch / "out")]) == 2
    assert "inside the input" in capsys.readouterr().err


def test_validate_and_dry_run_exit_as_run_would(
    batch: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(["validate", "-i", str(batch), "--format", "json"]) == 3
    parts = json.loads(capsys.readouterr().out)["parts"]
    assert [p["state"] for p in parts].count("rejected") == 1
    assert main(["run", "-i", str(batch), "-o", str(tmp_path / "o"), "--dry-run"]) == 3
    assert not (tmp_path / "o").exists()


def test_hashed_names_keep_who_is_who_outside_the_output(batch: Path, tmp_path: Path):
    words = ["run", "-i", str(batch), "-o", str(tmp_path / "o"), "--case-ids", "hash", "plan=none"]
    assert main([*words, "--shard", "1/3", "-q"]) == 0
    (case,) = (p.name for p in (tmp_path / "o").iterdir() if p.is_dir())
    assert case.startswith("case-")
    kept = json.loads((tmp_path / "o.case-ids.json").read_text())
    assert kept["cases"][case] == "patient-0"
    assert not list((tmp_path / "o").rglob("*case-ids*"))
