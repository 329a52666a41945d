"""Prepared cases on the disk: whole or absent, and found out when they are damaged.

An entry is a folder `<case>-<key>` with one .npy file per channel, labels.npy and case.json. The key
hashes everything that decides the arrays; case.json holds the hash of every file beside it.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import logging
import os
import secrets
import shutil
import socket
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from netseg.domain import Code, EnvironmentFaultError
from netseg.training.datasets.case import PreparedCase

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from netseg.training.datasets.case import RawCase
    from netseg.training.datasets.reading import Recipe

logger = logging.getLogger(__name__)

FORMAT = 1
"""Raised whenever `read_case` makes other arrays of the same files."""
_LABELS, _ABOUT, _PART, _LOCK = "labels.npy", "case.json", ".part-", ".lock"
_ENDS_BYTES = 1 << 16
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def key_of(case: RawCase, recipe: Recipe) -> str:
    """Hash of what decides a prepared case: its files, their meaning, the recipe, this code.

    A file counts with its name, size, time of change and its first and last 64 KiB.

    Raises:
        OSError: If a file cannot be read.
    """
    images = {c: [_file_facts(f.path), f.factor] for c, f in sorted(case.images.items())}
    labels = [
        [_file_facts(f.path), sorted(f.meaning.items()), f.otherwise, f.single] for f in case.labels
    ]
    known = [case.liver_known, case.lesions_known, case.whole_body]
    decides = [FORMAT, case.patient, images, labels, known, recipe.spacing_mm, recipe.margin_mm]
    return hashlib.sha256(json.dumps(decides).encode()).hexdigest()


def entry_of(folder: Path, case: RawCase, key: str) -> Path:
    """Where the prepared case lies."""
    return folder / f"{case.name}-{key[:16]}"


def is_whole(entry: Path, key: str) -> bool:
    """Whether an entry is there, of this key, and every byte of it as it was written."""
    about = _about(entry)
    if about is None or about.get("key") != key:
        return False
    hashes: Any = about.get("files")
    if not isinstance(hashes, dict) or _LABELS not in hashes:
        return False
    try:
        return all(_sha256(entry / name) == known for name, known in hashes.items())
    except OSError:
        return False


def write(entry: Path, case: PreparedCase, key: str) -> None:
    """Write an entry that appears only when all of it is on the disk; a damaged one is replaced.

    Raises:
        EnvironmentFaultError: DISK_FULL or OUTPUT_UNWRITABLE.
    """
    part = entry.parent / f"{_PART}{os.getpid()}-{secrets.token_hex(4)}-{socket.gethostname()}"
    try:
        part.mkdir(parents=True)
        arrays = {f"{channel}.npy": values for channel, values in case.images.items()}
        for name, values in {**arrays, _LABELS: case.labels}.items():
            with (part / name).open("xb") as file:
                np.save(file, values)
                file.flush()
                os.fsync(file.fileno())
        about = {
            "key": key,
            "name": case.name,
            "patient": case.patient,
            "spacing_mm": case.spacing_mm,
            "liver_known": case.liver_known,
            "lesions_known": case.lesions_known,
            "facts": dict(case.facts),
            "files": {name: _sha256(part / name) for name in (*arrays, _LABELS)},
        }
        (part / _ABOUT).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
        if not is_whole(entry, key):  # where there are no locks, another process may have been here
            shutil.rmtree(entry, ignore_errors=True)
            part.replace(entry)
    except OSError as error:
        raise _fault(error, entry) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def read(entry: Path) -> PreparedCase:
    """A prepared case; its arrays stay on the disk until they are looked at.

    The arrays are mapped copy-on-write: what a caller changes stays in memory.

    Raises:
        EnvironmentFaultError: NO_INPUT if the entry is not there.
    """
    about = _about(entry)
    if about is None:
        raise EnvironmentFaultError(
            Code.NO_INPUT,
            f"prepared case {entry.name} is not there.",
            hint="Prepare the set again; whole cases are kept.",
        )
    arrays = {
        name.removesuffix(".npy"): np.load(entry / name, mmap_mode="c", allow_pickle=False)
        for name in about["files"]
    }
    labels = arrays.pop(_LABELS.removesuffix(".npy"))
    return PreparedCase(
        name=about["name"],
        patient=about["patient"],
        images=arrays,
        labels=labels,
        spacing_mm=about["spacing_mm"],
        liver_known=about["liver_known"],
        lesions_known=about["lesions_known"],
        facts=about["facts"],
    )


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold the cache while it is filled; the processes of one training run wait for each other.

    The lock ends with the process that holds it, however that ends. Where the file system has no
    locks, nothing is held: entries are whole all the same, but may be made twice.

    Raises:
        EnvironmentFaultError: OUTPUT_UNWRITABLE if the folder cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / _LOCK).open("ab")
    except OSError as error:
        raise _fault(error, folder) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            logger.info("another process is preparing cases in %s; waiting for it", folder.name)
            fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError as error:
            logger.warning("%s cannot be locked: %s", folder.name, error.strerror)
        yield


def remove_parts(folder: Path) -> None:
    """Remove what runs on this host that were killed left half written."""
    for part in folder.glob(f"{_PART}*-{socket.gethostname()}"):
        number = part.name.removeprefix(_PART).split("-")[0]
        if number.isdigit() and not _lives(int(number)):
            shutil.rmtree(part, ignore_errors=True)


def _about(entry: Path) -> dict[str, Any] | None:
    with suppress(OSError, ValueError):
        document = json.loads((entry / _ABOUT).read_text(encoding="utf-8"))
        return document if isinstance(document, dict) else None
    return None


def _file_facts(path: Path) -> list[object]:
    return [
        [str(p.name), p.stat().st_size, p.stat().st_mtime_ns, _ends_sha256(p)]
        for p in _files_of(path)
    ]


def _files_of(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from sorted(p for p in path.iterdir() if p.is_file())
    else:
        yield path


def _ends_sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        digest.update(file.read(_ENDS_BYTES))
        file.seek(max(_ENDS_BYTES, path.stat().st_size - _ENDS_BYTES))
        digest.update(file.read())
    return digest.hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return process != os.getpid()


def _fault(error: OSError, entry: Path) -> EnvironmentFaultError:
    if error.errno in _FULL:
        return EnvironmentFaultError(
            Code.DISK_FULL,
            f"{entry.name} could not be written: the disk is full; no part was left.",
            hint="Free some space or choose another cache folder, then run again.",
        )
    return EnvironmentFaultError(
        Code.OUTPUT_UNWRITABLE,
        f"{entry.name} could not be written: {error.strerror or 'unknown reason'}.",
        hint="Check that the cache folder may be written to.",
    )
