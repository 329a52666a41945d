"""One needle to one lesion: the best of all straight ways."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.ndimage

from netseg.domain import PointMm, Probe, Unplanned
from netseg.plan.preference import weigh
from netseg.plan.sieve import sift
from netseg.plan.ways import sphere_directions, ways_from
from netseg.plan.words import no_way, reasons

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Float

    from netseg.domain import Lesion
    from netseg.plan.access import AccessRules
    from netseg.plan.anatomy import Anatomy

ndimage: Any = scipy.ndimage  # scipy carries no types, and the guessed ones are wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class Needle:
    """The probe's geometry.

    Attributes:
        device: Name of the device file.
        length_mm: Usable length from tip to skin.
        active_length_mm: Length of the part that heats, back from the tip.
    """

    device: str
    length_mm: float
    active_length_mm: float

    def __post_init__(self) -> None:
        """Keep the needle longer than its active part."""
        if not 0 < self.active_length_mm < self.length_mm:
            raise ValueError(
                f"active_length_mm must lie in (0, {self.length_mm}), the needle's length; "
                f"got {self.active_length_mm}."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """A needle that reaches its lesion.

    Attributes:
        probe: Where it lies.
        clearance_mm: Its distance to each obstacle, by name.
        why: What speaks for it.
    """

    probe: Probe
    clearance_mm: Mapping[str, float]
    why: tuple[str, ...]


def reach(
    lesion: Lesion,
    probe_id: str,
    anatomy: Anatomy,
    maps: Mapping[str, Float[np.ndarray, "i j k"]],
    *,
    needle: Needle,
    rules: AccessRules,
) -> Access | Unplanned:
    """The best allowed way to a lesion, with the active part's middle on its centre.

    Args:
        lesion: As measured; its number is that of `anatomy.lesions`.
        probe_id: Name of the needle in plan and report.
        anatomy: What lies on the ways.
        maps: Distances to its obstacles (`netseg.plan.sieve.distance_maps`).
        needle: The probe.
        rules: What a way must keep.
    """
    target = target_of(lesion, anatomy)
    if target is None:
        return Unplanned(lesion_id=lesion.id, why="the lesion lies outside the planning CT.")
    beyond_mm = needle.active_length_mm / 2
    ways = ways_from(
        anatomy,
        target,
        directions=sphere_directions(rules.directions),
        tip_mm=beyond_mm,
        reach_mm=needle.length_mm,
        step_mm=rules.step_mm,
    )
    allowed = sift(
        ways, anatomy, maps, lesion_id=lesion.id, rules=rules, longest_mm=needle.length_mm
    )
    if not len(allowed.ways.directions):
        why = no_way(allowed.fallen, rules.directions)
        return Unplanned(lesion_id=lesion.id, why=why, fallen=allowed.fallen)
    merits = weigh(allowed, anatomy, rules, lesion.id)
    best = int(np.argmin(merits.cost(rules, needle.length_mm)))
    towards_skin = allowed.ways.directions[best]
    probe = Probe(
        id=probe_id,
        device=needle.device,
        entry_mm=PointMm.of(target + allowed.ways.exit_mm[best] * towards_skin),
        tip_mm=PointMm.of(target - beyond_mm * towards_skin),
        active_length_mm=needle.active_length_mm,
    )
    return Access(
        probe=probe,
        clearance_mm={name: float(c[best]) for name, c in allowed.clearance_mm.items()},
        why=reasons(merits, best, allowed, rules),
    )


def target_of(lesion: Lesion, anatomy: Anatomy) -> Float[np.ndarray, 3] | None:
    """Where the probe's active centre belongs (LPS): centre of mass, else the deepest point.

    None where the planning CT does not show the lesion.
    """
    own = anatomy.lesions == lesion.id
    if not own.any():
        return None
    centre = lesion.centroid_mm.as_array()
    index = np.rint(anatomy.grid.to_index(centre)).astype(int)
    if np.all((index >= 0) & (index < own.shape)) and own[tuple(index)]:
        return centre
    (box,) = ndimage.find_objects(own.astype(np.uint8))
    depth = ndimage.distance_transform_edt(np.pad(own[box], 1))[1:-1, 1:-1, 1:-1]
    deepest = np.array(np.unravel_index(np.argmax(depth), depth.shape))
    return anatomy.grid.to_mm(deepest + [s.start for s in box])
