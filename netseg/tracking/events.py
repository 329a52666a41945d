"""The file format of a spool: one JSON object per line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from netseg.domain import Code, UsageError

if TYPE_CHECKING:
    from pathlib import Path

EVENTS = "events.jsonl"
FILES = "files"
LEASE = "running.lease"


def read_events(folder: Path, *, heal: bool = False) -> list[dict[str, Any]]:
    """The events of a spool, in order.

    Args:
        folder: Holds `events.jsonl`, or nothing yet.
        heal: Also remove a last line that an interruption cut off, so that more can be appended.
            Without it such a line is only left out.

    Returns:
        The events; none where there is no file.

    Raises:
        UsageError: If a whole line is damaged.
    """
    file = folder / EVENTS
    if not file.is_file():
        return []
    data = file.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if heal and len(whole) < len(data):
        with file.open("r+b") as handle:
            handle.truncate(len(whole))
    events = []
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            event = json.loads(line)
        except ValueError as error:
            raise UsageError(
                Code.CONFIG_SYNTAX, f"line {number} is damaged.", file=EVENTS
            ) from error
        if not isinstance(event, dict) or "kind" not in event:
            raise UsageError(Code.CONFIG_TYPE, f"line {number} is no event.", file=EVENTS)
        events.append(event)
    return events
