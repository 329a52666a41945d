"""Looking for the zone of every lesion of a scan, whoever outlines it: the part that all share.

Around each lesion a cubic piece of the scan is cut out and handed to the outliner; what it finds
is put back on the control scan's voxels, kept within the liver, and refused where it leaks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import scipy.ndimage  # pyright: ignore[reportMissingTypeStubs]

from netseg.domain.ablation import AblationZone, Evidence
from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.domain.grid import describe, require_same_grid
from netseg.domain.volume import Mask, Quantity
from netseg.geometry.affine import require_orthogonal
from netseg.geometry.components import components
from netseg.geometry.extent import bounding_box, isotropic_grid
from netseg.geometry.resample import resample, resample_mask
from netseg.verify.zone_region import FAT_HU, Scene

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Bool, Float

    from netseg.domain.grid import Grid
    from netseg.domain.volume import LabelMap, Volume

ndimage: Any = scipy.ndimage  # scipy carries no types, and the guessed ones are wrong

DOING = "ablation zone"
EDGE_MM, EDGE_OF_VOXEL = 1.5, 0.75  # of a liver's border that holds fat or lung as well
ROOM_MM = 10.0  # looked at beyond the reach of a zone
WHOLE_LIVER = 0.6  # a zone that fills this share of the liver is a leak


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """The zone around one lesion.

    Attributes:
        field: On the scene's voxels; negative inside the zone, zero on its surface.
        boundary_sd_mm: How far the surface may be off, one standard deviation.
        values: What the record shall say of it.
    """

    field: Float[np.ndarray, "i j k"]
    boundary_sd_mm: float
    values: Mapping[str, float]


class Outliner(Protocol):
    """Whoever finds the zone in the cubic voxels around one lesion."""

    @property
    def reach_mm(self) -> float:
        """How far beyond a lesion its zone may end."""
        ...

    @property
    def method(self) -> Mapping[str, object]:
        """What the record says of how zones are found; at least `method`."""
        ...

    def edge_mm(self, grid: Grid) -> float:
        """Voxel edge of the scene in a scan on that grid."""
        ...

    def find(self, scene: Scene) -> Found | None:
        """The zone; None where nothing at the seed looks like one."""
        ...


def search(
    outliner: Outliner,
    control: Volume,
    lesions: LabelMap,
    liver: Mask | None,
    planned: Mask | None,
) -> AblationZone:
    """The observed zone of all lesions together.

    Args:
        outliner: Who finds it around one lesion.
        control: The scan after the ablation, on perpendicular axes.
        lesions: The lesions where the registration put them.
        liver: The liver; None looks in all soft tissue.
        planned: The zone that the plan predicted, where there was a plan.

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
    found: dict[int, Found] = {}
    inside = np.zeros(control.grid.shape, np.bool_)
    for number in lesions.values:
        if (lesions.labels[inside] == number).any() and _mostly(inside, lesions, number):
            continue  # the zone of another lesion holds it
        seen = _around(outliner, number, (control, lesions, liver, planned))
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
        boundary_sd_mm=round(max(one.boundary_sd_mm for one in found.values()), 2),
        provenance={
            **outliner.method,
            "values": {str(n): dict(one.values) for n, one in found.items()},
            "lesions_without_zone": without,
            "convention": "gas and needles inside count as zone, the bright rim does not",
        },
    )


def _around(
    outliner: Outliner,
    number: int,
    images: tuple[Volume, LabelMap, Mask | None, Mask | None],
) -> tuple[Bool[np.ndarray, "i j k"], Found] | None:
    """The zone of one lesion on the control scan's grid."""
    control, lesions, liver, planned = images
    lesion = lesions.region(number)
    plan = None if planned is None else _of_lesion(planned, lesion)
    seed = lesion if plan is None else Mask(plan.inside | lesion.inside, lesion.grid)
    box = _slices(seed, outliner.reach_mm + ROOM_MM)
    first = (box[0].start, box[1].start, box[2].start)
    part = control.grid.crop(first, lesion.inside[box].shape)
    work = isotropic_grid(part, outliner.edge_mm(control.grid))
    scene = _scene(control, liver, (lesion, plan), work)
    if not scene.seed.any():
        return None
    found = outliner.find(scene)
    if found is None:
        return None
    far = ndimage.distance_transform_edt(~scene.seed, sampling=scene.spacing_mm)
    leaks = (found.field < 0) & (far > outliner.reach_mm)
    if np.count_nonzero(leaks) > 0.02 * np.count_nonzero(found.field < 0):
        raise _leak(number, outliner.reach_mm)
    index = work.to_index(part.to_mm(np.moveaxis(np.indices(part.shape), 0, -1)))
    level = ndimage.map_coordinates(found.field, np.moveaxis(index, -1, 0), order=1, mode="nearest")
    inside = np.zeros(control.grid.shape, np.bool_)
    inside[box] = level < 0
    if liver is not None:
        inside &= _where_zone_may_be(liver.inside, lesion.inside)
    return inside, found


def _where_zone_may_be(
    liver: Bool[np.ndarray, "i j k"], lesion: Bool[np.ndarray, "i j k"]
) -> Bool[np.ndarray, "i j k"]:
    """The liver; with the lesion where the outline of the liver leaves most of it out.

    A lesion at the capsule that was carried some millimetres astray reaches into the fat beyond,
    which is as dark as a zone. A liver's outline holds its lesions; one that misses most of this
    one was drawn around it.
    """
    if 2 * np.count_nonzero(liver & lesion) >= np.count_nonzero(lesion):
        return liver
    return liver | lesion


def _of_lesion(planned: Mask, lesion: Mask) -> Mask:
    """The parts of a plan that hang together with one lesion."""
    near = components(Mask(planned.inside | lesion.inside, lesion.grid))
    wanted = np.unique(near.labels[lesion.inside])
    return Mask(planned.inside & np.isin(near.labels, wanted), lesion.grid)


def _scene(
    control: Volume, liver: Mask | None, seeds: tuple[Mask, Mask | None], work: Grid
) -> Scene:
    is_hu = control.quantity is Quantity.HU
    darkest = float(control.values.min())
    values = resample(control, work, outside=darkest).values.astype(np.float32)
    if liver is None:
        calm = ndimage.gaussian_filter(values, 1.0)
        where = (calm > FAT_HU) if is_hu else (calm > darkest)
        where |= ndimage.binary_closing(where, iterations=3)
    else:
        where = resample_mask(liver, work).inside
    lesion, plan = seeds
    own = resample_mask(lesion, work).inside
    meant = None if plan is None else resample_mask(plan, work).inside
    return Scene(
        values=values,
        liver=_where_zone_may_be(where, own),
        lesion=own,
        planned=meant,
        spacing_mm=work.spacing_mm[0],
        edge_mm=max(EDGE_MM, EDGE_OF_VOXEL * max(control.grid.spacing_mm)),
        is_hu=is_hu,
        voxel_mm=float(np.prod(control.grid.spacing_mm)) ** (1 / 3),
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
