"""What the planned needles are expected to destroy, on the scan's grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netseg.domain import AblationZone, Evidence, Mask
from netseg.geometry.resample import bounding_box
from netseg.plan.energy import REACH_MM

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netseg.domain import Ablation, AblationModel, AblationPlan, Grid, Segmentation


def predict_zones(
    plan: AblationPlan | None, segmentation: Segmentation, model: AblationModel | None
) -> dict[int, AblationZone]:
    """The zone of every planned ablation, each on a crop of the segmentation's grid.

    Args:
        plan: The proposal; None gives no zones.
        segmentation: Lesions and their grid.
        model: Predicts one ablation at a time; there is one where there is a plan.

    Returns:
        Zones by lesion id.
    """
    if plan is None or model is None:
        return {}
    return {a.lesion_id: model.zone(a, local_grid(a, segmentation)) for a in plan.ablations}


def local_grid(ablation: Ablation, segmentation: Segmentation) -> Grid:
    """The part of the segmentation's grid that one ablation can reach."""
    lesion = segmentation.lesions.region(ablation.lesion_id)
    start, shape = bounding_box(lesion, REACH_MM)
    return lesion.grid.crop(start, shape)


def unite(zones: Mapping[int, AblationZone], grid: Grid) -> AblationZone | None:
    """The union of zones that lie on crops of `grid`; None without any.

    Temperatures, energies and traces stay with the single zones: they do not add up.
    """
    if not zones:
        return None
    inside = np.zeros(grid.shape, dtype=np.bool_)
    for zone in zones.values():
        first = np.rint(grid.to_index(zone.mask.grid.to_mm(np.zeros(3)))).astype(int)
        part = tuple(
            slice(start, start + n) for start, n in zip(first, zone.mask.grid.shape, strict=True)
        )
        inside[part] |= zone.mask.inside
    return AblationZone(mask=Mask(inside, grid), evidence=Evidence.SIMULATED)
