"""`--backend`: every word composes and is built, and what is missing leaves with its exit code."""

from __future__ import annotations

import nibabel
import numpy as np
import pytest

from netseg.cli.configuration import compose
from netseg.cli.main import main
from netseg.cli.registry import build
from netseg.cli.run_command import BACKENDS
from netseg.geometry.nifti import to_nifti
from netseg.segment.nnunet import NnunetBackend
from tests.segment.fake_programs import NNUNET, program, scan

NEEDED = {"bundle": ["segment.weights=x.safetensors"], "nnunet": ["segment.dataset=3"]}


@pytest.mark.parametrize("name", BACKENDS)
def test_every_backend_s_configuration_is_built(name):
    settings = compose("infer", [f"segment={name}", *NEEDED.get(name, [])])
    assert hasattr(build(settings["segment"]), "segment")


def test_the_configuration_says_what_the_program_gets():
    words = ["segment=nnunet", "segment.dataset=Dataset003_Liver", "segment.folds=[all]"]
    built = build(compose("infer", words)["segment"])
    assert isinstance(built, NnunetBackend)
    assert built.folds == ("all",)
    assert built.lesion == "tumor"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "scan.nii.gz"
    nibabel.save(to_nifti(scan().series[0].volume), path)
    return path


def words(file, *more):
    return ["segment", "-q", "-i", str(file), "--modality", "CT", "--phase", "portal_venous",
            "-o", str(file.parent / "out"), *more]  # fmt: skip


def test_nnunet_from_files_to_files(file, tmp_path):
    fake = program(tmp_path, NNUNET, name="fake")
    said = ["--backend", "nnunet", "segment.dataset=3", f"segment.program={fake}"]
    assert main(words(file, *said)) == 0
    out = tmp_path / "out" / "scan"
    lesions = np.asarray(nibabel.load(out / "lesions.nii.gz").dataobj)
    assert sorted(np.unique(lesions)) == [0, 1, 2]
    assert (out / "lesions.csv").read_text().count("\n") == 3


@pytest.mark.parametrize(
    ("said", "code", "why"),
    [
        (["--backend", "nnunett"], 2, "Did you mean nnunet?"),
        (["--backend", "nnunet"], 2, "segment.dataset=NAME"),
        (["--backend", "bundle"], 2, "--weights FILE.safetensors"),
        (["--backend", "bundle", "--weights", "gone.safetensors"], 5, "WEIGHTS_MISSING"),
        (["--backend", "nnunet", "segment.dataset=3", "segment.program=/gone"], 5,
         "PROGRAM_MISSING"),
        (["--backend", "totalsegmentator", "--weights", "x.safetensors"], 2,
         "totalsegmentator has no setting 'weights'"),
    ],
)  # fmt: skip
def test_what_is_missing_leaves_with_its_code(file, said, code, why, capsys):
    assert main(words(file, *said)) == code
    assert why in capsys.readouterr().err
