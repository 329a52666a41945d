"""How much of the tissue around a lesion the zone covers, shell by shell.

Counting whole voxels in a shell of 1 mm says little on voxels of that size. So a voxel that a
surface cuts counts by the share of it that lies inside, told from the surface's distance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netseg.geometry.distance import signed_distance_mm
from netseg.verify.lesion import grown_box
from netseg.verify.surface import offset, window

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Float

    from netseg.domain.volume import Mask
    from netseg.verify.lesion import Surroundings
    from netseg.verify.surface import Field

SHELLS_MM = tuple(float(mm) for mm in range(1, 11))


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What the zone covers around one lesion.

    Attributes:
        shells: By distance in mm, the share of the liver beyond the lesion and up to so far from
            it that the zone covers; without an outlined liver, of all tissue.
        undertreated_ml: By margin in mm, the volume of lesion and liver within it that the zone
            spares.
    """

    shells: Mapping[float, float]
    undertreated_ml: Mapping[float, float]


def coverage(
    lesion: Mask, around: Surroundings, margins_mm: tuple[float, ...], field: Field | None = None
) -> Coverage:
    """Measure the shells around one lesion.

    Args:
        lesion: At least one voxel, on a grid that continues that of the surroundings.
        around: Zone and liver.
        margins_mm: For which the under-treated volume is wanted.
        field: The lesion's own field, where its surface is known better than its voxels say.

    Returns:
        Shares rounded to 0.0001, volumes to 0.001 ml.
    """
    farthest = max(*SHELLS_MM, *margins_mm)
    part = window(lesion, *grown_box(lesion, farthest + 1))
    away = signed_distance_mm(part) if field is None else _at_voxels(field, part)
    edge_mm = float(np.cbrt(np.prod(part.grid.spacing_mm)))
    zone = _share_inside(_of_zone(around, part), edge_mm)
    tissue = np.ones(part.grid.shape, np.float32)
    if around.liver is not None:
        first = offset(part.grid, around.liver.grid)
        tissue = window(around.liver, first, part.grid.shape).inside.astype(np.float32)
    in_lesion = _share_inside(away, edge_mm)
    shells = {d: _share_inside(away - d, edge_mm) - in_lesion for d in SHELLS_MM}
    near = {m: _share_inside(away - m, edge_mm) for m in margins_mm}
    ml = part.grid.voxel_volume_ml
    spared = np.maximum(tissue, in_lesion) * (1 - zone)
    return Coverage(
        shells={d: _covered(shell * tissue, zone) for d, shell in shells.items()},
        undertreated_ml={m: round(float((n * spared).sum()) * ml, 3) for m, n in near.items()},
    )


def _covered(shell: Float[np.ndarray, "i j k"], zone: Float[np.ndarray, "i j k"]) -> float:
    """Share of a shell within the zone; a shell without tissue has nothing left uncovered."""
    total = float(shell.sum())
    return round(float((shell * zone).sum()) / total, 4) if total > 0 else 1.0


def _share_inside(
    away_mm: Float[np.ndarray, "i j k"], edge_mm: float
) -> Float[np.ndarray, "i j k"]:
    """Share of each voxel inside a surface that lies so far from its centre (negative inside)."""
    return np.clip(0.5 - away_mm / edge_mm, 0, 1).astype(np.float32)


def _of_zone(around: Surroundings, part: Mask) -> Float[np.ndarray, "i j k"]:
    """The zone's field on the part's voxels, which continue the field's; outside far beyond it."""
    field = around.zone_field
    values = np.full(part.grid.shape, field.values_mm.max(), np.float32)
    ours: list[slice] = []
    theirs: list[slice] = []
    first = offset(part.grid, field.grid)
    for start, wanted, size in zip(first, part.grid.shape, field.grid.shape, strict=True):
        low, high = max(start, 0), min(start + wanted, size)
        theirs.append(slice(low, max(low, high)))
        ours.append(slice(low - start, max(low, high) - start))
    values[tuple(ours)] = field.values_mm[tuple(theirs)]
    return values


def _at_voxels(field: Field, part: Mask) -> Float[np.ndarray, "i j k"]:
    """A field of another grid at the part's voxel centres."""
    index = np.moveaxis(np.indices(part.grid.shape), 0, -1).reshape(-1, 3)
    return field.at(part.grid.to_mm(index)).reshape(part.grid.shape)
