"""Where the real images are. They are never part of the project; tests without them say so."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).resolve().parents[1]


def data_folder() -> Path:
    """The folder named by NETSEG_DATA, else `../shared/data` beside the project."""
    return Path(os.environ.get("NETSEG_DATA") or ROOT.parent / "shared" / "data")


def absent(reason: str) -> NoReturn:
    """Skip with a reason; fail where NETSEG_SLOW_STRICT=1 says that nothing may be missing."""
    if os.environ.get("NETSEG_SLOW_STRICT") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def real_data(name: str) -> Path:
    """A real image or folder below the data folder; the test ends as `absent` says without it."""
    path = data_folder() / name
    if not path.exists():
        absent(f"real data {name} not found; set NETSEG_DATA to the folder that holds it")
    return path
