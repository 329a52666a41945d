"""What a run's record is asked to keep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Tracker(Protocol):
    """Whoever keeps the record of one run."""

    def params(self, values: Mapping[str, Any]) -> None:
        """Settings of the run, nested mappings allowed."""
        ...

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        """Figures at one step; may be held back and written in batches."""
        ...

    def artifact(self, path: Path) -> None:
        """A file that belongs to the run."""
        ...

    def close(self) -> None:
        """Write what is still held back; the run is over."""
        ...


class NoTracker:
    """Keeps nothing."""

    def params(self, values: Mapping[str, Any]) -> None:
        """Forget settings."""

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        """Forget figures."""

    def artifact(self, path: Path) -> None:
        """Forget a file."""

    def close(self) -> None:
        """Nothing is held back."""


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
