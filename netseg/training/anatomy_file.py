"""Drawn bodies on disk, so that a run that is resumed does not draw them again."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from netseg.phantom.synthesis import Anatomy


def write_anatomy(anatomy: Anatomy, file: Path) -> None:
    """Write one body; the file appears when it is whole."""
    from safetensors.torch import save

    file.parent.mkdir(parents=True, exist_ok=True)
    tensors = {
        "tissues": anatomy.tissues.contiguous(),
        "liver": anatomy.liver.contiguous(),
        "segments": anatomy.segments.contiguous(),
    }
    part = file.with_suffix(f".part{os.getpid()}")
    part.write_bytes(save(tensors, metadata={"name": anatomy.name}))
    part.replace(file)


def read_anatomy(file: Path, spacing_mm: float) -> Anatomy:
    """Read one body.

    Args:
        file: As `write_anatomy` wrote it.
        spacing_mm: Its voxel edge.
    """
    from safetensors.torch import load

    from netseg.phantom.synthesis import Anatomy

    tensors = load(file.read_bytes())
    return Anatomy(
        name=file.stem,
        tissues=tensors["tissues"],
        liver=tensors["liver"],
        segments=tensors["segments"],
        spacing_mm=spacing_mm,
    )
