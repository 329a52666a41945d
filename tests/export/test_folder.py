"""Files of one run appear together."""

import pytest

from netseg.domain import EnvironmentFaultError
from netseg.export import write_document, written_together


def run(out, files, *, fail=False):
    with written_together(out, record="run.json", seal="zone.json") as folder:
        for name in files:
            (folder / name).write_text(f"new {name}", "utf-8")
        write_document(folder / "run.json", {"files": [*files, "run.json"]})
        if fail:
            raise KeyboardInterrupt


def test_all_files_come_and_nothing_else(tmp_path):
    run(tmp_path, ["zone.json", "a.nii.gz"])
    assert {f.name for f in tmp_path.iterdir()} == {"zone.json", "a.nii.gz", "run.json"}


def test_a_run_that_fails_changes_nothing(tmp_path):
    run(tmp_path, ["zone.json", "a.nii.gz"])
    before = {f.name: f.read_text() for f in tmp_path.iterdir()}
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, ["zone.json", "b.nii.gz"], fail=True)
    assert {f.name: f.read_text() for f in tmp_path.iterdir()} == before


def test_the_next_run_removes_what_the_last_one_wrote_and_nothing_of_others(tmp_path):
    (tmp_path / "mine.txt").write_text("keep", "utf-8")
    run(tmp_path, ["zone.json", "a.nii.gz"])
    run(tmp_path, ["zone.json", "b.nii.gz"])
    assert {f.name for f in tmp_path.iterdir()} == {
        "zone.json", "b.nii.gz", "run.json", "mine.txt",
    }  # fmt: skip


def test_a_record_cannot_name_files_elsewhere(tmp_path):
    """Somebody else's run.json must not become a list of files to delete."""
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "precious").write_text("keep", "utf-8")
    (out / ".hidden").write_text("keep", "utf-8")
    write_document(
        out / "run.json", {"files": ["../precious", ".hidden", str(tmp_path / "precious")]}
    )
    run(out, ["zone.json"])
    assert (tmp_path / "precious").exists()
    assert (out / ".hidden").exists()


def test_the_rest_of_a_killed_run_is_cleared(tmp_path):
    dead = tmp_path / ".netseg-part-1-abc"
    dead.mkdir()
    (dead / "half.nii.gz").write_text("x", "utf-8")
    run(tmp_path, ["zone.json"])
    assert not dead.exists()


def test_a_folder_in_the_way_of_a_file_is_said(tmp_path):
    (tmp_path / "a.nii.gz").mkdir()
    with pytest.raises(EnvironmentFaultError, match="could not be moved"):
        run(tmp_path, ["a.nii.gz", "zone.json"])
    assert not (tmp_path / "zone.json").exists()  # no seal on a broken set
