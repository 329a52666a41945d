"""Results that belong together appear together: nobody meets half a run, or two runs mixed."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from netseg.domain import Code, EnvironmentFaultError
from netseg.export.atomic import make_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PART = ".netseg-part-"


@contextmanager
def written_together(out: Path, *, record: str, seal: str) -> Iterator[Path]:
    """A temporary folder in `out` whose files move into `out` at the end, when all are written.

    Files of an earlier run that its record lists and this run does not write are removed. The seal
    of an earlier run goes first and that of this run comes last: where it stands, all files are
    whole and of one run, even after a power cut. Whatever goes wrong before, `out` stays as it was.
    The caller holds the folder's lock.

    Args:
        out: The folder of results; created when absent, and then removed again if nothing comes.
        record: Name of the JSON file that lists the run's files under `files`.
        seal: Name of the file that comes last.

    Yields:
        The temporary folder.

    Raises:
        EnvironmentFaultError: OUTPUT_UNWRITABLE or DISK_FULL.
    """
    make_folder(out)
    for dead in out.glob(f"{PART}*"):
        shutil.rmtree(dead, ignore_errors=True)
    part = out / f"{PART}{os.getpid()}-{secrets.token_hex(4)}"
    make_folder(part)
    try:
        yield part
        _move(part, out, record, seal)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _move(part: Path, out: Path, record: str, seal: str) -> None:
    new = sorted(file.name for file in part.iterdir())
    try:
        (out / seal).unlink(missing_ok=True)
        for name in _recorded(out / record) - set(new):
            (out / name).unlink(missing_ok=True)
        for name in sorted(new, key=lambda n: n == seal):
            (part / name).replace(out / name)
    except OSError as error:
        raise EnvironmentFaultError(
            Code.OUTPUT_UNWRITABLE,
            f"the results could not be moved into {out.name}: "
            f"{error.strerror or type(error).__name__}.",
            file=out.name,
            hint="Check that no file there is open or write-protected.",
        ) from error


def _recorded(record: Path) -> set[str]:
    """Plain file names that an earlier run says it wrote."""
    names: set[str] = set()
    with suppress(OSError, ValueError):
        listed = json.loads(record.read_text("utf-8")).get("files", [])
        names = {str(n) for n in listed}
    return {n for n in names if "/" not in n and "\\" not in n and not n.startswith(".")}
