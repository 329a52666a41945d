"""`netseg compare` as its user runs it: files in, comparison out, exit codes."""

from __future__ import annotations

import json

import nibabel
import numpy as np
import pytest
from jsonschema import Draft202012Validator

from netseg.cli.main import main
from netseg.export import schema
from netseg.geometry.nifti import to_nifti
from tests.pipeline.test_comparison import AFTER, BEFORE, SHIFT_MM, dated
from tests.real_data import real_data


def write(study, folder):
    """A scan, its lesions and its liver as three files; the scan looks like HU."""
    folder.mkdir()
    grid = study.lesions.grid
    scan = nibabel.Nifti1Image(
        np.where(study.liver.inside, 60, -1000).astype(np.int16),
        to_nifti(study.liver).affine,
    )
    scan.header.set_xyzt_units("mm", "sec")
    nibabel.save(scan, folder / "scan.nii.gz")
    nibabel.save(to_nifti(study.lesions), folder / "lesions.nii.gz")
    nibabel.save(to_nifti(study.liver), folder / "liver.nii.gz")
    assert grid.shape == scan.shape
    return folder


@pytest.fixture
def two(tmp_path):
    """Two dates whose grids differ, so that nobody takes their frames for one."""
    moved = dated(AFTER, SHIFT_MM, "2.2")
    first = write(dated(BEFORE), tmp_path / "first")
    second = write(moved, tmp_path / "second")
    for file in second.iterdir():
        image = nibabel.load(file)
        affine = image.affine.copy()
        affine[:3, 3] += 40.0
        nibabel.save(nibabel.Nifti1Image(np.asarray(image.dataobj), affine, image.header), file)
    return first, second


def words(first, second, *more, livers=True):
    said = ["compare", "-q", "--first", str(first / "scan.nii.gz")]
    said += ["--second", str(second / "scan.nii.gz"), "--modality", "CT"]
    for number, folder in ((1, first), (2, second)):
        said += [f"--lesions{number}", f"{folder / 'lesions.nii.gz'}:instances"]
        if livers:
            said += [f"--liver{number}", str(folder / "liver.nii.gz")]
    return [*said, *more]


def test_the_comparison_is_written_and_follows_its_schema(two, tmp_path, capsys):
    assert main(words(*two, "-o", str(tmp_path / "out"), "--format", "json")) == 0
    printed = json.loads(capsys.readouterr().out)
    written = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert printed == written
    Draft202012Validator(schema("comparison")).validate(written)
    assert written["disease_course"] == "progressive"
    assert written["counts"]["new"] == written["counts"]["gone"] == 1


def test_people_read_the_course_first(two, capsys):
    assert main(words(*two)) == 0
    out = capsys.readouterr().out
    assert out.startswith("disease course: progressive\n")
    assert "→ -: 20.0 → 0.0 mm" in out or "gone" in out
    assert "aligned by the livers" in out


def test_two_frames_without_livers_leave_with_four(two, capsys):
    assert main(words(*two, livers=False)) == 4
    assert "FRAME_MISMATCH" in capsys.readouterr().err


@pytest.mark.parametrize(("flag", "value"), [("--gate", "0"), ("--tolerance", "-1")])
def test_distances_that_are_none_leave_with_two(two, flag, value, capsys):
    assert main(words(*two, flag, value)) == 2
    assert flag in capsys.readouterr().err


def test_one_patient_at_two_dates_is_matched_as_the_eye_does(capsys):
    """LiTS 0 and 1, looked at lesion by lesion: ten pairs, one gone, two new; nothing is tuned.

    Numbers count by volume at each date.
    """
    folder = real_data("ct_lits_train")
    said = ["compare", "-q", "--modality", "CT", "--format", "json"]
    for name, number, case in (("first", 1, "lits00"), ("second", 2, "lits01")):
        mask = folder / f"{case}_liver_lesion.nii.gz"
        said += [f"--{name}", str(folder / f"{case}_ct.nii.gz")]
        said += [f"--lesions{number}", f"{mask}:2", f"--liver{number}", f"{mask}:1,2"]
    assert main(said) == 0
    found = json.loads(capsys.readouterr().out)
    pairs = {
        (*one["first"], *one["second"]) for one in found["lesions"] if one["fate"] == "matched"
    }
    assert pairs == {
        (1, 1), (2, 2), (3, 5), (4, 3), (5, 4), (6, 8), (7, 7), (8, 12), (9, 9), (11, 10),
    }  # fmt: skip
    assert [one["first"] for one in found["lesions"] if one["fate"] == "gone"] == [[10]]
    assert [one["second"] for one in found["lesions"] if one["fate"] == "new"] == [[6], [11]]
    assert found["disease_course"] == "progressive"


@pytest.mark.parametrize("option", ["--first", "--second", "--lesions2", "--liver1"])
def test_of_several_paths_the_one_that_is_not_there_is_named(two, capsys, option):
    said = words(*two)
    said[said.index(option) + 1] = "no/such/place.nii.gz"
    assert main(said) == 4
    message = capsys.readouterr().err
    assert f"NO_INPUT: {option} no/such/place.nii.gz: there is no such file or folder" in message
