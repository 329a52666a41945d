"""Grid and scene of a plan file, with or without a label image."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING

import numpy as np

from netseg.domain.codes import Code
from netseg.domain.errors import EnvironmentFaultError, GridMismatchError, StudyRejectedError
from netseg.domain.grid import describe
from netseg.simulate.scene import Scene, require_reach

if TYPE_CHECKING:
    from netseg.domain.grid import Grid
    from netseg.domain.volume import LabelMap
    from netseg.simulate.plan_file import SimulationPlan

BYTES_PER_CELL = 200  # some fifty fields in single precision
LIKE_MM = 0.01  # a plan's own grid and a label image agree when their cells differ by no more


def plan_grid(plan: SimulationPlan, tissue: LabelMap | None = None) -> Grid:
    """The simulation grid: the label image's where there is one, else the plan's own.

    Raises:
        StudyRejectedError: If there is neither.
        GridMismatchError: If there are both and their cells differ.
    """
    if tissue is None and plan.grid is None:
        raise StudyRejectedError(
            Code.SIMULATION_REFUSED,
            "the plan has no grid and no label image was given.",
            hint="Add `grid: {shape: …, spacing_mm: …}` or pass `--tissue LABELS.nii.gz`.",
        )
    if tissue is None:
        return plan.grid  # pyright: ignore[reportReturnType]
    own = plan.grid
    if own is not None and (
        own.shape != tissue.grid.shape
        or not np.allclose(own.spacing_mm, tissue.grid.spacing_mm, atol=LIKE_MM)
    ):
        raise GridMismatchError(
            Code.GRID_MISMATCH,
            f"the plan's own grid, {describe(own)}, is not the label image's: "
            f"{describe(tissue.grid)}.",
            hint="Leave `grid` out of the plan: the label image gives it, and the coordinates.",
        )
    return tissue.grid


def plan_scene(plan: SimulationPlan, tissue: LabelMap | None = None) -> Scene:
    """Grid, tissue, vessels and probes of a plan.

    Raises:
        StudyRejectedError: If there is no grid, or a vessel lies outside it.
        GridMismatchError: If plan and label image disagree.
    """
    scene = Scene(
        grid=plan_grid(plan, tissue),
        probes=plan.probes,
        tissue=plan.tissue,
        labels=None if tissue is None else tissue.labels,
        labelled=dict(plan.labelled),
        vessels=plan.vessels,
        ramps=dict(plan.ramps),
    )
    require_reach(scene)
    _require_room(scene.grid)
    return scene


def _require_room(grid: Grid) -> None:
    """Refuse a grid that this machine cannot hold, before it is killed for trying.

    Raises:
        EnvironmentFaultError: OUT_OF_MEMORY.
    """
    needed, there = math.prod(grid.shape) * BYTES_PER_CELL, memory_bytes()
    if there is not None and needed > there:
        raise EnvironmentFaultError(
            Code.OUT_OF_MEMORY,
            f"{describe(grid)} need about {needed / 1e9:.0f} GB; this machine has "
            f"{there / 1e9:.0f} GB.",
            hint="Use larger cells, or a smaller box around the needles.",
        )


def memory_bytes() -> int | None:
    """Physical memory of the machine; None where the system does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None
