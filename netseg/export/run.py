"""`run.json`: how a result was made. Times stand here and nowhere else."""

from __future__ import annotations

import hashlib
import platform
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from netseg.export.document import SCHEMA_VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from netseg.domain import Provenance

PACKAGES = ("numpy", "scipy", "torch", "monai", "SimpleITK", "nibabel", "pydicom", "matplotlib")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One run over one study.

    Attributes:
        started_at: When it began, ISO 8601 in UTC.
        station_wall_s: Wall seconds per station in the order they ran.
        device: Where the networks and simulations ran, such as "cpu" or "cuda:0".
        provenance: Version, weights, configuration, inputs and rules.
        settings: Further facts about the run, JSON types only.
    """

    started_at: str
    station_wall_s: Mapping[str, float]
    device: str
    provenance: Provenance
    settings: Mapping[str, Any] = field(default_factory=dict)


def run_document(record: RunRecord, folder: Path) -> dict[str, Any]:
    """The run with the checksum of every file of its result folder (`run.json` left out)."""
    return {
        "schema_version": SCHEMA_VERSION,
        "started_at": record.started_at,
        "wall_s": sum(record.station_wall_s.values()),
        "station_wall_s": dict(record.station_wall_s),
        "device": record.device,
        "provenance": record.provenance.to_document(),
        "settings": dict(record.settings),
        "python": platform.python_version(),
        "packages": {name: v for name in PACKAGES if (v := _version(name)) is not None},
        "files": [
            {
                "file": p.relative_to(folder).as_posix(),
                "bytes": p.stat().st_size,
                "sha256": _sha256(p),
            }
            for p in sorted(folder.rglob("*"))
            if p.is_file() and p.name != "run.json" and not p.name.endswith(".part")
        ],
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
