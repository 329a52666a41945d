"""Which lesion of one date is which of the next.

Two lesions are taken as one when their centres lie close enough after alignment. Close is judged in
millimetres against a gate, widened by the difference of their radii: a lesion that grows to one side
moves its centre by as much. Unlike sizes count a little against a pair. Over all pairs the assignment
with the smallest sum wins (Hungarian method), leaving a lesion alone costing as much as a pair of one
size at the gate. What is left
alone and lies within a matched lesion's outline is a part of it: a lesion that split, or several that
merged.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial import KDTree

from netseg.domain.comparison import Fate, LesionGroup
from netseg.findings.region import regions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float

    from netseg.domain import Grid, LabelMap
    from netseg.domain.comparison import Alignment

SIZE = (
    0.25  # of the gate, per e-fold of radius: a ball of 13 mm is rather not one of 2 mm beside it
)
PART = 0.5  # share of a lesion within another's outline that makes it a part of it


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Body:
    """A lesion as voxel centres in the second date's frame; `steps_mm` are the voxels' edges."""

    id: int
    points_mm: Float[np.ndarray, "n 3"]
    steps_mm: Float[np.ndarray, "3 3"]
    volume_ml: float
    imaged: bool

    @property
    def centre_mm(self) -> Float[np.ndarray, "3"]:
        return self.points_mm.mean(axis=0)

    @property
    def radius_mm(self) -> float:
        """Of the ball of its volume."""
        return float(np.cbrt(3000.0 * self.volume_ml / (4 * np.pi)))


def match_lesions(
    first: LabelMap, second: LabelMap, alignment: Alignment, *, gate_mm: float
) -> tuple[LesionGroup, ...]:
    """Find every lesion of the first date on the second.

    Args:
        first: Lesions of the first date.
        second: Lesions of the second date, on any grid.
        alignment: Brings the first date's places to the second's.
        gate_mm: Two lesions of one size whose centres lie farther apart are not the same.

    Returns:
        Every lesion in exactly one group: those of the first date in the order of their numbers,
        then the new ones. A lesion whose place lies mostly outside the other date's image is
        `NOT_IMAGED`, which is neither gone nor new.

    Raises:
        ValueError: If the gate is not a positive number.
    """
    if not (np.isfinite(gate_mm) and gate_mm > 0):
        raise ValueError(f"gate_mm must be a positive number; got {gate_mm}.")
    before = [_body(r.id, np.concatenate(list(r.points_mm())), first.grid) for r in regions(first)]
    before = [_moved(b, alignment, second.grid) for b in before]
    after = [_body(r.id, np.concatenate(list(r.points_mm())), second.grid) for r in regions(second)]
    after = [replace(b, imaged=_within(alignment.to_first(b.points_mm), first.grid)) for b in after]
    slack_mm = alignment.residual_mm or 0.0
    groups = _grown(_pairs(before, after, gate_mm), before, after, slack_mm)
    return tuple(_described(one, before, after) for one in groups)


def _body(number: int, points_mm: np.ndarray, grid: Grid) -> _Body:
    return _Body(
        id=number,
        points_mm=points_mm,
        steps_mm=grid.affine_lps[:3, :3],
        volume_ml=len(points_mm) * grid.voxel_volume_ml,
        imaged=True,
    )


def _moved(body: _Body, alignment: Alignment, on: Grid) -> _Body:
    points_mm = alignment.to_second(body.points_mm)
    steps_mm = alignment.matrix[:3, :3] @ body.steps_mm
    return replace(body, points_mm=points_mm, steps_mm=steps_mm, imaged=_within(points_mm, on))


def _within(points_mm: np.ndarray, grid: Grid) -> bool:
    """Whether at least half of the points lie in the field of view."""
    index = grid.to_index(points_mm)
    inside = ((index >= -0.5) & (index <= np.array(grid.shape) - 0.5)).all(axis=1)
    return bool(inside.mean() >= 0.5)


def _pairs(
    before: Sequence[_Body], after: Sequence[_Body], gate_mm: float
) -> list[tuple[set[int], set[int]]]:
    """One group per lesion or pair, as places in the two lists."""
    cost = np.ones((len(before), len(after)))
    for i, one in enumerate(before):
        for j, other in enumerate(after):
            cost[i, j] = _unlikeness(one, other, gate_mm)
    rows, columns = linear_sum_assignment(np.minimum(cost, 1.0))  # 1 = as well left alone
    pairs = [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if cost[i, j] < 1.0]
    groups = [({i}, {j}) for i, j in pairs]
    groups += [({i}, set[int]()) for i in range(len(before)) if i not in {a for a, _ in pairs}]
    groups += [(set[int](), {j}) for j in range(len(after)) if j not in {b for _, b in pairs}]
    return groups


def _unlikeness(one: _Body, other: _Body, gate_mm: float) -> float:
    """0 for the same ball at the same place; 1 and more for what is rather two lesions than one."""
    apart_mm = float(np.linalg.norm(one.centre_mm - other.centre_mm))
    place = apart_mm / (gate_mm + abs(one.radius_mm - other.radius_mm))
    return place + SIZE * abs(float(np.log(one.radius_mm / other.radius_mm)))


def _grown(
    groups: list[tuple[set[int], set[int]]],
    before: Sequence[_Body],
    after: Sequence[_Body],
    slack_mm: float,
) -> list[tuple[set[int], set[int]]]:
    """The groups with what was left alone joined to the pair in whose outline it lies."""
    pairs = [g for g in groups if g[0] and g[1]]
    alone = [g for g in groups if not (g[0] and g[1])]
    kept = []
    for one in alone:
        new = bool(one[1])
        body = after[min(one[1])] if new else before[min(one[0])]
        hosts = [[(before if new else after)[n] for n in pair[0 if new else 1]] for pair in pairs]
        shares = [max(_share_within(body, host, slack_mm) for host in pair) for pair in hosts]
        if shares and max(shares) >= PART:
            pairs[int(np.argmax(shares))][1 if new else 0].update(one[1] if new else one[0])
        else:
            kept.append(one)
    joined = pairs + kept
    return sorted(joined, key=lambda g: (min(g[0], default=len(before)), min(g[1], default=0)))


def _share_within(body: _Body, host: _Body, slack_mm: float) -> float:
    """Share of a body's points within another's voxels, each box grown by `slack_mm`."""
    edges_mm = np.linalg.norm(host.steps_mm, axis=0)
    to_boxes = np.linalg.inv(host.steps_mm / edges_mm) / (edges_mm / 2 + slack_mm)[:, None]
    boxes = KDTree(host.points_mm @ to_boxes.T)
    way, _ = boxes.query(body.points_mm @ to_boxes.T, p=np.inf, distance_upper_bound=1 + 1e-6)
    return float(np.isfinite(way).mean())


def _described(
    group: tuple[set[int], set[int]], before: Sequence[_Body], after: Sequence[_Body]
) -> LesionGroup:
    first = [before[i] for i in sorted(group[0])]
    second = [after[j] for j in sorted(group[1])]
    was, is_now = tuple(b.id for b in first), tuple(b.id for b in second)
    if not (first and second):
        alone = (first or second)[0]
        fate = (Fate.GONE if first else Fate.NEW) if alone.imaged else Fate.NOT_IMAGED
        return LesionGroup(fate=fate, first=was, second=is_now)
    fates = {
        (False, False): Fate.MATCHED,
        (False, True): Fate.SPLIT,
        (True, False): Fate.MERGED,
        (True, True): Fate.REGROUPED,
    }
    one, other = _united(first), _united(second)
    small, large = sorted((one, other), key=lambda b: b.volume_ml)
    return LesionGroup(
        fate=fates[len(first) > 1, len(second) > 1],
        first=was,
        second=is_now,
        distance_mm=float(np.linalg.norm(one.centre_mm - other.centre_mm)),
        overlap=_share_within(small, large, 0.0),
    )


def _united(bodies: Sequence[_Body]) -> _Body:
    return replace(
        bodies[0],
        points_mm=np.concatenate([b.points_mm for b in bodies]),
        volume_ml=sum(b.volume_ml for b in bodies),
    )
