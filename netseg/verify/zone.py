"""The ablation zone in a control scan: found by its contrast, or taken as somebody outlined it.

What counts as zone: tissue that no longer takes up contrast, gas that boiled out of it, and needles
within it. The bright rim of inflamed tissue around it does not: those cells live. Lesion left
beside the zone that looks like it cannot be told from it; the registered outline of the lesion
shows where it would be.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from netseg.domain.ablation import AblationZone, Evidence
from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.domain.grid import describe, require_same_frame
from netseg.geometry.resample import resample_mask
from netseg.verify.zone_region import Outline, Scene, outline
from netseg.verify.zone_search import DOING, Found, search

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netseg.domain.grid import Grid
    from netseg.domain.volume import LabelMap, Mask, Volume

FINEST_MM = 1.25  # voxels on which a zone is looked for are no finer
VOXEL_SD = 0.29  # of an edge: standard deviation of a place known to a voxel (1 / sqrt 12)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ClassicZone:
    """Outlines the zone by its contrast against the liver around it, seeded by the lesions.

    Attributes:
        smoothing_mm: Standard deviation of the smoothing before anything is compared; None takes
            the least, from 0.8 to 1.5 mm, that makes noise small against the contrast.
        reach_mm: How far beyond a lesion its zone may end.
    """

    smoothing_mm: float | None = None
    reach_mm: float = 30.0

    def __post_init__(self) -> None:
        """Keep the lengths positive."""
        for name in ("smoothing_mm", "reach_mm"):
            value = getattr(self, name)
            if value is not None and not (np.isfinite(value) and value > 0):
                raise ValueError(f"{name} must be a positive length; got {value}.")

    def zone(
        self, control: Volume, lesions: LabelMap, liver: Mask | None, planned: Mask | None = None
    ) -> AblationZone:
        """The observed zone of all lesions together.

        Args:
            control: The scan after the ablation, on perpendicular axes; darker or brighter zones.
            lesions: The lesions where the registration put them, 6 mm astray at most.
            liver: The liver; None looks in all soft tissue.
            planned: The zone that the plan predicted, where there was a plan: a seed as well.

        Returns:
            The zone on the control scan's grid. `provenance` names the lesions without a zone.

        Raises:
            FrameMismatchError, GridMismatchError: If the masks are not on the control scan's grid.
            StudyRejectedError: LESION_OUTSIDE_SCAN, ZONE_NOT_SEEN at any lesion, ZONE_LEAKS, or
                GANTRY_TILT.
        """
        return search(self, control, lesions, liver, planned)

    @property
    def method(self) -> Mapping[str, object]:
        """What the record says."""
        return {
            "method": "contrast against the liver around each lesion",
            "smoothing_mm": self.smoothing_mm,
        }

    def edge_mm(self, grid: Grid) -> float:
        """Voxel edge of the scene in a scan on that grid."""
        return max(FINEST_MM, min(grid.spacing_mm))

    def find(self, scene: Scene) -> Found | None:
        """The zone around one lesion; None where nothing there differs from liver."""
        found = outline(scene, self.smoothing_mm)
        if found is None:
            return None
        values = {"zone": round(found.zone.value, 1), "liver": round(found.liver.value, 1)}
        return Found(field=found.field, boundary_sd_mm=_boundary_sd_mm(found, scene), values=values)


def _boundary_sd_mm(found: Outline, scene: Scene) -> float:
    """Noise over slope, and what a voxel hides, as one standard deviation."""
    return float(np.hypot(found.boundary_sd_mm, VOXEL_SD * scene.voxel_mm))


def zone_from_mask(mask: Mask, lesions: LabelMap) -> AblationZone:
    """A zone that somebody outlined in the control scan.

    Args:
        mask: The outline, in the lesions' frame.
        lesions: The lesions where the registration put them.

    Returns:
        The zone on the mask's own grid, as it was drawn; its accuracy is not known.

    Raises:
        FrameMismatchError: If mask and lesions were never registered.
        StudyRejectedError: If the mask is empty (MASK_EMPTY) or touches no lesion
            (ZONE_OFF_LESIONS).
    """
    require_same_frame(DOING, mask.grid, lesions.grid)
    if mask.is_empty:
        raise StudyRejectedError(
            Code.MASK_EMPTY,
            f"{DOING}: the outline on {describe(mask.grid)} holds no voxel; at least one is "
            "expected.",
            hint="Check that the right file and label were given.",
        )
    there = resample_mask(mask, lesions.grid).inside
    if not (there & (lesions.labels != 0)).any():
        raise StudyRejectedError(
            Code.ZONE_OFF_LESIONS,
            f"{DOING}: the outline of {mask.volume_ml:.1f} ml touches none of the lesions "
            f"{list(lesions.values)} where the registration put them; it should cover at least one.",
            detail={"volume_ml": round(mask.volume_ml, 2), "lesions": list(lesions.values)},
            hint="Check that the outline belongs to this control scan and these lesions.",
        )
    return AblationZone(
        mask=mask,
        evidence=Evidence.CONTROL_SCAN,
        provenance={"method": "outlined by hand"},
    )
