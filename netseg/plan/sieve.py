"""Which ways are allowed: the hard rules, one after the other, with a count of what each removed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.ndimage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Bool, Float, Integer

    from netseg.plan.access import AccessRules
    from netseg.plan.anatomy import Anatomy
    from netseg.plan.ways import Ways

ndimage: Any = scipy.ndimage  # scipy carries no types, and the guessed ones are wrong

BEHIND_SKIN_MM = 6.0  # from here on outwards the handle needs room
SKIN_MM = 4.0
GAP_MM, LAYER_MM = (
    5.0,
    4.0,
)  # layers are this thick and this far apart; thinner fat lies between muscles


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Allowed:
    """The ways that kept every rule.

    Attributes:
        ways: They themselves.
        fallen: How many ways each rule removed; every way is counted once, at its first breach.
        clearance_mm: Smallest distance of each way to each obstacle, by name.
    """

    ways: Ways
    fallen: Mapping[str, int]
    clearance_mm: Mapping[str, Float[np.ndarray, " n"]] = field(default_factory=dict)


def distance_maps(anatomy: Anatomy) -> dict[str, Float[np.ndarray, "i j k"]]:
    """Distance to the surface of each obstacle in mm, by name; obstacles without voxels left out."""
    half = anatomy.grid.spacing_mm[0] / 2
    return {
        name: ndimage.distance_transform_edt(~region, sampling=anatomy.grid.spacing_mm).astype(
            np.float32
        )
        - np.float32(half)
        for name, region in anatomy.obstacles.items()
        if region.any()
    }


def sift(
    ways: Ways,
    anatomy: Anatomy,
    maps: Mapping[str, Float[np.ndarray, "i j k"]],
    *,
    lesion_id: int,
    rules: AccessRules,
    longest_mm: float,
) -> Allowed:
    """Remove the ways a needle may not take.

    In this order: the scan must show the skin; length; posture; angle to the axial plane; the part
    from target to tip stays in the liver; soft tissue, in one layer (the wall); other lesions; each obstacle with the
    distance the rules demand (a vessel inside the lesion itself does not count); nothing large
    outside where the handle is.

    Args:
        ways: From the lesion to the skin.
        anatomy: What they meet.
        maps: Distances to its obstacles (`distance_maps`).
        lesion_id: The lesion they begin in, which they may of course touch.
        rules: The numbers.
        longest_mm: Usable length of the needle, from tip to skin.
    """
    fallen: dict[str, int] = {}

    def keep(ways: Ways, rule: str, allowed: Bool[np.ndarray, " n"]) -> Ways:
        removed = int(np.count_nonzero(~allowed))
        if removed:
            fallen[rule] = fallen.get(rule, 0) + removed
        return ways.select(allowed)

    ways = keep(ways, "skin not in the scan", ~ways.unseen)
    ways = keep(ways, "longer than the needle", ways.exit_mm - ways.at_mm[0] <= longest_mm)
    below = np.sin(np.deg2rad(rules.max_from_below_deg))
    ways = keep(ways, "from below the patient", ways.directions[:, 1] <= below)
    steep = np.sin(np.deg2rad(rules.max_axial_angle_deg))
    ways = keep(ways, "too steep", np.abs(ways.directions[:, 2]) <= steep)
    ways = keep(ways, "tip outside the liver", _tip_in_liver(ways, anatomy))
    soft = _way_through(ways, anatomy, anatomy.soft)
    ways = keep(ways, "too much soft tissue", soft <= rules.max_soft_tissue_mm)
    ways = keep(ways, "organ before the wall", _layers(ways, anatomy) <= 1)
    ways = keep(ways, "other lesion", _misses_others(ways, anatomy, lesion_id, rules.aiming_mm))
    own = anatomy.lesions == lesion_id
    clearance: dict[str, Float[np.ndarray, " n"]] = {}
    for name, distance in maps.items():
        found = ways.smallest(anatomy, distance, own if name == "liver vessels" else None)
        allowed = found >= rules.distance_for(name)
        ways = keep(ways, name, allowed)
        clearance = {n: c[allowed] for n, c in clearance.items()} | {name: found[allowed]}
    free = _room_outside(ways, anatomy, rules.handle_room_mm)
    clearance = {n: c[free] for n, c in clearance.items()}
    return Allowed(
        ways=keep(ways, "table or arm at the skin", free), fallen=fallen, clearance_mm=clearance
    )


def _tip_in_liver(ways: Ways, anatomy: Anatomy) -> Bool[np.ndarray, " n"]:
    """Whether every point from the target to the tip lies in the liver."""
    inside: Bool[np.ndarray, "n t"] = ways.lookup(anatomy, anatomy.liver, 0) > 0
    return np.all(inside[:, ways.at_mm <= 0], axis=1)


def _way_through(
    ways: Ways, anatomy: Anatomy, region: Bool[np.ndarray, "i j k"]
) -> Float[np.ndarray, " n"]:
    """Length of each needle inside a region, in mm."""
    inside = (ways.lookup(anatomy, region, 0) > 0) & ways.in_needle()
    return inside.sum(axis=1) * float(ways.at_mm[1] - ways.at_mm[0])


def _layers(ways: Ways, anatomy: Anatomy) -> Integer[np.ndarray, " n"]:
    """Number of separate layers of soft tissue on each way, liver and skin not counted.

    From the liver outwards a needle should meet one: the muscles of the wall. Two, with fat between
    them, mean an organ before the wall: stomach, bowel, heart.
    """
    step = float(ways.at_mm[1] - ways.at_mm[0])
    depth = ways.exit_mm[:, None] - ways.at_mm[None, :]
    soft = (ways.lookup(anatomy, anatomy.soft, 0) > 0) & (depth > SKIN_MM)
    gap, layer = (np.ones((1, round(mm / step) + 1), bool) for mm in (GAP_MM, LAYER_MM))
    apart = ndimage.binary_opening(ndimage.binary_closing(soft, gap), layer)
    return np.count_nonzero(np.diff(apart.astype(np.int8), axis=1, prepend=0) == 1, axis=1)


def _misses_others(
    ways: Ways, anatomy: Anatomy, lesion_id: int, aiming_mm: float
) -> Bool[np.ndarray, " n"]:
    """Whether a way keeps the aiming error (in whole voxels) from every other lesion."""
    others = (anatomy.lesions != lesion_id) & (anatomy.lesions != 0)
    if not others.any():
        return np.ones(len(ways.directions), np.bool_)
    reach = 2 * round(aiming_mm / anatomy.grid.spacing_mm[0]) + 1
    grown = ndimage.maximum_filter(others, reach) & (anatomy.lesions != lesion_id)
    return _way_through(ways, anatomy, grown) == 0


def _room_outside(ways: Ways, anatomy: Anatomy, room_mm: float) -> Bool[np.ndarray, " n"]:
    """Whether table and arms leave room behind the entry; beyond the scan they are not known."""
    out = np.arange(BEHIND_SKIN_MM, room_mm + 1.0)
    from_target = ways.exit_mm[:, None] + out[None, :]
    points = ways.target_mm + from_target[:, :, None] * ways.directions[:, None, :]
    index = np.rint(anatomy.grid.to_index(points)).astype(np.intp)
    known = np.all((index >= 0) & (index < anatomy.grid.shape), axis=2)
    i, j, k = np.moveaxis(np.where(known[:, :, None], index, 0), 2, 0)
    return ~(anatomy.clutter[i, j, k] & known).any(axis=1)
