"""Certified mode: a zone with the numeric error of its volume, diameters and temperatures.

The same box of tissue is computed on three grids, 2h, h and h/2 (2, 1 and 0.5 mm), with control
steps in proportion, and extrapolated (`richardson`). The coarse run costs a hundredth of the fine
one and shows whether the sequence converges as the formula needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy import ndimage

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.domain.grid import Grid
from netseg.simulate.richardson import Bounded, extrapolated
from netseg.simulate.scene import Scene
from netseg.simulate.scene_run import simulate_scene
from netseg.simulate.surface import measure_shape
from netseg.simulate.window import window_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from netseg.domain.ablation import AblationProtocol
    from netseg.domain.point import PointMm
    from netseg.simulate.damage import DamageModel
    from netseg.simulate.scene import PlacedProbe
    from netseg.simulate.scene_run import Simulated
    from netseg.simulate.tissue import Tissue

VOLUME_NOISE, DIAMETER_NOISE = 1e-2, 5e-3
"""Shares that the needle's place between the cells and the sub-voxel measure may move (row A23 allows
2 % of the volume): 60 W of microwaves for 2 min give 7.44, 7.49 and 7.46 ml at 2, 1 and 0.5 mm."""
TEMPERATURE_NOISE_K = 0.05
DEFAULT_NOISE = 1e-3


def certified(
    measure: Callable[[float], Mapping[str, float]],
    *,
    spacing_mm: float = 1.0,
    noise: Mapping[str, float] | None = None,
) -> dict[str, Bounded]:
    """Measure something at 2h, h and h/2 and bound its numeric error.

    Args:
        measure: Gives named values for a cell size in mm; the physical set-up must be the same at
            every size.
        spacing_mm: h.
        noise: By name, differences that are no trend; a thousandth of the value otherwise.

    Raises:
        StudyRejectedError: If a value is no asymptotic sequence, or spacing_mm is not positive.
    """
    if not spacing_mm > 0:
        raise StudyRejectedError(
            Code.SIMULATION_REFUSED, f"spacing_mm must be positive; got {spacing_mm}."
        )
    coarse, middle, fine = (measure(spacing_mm * factor) for factor in (2.0, 1.0, 0.5))
    floors = noise or {}
    return {
        name: extrapolated(
            coarse[name],
            middle[name],
            value,
            noise=floors.get(name, DEFAULT_NOISE * abs(value)),
            called=name,
        )
        for name, value in fine.items()
    }


def certified_zone(
    probes: tuple[PlacedProbe, ...],
    tissue: Tissue,
    protocol: AblationProtocol,
    models: Sequence[DamageModel],
    *,
    points_mm: Mapping[str, PointMm] | None = None,
    spacing_mm: float = 1.0,
    margin_mm: float = 30.0,
) -> dict[str, Bounded]:
    """Zone and temperatures of an ablation in one tissue, with numeric error bars.

    Args:
        probes: Needles in the patient.
        tissue: Around them.
        protocol: Energy.
        models: Damage models; the first makes the zone.
        points_mm: Where the temperature at the end is wanted, by name. Within a cell or two of a
            needle it belongs to the needle's kernel and does not converge.
        spacing_mm: The middle grid's cells; the finest have half.
        margin_mm: Tissue around the active parts.

    Returns:
        "volume_ml", "length_mm", "width_mm", "thickness_mm" and "temperature_c of NAME".

    Raises:
        StudyRejectedError: If a value is no asymptotic sequence, or the scene is impossible.
    """
    box = window_for(probes, spacing_mm=2 * spacing_mm, margin_mm=margin_mm, frame_uid="certified")
    wanted = points_mm or {}

    def measure(size_mm: float) -> dict[str, float]:
        grid = finer(box, round(2 * spacing_mm / size_mm))
        done = simulate_scene(
            Scene(grid=grid, probes=probes, tissue=tissue),
            protocol,
            models,
            like=torch.zeros(()),
            step_s=size_mm,
        )
        shape = measure_shape(done.depth[models[0].name], grid)
        names = ("length_mm", "width_mm", "thickness_mm")
        found = {"volume_ml": shape.volume_ml, **dict(zip(names, shape.diameters_mm, strict=True))}
        return found | {f"temperature_c of {n}": _at(done, p) for n, p in wanted.items()}

    middle = measure(spacing_mm)
    noise = {n: DIAMETER_NOISE * v for n, v in middle.items() if n.endswith("_mm")}
    noise |= {f"temperature_c of {n}": TEMPERATURE_NOISE_K for n in wanted}
    noise["volume_ml"] = VOLUME_NOISE * middle["volume_ml"]
    known = {spacing_mm: middle}
    return certified(
        lambda size_mm: known.get(size_mm) or measure(size_mm), spacing_mm=spacing_mm, noise=noise
    )


def finer(grid: Grid, times: int) -> Grid:
    """The same box in cells of a whole fraction of the size."""
    i, j, k = (n * times for n in grid.shape)
    affine = grid.affine_lps.copy()
    affine[:3, :3] /= times
    corner = grid.affine_lps[:3, :3] @ np.full(3, -0.5)
    affine[:3, 3] += corner - affine[:3, :3] @ np.full(3, -0.5)
    return Grid(shape=(i, j, k), affine_lps=affine, frame_uid=grid.frame_uid)


def _at(done: Simulated, point: PointMm) -> float:
    """Temperature at the end, interpolated by cubic splines (their error is far below the grid's)."""
    index = done.window.to_index(point.as_array()[None])[0]
    return float(ndimage.map_coordinates(done.final_c, index[:, None], order=3, mode="nearest")[0])
