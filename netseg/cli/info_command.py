"""`netseg info`: what this installation holds; imports nothing heavy."""

from __future__ import annotations

import json
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import netseg

if TYPE_CHECKING:
    import argparse

PACKAGES = ("torch", "monai", "pytorch-lightning", "hydra-core", "SimpleITK", "mlflow")
VERBS = (
    "demo", "run", "segment", "simulate", "plan", "verify", "evaluate", "compare", "allocate",
    "rules", "train", "ui", "validate", "info", "doctor",
)  # fmt: skip


def execute(words: argparse.Namespace) -> int:
    """Print the facts."""
    facts = gather()
    if words.json:
        sys.stdout.write(json.dumps(facts, indent=2) + "\n")
        return 0
    for name, value in facts.items():
        shown = ", ".join(value) if isinstance(value, (list, dict)) else value
        sys.stdout.write(f"{name.replace('_', ' ')}: {shown}\n")
    return 0


def gather() -> dict[str, Any]:
    """Version, verbs, rule sets, devices, models and installed packages as JSON types."""
    package = files("netseg")
    return {
        "schema_version": "1",
        "version": netseg.__version__,
        "python": platform.python_version(),
        "intended_use": "research use only; not a medical device",
        "verbs": list(VERBS),
        "rule_sets": _names(package / "allocate" / "rules"),
        "devices": _names(package / "simulate" / "data" / "devices"),
        "weights": _names(package / "segment" / "weights", ".safetensors"),
        "packages": {name: _version(name) for name in PACKAGES},
    }


def _names(folder: Any, ending: str = "") -> list[str]:
    if not folder.is_dir():
        return []
    found = [entry.name for entry in folder.iterdir() if entry.name.endswith(ending)]
    return sorted(name.removesuffix(".yaml") for name in found if not name.startswith(("_", ".")))


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
