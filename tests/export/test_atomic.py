"""A file that exists is whole."""

import errno
import os

import pytest

from netseg.domain import EnvironmentFaultError
from netseg.export import make_folder, write_atomically


def test_a_written_file_holds_its_bytes_and_leaves_nothing_beside_it(tmp_path):
    with write_atomically(tmp_path / "a.json") as file:
        file.write(b"whole")
    assert (tmp_path / "a.json").read_bytes() == b"whole"
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_nothing_stands_under_the_final_name_while_it_is_written(tmp_path):
    with write_atomically(tmp_path / "a.json") as file:
        file.write(b"half")
        assert not (tmp_path / "a.json").exists()


def test_a_crash_in_the_middle_keeps_the_older_file(tmp_path):
    def write_half() -> None:
        with write_atomically(tmp_path / "a.json") as file:
            file.write(b"half")
            raise RuntimeError("power cut")

    (tmp_path / "a.json").write_bytes(b"older")
    with pytest.raises(RuntimeError, match="power cut"):
        write_half()
    assert (tmp_path / "a.json").read_bytes() == b"older"
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_a_full_disk_is_named_and_leaves_no_half_file(tmp_path, monkeypatch):
    def full(_handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with (
        pytest.raises(EnvironmentFaultError, match=r"DISK_FULL.*a\.json.*disk is full") as refused,
        write_atomically(tmp_path / "a.json") as file,
    ):
        file.write(b"half")
    assert refused.value.exit_code == 5
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with (
        pytest.raises(EnvironmentFaultError, match=r"OUTPUT_UNWRITABLE.*a\.json"),
        write_atomically(tmp_path / "absent" / "a.json"),
    ):
        pass


def test_an_output_folder_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(EnvironmentFaultError, match="OUTPUT_UNWRITABLE: out: out could not"):
        make_folder(tmp_path / "file" / "out")
