"""`netseg`: one verb per station, one exit code per kind of outcome."""

from __future__ import annotations

import os
import signal
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from netseg.cli.parser import parse_words

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

INTERRUPTED = 130


def _interrupt(*_: object) -> None:
    """A polite request to stop is Ctrl-C: what is half done is removed, what is done stays."""
    raise KeyboardInterrupt


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb.

    Args:
        argv: The words after `netseg`; those of the process when None.

    Returns:
        0 all processed, 1 a bug, 2 usage or configuration, 3 some studies rejected, 4 everything
        rejected, 5 environment, 130 interrupted.
    """
    words = parse_words(argv)
    execute = _command(words.verb)
    signal.signal(signal.SIGTERM, _interrupt)
    from netseg.cli.logs import set_up_logging

    set_up_logging(quiet=words.quiet, verbose=words.verbose, as_json=words.log_json)
    return guarded(f"netseg {words.verb}", lambda: execute(words))


def guarded(command: str, execute: Callable[[], int]) -> int:
    """Run a command; a refusal becomes one line on stderr and its exit code, never a stack trace.

    Args:
        command: What the user typed, for the message.
        execute: Does the work and gives the exit code.

    Returns:
        The exit code.
    """
    try:
        return execute()
    except BrokenPipeError:  # the reader of stdout had seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; run the same command with --resume to go on.\n")
        return INTERRUPTED
    except Exception as error:
        from netseg.domain.errors import NetsegError  # costs numpy, which `info` does without

        if not isinstance(error, NetsegError):
            raise
        sys.stderr.write(f"{command}: {error}\n")
        return error.exit_code


def _command(verb: str) -> Callable[[argparse.Namespace], int]:
    """The function behind a verb; its module is imported only now."""
    return import_module(f"netseg.cli.{verb}_command").execute


def entry() -> None:
    """Leave the process with the verb's exit code."""
    sys.exit(main())
