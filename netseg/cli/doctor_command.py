"""`netseg doctor`: can this machine run netseg? One line per part, each with its next step."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from netseg.domain.errors import NetsegError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

NEEDED = (
    "torch", "monai", "pytorch_lightning", "hydra", "SimpleITK", "pydicom", "highdicom", "nibabel",
    "cc3d", "scipy", "skimage", "matplotlib", "jinja2", "safetensors", "jsonschema",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One part of the machine.

    Attributes:
        part: What was looked at.
        ok: Whether it works; None where netseg works without it.
        found: What was met.
        hint: The next step where it does not.
    """

    part: str
    ok: bool | None
    found: str
    hint: str = ""


def execute(words: argparse.Namespace) -> int:
    """Look at every part, print what was met; 5 if one that is needed fails."""
    checks = list(examine())
    if words.format == "json":
        documents = [{"part": c.part, "ok": c.ok, "found": c.found, "hint": c.hint} for c in checks]
        sys.stdout.write(json.dumps({"schema_version": "1", "checks": documents}, indent=2) + "\n")
    else:
        for check in checks:
            mark = {True: "ok  ", False: "FAIL", None: "note"}[check.ok]
            sys.stdout.write(f"{mark} {check.part}: {check.found} {check.hint}".rstrip() + "\n")
    return 5 if any(c.ok is False for c in checks) else 0


def examine() -> Iterator[Check]:
    """All checks, in the order in which a user would mend them."""
    enough = sys.version_info >= (3, 11)
    yield Check(part="python", ok=enough, found=sys.version.split()[0], hint="needs 3.11 or newer")
    for name in NEEDED:
        yield _import(name)
    yield _import("mlflow", needed=False)
    yield _torch()
    compiler = shutil.which("gcc") or shutil.which("cc") or shutil.which("clang")
    yield Check(
        part="compiler",
        ok=None if compiler is None else True,
        found=Path(compiler).name if compiler else "none: simulations run uncompiled",
    )
    yield _disk()
    yield _part("rules", _rules)
    yield _part("weights", _weights)


def _import(name: str, *, needed: bool = True) -> Check:
    try:
        module = import_module(name)
    except ImportError as error:
        hint = f"pip install {name}" if needed else "training then writes tracking=spool"
        return Check(part=name, ok=False if needed else None, found=str(error), hint=hint)
    return Check(part=name, ok=True, found=str(getattr(module, "__version__", "installed")))


def _torch() -> Check:
    import torch

    if torch.cuda.is_available():
        return Check(part="device", ok=True, found=f"cuda: {torch.cuda.get_device_name(0)}")
    threads = torch.get_num_threads()
    fast = "bf16" if torch.backends.mkldnn.is_available() else "fp32 only"
    return Check(
        part="device", ok=True, found=f"cpu: {threads} threads of {os.cpu_count()}, {fast}"
    )


def _disk() -> Check:
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    try:
        with tempfile.NamedTemporaryFile(dir=Path.cwd()):
            pass
    except OSError as error:
        return Check(
            part="folder", ok=False, found=f"not writable: {error.strerror}", hint="change it"
        )
    return Check(part="folder", ok=free > 1, found=f"writable, {free:.0f} GB free")


def _part(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(part=name, ok=True, found=look())
    except NetsegError as error:
        return Check(part=name, ok=False, found=str(error))


def _rules() -> str:
    from netseg.allocate import load_rules

    return f"seed-2020 {load_rules('seed-2020').sha256[:12]}"


def _weights() -> str:
    from netseg.segment import shipped_weights

    checked = shipped_weights()
    return ", ".join(f"{role} {sha[:12]}" for role, sha in checked.items())
