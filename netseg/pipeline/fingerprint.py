"""Whether an earlier result is still true: one hash over all that it was made from."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import netseg

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def fingerprint(inputs: Iterable[Path], *made_with: str) -> str:
    """Hash the bytes of every input file and what they are processed with.

    Args:
        inputs: Files and folders; a folder stands for all files below it.
        *made_with: Hashes of configuration, rules, clinical facts.

    Returns:
        SHA-256 in hex; the same for the same bytes wherever the files lie.
    """
    digest = hashlib.sha256(netseg.__version__.encode())
    for word in made_with:
        digest.update(b"\0" + word.encode())
    for path in inputs:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                digest.update(b"\0" + file.relative_to(path.parent).as_posix().encode())
                with file.open("rb") as stream:
                    digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()
