"""Events in a file, for machines without MLflow; loaded into a store later.

A spool is a folder: `events.jsonl`, one JSON object per line, and `files/` with copies of what was
handed over, so that it can be moved to the machine that has the store.
"""

from __future__ import annotations

import json
import shutil
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netseg.tracking.events import EVENTS, FILES, LEASE, read_events
from netseg.tracking.lease import Lease
from netseg.tracking.origin import origin_tags, require_name
from netseg.tracking.seen import Seen
from netseg.tracking.tracker import flat

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netseg.tracking.records import DatasetRecord, ModelRecord
    from netseg.tracking.tracker import State


class SpoolTracker:
    """Appends one JSON line per event to `ROOT/EXPERIMENT/RUN[-KEY]/events.jsonl`.

    A run that is resumed goes on in its folder: a line that an interruption cut off is removed, and
    figures that are already there are not written again.

    Attributes:
        folder: Where the events lie.
    """

    def __init__(
        self,
        root: Path | str,
        experiment: str = "netseg",
        run: str = "run",
        key: str | None = None,
    ) -> None:
        """Open the spool of a run.

        Args:
            root: Where spools lie.
            experiment: Name of the experiment.
            run: Name of the run.
            key: What tells runs of one name apart, as `run_key` gives it; None where the name does.

        Raises:
            UsageError: If a name cannot be a folder's.
            EnvironmentFaultError: If another process writes to the run.
        """
        name = require_name("run", run) + (f"-{key[:8]}" if key else "")
        self.folder = Path(root) / require_name("experiment", experiment) / name
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lease = Lease(self.folder / LEASE)
        self._lease.write(name)
        events = read_events(self.folder, heal=True)
        self._seen = Seen()
        for event in events:
            if event["kind"] == "metrics":
                self._seen.fresh(event["values"], event["step"])
        if all(event["kind"] != "run" for event in events):
            head = {"experiment": experiment, "run": run, "key": key or run}
            self._write({"kind": "run", **head})
            self.tags(origin_tags())

    def params(self, values: Mapping[str, Any]) -> None:
        """Write the settings."""
        self._write({"kind": "params", "values": flat(values)})

    def tags(self, values: Mapping[str, str]) -> None:
        """Write tags."""
        self._write({"kind": "tags", "values": dict(values)})

    def metrics(self, values: Mapping[str, float], step: int, *, at_ms: int | None = None) -> None:
        """Write the figures of one step that are not there yet."""
        fresh = self._seen.fresh(values, step)
        if fresh:
            self._write({"kind": "metrics", "values": fresh, "step": step}, at_ms)

    def artifact(self, path: Path, folder: str = "") -> None:
        """Copy a file into the spool."""
        kept = self._keep(Path(path), folder)
        self._write({"kind": "artifact", "file": kept, "folder": folder})

    def dataset(self, record: DatasetRecord) -> None:
        """Write which data are read."""
        self._write({"kind": "dataset", "dataset": record.to_document()})

    def model(self, record: ModelRecord) -> None:
        """Copy the weights and their card, and write under which name they are to be registered."""
        folder = f"models/{record.sha256[:12]}"
        for path in (record.weights, record.card):
            self._keep(path, folder)
        self._write({"kind": "model", "model": record.to_document(), "folder": folder})

    def close(self, state: State = "FINISHED", *, at_ms: int | None = None) -> None:
        """Write how the run ended."""
        if state != "RUNNING":
            self._write({"kind": "close", "state": state}, at_ms)
        self._lease.release()

    def _keep(self, path: Path, folder: str) -> str:
        """Copy a file to its place below `files`; whole, or not at all."""
        kept = Path(folder) / path.name
        target = self.folder / FILES / kept
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.with_name(f".{uuid.uuid4().hex}")
        shutil.copyfile(path, beside)
        beside.replace(target)
        return kept.as_posix()

    def _write(self, event: dict[str, Any], at_ms: int | None = None) -> None:
        line = json.dumps({**event, "time_ms": at_ms or int(time.time() * 1000)})
        with (self.folder / EVENTS).open("a", encoding="utf-8") as file:
            file.write(line + "\n")
