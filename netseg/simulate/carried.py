"""Data files that netseg carries: devices and tissue sets by name."""

from __future__ import annotations

import difflib
from importlib.resources import files
from typing import Any

import yaml

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError


def carried_names(kind: str) -> tuple[str, ...]:
    """Names of the files of a kind, "devices" or "tissues"."""
    folder = files("netseg.simulate") / "data" / kind
    return tuple(sorted(f.name[:-5] for f in folder.iterdir() if f.name.endswith(".yaml")))


def read_carried(kind: str, name: str, *, called: str, otherwise: str) -> Any:
    """The document of one file.

    Args:
        kind: "devices" or "tissues".
        name: Its name without suffix.
        called: What such a file describes, for the message.
        otherwise: What to do where no name is close.

    Raises:
        StudyRejectedError: If there is no file of this name.
    """
    names = carried_names(kind)
    if name not in names:
        close = difflib.get_close_matches(name, names, 1)
        raise StudyRejectedError(
            Code.SIMULATION_REFUSED,
            f"no {called} is called {name!r}; there are {', '.join(names)}.",
            hint=f"Did you mean {close[0]!r}?" if close else otherwise,
        )
    text = (files("netseg.simulate") / "data" / kind / f"{name}.yaml").read_text("utf-8")
    return yaml.safe_load(text)
