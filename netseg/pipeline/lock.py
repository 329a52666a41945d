"""One run at a time writes to an output folder."""

from __future__ import annotations

import os
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

from netseg.domain import Code, EnvironmentFaultError
from netseg.export import make_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def output_lock(out: Path) -> Iterator[None]:
    """Hold `out/.netseg.lock` while writing; a lock whose process died is taken over.

    Raises:
        EnvironmentFaultError: LOCKED if another run is writing there, OUTPUT_UNWRITABLE if nobody
            may.
    """
    make_folder(out)
    lock = out / ".netseg.lock"
    owner = f"{socket.gethostname()} {os.getpid()}"
    if _is_held(lock):
        raise EnvironmentFaultError(
            Code.LOCKED,
            f"another run is writing to {out.name}.",
            hint="Wait for it, or choose another output folder; if it is long dead, "
            f"remove {lock.name} there.",
        )
    try:
        lock.write_text(owner)
    except OSError as error:
        raise EnvironmentFaultError(
            Code.OUTPUT_UNWRITABLE,
            f"{out.name} cannot be written: {error.strerror}.",
            hint="Choose another output folder.",
        ) from error
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)


def _is_held(lock: Path) -> bool:
    """Whether a living process holds the lock; one of another host is taken to live."""
    try:
        host, pid = lock.read_text().split()
    except (OSError, ValueError):
        return False
    if host != socket.gethostname():
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (PermissionError, ValueError):
        return True
    return int(pid) != os.getpid()
