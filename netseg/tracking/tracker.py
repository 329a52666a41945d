"""What a run's record is asked to keep."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from netseg.tracking.records import DatasetRecord, ModelRecord

State = Literal["RUNNING", "FINISHED", "FAILED", "KILLED"]
"""How a run stands; RUNNING on closing means that somebody else goes on with it."""


class Tracker(Protocol):
    """Whoever keeps the record of one run."""

    def params(self, values: Mapping[str, Any]) -> None:
        """Settings of the run, nested mappings allowed."""
        ...

    def tags(self, values: Mapping[str, str]) -> None:
        """What the run is found by: hashes, versions."""
        ...

    def metrics(self, values: Mapping[str, float], step: int, *, at_ms: int | None = None) -> None:
        """Figures at one step; may be held back and written in batches.

        What a resumed run computes once more is kept once.

        Args:
            values: Figures by name.
            step: Optimizer step they belong to.
            at_ms: When they were measured, milliseconds since 1970; None means now.
        """
        ...

    def artifact(self, path: Path, folder: str = "") -> None:
        """A file that belongs to the run, kept under its own name in `folder` of the record."""
        ...

    def dataset(self, record: DatasetRecord) -> None:
        """Data the run reads."""
        ...

    def model(self, record: ModelRecord) -> None:
        """Weights the run made: kept, and registered under a name with an alias."""
        ...

    def close(self, state: State = "FINISHED", *, at_ms: int | None = None) -> None:
        """Write what is still held back; say how the run ended."""
        ...


class NoTracker:
    """Keeps nothing; takes the same words as the others."""

    def __init__(
        self,
        root: Path | str | None = None,
        experiment: str = "netseg",
        run: str = "run",
        key: str | None = None,
    ) -> None:
        del root, experiment, run, key

    def params(self, values: Mapping[str, Any]) -> None:
        """Forget settings."""

    def tags(self, values: Mapping[str, str]) -> None:
        """Forget tags."""

    def metrics(self, values: Mapping[str, float], step: int, *, at_ms: int | None = None) -> None:
        """Forget figures."""

    def artifact(self, path: Path, folder: str = "") -> None:
        """Forget a file."""

    def dataset(self, record: DatasetRecord) -> None:
        """Forget data."""

    def model(self, record: ModelRecord) -> None:
        """Forget weights."""

    def close(self, state: State = "FINISHED", *, at_ms: int | None = None) -> None:
        """Nothing is held back."""


@contextmanager
def recording(tracker: Tracker) -> Iterator[Tracker]:
    """Close the record whatever happens: finished, failed, or killed by an interruption."""
    try:
        yield tracker
    except (KeyboardInterrupt, SystemExit):  # Lightning turns Ctrl-C into the latter
        tracker.close("KILLED")
        raise
    except BaseException:
        tracker.close("FAILED")
        raise
    tracker.close()


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested settings as `a.b.c` to text.

    >>> flat({"network": {"channels": (16, 32)}, "steps": 5})
    {'network.channels': '[16, 32]', 'steps': '5'}
    """
    out: dict[str, str] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            out |= flat(value, f"{name}.")
        else:
            out[name] = str(list(value) if isinstance(value, tuple) else value)
    return out
