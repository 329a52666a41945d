"""Files that are whole or absent: nobody reads half a result after a crash or on a full disk."""

from __future__ import annotations

import errno
import os
import secrets
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO

from netseg.domain import Code, EnvironmentFaultError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@contextmanager
def write_atomically(path: Path) -> Iterator[BinaryIO]:
    """Write a file that appears at `path` only when all of it is on the disk.

    The bytes go to a temporary name in the same folder, are flushed to the disk and then renamed
    over `path` in one step. When anything goes wrong, the temporary file is removed and an older
    file at `path` stays as it was.

    Args:
        path: Where the file shall be; its folder exists.

    Yields:
        The open binary file; `.name` is its temporary path.

    Raises:
        EnvironmentFaultError: DISK_FULL or OUTPUT_UNWRITABLE, naming the file.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.part")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise _fault(error, path) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Create an output folder with its parents; one that exists is kept.

    Raises:
        EnvironmentFaultError: DISK_FULL or OUTPUT_UNWRITABLE, naming the folder.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _fault(error, folder) from error


def _sync_folder(folder: Path) -> None:
    """Make the rename itself survive a power cut, where the file system lets us."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _fault(error: OSError, path: Path) -> EnvironmentFaultError:
    if error.errno in FULL:
        return EnvironmentFaultError(
            Code.DISK_FULL,
            f"{path.name} could not be written: the disk is full; no part of it was left.",
            file=path.name,
            hint="Free some space or choose another output folder, then run again with --resume.",
        )
    return EnvironmentFaultError(
        Code.OUTPUT_UNWRITABLE,
        f"{path.name} could not be written: {error.strerror or type(error).__name__}.",
        file=path.name,
        hint="Check that the output folder exists and may be written to.",
    )
