"""From DICOM files to a report, on a patient whose truth is known."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from netseg.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo as its user runs it: synthetic DICOM, built-in network, all stations."""
    out = tmp_path_factory.mktemp("demo")
    assert main(["demo", "--control", "-o", str(out), "-q"]) == 0
    return out


def case_of(demo: Path) -> Path:
    (report,) = (demo / "result").glob("*/report.html")
    return report.parent


def truth_of(demo: Path) -> list[dict]:
    (file,) = demo.glob("patient/**/truth.json")
    return json.loads(file.read_text())["lesions"]


def test_every_file_of_the_contract_is_written(demo: Path):
    names = {file.name for file in case_of(demo).iterdir()}
    assert names >= {
        "status.json", "run.json", "liver.nii.gz", "lesions.nii.gz", "lesions.csv", "findings.json",
        "plan.json", "zone.nii.gz", "zone.json", "margin.json", "allocation.json", "report.html",
        "preview.png",
    }  # fmt: skip


def test_a_lesion_planted_in_segment_six_is_found_there_with_its_volume(demo: Path):
    """Tolerance of the shipped network: 10 mm of place, half to two and a half times the volume.

    It swells lesions that PET blurs to about twice their volume (see the model card). With given
    masks the volume is right to a tenth, see `test_given_masks`.
    """
    planted = max(
        (lesion for lesion in truth_of(demo) if lesion["segment"] == "VI"),
        key=lambda lesion: lesion["volume_ml"],
    )
    found = pd.read_csv(case_of(demo) / "lesions.csv")
    centres = found[["centroid_x_mm", "centroid_y_mm", "centroid_z_mm"]].to_numpy()
    away = np.linalg.norm(centres - np.array(planted["centre_mm"]), axis=1)
    nearest = found.iloc[int(away.argmin())]
    assert away.min() < 10
    assert nearest["segment"] == "VI"
    assert 0.5 < nearest["volume_ml"] / planted["volume_ml"] < 2.5


def test_the_masks_lie_where_the_truth_lies(demo: Path):
    """The whole way in one number: DICOM, network, components, NIfTI, all in patient space."""
    case = case_of(demo)
    (file,) = demo.glob("patient/**/liver.nii.gz")
    truth, found = nib.load(file), nib.load(case / "liver.nii.gz")  # pyright: ignore[reportPrivateImportUsage]
    assert np.allclose(truth.affine, found.affine, atol=0.01)  # pyright: ignore[reportAttributeAccessIssue]
    a, b = np.asarray(truth.dataobj) > 0, np.asarray(found.dataobj) > 0  # pyright: ignore[reportAttributeAccessIssue]
    dice = 2 * (a & b).sum() / (a.sum() + b.sum())
    assert dice > 0.9


def test_a_simulated_zone_only_predicts(demo: Path):
    margin = json.loads((case_of(demo) / "margin.json").read_text())
    assert margin["evidence"] == "simulated"
    for lesion in margin["lesions"]:
        assert any("plan predicts" in sentence for sentence in lesion["why"])
    findings = json.loads((case_of(demo) / "findings.json").read_text())
    assert findings.get("post_ablation") is None


def test_the_control_scan_tells_wide_margins_from_narrow_ones(demo: Path):
    """Painted 9, 8, 2 and 2 mm; the network swells lesions, so that margins come out smaller."""
    margin = json.loads((demo / "control_check" / "margin.json").read_text())
    assert margin["evidence"] == "control_scan"
    assert margin["registration"]["error_mm"] > 0
    places = nib.load(demo / "control_check" / "control_lesions.nii.gz")  # pyright: ignore[reportPrivateImportUsage]
    labels = np.asarray(places.dataobj)  # pyright: ignore[reportAttributeAccessIssue]
    truth = nib.load(demo / "control_truth" / "lesions.nii.gz")  # pyright: ignore[reportPrivateImportUsage]
    true = np.asarray(truth.dataobj)  # pyright: ignore[reportAttributeAccessIssue]
    seen = {}
    for lesion in margin["lesions"]:
        over = np.bincount(true[labels == lesion["id"]], minlength=5)[1:]
        if over.any():
            seen[int(over.argmax()) + 1] = lesion
    wide = [seen[n]["smallest_margin_mm"] for n in (1, 2) if n in seen]
    narrow = [seen[n] for n in (3, 4) if n in seen]
    assert wide
    assert narrow
    assert all(lesion["verdict"] != "A0" for lesion in narrow)
    assert max(wide) > max(lesion["smallest_margin_mm"] for lesion in narrow) + 2.0


def test_nothing_of_the_patients_name_is_written(demo: Path):
    for file in case_of(demo).iterdir():
        assert b"SYNTHETIC" not in file.read_bytes().upper(), file.name


def test_the_report_asks_the_network_for_nothing(demo: Path):
    html = (case_of(demo) / "report.html").read_text()
    assert "http://" not in html.replace("http://www.w3.org", "")
    assert "<script" not in html
    assert "research use" in html.lower()


def test_a_second_run_writes_the_same_bytes(demo: Path, tmp_path: Path):
    study, case = demo / "patient" / "case-0017", demo / "patient" / "case.yaml"
    words = ["run", "-i", str(study), "-o", str(tmp_path), "--clinical", str(case), "-q"]
    assert main(words) == 0
    first, second = case_of(demo), next(tmp_path.glob("*/report.html")).parent
    for file in first.iterdir():
        if file.name != "run.json":
            assert file.read_bytes() == (second / file.name).read_bytes(), file.name


def test_resume_keeps_what_is_still_true(demo: Path, capsys: pytest.CaptureFixture[str]):
    study, case = demo / "patient" / "case-0017", demo / "patient" / "case.yaml"
    before = (case_of(demo) / "run.json").read_bytes()
    words = ["run", "-i", str(study), "-o", str(demo / "result"), "--clinical", str(case)]
    assert main([*words, "--resume"]) == 0
    assert (case_of(demo) / "run.json").read_bytes() == before
    assert "kept" in capsys.readouterr().err
