"""JSON documents as bytes: the same values give the same bytes, on every run and machine."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np

from netseg.export.atomic import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA_VERSION = "1"
DIGITS = 7  # what float32 carries; 0.1 µm in a coordinate of a metre


def to_json(document: Mapping[str, Any]) -> bytes:
    """A document as UTF-8 JSON: keys in the given order, numbers to seven significant digits.

    Raises:
        ValueError: If a number is NaN or infinite (JSON has neither), naming where it stands.
        TypeError: If a value is of no JSON type.
    """
    plain = _plain(with_version(document), "")
    return (json.dumps(plain, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def to_json_line(document: Mapping[str, Any]) -> bytes:
    """A document as one line of a `.jsonl` file; line breaks inside texts are escaped."""
    plain = _plain(with_version(document), "")
    return (json.dumps(plain, ensure_ascii=True, allow_nan=False) + "\n").encode()


def write_document(path: Path, document: Mapping[str, Any]) -> None:
    """Write a document whole or not at all."""
    content = to_json(document)
    with write_atomically(path) as file:
        file.write(content)


def with_version(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with `schema_version` in first place.

    Raises:
        ValueError: If it claims another version than this module writes.
    """
    version = document.get("schema_version", SCHEMA_VERSION)
    if version != SCHEMA_VERSION:
        raise ValueError(f'schema_version must be "{SCHEMA_VERSION}"; got {version!r}.')
    return {"schema_version": SCHEMA_VERSION, **document}


def _plain(value: Any, where: str) -> Any:
    match value:
        case None | bool():
            return value
        case Enum():
            return _plain(value.value, where)
        case str():
            return str(value)
        case int() | np.integer():
            return int(value)
        case float() | np.floating():
            return _rounded(float(value), where)
        case np.bool_():
            return bool(value)
        case Mapping():
            return {str(k): _plain(v, f"{where}.{k}") for k, v in value.items()}
        case np.ndarray():
            return _plain(value.tolist(), where)
        case list() | tuple():
            return [_plain(v, f"{where}[{i}]") for i, v in enumerate(value)]
        case set() | frozenset():
            return sorted(_plain(v, where) for v in value)
        case _:
            raise TypeError(f"{where or 'document'}: {type(value).__name__} is no JSON type.")


def _rounded(number: float, where: str) -> float:
    if not math.isfinite(number):
        raise ValueError(
            f"{where or 'document'}: {number} is no JSON number; use null for unknown."
        )
    return float(f"{number:.{DIGITS}g}") + 0.0  # -0.0 becomes 0.0
