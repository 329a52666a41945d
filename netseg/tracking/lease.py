"""Who writes to a record right now, by a lock that the kernel lets go when the process dies."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import time
import weakref
from typing import TYPE_CHECKING

from netseg.domain import Code, EnvironmentFaultError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

logger = logging.getLogger(__name__)


class Lease:
    """The right to write to one run.

    The file's text says which run it is for; it is empty once the run was closed. A file with a
    text that nobody holds is what a killed process leaves.
    """

    def __init__(self, path: Path, *, patience_s: float = 2.0) -> None:
        """Take the lease.

        Args:
            path: The file; its folder is made.
            patience_s: How long to wait for somebody who only looks.

        Raises:
            EnvironmentFaultError: If another process writes to the run.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self._close = weakref.finalize(self, os.close, self._handle)
        until = time.monotonic() + patience_s
        while not _lock(self._handle):
            if time.monotonic() > until:
                self._close()
                raise EnvironmentFaultError(
                    Code.LOCKED,
                    f"another process writes to the record {path.stem}.",
                    hint="Wait for it to end, or name this run differently.",
                )
            time.sleep(0.05)

    def read(self) -> str:
        """Which run this is for; empty where it was closed."""
        return os.pread(self._handle, 1000, 0).decode()

    def write(self, text: str) -> None:
        """Say which run this is for."""
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, text.encode(), 0)

    def release(self) -> None:
        """The run was closed: nothing is left to be marked."""
        if self._close.alive:
            os.ftruncate(self._handle, 0)
            self._close()


def is_held(path: Path) -> bool:
    """Whether a living process holds the lease."""
    if not path.is_file():
        return False
    handle = os.open(path, os.O_RDWR)
    try:
        return not _lock(handle)
    finally:
        os.close(handle)


def abandoned(folder: Path) -> Iterator[tuple[Lease, str]]:
    """Leases of processes that died before they closed their run, taken over, with their texts.

    The taker marks the run and releases the lease.
    """
    for path in sorted(folder.glob("*.lease")):
        try:
            lease = Lease(path, patience_s=0.0)
        except EnvironmentFaultError:
            continue  # its process lives
        if text := lease.read():
            yield lease, text
        else:
            lease.release()


def _lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOTSUP):
            raise
        logger.warning("this file system has no locks: nobody can tell who writes to the record.")
    return True
