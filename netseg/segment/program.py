"""Programs of other environments: found, started, watched, and never left running.

nnU-Net and TotalSegmentator bring weights that are opened by unpickling and dependencies of their
own. netseg imports neither. It calls their commands where somebody has installed them, with files in
a private folder that is removed whatever happens.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from netseg.domain import Code, EnvironmentFaultError, StudyRejectedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

logger = logging.getLogger(__name__)

OURS = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")
"""What would make another environment's Python look for its packages in ours."""
TRACEBACK = "Traceback (most recent call last)"
LAST_LINES, LINE_LENGTH = 5, 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A command of another environment.

    Attributes:
        name: Its usual name, looked up in PATH.
        path: Where it is, if not in PATH.
        setting: How the user says where it is, for the message.
        timeout_s: It is ended after this long.
    """

    name: str
    path: Path | None
    setting: str
    timeout_s: float

    def find(self) -> Path:
        """The executable file.

        Raises:
            EnvironmentFaultError: PROGRAM_MISSING, with how to name it.
        """
        if self.path is not None:
            if self.path.is_file() and os.access(self.path, os.X_OK):
                return self.path.absolute()
            raise EnvironmentFaultError(
                Code.PROGRAM_MISSING,
                f"{self.setting} names {self.path.name}, which is no executable file.",
                hint=f"Set {self.setting} to the full path of {self.name}.",
            )
        found = shutil.which(self.name)
        if found is None:
            raise EnvironmentFaultError(
                Code.PROGRAM_MISSING,
                f"{self.name} is not installed: no program of that name is in PATH.",
                hint=f"Install it in an environment of its own and say {self.setting}=PATH of its "
                f"{self.name}.",
            )
        return Path(found)

    def run(
        self, arguments: Sequence[str], scratch: Path, more: Mapping[str, str] | None = None
    ) -> None:
        """Run it to its end.

        Args:
            arguments: What stands after its name.
            scratch: A private folder; it works there, and its messages are kept there.
            more: Environment variables to set.

        Raises:
            EnvironmentFaultError: PROGRAM_MISSING.
            StudyRejectedError: PROGRAM_FAILED if it fails or takes too long, with its last words.
        """
        command = [str(self.find()), *arguments]
        environment = {k: v for k, v in os.environ.items() if k not in OURS} | dict(more or {})
        said = scratch / f"{self.name}.log"
        logger.info("running %s", self.name)
        with said.open("wb") as log:
            try:
                process = subprocess.Popen(
                    command,
                    cwd=scratch,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                raise EnvironmentFaultError(
                    Code.PROGRAM_MISSING,
                    f"{self.name} cannot be started: {error.strerror or type(error).__name__}.",
                    hint=f"Set {self.setting} to the full path of {self.name}.",
                ) from error
            code = self._wait(process, said, scratch)
        if code != 0:
            raise StudyRejectedError(
                Code.PROGRAM_FAILED,
                f"{self.name} ended with exit code {code}{_last_words(said, scratch)}",
                detail={"exit_code": code},
                hint=f"Run {self.name} by itself on a scan to see that it works.",
            )

    def _wait(self, process: subprocess.Popen[bytes], said: Path, scratch: Path) -> int:
        """Its exit code; it and its children are ended when time is up or we are interrupted."""
        try:
            return process.wait(self.timeout_s)
        except subprocess.TimeoutExpired as error:
            raise StudyRejectedError(
                Code.PROGRAM_FAILED,
                f"{self.name} was ended after {self.timeout_s:g} s{_last_words(said, scratch)}",
                detail={"timeout_s": self.timeout_s},
                hint="Give it more time (timeout_s), or a faster device.",
            ) from error
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _last_words(said: Path, scratch: Path) -> str:
    """The last lines of what it printed, without the private folder's name.

    Of a Python program that fell over, the error alone: not the lines of code on the way to it.
    """
    with said.open("rb") as log:
        log.seek(max(0, said.stat().st_size - 65536))
        text = log.read().decode("utf-8", errors="replace")
    text = text.replace(str(scratch), "…").replace("\r", "\n")
    printed = text.splitlines()
    starts = [n for n, line in enumerate(printed) if line.startswith(TRACEBACK)]
    if starts:
        printed = [line for line in printed[starts[-1] + 1 :] if line[:1].strip()]
    lines = [line.strip()[:LINE_LENGTH] for line in printed if line.strip()]
    return f"; it said: {' / '.join(lines[-LAST_LINES:])}" if lines else " and said nothing."
