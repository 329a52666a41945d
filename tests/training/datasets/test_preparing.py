"""Prepared once, kept whole: interrupted runs go on, damage is found, a bad case stands alone."""

import errno
import json
import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

from netseg.domain import EnvironmentFaultError, UsageError
from netseg.training.datasets import Lits, Recipe, cache, prepare, preparing
from tests.training.datasets import trees

RECIPE = Recipe(spacing_mm=4.0, margin_mm=6.0)
KILLED = """
import os, pathlib, signal, sys
from netseg.training.datasets import Lits, Recipe, cache, prepare

hashed = cache._sha256
count = 0

def killed(path):
    global count
    count += 1
    if count == 3:  # the second case: its arrays are written, its description is not
        os.kill(os.getpid(), signal.SIGKILL)
    return hashed(path)

cache._sha256 = killed
root, folder = (pathlib.Path(p) for p in sys.argv[1:])
prepare(Lits(root=root), folder, Recipe(spacing_mm=4.0, margin_mm=6.0))
"""


@pytest.fixture
def lits(tmp_path):
    return Lits(root=trees.write_lits(tmp_path / "set", (1, 2, 3, 4)))


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache"


def content(folder):
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


def test_what_is_prepared_once_is_kept(lits, folder):
    first = prepare(lits, folder, RECIPE)
    assert first.made == ("lits-1", "lits-2", "lits-3", "lits-4")
    before = content(folder)
    again = prepare(lits, folder, RECIPE)
    assert (again.made, again.kept) == ((), first.made)
    assert again.entries == first.entries
    assert content(folder) == before


def test_an_interrupted_run_does_the_rest_and_no_more(lits, folder, monkeypatch):
    read = preparing.read_case
    seen = []

    def interrupted(case, recipe):
        if len(seen) == 2:
            raise KeyboardInterrupt
        seen.append(case.name)
        return read(case, recipe)

    monkeypatch.setattr(preparing, "read_case", interrupted)
    with pytest.raises(KeyboardInterrupt):
        prepare(lits, folder, RECIPE)
    monkeypatch.setattr(preparing, "read_case", read)
    rest = prepare(lits, folder, RECIPE)
    assert rest.kept == ("lits-1", "lits-2")
    assert rest.made == ("lits-3", "lits-4")


@pytest.mark.slow
def test_a_killed_run_leaves_whole_cases_and_no_half_one(lits, folder, tmp_path):
    command = [sys.executable, "-c", KILLED, str(lits.root), str(folder)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert [p.name[:6] for p in sorted(folder.iterdir())] == [".lock", ".part-", "lits-1"]
    rest = prepare(lits, folder, RECIPE)
    assert rest.kept == ("lits-1",)
    assert len(rest.entries) == 4
    assert not list(folder.glob(".part-*"))
    undisturbed = tmp_path / "undisturbed"
    prepare(lits, undisturbed, RECIPE)
    assert content(folder) == content(undisturbed)


@pytest.mark.parametrize("name", ["ct_portal.npy", "labels.npy"])
def test_one_changed_byte_is_found_and_made_good(name, lits, folder):
    entries = prepare(lits, folder, RECIPE).entries
    before = content(folder)
    damaged = bytearray((entries[1] / name).read_bytes())
    damaged[-7] ^= 1
    (entries[1] / name).write_bytes(damaged)
    again = prepare(lits, folder, RECIPE)
    assert again.made == ("lits-2",)
    assert content(folder) == before


@pytest.mark.parametrize("damage", ["emptied", "removed", "no json"])
def test_a_broken_entry_is_made_again(damage, lits, folder):
    entries = prepare(lits, folder, RECIPE).entries
    before = content(folder)
    if damage == "emptied":
        (entries[0] / "ct_portal.npy").write_bytes(b"")
    elif damage == "removed":
        (entries[0] / "labels.npy").unlink()
    else:
        (entries[0] / "case.json").write_text("{")
    assert prepare(lits, folder, RECIPE).made == ("lits-1",)
    assert content(folder) == before


def test_a_case_whose_file_changed_is_made_again(lits, folder):
    prepare(lits, folder, RECIPE)
    trees.save(lits.root / "segmentation-3.nii", trees.outlines(1, 1), "RAS")
    again = prepare(lits, folder, RECIPE)
    assert again.made == ("lits-3",)
    assert not (cache.read(again.entries[2]).labels == 2).any()


def test_another_recipe_is_another_entry_and_disturbs_none(lits, folder):
    first = prepare(lits, folder, RECIPE)
    other = prepare(lits, folder, Recipe(spacing_mm=2.0, margin_mm=6.0))
    assert not set(first.entries) & set(other.entries)
    assert prepare(lits, folder, RECIPE).made == ()


def test_a_bad_case_is_named_and_the_others_go_on(lits, folder, caplog):
    trees.save(lits.root / "segmentation-2.nii", trees.outlines(1, 9), "RAS")
    (lits.root / "volume-3.nii").write_bytes((lits.root / "volume-3.nii").read_bytes()[:2000])
    done = prepare(lits, folder, RECIPE)
    assert {n: str(r.code) for n, r in done.refused.items()} == {
        "lits-2": "LABEL_UNKNOWN",
        "lits-3": "TRUNCATED_FILE",
    }
    assert [e.name[:6] for e in done.entries] == ["lits-1", "lits-4"]
    assert "lits-3 was left out: TRUNCATED_FILE" in caplog.text


def test_one_image_under_two_names_is_refused(lits, folder):
    """Both would be trained and scored on, as two patients."""
    content_of_1 = (lits.root / "volume-1.nii").read_bytes()
    (lits.root / "volume-4.nii").write_bytes(content_of_1)
    done = prepare(lits, folder, RECIPE)
    assert list(done.refused) == ["lits-4"]
    assert done.refused["lits-4"].message == "It holds the same image file as lits-1."


def test_a_misspelt_case_to_leave_out_is_refused(lits, folder):
    assert len(prepare(lits, folder, RECIPE, exclude=("lits-2",)).entries) == 3
    with pytest.raises(UsageError, match=r"no such case: lits_2.* called lits-1, lits-2, lits-3"):
        prepare(lits, folder, RECIPE, exclude=("lits_2",))


def test_a_full_disk_ends_the_run_and_leaves_no_part(lits, folder, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(EnvironmentFaultError, match="DISK_FULL: lits-1"):
        prepare(lits, folder, RECIPE)
    assert [p.name for p in folder.iterdir()] == [".lock"]


@pytest.mark.slow
def test_two_workers_write_what_one_process_writes(lits, folder, tmp_path):
    alone = prepare(lits, folder, RECIPE)
    together = prepare(lits, tmp_path / "pool", RECIPE, workers=2)
    assert together.made == alone.made
    assert content(tmp_path / "pool") == content(folder)


def test_a_second_process_waits_and_finds_everything_done(lits, folder, caplog):
    """Ranks of one training run prepare together: the first does it, the others wait."""
    caplog.set_level("INFO")
    with cache.held(folder):
        waiting = threading.Thread(target=prepare, args=(lits, folder, RECIPE))
        waiting.start()
        waiting.join(timeout=0.5)
        assert waiting.is_alive()
        assert not list(folder.glob("lits-*"))
    waiting.join(timeout=60)
    assert "another process is preparing cases" in caplog.text
    assert prepare(lits, folder, RECIPE).made == ()


def test_a_cache_that_cannot_be_written_is_an_environment_fault(lits, tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(
        EnvironmentFaultError, match=r"OUTPUT_UNWRITABLE: cache could not be written"
    ):
        prepare(lits, tmp_path / "file" / "cache", RECIPE)


def test_arrays_stay_on_the_disk_and_the_disk_stays_as_it_is(lits, folder):
    entry = prepare(lits, folder, RECIPE).entries[0]
    before = content(folder)
    case = cache.read(entry)
    assert isinstance(case.images["ct_portal"], np.memmap)
    case.images["ct_portal"][:] = 0.0
    assert content(folder) == before
    assert case.facts["sha256"].keys() == {"ct_portal"}


def test_an_entry_says_what_it_was_made_of(lits, folder):
    entry = prepare(lits, folder, RECIPE).entries[0]
    about = json.loads((entry / "case.json").read_text())
    assert about["patient"] == "lits-0"
    assert about["facts"]["liver_ml"][0] == pytest.approx(7.68)
    assert about["facts"]["source_spacing_mm"] == [2.0, 2.0, 2.0]
