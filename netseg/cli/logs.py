"""Messages for people on stderr; stdout belongs to results."""

from __future__ import annotations

import json
import logging
import sys


class _JsonLines(logging.Formatter):
    """One event, one line: control characters of hostile input are escaped by JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """The event as JSON."""
        event = {
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            event["exception"] = self.formatException(record.exc_info)
        return json.dumps(event)


class _OneLine(logging.Formatter):
    """Plain text without control characters, so that no input can forge a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The event as text."""
        text = "".join(c if c.isprintable() else " " for c in record.getMessage())
        level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        trace = f"\n{self.formatException(record.exc_info)}" if record.exc_info else ""
        return f"{level}{text}{trace}"


def set_up_logging(*, quiet: bool, verbose: bool, as_json: bool) -> None:
    """Send netseg's messages to stderr; other libraries' only from warnings on.

    Args:
        quiet: Warnings and errors only.
        verbose: Debug messages too.
        as_json: One JSON object per line.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines() if as_json else _OneLine())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    level = logging.WARNING if quiet else logging.DEBUG if verbose else logging.INFO
    logging.getLogger("netseg").setLevel(level)
