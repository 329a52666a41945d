"""Spools read back, and handed to another record."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netseg.domain import Code, UsageError
from netseg.tracking.events import EVENTS, FILES, LEASE, read_events
from netseg.tracking.lease import is_held
from netseg.tracking.mlflow_store import MlflowTracker
from netseg.tracking.records import DatasetRecord, ModelRecord

if TYPE_CHECKING:
    from netseg.tracking.tracker import State, Tracker

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What the import of one spool did.

    Attributes:
        run: Name of the run.
        run_id: The run in the store.
        events: Events that were read; what the store had already was not added again.
        state: How the run stands.
    """

    run: str
    run_id: str
    events: int
    state: State


def spools_below(folder: Path) -> list[Path]:
    """Every spool in a folder: the folder itself, or those below it.

    Raises:
        UsageError: If there is none.
    """
    found = sorted(path.parent for path in Path(folder).rglob(EVENTS))
    if not found:
        raise UsageError(
            Code.NO_INPUT,
            f"no {EVENTS} in {Path(folder).name} or below it.",
            hint="Name the folder that tracking=spool wrote.",
        )
    return found


def import_spool(folder: Path, root: Path | str | None = None) -> Imported:
    """Load a spool into the store; done again, it adds only what the spool has got since.

    Args:
        folder: Holds `events.jsonl`.
        root: Where the store lies; None means the default store.

    Returns:
        What was done.

    Raises:
        UsageError: If the folder holds no spool, or a damaged one.
        EnvironmentFaultError: If MLflow is missing, or another process writes to the run.
    """
    events = _events(Path(folder))
    head = next((e for e in events if e["kind"] == "run"), _of_folder(Path(folder)))
    store = MlflowTracker(
        root,
        experiment=head["experiment"],
        run=head["run"],
        key=head["key"],
        started_ms=events[0]["time_ms"],
    )
    count = load_spool(folder, store)
    state, _ = _end(Path(folder), events)
    return Imported(run=head["run"], run_id=store.run_id, events=count, state=state)


def load_spool(folder: Path, into: Tracker) -> int:
    """Hand a spool's events to another tracker.

    Args:
        folder: Holds `events.jsonl`. A last line that an interruption cut off is left out.
        into: Gets the events in order, and is closed: as the run ended, as killed if its process
            died before the end, or as still running.

    Returns:
        How many events were handed over.

    Raises:
        UsageError: If there is no spool in `folder`, or a line is damaged.
    """
    events = _events(Path(folder))
    for event in events:
        _hand_over(event, into, Path(folder))
    state, at_ms = _end(Path(folder), events)
    into.close(state, at_ms=at_ms)
    return len(events)


def _events(folder: Path) -> list[dict[str, Any]]:
    events = read_events(folder)
    if not events:
        raise UsageError(
            Code.NO_INPUT, f"no {EVENTS} in {folder.name}.", hint="Name the spool's folder."
        )
    return events


def _of_folder(folder: Path) -> dict[str, str]:
    """Which run a spool of netseg 0.1.0 is: its folders alone say it."""
    place = folder.resolve()
    return {"experiment": place.parent.name, "run": place.name, "key": place.name}


def _end(folder: Path, events: list[dict[str, Any]]) -> tuple[State, int]:
    """How a run stands, and since when."""
    last = events[-1]
    if last["kind"] == "close":
        return last["state"], last["time_ms"]
    return ("RUNNING" if is_held(folder / LEASE) else "KILLED"), last["time_ms"]


def _hand_over(event: dict[str, Any], into: Tracker, folder: Path) -> None:
    match event["kind"]:
        case "params":
            into.params(event["values"])
        case "tags":
            into.tags(event["values"])
        case "metrics":
            into.metrics(event["values"], event["step"], at_ms=event["time_ms"])
        case "artifact":
            into.artifact(folder / FILES / event["file"], event["folder"])
        case "dataset":
            into.dataset(DatasetRecord.from_document(event["dataset"]))
        case "model":
            kept = folder / FILES / event["folder"]
            into.model(ModelRecord.from_document(event["model"], kept))
        case "run" | "close":
            pass
        case other:
            raise UsageError(
                Code.CONFIG_UNKNOWN_KEY,
                f"an event of kind {other!r} is not known.",
                file=EVENTS,
                hint="A newer netseg wrote it; import it with that version.",
            )
