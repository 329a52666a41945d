"""What a needle meets on its way, from the planning CT by plain rules.

Everything lies on cubic voxels of 2 mm. Known pitfalls, all on the safe side: calcified or
contrast-filled organs (kidneys in the portal phase, bowel with oral contrast, the aorta) come out
as "bone" and are kept clear of; the sloped edge of bowel gas reaches about a voxel into the wall.
On the unsafe side: organs without gas that nobody outlined look like any soft tissue. They stand in
the plan's `not_considered`, and the way through soft tissue is short (`AccessRules`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netseg.domain import Mask
from netseg.geometry.components import components
from netseg.geometry.extent import bounding_box, crop, isotropic_grid
from netseg.geometry.resample import resample, resample_mask
from netseg.plan.body import BODY_HU, body_of, clutter_around, seen_by
from netseg.plan.cover import cover, cover_numbers
from netseg.plan.parts import parts_of_at_least
from netseg.plan.vessels import bright_vessels

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Bool, Integer

    from netseg.domain import Grid, LabelMap, Segmentation, Series, Volume

SPACING_MM = 2.0
BONE_HU, BONE_ML = 200.0, 0.5  # denser, and larger than a calcification
GAS_HU = BODY_HU  # the same, so that no half-filled voxel of the skin counts as gas
LUNG_ML, BELOW_DOME_MM = 50.0, 10.0  # gas this large that reaches this close to the dome is lung
SOFT_HU = -30.0  # between fat (-120 … -60) and muscle or organs
AROUND_BODY_MM = 40.0
NOT_OBSTACLES = ("liver", "lesion", "lesions", "tumor", "tumour", "body", "skin")
ORGANS = {
    "bowel without gas": ("bowel", "colon", "duodenum", "intestine"),
    "stomach": ("stomach",),
    "gallbladder": ("gallbladder", "gall_bladder"),
    "kidneys": ("kidney",),
    "heart": ("heart",),
    "pleural recess below the visible lung": ("pleura",),
    "large bile ducts": ("bile", "duct"),
}
VESSEL_WORDS = ("vessel", "vein", "venous", "arter", "portal")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Anatomy:
    """The planning scan as a needle sees it, all arrays on `grid`.

    Attributes:
        grid: Cubic voxels around the body.
        seen: Where the scanner measured.
        body: Inside of the skin.
        liver: The liver, lesions included.
        soft: Soft tissue that is neither fat nor liver.
        lesions: Lesion numbers.
        clutter: Table and arms.
        obstacles: What must not be touched, by name.
        origin: Where each obstacle is from, by name.
        not_considered: Organs that nobody outlined.
    """

    grid: Grid
    seen: Bool[np.ndarray, "i j k"]
    body: Bool[np.ndarray, "i j k"]
    liver: Bool[np.ndarray, "i j k"]
    soft: Bool[np.ndarray, "i j k"]
    lesions: Integer[np.ndarray, "i j k"]
    clutter: Bool[np.ndarray, "i j k"]
    obstacles: Mapping[str, Bool[np.ndarray, "i j k"]]
    origin: Mapping[str, str]
    not_considered: tuple[str, ...]


def read_anatomy(
    series: Series, segmentation: Segmentation, liver: Mask, given: LabelMap | None, reach_mm: float
) -> Anatomy:
    """Tell skin, bone, gas and vessels apart.

    Args:
        series: The planning CT, in the segmentation's frame.
        segmentation: The lesions.
        liver: The liver, lesions included.
        given: Obstacles of any origin, in the same frame, with names; None when nobody has any.
        reach_mm: How far above and below the lesions the scan matters.

    Returns:
        The anatomy on 2 mm voxels.

    Raises:
        StudyRejectedError: If the CT's axes are not perpendicular, or no lesion exists.
    """
    ct, body = _around_body(_slices_near(series.volume, segmentation.lesions, reach_mm))
    inside_liver = resample_mask(liver, ct.grid).inside & body.inside
    obstacles = _dense_and_gas(series.volume, ct, body, inside_liver)
    origin = {
        "bone": f"above {BONE_HU:.0f} HU outside the liver in {series.key}",
        "lung": f"gas inside the body in {series.key}",
        "bowel gas": f"gas inside the body in {series.key}",
    }
    for name, region in _named(given, ct.grid).items():
        obstacles[name] = obstacles[name] | region if name in obstacles else region
        origin[name] = f"{origin[name]}, and given" if name in origin else "given"
    numbers = cover_numbers(segmentation.lesions, ct.grid)
    missing = _unnamed_organs(tuple(origin))
    if not any(word in name for name in origin for word in VESSEL_WORDS):
        vessels = bright_vessels(ct, inside_liver, numbers > 0)
        if vessels is None:
            missing = (*missing, "liver vessels")
        else:
            obstacles["liver vessels"] = vessels
            origin["liver vessels"] = f"approximate: brighter than the liver in {series.key}"
    return Anatomy(
        grid=ct.grid,
        seen=seen_by(ct),
        body=body.inside,
        liver=inside_liver,
        soft=body.inside & (ct.values > SOFT_HU) & ~inside_liver,
        lesions=numbers,
        clutter=clutter_around(ct, body),
        obstacles=obstacles,
        origin=origin,
        not_considered=missing,
    )


def _slices_near(ct: Volume, lesions: LabelMap, reach_mm: float) -> Volume:
    """The axial slices that a needle can touch, on cubic voxels over the whole field of view."""
    start, shape = bounding_box(lesions.region(), 0.0)
    heights = lesions.grid.crop(start, shape).corners_mm()[:, 2]
    grid = isotropic_grid(ct.grid, SPACING_MM)
    axis = int(np.argmax(np.abs(grid.directions[2])))
    centre = (np.array(grid.shape) - 1) / 2
    points = np.tile(centre, (grid.shape[axis], 1))
    points[:, axis] = np.arange(grid.shape[axis])
    z = grid.to_mm(points)[:, 2]
    wanted = np.flatnonzero((z >= heights.min() - reach_mm) & (z <= heights.max() + reach_mm))
    first, size = [0, 0, 0], list(grid.shape)
    if wanted.size:
        first[axis], size[axis] = int(wanted[0]), len(wanted)
    part = grid.crop((first[0], first[1], first[2]), (size[0], size[1], size[2]))
    return resample(ct, part, outside=-1024.0)


def _around_body(ct: Volume) -> tuple[Volume, Mask]:
    """CT and body, cut to the body and a hand's breadth around it."""
    body = body_of(ct)
    start, shape = bounding_box(body, AROUND_BODY_MM)
    return crop(ct, start, shape), crop(body, start, shape)


def _dense_and_gas(
    fine: Volume, ct: Volume, body: Mask, liver: Bool[np.ndarray, "i j k"]
) -> dict[str, Bool[np.ndarray, "i j k"]]:
    """Bone, lung and bowel gas."""
    bone = cover(Mask(fine.values > BONE_HU, fine.grid), ct.grid) & body.inside & ~liver
    gas = components(Mask((ct.values < GAS_HU) & body.inside, ct.grid))
    is_lung = np.bincount(gas.labels.ravel()) * ct.grid.voxel_volume_ml >= LUNG_ML
    is_lung[0] = False
    dome = _highest(liver, ct.grid)
    for number in np.flatnonzero(is_lung):
        top = _highest(gas.labels == number, ct.grid)
        is_lung[number] = top > dome - BELOW_DOME_MM
    lung = is_lung[gas.labels]
    return {
        "bone": parts_of_at_least(bone, ct.grid, BONE_ML),
        "lung": lung,
        "bowel gas": (gas.labels > 0) & ~lung,
    }


def _highest(region: Bool[np.ndarray, "i j k"], grid: Grid) -> float:
    """Height of the region's uppermost voxel (LPS z); minus infinity if it is empty."""
    index = np.argwhere(region)
    return float(grid.to_mm(index)[:, 2].max()) if len(index) else -np.inf


def _named(given: LabelMap | None, grid: Grid) -> dict[str, Bool[np.ndarray, "i j k"]]:
    """The given obstacles by name; liver, lesions and skin are where a needle goes through."""
    if given is None:
        return {}
    named: dict[str, Bool[np.ndarray, "i j k"]] = {}
    for value in given.values:
        name = given.names.get(value, f"obstacle {value}").lower().replace("_", " ")
        if name not in NOT_OBSTACLES:
            region = cover(given.region(value), grid)
            named[name] = named[name] | region if name in named else region
    return named


def _unnamed_organs(names: tuple[str, ...]) -> tuple[str, ...]:
    """The organs that none of the obstacles' names speaks of."""
    return tuple(
        organ
        for organ, words in ORGANS.items()
        if not any(word in name for name in names for word in words if name != "bowel gas")
    )
