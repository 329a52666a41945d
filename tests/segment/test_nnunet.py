"""nnU-Net as a program: what it is told, what is made of its answer, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from netseg.domain import (
    Code,
    EnvironmentFaultError,
    GridMismatchError,
    StudyRejectedError,
    UsageError,
)
from netseg.segment.nnunet import NnunetBackend
from tests.segment.fake_programs import NNUNET, program, scan


def backend(folder: Path, mischief: str = "", **more) -> NnunetBackend:
    return NnunetBackend("Dataset003_Liver", program=program(folder, NNUNET, mischief), **more)


def notes(folder: Path) -> dict:
    return json.loads((folder / "notes").read_text())


def test_its_answer_becomes_liver_and_numbered_lesions(tmp_path):
    study = scan()
    found = backend(tmp_path).segment(study)
    values = study.series[0].volume.values
    assert found.lesions.values == (1, 2)
    sizes = np.bincount(found.lesions.labels.ravel())[1:]
    assert sizes.tolist() == [6 * 6 * 4, 3 * 4 * 3]
    assert np.array_equal(
        found.lesions.labels != 0, (values == 200) & (np.arange(50) < 40)[:, None, None]
    )
    assert int(found.liver.inside.sum()) == 35 * 30 * 20
    assert found.liver.grid.is_same_as(study.series[0].volume.grid)
    assert found.provenance.backend == "nnunet"


def test_a_lesion_beside_the_liver_is_left_out_with_a_notice(tmp_path):
    (notice,) = backend(tmp_path).segment(scan()).warnings
    assert notice.code is Code.MASK_OUTSIDE_LIVER
    assert "1 of the 3 lesions of nnU-Net" in notice.message


def test_the_words_are_those_of_nnunet(tmp_path):
    backend(
        tmp_path, folds=("all",), device="cuda:1", results=tmp_path, more=["-p", "Plans"]
    ).segment(scan())
    told = notes(tmp_path)
    words = told["words"]
    assert words[words.index("-d") + 1] == "Dataset003_Liver"
    assert words[words.index("-c") + 1] == "3d_fullres"
    assert words[words.index("-f") + 1] == "all"
    assert words[words.index("-device") + 1] == "cuda"
    assert words[-2:] == ["-p", "Plans"]
    assert "--disable_tta" in words
    assert (told["visible"], told["results"]) == ("1", str(tmp_path))
    assert told["files"] == ["case_0000.nii.gz"]


def test_mirroring_and_the_device_are_left_to_the_program_where_asked(tmp_path):
    backend(tmp_path, mirroring=True).segment(scan())
    words = notes(tmp_path)["words"]
    assert "--disable_tta" not in words
    assert "-device" not in words


def test_it_sees_nothing_of_ours_and_nothing_of_the_patient(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "ours"))
    backend(tmp_path).segment(scan())
    told = notes(tmp_path)
    assert told["pythonpath"] is None
    assert "DOE" not in json.dumps(told)
    assert told["texts"] == ""


@pytest.mark.parametrize("mischief", ["", "sys.exit(3)", "labels = labels * 7"])
def test_its_folder_is_removed_whatever_happens(tmp_path, mischief):
    try:
        backend(tmp_path, mischief).segment(scan())
    except StudyRejectedError:
        assert mischief
    assert not Path(notes(tmp_path)["scratch"]).exists()


REFUSED = {
    "exit": ("print('CUDA out of memory', file=sys.stderr); sys.exit(3)", Code.PROGRAM_FAILED,
             "exit code 3; it said: CUDA out of memory"),
    "fell over": ("raise FileNotFoundError('no checkpoint')", Code.PROGRAM_FAILED,
                  "exit code 1; it said: FileNotFoundError: no checkpoint"),
    "silent exit": ("os._exit(1)", Code.PROGRAM_FAILED, "exit code 1 and said nothing"),
    "no file": ("sys.exit(0)", Code.PROGRAM_FAILED, r"wrote no case\.nii\.gz"),
    "no image": ("(out / 'case.nii.gz').write_bytes(b'x'); sys.exit(0)", Code.PROGRAM_FAILED,
                 "cannot be read"),
    "unknown": ("labels[0, 0, 0] = 9", Code.LABEL_UNKNOWN, "values 9; its labels are 0, 1, 2"),
    "fractions": ("labels = labels * np.float32(0.5)", Code.LABEL_NOT_INTEGER, "no whole numbers"),
    "nan": ("labels = np.where(labels > 0, np.nan, 0)", Code.LABEL_NOT_INTEGER, "no whole numbers"),
    "negative": ("labels = -labels.astype(np.int16)", Code.LABEL_NOT_INTEGER, "the value -2"),
    "four": ("labels = np.stack([labels, labels], -1)", Code.NOT_3D, "4 dimensions"),
    "regions": (("(out / 'dataset.json').write_text('{\"labels\": {\"a\": [1, 2]}}'); "
                "image.save(labels, out / 'case.nii.gz'); sys.exit(0)"),
                Code.PROGRAM_FAILED, "no plain labels"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_misbehaving_program_is_refused_by_name(tmp_path, name):
    mischief, code, why = REFUSED[name]
    with pytest.raises(StudyRejectedError, match=why) as refused:
        backend(tmp_path, mischief).segment(scan())
    assert refused.value.notice.code is code


@pytest.mark.parametrize(
    "mischief",
    ["labels = labels[:-1]", "image.shift(2.0)", "labels = np.swapaxes(labels, 0, 1)"],
)
def test_an_answer_on_another_grid_is_refused(tmp_path, mischief):
    with pytest.raises(GridMismatchError, match="nnU-Net was given 50x40x30"):
        backend(tmp_path, mischief).segment(scan())


def is_running(pid: int) -> bool:
    """Whether a process is more than an entry that nobody has collected yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to see a child")
def test_a_program_that_hangs_is_ended_with_its_children(tmp_path):
    child = tmp_path / "child"
    mischief = (
        "import subprocess; child = subprocess.Popen(['sleep', '60']); "
        f"Path({str(child)!r}).write_text(str(child.pid)); time.sleep(60)"
    )
    with pytest.raises(StudyRejectedError, match=r"ended after 5 s"):
        backend(tmp_path, mischief, timeout_s=5.0).segment(scan())
    assert not child.exists() or not is_running(int(child.read_text()))


def test_without_the_program_the_user_is_told_how_to_name_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EnvironmentFaultError, match="nnUNetv2_predict is not installed") as refused:
        NnunetBackend("1").segment(scan())
    assert refused.value.notice.code is Code.PROGRAM_MISSING
    assert "segment.program=PATH" in refused.value.notice.hint
    with pytest.raises(EnvironmentFaultError, match="names gone, which is no executable file"):
        NnunetBackend("1", program=tmp_path / "gone").segment(scan())


def test_a_program_that_cannot_start_is_refused(tmp_path):
    broken = tmp_path / "broken"
    broken.write_text("#!/no/such/python\n")
    broken.chmod(0o700)
    with pytest.raises(EnvironmentFaultError, match="cannot be started"):
        NnunetBackend("1", program=broken).segment(scan())


@pytest.mark.parametrize(
    ("setting", "why"),
    [
        ({"lesion": "cancer"}, r"segment\.lesion is 'cancer'; .* liver \(1\), tumor \(2\)"),
        ({"liver": 5}, r"segment\.liver is 5"),
    ],
)
def test_a_label_the_model_does_not_have_is_refused(tmp_path, setting, why):
    with pytest.raises(StudyRejectedError, match=why):
        backend(tmp_path, **setting).segment(scan())


def test_labels_may_be_numbers_and_the_liver_unknown(tmp_path):
    found = backend(tmp_path, lesion=2, liver=None).segment(scan())
    assert found.liver is None
    assert len(found.lesions.values) == 3


def test_a_study_without_the_model_s_channel_is_refused(tmp_path):
    with pytest.raises(StudyRejectedError, match="the model Dataset003_Liver wants mr_t2"):
        backend(tmp_path, channels=("ct", "mr_t2")).segment(scan())
    with pytest.raises(UsageError, match="'ctx' is no channel"):
        backend(tmp_path, channels=("ctx",)).segment(scan())


def test_a_model_must_be_named():
    with pytest.raises(UsageError, match="which model"):
        NnunetBackend()
