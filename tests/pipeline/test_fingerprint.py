"""An earlier result is kept only when all that it was made from is the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netseg.pipeline.fingerprint import fingerprint

if TYPE_CHECKING:
    from pathlib import Path


def folder(path: Path, **files: str) -> Path:
    path.mkdir(parents=True)
    for name, text in files.items():
        (path / name).write_text(text)
    return path


def test_the_same_bytes_elsewhere_are_the_same(tmp_path: Path):
    here = folder(tmp_path / "here" / "s", a="1", b="2")
    there = folder(tmp_path / "there" / "s", b="2", a="1")
    assert fingerprint([here], "c") == fingerprint([there], "c")


def test_one_byte_one_name_or_one_setting_makes_another(tmp_path: Path):
    base = fingerprint([folder(tmp_path / "0" / "s", a="1")], "c")
    assert base != fingerprint([folder(tmp_path / "1" / "s", a="2")], "c")
    assert base != fingerprint([folder(tmp_path / "2" / "s", b="1")], "c")
    assert base != fingerprint([tmp_path / "0" / "s"], "d")
