"""The JSON schemas of netseg's documents, as shipped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("schemas")


def schema_names() -> tuple[str, ...]:
    """Names of the documents that have a schema, such as "margin"."""
    return tuple(sorted(p.name.removesuffix(".schema.json") for p in FOLDER.glob("*.schema.json")))


def schema(name: str) -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of document `name`.

    Raises:
        KeyError: If there is none, naming those there are.
    """
    if name not in schema_names():
        raise KeyError(f"no schema {name!r}; there are {', '.join(schema_names())}.")
    return json.loads((FOLDER / f"{name}.schema.json").read_text(encoding="utf-8"))
