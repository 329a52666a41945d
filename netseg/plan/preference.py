"""Which of the allowed ways is best: a sum of small disadvantages.

The weights are assumptions of this project, in the order of importance that planners of this kind
name (distance to risk and length first): length / needle length · 1, missing clearance · 1, missing
liver before the lesion · 0.5, flat angle to the liver surface · 0.5, soft tissue · 0.5, angle to
the axial plane · 0.25; each disadvantage runs from 0 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.ndimage

if TYPE_CHECKING:
    from jaxtyping import Float

    from netseg.plan.access import AccessRules
    from netseg.plan.anatomy import Anatomy
    from netseg.plan.sieve import Allowed

ndimage: Any = scipy.ndimage  # scipy carries no types, and the guessed ones are wrong

SURFACE_MM = 4.0  # smoothing of the liver's surface before its direction is read


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Merits:
    """What distinguishes the allowed ways; one number per way each.

    Attributes:
        length_mm: Skin to tip.
        bridge_mm: Liver between the liver's surface and the lesion.
        capsule_deg: Angle between needle and liver surface; 90 is perpendicular.
        soft_mm: Soft tissue that is neither fat nor liver.
        axial_deg: Angle to the axial plane.
        spare_mm: Smallest clearance over all obstacles beyond what the rules demand.
    """

    length_mm: Float[np.ndarray, " n"]
    bridge_mm: Float[np.ndarray, " n"]
    capsule_deg: Float[np.ndarray, " n"]
    soft_mm: Float[np.ndarray, " n"]
    axial_deg: Float[np.ndarray, " n"]
    spare_mm: Float[np.ndarray, " n"]

    def cost(self, rules: AccessRules, longest_mm: float) -> Float[np.ndarray, " n"]:
        """The weighted sum of disadvantages; smaller is better."""
        return (
            self.length_mm / longest_mm
            + np.clip(1 - self.spare_mm / rules.clearance_mm, 0, 1)
            + 0.5 * np.clip(1 - self.bridge_mm / rules.liver_bridge_mm, 0, 1)
            + 0.5 * np.clip(1 - self.capsule_deg / rules.capsule_angle_deg, 0, 1)
            + 0.5 * self.soft_mm / rules.max_soft_tissue_mm
            + 0.25 * self.axial_deg / rules.max_axial_angle_deg
        )


def weigh(allowed: Allowed, anatomy: Anatomy, rules: AccessRules, lesion_id: int) -> Merits:
    """Measure what makes one allowed way better than another."""
    ways = allowed.ways
    step = float(ways.at_mm[1] - ways.at_mm[0])
    on_needle = ways.in_needle() & (ways.at_mm >= 0)[None, :]
    in_liver = (ways.lookup(anatomy, anatomy.liver, 0) > 0) & on_needle
    in_lesion = ways.lookup(anatomy, anatomy.lesions, 0) == lesion_id
    soft = (ways.lookup(anatomy, anatomy.soft, 0) > 0) & on_needle
    spare = np.full(len(ways.directions), np.inf)
    for name, clearance in allowed.clearance_mm.items():
        spare = np.minimum(spare, clearance - rules.distance_for(name))
    return Merits(
        length_mm=ways.exit_mm - ways.at_mm[0],
        bridge_mm=(in_liver & ~in_lesion).sum(axis=1) * step,
        capsule_deg=_capsule_angle_deg(allowed, anatomy, in_liver),
        soft_mm=soft.sum(axis=1) * step,
        axial_deg=np.rad2deg(np.arcsin(np.clip(np.abs(ways.directions[:, 2]), 0, 1))),
        spare_mm=spare,
    )


def _capsule_angle_deg(
    allowed: Allowed, anatomy: Anatomy, in_liver: Float[np.ndarray, "n t"]
) -> Float[np.ndarray, " n"]:
    """Angle between each way and the liver's surface where it comes in from the skin."""
    ways = allowed.ways
    if not len(ways.directions):
        return np.empty(0)
    soft_liver = ndimage.gaussian_filter(
        anatomy.liver.astype(np.float32), SURFACE_MM / anatomy.grid.spacing_mm[0]
    )
    last = in_liver.shape[1] - 1 - np.argmax(in_liver[:, ::-1], axis=1)
    surface = ways.target_mm + ways.at_mm[last, None] * ways.directions
    index = anatomy.grid.to_index(surface)
    slope = [_at(soft_liver, index + shift) - _at(soft_liver, index - shift) for shift in np.eye(3)]
    normal = np.stack(slope, axis=1) @ anatomy.grid.directions.T
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    return np.rad2deg(np.arcsin(np.clip(np.abs((normal * ways.directions).sum(axis=1)), 0, 1)))


def _at(
    values: Float[np.ndarray, "i j k"], index: Float[np.ndarray, "n 3"]
) -> Float[np.ndarray, " n"]:
    """Trilinear values at fractional indices."""
    return ndimage.map_coordinates(values, index.T, order=1, mode="nearest")
