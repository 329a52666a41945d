"""One run at a time writes to an output folder."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from netseg.domain import EnvironmentFaultError
from netseg.pipeline import output_lock

if TYPE_CHECKING:
    from pathlib import Path


def test_a_living_process_holds_the_folder(tmp_path: Path):
    (tmp_path / ".netseg.lock").write_text(f"{socket.gethostname()} {os.getppid()}")
    with pytest.raises(EnvironmentFaultError, match="another run"), output_lock(tmp_path):
        pass


def test_the_lock_of_a_dead_process_is_taken_over(tmp_path: Path):
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"],
                          capture_output=True, text=True, check=True).stdout.strip()  # fmt: skip
    (tmp_path / ".netseg.lock").write_text(f"{socket.gethostname()} {dead}")
    with output_lock(tmp_path):
        assert (tmp_path / ".netseg.lock").exists()
    assert not (tmp_path / ".netseg.lock").exists()


def test_a_folder_nobody_may_write_is_refused(tmp_path: Path):
    (tmp_path / "file").write_text("")
    refused = pytest.raises(EnvironmentFaultError, match="could not be written")
    with refused, output_lock(tmp_path / "file" / "out"):
        pass
