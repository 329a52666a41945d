"""Straight lines through scattered points of metal: several needles may touch or cross."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

TRIES = 400  # pairs of points that a line is drawn through
NEAR_MM = 2.0  # points so near to a line are on it, at fine voxels
SHORTEST_MM = 18.0  # a line is no shorter
GAP_MM = 8.0  # and has no longer gap
FILLED = 0.6  # least share of its length with metal
WIDE = 0.75  # of the widest voxel edge, and 0.5 mm: root mean square distance from the line
MOST = 12  # lines looked for
ROUND_MM, ALONE = 5.0, 0.6  # so far around a needle there is at most this share of its own metal


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Line:
    """A straight piece.

    Attributes:
        through_mm: A point of it.
        way: Unit vector along it.
        first_mm: Where it begins, measured along `way` from the point.
        last_mm: Where it ends.
        off_line_mm: Root mean square distance of its points from it.
    """

    through_mm: Float[np.ndarray, "3"]
    way: Float[np.ndarray, "3"]
    first_mm: float
    last_mm: float
    off_line_mm: float

    def at(self, t_mm: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n 3"]:
        """Points along it."""
        return self.through_mm + np.asarray(t_mm)[:, None] * self.way


def lines_through(
    points_mm: Float[np.ndarray, "n 3"], weight: Float[np.ndarray, " n"], edge_mm: float
) -> list[Line]:
    """Straight, thin, long pieces among the points, the one with most points first.

    Each is found by drawing lines through random pairs (RANSAC; Fischler & Bolles 1981,
    doi:10.1145/358669.358692), fitted to its points by weighted least squares, and taken out.

    Args:
        points_mm: Where metal is.
        weight: How much, from 0 to 1.
        edge_mm: Widest voxel edge.

    Returns:
        The same lines for the same points, whenever it is asked.
    """
    rng = np.random.default_rng(0)
    near_mm = max(NEAR_MM, 0.9 * edge_mm)
    left = np.ones(len(points_mm), np.bool_)
    found: list[Line] = []
    for _ in range(MOST):
        if np.count_nonzero(left) < 5:
            break
        index = np.flatnonzero(left)
        on = _best(points_mm[index], near_mm, rng)
        if np.count_nonzero(on) < 5:
            break
        line, on = _fitted(points_mm[index], weight[index], on, near_mm)
        taken = index[on]
        left[taken] = False
        if line is None or _crowded(points_mm, line, near_mm, len(taken)):
            continue
        if _is_needle(line, points_mm[taken], edge_mm):
            left[_beside(points_mm, line, 1.5 * near_mm)] = False  # its own bloom
            found.append(line)
    return found


def _best(
    points: Float[np.ndarray, "n 3"], near_mm: float, rng: np.random.Generator
) -> Bool[np.ndarray, " n"]:
    """The points on the line, through two of them, that has most points near without a gap."""
    best = np.zeros(len(points), np.bool_)
    for a, b in rng.integers(0, len(points), (TRIES, 2)):
        way = points[b] - points[a]
        length = float(np.linalg.norm(way))
        if length < SHORTEST_MM / 2:
            continue
        on = _distance(points, points[a], way / length) <= near_mm
        if np.count_nonzero(on) > np.count_nonzero(best):
            on = _without_gaps(points, on, points[a], way / length)
            if np.count_nonzero(on) > np.count_nonzero(best):
                best = on
    return best


def _fitted(
    points: Float[np.ndarray, "n 3"],
    weight: Float[np.ndarray, " n"],
    on: Bool[np.ndarray, " n"],
    near_mm: float,
) -> tuple[Line | None, Bool[np.ndarray, " n"]]:
    """The weighted least squares line, its points chosen anew three times."""
    line = None
    for _ in range(3):
        own, w = points[on], weight[on]
        middle = np.average(own, axis=0, weights=w)
        _, _, axes = np.linalg.svd((own - middle) * np.sqrt(w)[:, None], full_matrices=False)
        way = axes[0]
        t = (own - middle) @ way
        off = _distance(own, middle, way)
        line = Line(
            through_mm=middle,
            way=way,
            first_mm=float(t.min()),
            last_mm=float(t.max()),
            off_line_mm=float(np.sqrt(np.average(off**2, weights=w))),
        )
        again = _without_gaps(points, _distance(points, middle, way) <= near_mm, middle, way)
        if np.count_nonzero(again) < 5:
            break
        on = again
    return line, on


def _crowded(points: Float[np.ndarray, "n 3"], line: Line, near_mm: float, own: int) -> bool:
    """Whether other metal lies all around a line: it was drawn through something thick."""
    around = np.count_nonzero(_beside(points, line, near_mm + ROUND_MM))
    inside = np.count_nonzero(_beside(points, line, 1.5 * near_mm))
    return bool(around - inside > ALONE * own)


def _is_needle(line: Line, own: Float[np.ndarray, "n 3"], edge_mm: float) -> bool:
    """Whether a line's points are thin, long and without holes."""
    length = line.last_mm - line.first_mm
    if length < SHORTEST_MM or line.off_line_mm > max(0.5 + WIDE, WIDE * edge_mm + 0.5):
        return False
    t = (own - line.through_mm) @ line.way
    bins = max(1, int(length / max(2.0, edge_mm)))
    filled = np.histogram(t, bins=bins, range=(line.first_mm, line.last_mm))[0] > 0
    return bool(filled.mean() >= FILLED)


def _without_gaps(
    points: Float[np.ndarray, "n 3"],
    on: Bool[np.ndarray, " n"],
    through: Float[np.ndarray, "3"],
    way: Float[np.ndarray, "3"],
) -> Bool[np.ndarray, " n"]:
    """Of the points on a line, the run with most points that no long gap breaks."""
    index = np.flatnonzero(on)
    if not index.size:
        return on
    t = (points[index] - through) @ way
    order = np.argsort(t, kind="stable")
    run = np.concatenate(([0], np.cumsum(np.diff(t[order]) > GAP_MM)))
    longest = int(np.bincount(run).argmax())
    kept = np.zeros_like(on)
    kept[index[order[run == longest]]] = True
    return kept


def _beside(points: Float[np.ndarray, "n 3"], line: Line, within_mm: float) -> np.ndarray:
    t = (points - line.through_mm) @ line.way
    along = (t > line.first_mm - within_mm) & (t < line.last_mm + within_mm)
    return along & (_distance(points, line.through_mm, line.way) <= within_mm)


def _distance(
    points: Float[np.ndarray, "n 3"], through: Float[np.ndarray, "3"], way: Float[np.ndarray, "3"]
) -> Float[np.ndarray, " n"]:
    between = points - through
    return np.linalg.norm(between - (between @ way)[:, None] * way, axis=1)
