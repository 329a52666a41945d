"""Lesions and look-alikes on the voxels of a patch: where they lie and of what shape they are."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from netseg.phantom.separable import cloud
from netseg.phantom.tumour_prior import Mimic, Order, TumourPrior

if TYPE_CHECKING:
    from netseg.phantom.chance import Chance

Box = tuple[slice, slice, slice]
TRIES = 5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Growth:
    """A body on the patch.

    Attributes:
        order: What was ordered.
        number: Its number: lesions 1 ... n, look-alikes from -1 down.
        box: The voxels around it.
        depth_mm: About how deep each voxel of the box lies inside; negative outside.
        inside: Its own voxels in the box.
        soft: Its share of each voxel of the box, one half at the surface.
        bumps: Inner unevenness of unit variance.
        radius_mm: Mean half axis.
    """

    order: Order
    number: int
    box: Box
    depth_mm: torch.Tensor
    inside: torch.Tensor
    soft: torch.Tensor
    bumps: torch.Tensor
    radius_mm: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ground:
    """Where bodies may grow.

    Attributes:
        liver: The liver, bool (i, j, k).
        spacing_mm: Voxel edge.
        places: Its voxels, (n, 3) on the CPU.
        rim: Those near its surface, (m, 3) on the CPU.
        dome: Those below its upper surface, (m, 3) on the CPU.
    """

    liver: torch.Tensor
    spacing_mm: float
    places: torch.Tensor
    rim: torch.Tensor
    dome: torch.Tensor

    @property
    def liver_ml(self) -> float:
        """Volume of the liver seen."""
        return len(self.places) * self.spacing_mm**3 / 1000.0


def survey(liver: torch.Tensor, spacing_mm: float) -> Ground:
    """Look over a liver once for all its lesions."""
    reach = max(1, round(5.0 / spacing_mm))
    core = liver.clone()
    for axis in range(3):
        for shift in (reach, -reach):
            core &= torch.roll(liver, shift, dims=axis) | _wrapped(liver, shift, axis)
    high = max(1, round(14.0 / spacing_mm))
    above = torch.zeros_like(liver)
    above[..., :-high] = liver[..., high:]
    above[..., -high:] = True  # the patch ends there, not the liver
    return Ground(
        liver=liver,
        spacing_mm=spacing_mm,
        places=liver.nonzero().cpu(),
        rim=(liver & ~core).nonzero().cpu(),
        dome=(liver & ~above).nonzero().cpu(),
    )


def _wrapped(liver: torch.Tensor, shift: int, axis: int) -> torch.Tensor:
    """Voxels whose neighbour came from the other end of the array, counted as liver."""
    at = torch.arange(liver.shape[axis], device=liver.device)
    outside = at < shift if shift > 0 else at >= liver.shape[axis] + shift
    size = [1, 1, 1]
    size[axis] = -1
    return outside.view(size)


def grow_all(
    ground: Ground, orders: list[Order], prior: TumourPrior, chance: Chance, *, gap_mm: float = 3.0
) -> tuple[list[Growth], torch.Tensor]:
    """Give every order a place; those without room are left out.

    Args:
        ground: The liver.
        orders: In descending size; look-alikes after the lesions.
        prior: Shares at the capsule and under the dome.
        chance: Source of chance.
        gap_mm: Liver that stays between two bodies that do not touch.

    Returns:
        The bodies and the map of their numbers, int16 (i, j, k).
    """
    numbers = torch.zeros(ground.liver.shape, dtype=torch.int16, device=ground.liver.device)
    grown: list[Growth] = []
    if not len(ground.places):
        return grown, numbers
    anchor = ground.places[chance.whole(0, len(ground.places) - 1)]
    bed = _Bed(ground=ground, prior=prior, anchor=anchor, gap_mm=gap_mm, numbers=numbers, taken=[])
    lesions = mimics = 0
    for order in orders:
        mimic = isinstance(order.kind, Mimic)
        body = bed.grow(order, -(mimics + 1) if mimic else lesions + 1, chance)
        if body is None:
            continue
        grown.append(body)
        lesions, mimics = lesions + (not mimic), mimics + mimic
    return grown, numbers


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Bed:
    """A liver with the bodies that stand in it already; `numbers` and `taken` grow with them."""

    ground: Ground
    prior: TumourPrior
    anchor: torch.Tensor
    gap_mm: float
    numbers: torch.Tensor
    taken: list[tuple[torch.Tensor, float]]

    def grow(self, order: Order, number: int, chance: Chance) -> Growth | None:
        """A body away from the others and mostly inside the liver; None after some tries."""
        touching = chance.coin(self.prior.touching)
        for attempt in range(TRIES):
            centre, edge = _place(self.ground, order, self.anchor, self.prior, chance)
            shrunk = 0.8**attempt if attempt > 2 else 1.0
            smaller = replace(order, diameter_mm=order.diameter_mm * shrunk)
            radius_mm = 0.5 * smaller.diameter_mm
            if not self._free(centre, radius_mm, touching=touching):
                continue
            body = _body(self.ground, smaller, number, (centre, radius_mm), chance)
            unclaimed = self.numbers[body.box] == 0
            kept = body.inside & unclaimed
            whole, left = int((body.depth_mm > 0).sum()), int(kept.sum())
            if left == 0 or left < (0.35 if edge else 0.55) * whole:
                continue
            self.numbers[body.box][kept] = number
            self.taken.append((centre, radius_mm))
            return replace(body, inside=kept, soft=body.soft * unclaimed)
        return None

    def _free(self, centre: torch.Tensor, radius_mm: float, *, touching: bool) -> bool:
        for other, other_mm in self.taken:
            away_mm = float((centre - other).norm()) * self.ground.spacing_mm
            overlap_mm = 0.3 * min(other_mm, radius_mm) if touching else -self.gap_mm
            if away_mm < radius_mm + other_mm - overlap_mm:
                return False
        return True


def _place(
    ground: Ground, order: Order, anchor: torch.Tensor, prior: TumourPrior, chance: Chance
) -> tuple[torch.Tensor, bool]:
    """A centre in voxels and whether it lies at the surface on purpose."""
    large = order.diameter_mm > 25.0 and not isinstance(order.kind, Mimic)
    at_dome = large and len(ground.dome) > 0 and chance.coin(prior.dome)
    wanted = prior.capsule if order.kind is not Mimic.PERFUSION else 1.0
    at_rim = not at_dome and len(ground.rim) > 0 and chance.coin(wanted)
    places = ground.dome if at_dome else ground.rim if at_rim else ground.places
    if order.near:
        close = (places - anchor).float().norm(dim=1) * ground.spacing_mm < 45.0
        places = places[close] if bool(close.any()) else places
    spot = places[chance.whole(0, len(places) - 1)].float()
    return spot + chance.several(3) - 0.5, at_dome or at_rim


def _body(
    ground: Ground, order: Order, number: int, where: tuple[torch.Tensor, float], chance: Chance
) -> Growth:
    centre, radius_mm = where
    h = ground.spacing_mm
    tube = order.kind is Mimic.VESSEL
    length_mm = chance.uniform(8.0, 26.0) if tube else 0.0
    edge_mm = _edge_mm(order, radius_mm, chance)
    box = _box(
        centre, (1.25 * radius_mm + 0.5 * length_mm + 3.0 * edge_mm) / h + 1, ground.liver.shape
    )
    device = ground.liver.device
    axes = [
        (torch.arange(s.start, s.stop, dtype=torch.float32, device=device) - float(c)) * h
        for s, c in zip(box, centre, strict=True)
    ]
    turn = _turn(chance)
    size = tuple(s.stop - s.start for s in box)
    uneven = cloud(size, max(2.0, chance.uniform(0.7, 1.3) * radius_mm / h), chance)
    if tube:
        depth, mean_mm = _tube(axes, turn, radius_mm, length_mm), radius_mm
    else:
        depth, mean_mm = _blob(axes, turn, (order, radius_mm), uneven, chance)
    soft = torch.sigmoid(depth * (2.0 / edge_mm))
    liver = ground.liver[box]
    soft = soft * liver
    bumps = cloud(size, max(2.0, 0.45 * radius_mm / h), chance)
    inside = (depth > 0) & liver
    return Growth(order=order, number=number, box=box, depth_mm=depth, inside=inside, soft=soft, bumps=bumps, radius_mm=mean_mm)  # fmt: skip


def _edge_mm(order: Order, radius_mm: float, chance: Chance) -> float:
    """Width over which the body fades into the liver."""
    if order.kind in (Mimic.FOCAL_FAT, Mimic.PERFUSION):
        return chance.uniform(0.25, 0.6) * radius_mm
    if isinstance(order.kind, Mimic):
        return chance.uniform(0.3, 0.7)
    return chance.uniform(0.4, 0.6 + min(2.0, 0.12 * radius_mm))


def _blob(
    axes: list[torch.Tensor],
    turn: torch.Tensor,
    what: tuple[Order, float],
    uneven: torch.Tensor,
    chance: Chance,
) -> tuple[torch.Tensor, float]:
    order, radius_mm = what
    smooth = order.kind in (Mimic.CYST, Mimic.PET_SPOT)
    flat = 0.45 if order.kind in (Mimic.FOCAL_FAT, Mimic.PERFUSION) else 0.62
    short, middle = sorted(
        (chance.uniform(0.85 if smooth else flat, 1.0), chance.uniform(0.75, 1.0))
    )
    half = (radius_mm, radius_mm * middle, radius_mm * short)
    square = torch.zeros((), device=uneven.device)
    for row, semi in zip(turn.tolist(), half, strict=True):
        along = (
            axes[0][:, None, None] * row[0]
            + axes[1][None, :, None] * row[1]
            + axes[2][None, None, :] * row[2]
        )
        square = square + (along / semi) ** 2
    mean_mm = radius_mm * (middle * short) ** (1 / 3)
    bulge = 0.02 if smooth else chance.uniform(0.03, 0.14)
    return mean_mm * (1.0 + bulge * uneven.clamp(-2, 2) - square.sqrt()), mean_mm


def _tube(
    axes: list[torch.Tensor], turn: torch.Tensor, radius_mm: float, length_mm: float
) -> torch.Tensor:
    d = turn[0].tolist()
    x, y, z = axes[0][:, None, None], axes[1][None, :, None], axes[2][None, None, :]
    along = (x * d[0] + y * d[1] + z * d[2]).clamp(-0.5 * length_mm, 0.5 * length_mm)
    away = (x - along * d[0]) ** 2 + (y - along * d[1]) ** 2 + (z - along * d[2]) ** 2
    return radius_mm - away.sqrt()


def _turn(chance: Chance) -> torch.Tensor:
    """A random rotation as a 3 x 3 matrix, from a quaternion."""
    w, x, y, z = (chance.normal() for _ in range(4))
    n = math.sqrt(w * w + x * x + y * y + z * z) or 1.0
    w, x, y, z = w / n, x / n, y / n, z / n
    return torch.tensor(
        (
            (1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)),
            (2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)),
            (2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)),
        )
    )


def _box(centre: torch.Tensor, reach: float, shape: torch.Size) -> Box:
    low = [max(0, int(c - reach)) for c in centre.tolist()]
    high = [min(n, int(c + reach) + 2) for c, n in zip(centre.tolist(), shape, strict=True)]
    i, j, k = (slice(a, b) for a, b in zip(low, high, strict=True))
    return i, j, k
