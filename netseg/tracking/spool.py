"""Events in a file, for machines without MLflow; loaded into a store later."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netseg.domain import Code, UsageError
from netseg.tracking.tracker import flat

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netseg.tracking.tracker import Tracker

EVENTS = "events.jsonl"


class SpoolTracker:
    """Appends one JSON line per event to `events.jsonl`.

    Attributes:
        folder: Where the file lies; artifacts are named relative to it where they lie below.
    """

    def __init__(self, root: Path | str, experiment: str = "netseg", run: str = "run") -> None:
        self.folder = Path(root) / experiment / run
        self.folder.mkdir(parents=True, exist_ok=True)

    def params(self, values: Mapping[str, Any]) -> None:
        """Write the settings."""
        self._write({"kind": "params", "values": flat(values)})

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        """Write the figures of one step."""
        self._write({"kind": "metrics", "values": dict(values), "step": step})

    def artifact(self, path: Path) -> None:
        """Write where a file lies."""
        self._write({"kind": "artifact", "path": str(Path(path).resolve())})

    def close(self) -> None:
        """Every line is already written."""

    def _write(self, event: dict[str, Any]) -> None:
        line = json.dumps({**event, "time_ms": int(time.time() * 1000)})
        with (self.folder / EVENTS).open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def load_spool(folder: Path, into: Tracker) -> int:
    """Hand a spool's events to another tracker.

    Args:
        folder: Holds `events.jsonl`. A last line that an interruption cut off is left out.
        into: Gets the events in order, and is closed.

    Returns:
        How many events were handed over.

    Raises:
        UsageError: If there is no spool in `folder`, or a line before the last is damaged.
    """
    file = Path(folder) / EVENTS
    if not file.is_file():
        raise UsageError(
            Code.NO_INPUT, f"no {EVENTS} in {Path(folder).name}.", hint="Name the spool's folder."
        )
    lines = file.read_text(encoding="utf-8").splitlines()
    count = 0
    for number, line in enumerate(lines, start=1):
        try:
            event = json.loads(line)
        except ValueError as error:
            if number == len(lines):
                break
            raise UsageError(
                Code.CONFIG_SYNTAX, f"line {number} is damaged.", file=EVENTS
            ) from error
        _hand_over(event, into)
        count += 1
    into.close()
    return count


def _hand_over(event: dict[str, Any], into: Tracker) -> None:
    if event["kind"] == "params":
        into.params(event["values"])
    elif event["kind"] == "metrics":
        into.metrics(event["values"], event["step"])
    elif Path(event["path"]).is_file():
        into.artifact(Path(event["path"]))
