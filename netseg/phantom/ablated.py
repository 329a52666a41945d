"""A control scan after an ablation, made from a planning scan: everything about it is known.

The planning scan may be a phantom's or a real one. Its noise must not be seen again in the control
scan, or a registration matches noise with itself: hand in `source`, the same scan without noise
(rendered so, or `denoised`), and fresh noise is added to it.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.ndimage

from netseg.domain import Grid, LabelMap, Mask, Quantity, Volume
from netseg.phantom.ablated_motion import Contraction, MotionPrior, TrueMotion, draw_motion
from netseg.phantom.ablated_paint import (
    ControlLooks,
    Needle,
    in_slices,
    other_timing,
    paint_gas,
    paint_grid,
    paint_needle,
    paint_zone,
    scanned,
    share_inside,
)
from netseg.phantom.ablated_zone import (
    Carved,
    Shape,
    TrueMargin,
    ZoneOrder,
    carve,
    lesion_shape,
    mask_shape,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Float

    from netseg.phantom.lesions import Blob

ndimage: Any = scipy.ndimage

LANDMARKS, APART_MM = 60, 9.0
BESIDE_MM = 12.0  # landmarks keep this far from the zones, where no structure is left
SHAFT_MM = 140.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlSetup:
    """What happened between the scans, and how the second one was taken.

    Attributes:
        zones: What was ablated.
        motion: How the patient may have moved.
        looks: What the control scan shows.
        spacing_mm: Its voxels; None keeps the planning scan's.
        turn_deg: How far the control scan's slices are turned about the patient's x axis.
    """

    zones: tuple[ZoneOrder, ...]
    motion: MotionPrior = field(default_factory=MotionPrior)
    looks: ControlLooks = field(default_factory=ControlLooks)
    spacing_mm: tuple[float, float, float] | None = None
    turn_deg: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AblatedPair:
    """A planning scan and the control scan made from it, with the truth.

    Attributes:
        planning: The scan before.
        control: The scan after, in a frame of its own.
        zone: Dead tissue on the control scan's grid: voxels at least half inside.
        zone_share: How much of each voxel is dead tissue.
        lesions: Where the lesions lie in the control scan.
        liver: The liver there.
        motion: Control to planning.
        margins: True smallest margin by lesion; several zones never share a lesion.
        landmarks_control_mm: Points of the liver, on vessels where these are known.
        landmarks_planning_mm: The same points in the planning scan.
        needles: One per zone, whether or not it is still in place.
    """

    planning: Volume
    control: Volume
    zone: Mask
    zone_share: Float[np.ndarray, "i j k"]
    lesions: LabelMap
    liver: Mask
    motion: TrueMotion
    margins: Mapping[int, TrueMargin]
    landmarks_control_mm: Float[np.ndarray, "n 3"]
    landmarks_planning_mm: Float[np.ndarray, "n 3"]
    needles: tuple[Needle, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Known:
    """What is known about the planning scan.

    Attributes:
        source: The scan without noise, from which the control scan is painted.
        liver: The liver with its lesions, on the source's grid.
        lesions: Numbered lesions.
        vessels: Lumens, for landmarks; None where unknown.
        blobs: Drawn shapes of lesions by number, where known.
    """

    source: Volume
    liver: Mask
    lesions: LabelMap
    vessels: Mask | None = None
    blobs: Mapping[int, Blob] = field(default_factory=dict)


def denoised(scan: Volume, noise_hu: float) -> Volume:
    """A scan without most of its noise, edges kept: total variation (Chambolle 2004).

    Values beyond -200 ... 400 HU stay as they are. Costs about 4 s per million voxels.

    Args:
        scan: HU.
        noise_hu: Standard deviation of its noise.

    Returns:
        float32 HU on the same grid.
    """
    import skimage.restoration

    restoration: Any = skimage.restoration
    values = np.asarray(scan.values, np.float32)
    soft = np.clip(values, -200.0, 400.0)
    calm = restoration.denoise_tv_chambolle(soft, weight=1.2 * noise_hu, max_num_iter=40)
    return Volume((values + calm - soft).astype(np.float32), scan.grid, scan.quantity)


def make_control(
    planning: Volume, known: Known, setup: ControlSetup, rng: np.random.Generator
) -> AblatedPair:
    """Ablate, move the patient and scan again.

    Args:
        planning: The scan before the ablation, HU, with its own noise.
        known: The same scan without noise, and its outlines, on one grid.
        setup: What happened.
        rng: Source of chance; the same state gives the same bytes.

    Raises:
        ValueError: If a zone is meant for a lesion that is not there, a lesion for two zones, or an
            order leaves nothing within the liver.
    """
    _require_one_zone_each(setup, known.lesions)
    grid = _control_grid(known.source.grid, setup)
    liver = mask_shape(known.liver)
    lesions = {n: lesion_shape(known.lesions, n, known.blobs.get(n)) for n in known.lesions.values}
    centre_mm = liver.points_mm.mean(axis=0)
    motion = draw_motion(grid, liver.points_mm, setup.motion, rng)
    motion = _shrunk(motion, lesions, setup)
    carved = [carve(o, lesions, liver, motion, grid.frame_uid, rng) for o in setup.zones]
    needles = tuple(_needle(zone, centre_mm, motion, rng) for zone in carved)
    control, zone_share = _picture(known, liver, carved, needles, (grid, motion, setup), rng)
    mapped = _mapped(liver, lesions, grid, motion)
    zone = Mask(zone_share >= 0.5, grid)
    marks = _landmarks(known, carved, motion, rng)
    return AblatedPair(
        planning=planning,
        control=Volume(control, grid, Quantity.HU),
        zone=zone,
        zone_share=zone_share,
        lesions=mapped[0],
        liver=mapped[1],
        motion=motion,
        margins={n: zone.margin(n) for zone in carved for n in zone.order.lesions},
        landmarks_control_mm=marks,
        landmarks_planning_mm=motion.to_planning(marks),
        needles=needles,
    )


def _require_one_zone_each(setup: ControlSetup, lesions: LabelMap) -> None:
    wanted = [n for order in setup.zones for n in order.lesions]
    missing = sorted(set(wanted) - set(lesions.values))
    if missing or len(wanted) != len(set(wanted)):
        raise ValueError(
            f"each lesion may be meant once, by a number in {lesions.values}; got {wanted}."
        )


def _control_grid(planning: Grid, setup: ControlSetup) -> Grid:
    """The planning scan's field of view on the control scan's voxels, in a frame of its own."""
    from scipy.spatial.transform import Rotation

    spacing = np.array(setup.spacing_mm or planning.spacing_mm)
    size_mm = np.array(planning.shape) * planning.spacing_mm
    i, j, k = (int(n) for n in np.maximum(1, np.round(size_mm / spacing)))
    turn = Rotation.from_euler("x", setup.turn_deg, degrees=True).as_matrix()
    affine = np.eye(4)
    affine[:3, :3] = turn @ planning.directions * spacing
    middle = planning.to_mm((np.array(planning.shape) - 1) / 2)
    affine[:3, 3] = middle - affine[:3, :3] @ ((np.array((i, j, k)) - 1) / 2)
    uid = f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, planning.frame_uid + ' control').int}"
    return Grid((i, j, k), affine, uid)


def _shrunk(motion: TrueMotion, lesions: Mapping[int, Shape], setup: ControlSetup) -> TrueMotion:
    """The motion with every zone's contraction about its lesions."""
    if not setup.motion.contraction:
        return motion
    found = []
    for order in setup.zones:
        points = motion.to_control(np.concatenate([lesions[n].points_mm for n in order.lesions]))
        if order.half_axes_mm is None:
            reach = np.linalg.norm(points - points.mean(axis=0), axis=1).max()
            radius = float(reach) + float(order.margin_mm or 0.0)
        else:
            radius = float(np.mean(order.half_axes_mm))
        centre = points.mean(axis=0) + order.offset_mm
        found.append(
            Contraction(centre_mm=centre, radius_mm=radius, share=setup.motion.contraction)
        )
    return replace(motion, contractions=tuple(found))


def _needle(
    carved: Carved, centre_mm: np.ndarray, motion: TrueMotion, rng: np.random.Generator
) -> Needle:
    """From the right and the front, through the zone's middle and 5 mm beyond it."""
    middle = carved.centre_mm
    out = middle - motion.to_control(centre_mm[None])[0] + np.array((-40.0, -40.0, 0.0))
    out = out + rng.normal(0.0, 10.0, 3)
    out[2] *= 0.4
    out = out / np.linalg.norm(out)
    return Needle(entry_mm=middle + (SHAFT_MM - 5.0) * out, tip_mm=middle - 5.0 * out)


def _picture(
    known: Known,
    liver: Shape,
    carved: list[Carved],
    needles: tuple[Needle, ...],
    taken: tuple[Grid, TrueMotion, ControlSetup],
    rng: np.random.Generator,
) -> tuple[np.ndarray, Float[np.ndarray, "i j k"]]:
    """The control scan's values, and how much of each voxel is zone."""
    grid, motion, setup = taken
    fine, parts = paint_grid(grid)
    points = fine.to_mm(np.indices(fine.shape).reshape(3, -1).T)
    planning = motion.to_planning(points)
    hu = _carried(known.source, planning).reshape(fine.shape)
    hu = other_timing(hu, setup.looks)
    liver_mm = liver.field(planning).reshape(fine.shape)
    dead_mm = np.full(fine.shape, np.inf, np.float32)
    for zone, needle in zip(carved, needles, strict=True):
        zone_mm = _onto(zone, fine)
        paint_zone(hu, zone_mm, liver_mm, fine, setup.looks, rng)
        paint_gas(hu, zone_mm, needle, fine, setup.looks.gas, rng)
        np.minimum(dead_mm, zone_mm, out=dead_mm)
    if setup.looks.needle:
        for needle in needles:
            paint_needle(hu, needle, fine, rng)
    share = in_slices(share_inside(dead_mm, fine), parts)
    return scanned(hu, grid, parts, setup.looks, rng), share


def _carried(source: Volume, planning_mm: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n"]:
    """The source's values at points: soft tissue by cubic splines, air and bone by straight lines.

    Splines overshoot where gas or bone borders on tissue.
    """
    index = source.grid.to_index(planning_mm).T
    values = np.asarray(source.values, np.float32)
    soft = np.clip(values, -120.0, 300.0)
    hu = ndimage.map_coordinates(soft, index, order=3, mode="nearest", output=np.float32)
    if not np.array_equal(soft, values):
        hu += ndimage.map_coordinates(values - soft, index, order=1, mode="nearest")
    return hu


def _onto(zone: Carved, fine: Grid) -> Float[np.ndarray, "i j k"]:
    """A zone's field on the control scan's voxels; far from it the border's value or more."""
    index = zone.grid.to_index(fine.to_mm(np.indices(fine.shape).reshape(3, -1).T))
    last = np.array(zone.grid.shape) - 1
    within = ((index >= 0) & (index <= last)).all(axis=1)
    values = np.full(len(index), 1e3, np.float32)
    values[within] = ndimage.map_coordinates(zone.zone, index[within].T, order=1)
    return values.reshape(fine.shape)


def _mapped(
    liver: Shape, lesions: Mapping[int, Shape], grid: Grid, motion: TrueMotion
) -> tuple[LabelMap, Mask]:
    """Lesions and liver on the control scan's grid."""
    planning = motion.to_planning(grid.to_mm(np.indices(grid.shape).reshape(3, -1).T))
    labels = np.zeros(grid.shape, np.uint8)
    for number, shape in lesions.items():
        labels[(shape.field(planning) <= 0).reshape(grid.shape)] = number
    inside = liver.field(planning) <= 0
    return LabelMap(labels, grid), Mask(inside.reshape(grid.shape) | (labels > 0), grid)


def _landmarks(
    known: Known, carved: list[Carved], motion: TrueMotion, rng: np.random.Generator
) -> Float[np.ndarray, "n 3"]:
    """Points of the liver in the control scan, apart from each other and beside the zones."""
    region = known.liver.inside & (known.lesions.labels == 0)
    if known.vessels is not None and (known.vessels.inside & region).any():
        region = known.vessels.inside & region
    candidates = rng.permutation(np.argwhere(region))[:3000]
    points = motion.to_control(known.liver.grid.to_mm(candidates))
    chosen: list[np.ndarray] = []
    for point in points:
        if len(chosen) == LANDMARKS:
            break
        near_zone = any(zone.at(point[None], zone.zone)[0] < BESIDE_MM for zone in carved)
        if near_zone or any(np.linalg.norm(point - c) < APART_MM for c in chosen):
            continue
        chosen.append(point)
    return np.array(chosen).reshape(-1, 3)
