"""The ablation zone in a control scan: found by its contrast, or taken as somebody outlined it.

What counts as zone: tissue that no longer takes up contrast, gas that boiled out of it, and needles
within it. The bright rim of inflamed tissue around it does not: those cells live. Lesion left
beside the zone that looks like it cannot be told from it; the registered outline of the lesion
shows where it would be.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np
import scipy.ndimage  # pyright: ignore[reportMissingTypeStubs]

from netseg.domain.ablation import AblationZone, Evidence
from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.domain.grid import describe, require_same_frame, require_same_grid
from netseg.domain.volume import Mask, Quantity
from netseg.geometry.affine import require_orthogonal
from netseg.geometry.components import components
from netseg.geometry.extent import bounding_box, isotropic_grid
from netseg.geometry.resample import resample, resample_mask
from netseg.verify.zone_region import FAT_HU, Outline, Scene, outline

if TYPE_CHECKING:
    from jaxtyping import Bool

    from netseg.domain.grid import Grid
    from netseg.domain.volume import LabelMap, Volume

ndimage: Any = scipy.ndimage  # scipy carries no types, and the guessed ones are wrong

DOING = "ablation zone"
FINEST_MM = 1.25  # voxels on which a zone is looked for are no finer
EDGE_MM, EDGE_OF_VOXEL = 1.5, 0.75  # of a liver's border that holds fat or lung as well
WHOLE_LIVER = 0.6  # a zone that fills this share of the liver is a leak
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
        require_orthogonal(DOING, control.grid)
        for mask in (lesions, liver, planned):
            if mask is not None:
                require_same_grid(DOING, mask.grid, control.grid)
        _require_lesions(lesions)
        found: dict[int, Outline] = {}
        inside = np.zeros(control.grid.shape, np.bool_)
        for number in lesions.values:
            if (lesions.labels[inside] == number).any() and _mostly(inside, lesions, number):
                continue  # the zone of another lesion holds it
            seen = self._around(number, control, lesions, liver, planned)
            if seen is None:
                continue
            part, found[number] = seen
            inside |= part
        inside = ndimage.binary_fill_holes(inside)
        without = [n for n in _untouched(inside, lesions) if n not in found]
        if len(without) == len(lesions.values):
            raise _not_seen(without)
        _require_no_leak(inside, liver, control.grid)
        return AblationZone(
            mask=Mask(inside, control.grid),
            evidence=Evidence.CONTROL_SCAN,
            boundary_sd_mm=_boundary_sd_mm(found, control.grid),
            provenance=_provenance(found, without, self.smoothing_mm),
        )

    def _around(
        self,
        number: int,
        control: Volume,
        lesions: LabelMap,
        liver: Mask | None,
        planned: Mask | None,
    ) -> tuple[Bool[np.ndarray, "i j k"], Outline] | None:
        """The zone of one lesion on the control scan's grid."""
        lesion = lesions.region(number)
        if planned is not None:
            near = components(Mask(planned.inside | lesion.inside, lesion.grid))
            wanted = np.unique(near.labels[lesion.inside])
            seed = Mask(np.isin(near.labels, wanted), lesion.grid)
        else:
            seed = lesion
        box = _slices(seed, self.reach_mm + 10.0)
        first = (box[0].start, box[1].start, box[2].start)
        part = control.grid.crop(first, lesion.inside[box].shape)
        work = isotropic_grid(part, max(FINEST_MM, min(control.grid.spacing_mm)))
        scene = _scene(control, liver, seed, work)
        if not scene.seed.any():
            return None
        found = outline(scene, self.smoothing_mm)
        if found is None:
            return None
        far = ndimage.distance_transform_edt(~scene.seed, sampling=scene.spacing_mm)
        leaks = (found.field < 0) & (far > self.reach_mm)
        if np.count_nonzero(leaks) > 0.02 * np.count_nonzero(found.field < 0):
            raise _leak(number, self.reach_mm)
        index = work.to_index(part.to_mm(np.moveaxis(np.indices(part.shape), 0, -1)))
        level = ndimage.map_coordinates(
            found.field, np.moveaxis(index, -1, 0), order=1, mode="nearest"
        )
        inside = np.zeros(control.grid.shape, np.bool_)
        inside[box] = level < 0
        if liver is not None:
            inside &= liver.inside | lesion.inside
        return inside, found


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


def _scene(control: Volume, liver: Mask | None, seed: Mask, work: Grid) -> Scene:
    is_hu = control.quantity is Quantity.HU
    darkest = float(control.values.min())
    values = resample(control, work, outside=darkest).values.astype(np.float32)
    if liver is None:
        calm = ndimage.gaussian_filter(values, 1.0)
        where = (calm > FAT_HU) if is_hu else (calm > darkest)
        where |= ndimage.binary_closing(where, iterations=3)
    else:
        where = resample_mask(liver, work).inside
    within = resample_mask(seed, work).inside
    return Scene(
        values=values,
        liver=where | within,
        seed=within,
        spacing_mm=work.spacing_mm[0],
        edge_mm=max(EDGE_MM, EDGE_OF_VOXEL * max(control.grid.spacing_mm)),
        is_hu=is_hu,
    )


def _slices(mask: Mask, margin_mm: float) -> tuple[slice, slice, slice]:
    start, shape = bounding_box(mask, margin_mm)
    i, j, k = (slice(a, a + n) for a, n in zip(start, shape, strict=True))
    return i, j, k


def _mostly(inside: Bool[np.ndarray, "i j k"], lesions: LabelMap, number: int) -> bool:
    lesion = lesions.labels == number
    return bool(2 * np.count_nonzero(inside & lesion) > np.count_nonzero(lesion))


def _untouched(inside: Bool[np.ndarray, "i j k"], lesions: LabelMap) -> list[int]:
    seen = set(np.unique(lesions.labels[inside]).tolist())
    return [n for n in lesions.values if n not in seen]


def _boundary_sd_mm(found: dict[int, Outline], grid: Grid) -> float:
    """Noise over slope, and what a voxel hides, as one standard deviation."""
    by_noise = max(outline.boundary_sd_mm for outline in found.values())
    by_voxel = VOXEL_SD * float(np.prod(grid.spacing_mm)) ** (1 / 3)
    return round(float(np.hypot(by_noise, by_voxel)), 2)


def _provenance(
    found: dict[int, Outline], without: list[int], smoothing_mm: float | None
) -> dict[str, object]:
    return {
        "method": "contrast against the liver around each lesion",
        "smoothing_mm": smoothing_mm,
        "values": {
            str(n): {"zone": round(o.zone.value, 1), "liver": round(o.liver.value, 1)}
            for n, o in found.items()
        },
        "lesions_without_zone": without,
        "convention": "gas and needles inside count as zone, the bright rim does not",
    }


def _require_lesions(lesions: LabelMap) -> None:
    if lesions.values:
        return
    raise StudyRejectedError(
        Code.LESION_OUTSIDE_SCAN,
        f"{DOING}: no lesion lies within the control scan, {describe(lesions.grid)}; at least one "
        "is expected.",
        hint="Give a control scan that covers the treated part of the liver, and check the lesions.",
    )


def _not_seen(lesions: list[int]) -> StudyRejectedError:
    return StudyRejectedError(
        Code.ZONE_NOT_SEEN,
        f"{DOING}: at none of the lesions {lesions} is anything darker or brighter than the liver "
        "around it; a zone differs by at least 2.5 times the liver's own spread.",
        detail={"lesions": lesions},
        hint="Give a contrast-enhanced control scan, or the zone outlined by hand (--zone).",
    )


def _leak(number: int, reach_mm: float) -> StudyRejectedError:
    return StudyRejectedError(
        Code.ZONE_LEAKS,
        f"{DOING}: what looks like the zone of lesion {number} runs on farther than "
        f"{reach_mm:.0f} mm from the lesion, into other tissue.",
        detail={"lesion": number, "reach_mm": reach_mm},
        hint="Give the zone outlined by hand (--zone), or a liver mask (--liver-post).",
    )


def _require_no_leak(inside: Bool[np.ndarray, "i j k"], liver: Mask | None, grid: Grid) -> None:
    if liver is None or liver.is_empty:
        return
    share = np.count_nonzero(inside & liver.inside) / np.count_nonzero(liver.inside)
    if share > WHOLE_LIVER:
        raise StudyRejectedError(
            Code.ZONE_LEAKS,
            f"{DOING}: what looks like zone fills {share:.0%} of the liver on {describe(grid)}; at "
            f"most {WHOLE_LIVER:.0%} is believed.",
            detail={"share": round(share, 3), "most": WHOLE_LIVER},
            hint="Give the zone outlined by hand (--zone).",
        )
