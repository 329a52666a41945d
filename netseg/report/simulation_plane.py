"""Where a simulated ablation is cut for its pictures: along its needles, within its grid."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from netseg.report.plane import Plane

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float

    from netseg.domain import Grid, Probe

MARGIN_MM = 30.0  # tissue shown around the active parts
PIXELS = 220  # along the longer edge of a picture


def needle_plane(probes: Sequence[Probe], grid: Grid) -> Plane:
    """The plane along the first needle that comes closest to the others, tip down.

    It shows all active parts with some tissue around them, and nothing beyond the grid.
    """
    along = np.array(probes[0].direction)
    tips = np.array([p.tip_mm.as_array() for p in probes])
    ends = tips + np.array([np.array(p.direction) * p.active_length_mm for p in probes])
    right = _sideways(along, (tips + ends) / 2)
    points, down = np.concatenate((tips, ends)), -along
    origin = points[0]
    seen = np.stack(((points - origin) @ right, (points - origin) @ down), axis=1)
    low, high = seen.min(0) - MARGIN_MM, seen.max(0) + MARGIN_MM
    corners = grid.corners_mm() - origin
    reach = np.stack((corners @ right, corners @ down), axis=1)
    low, high = np.maximum(low, reach.min(0)), np.minimum(high, reach.max(0))
    middle = (low + high) / 2
    width, height = np.maximum(high - low, 2 * max(grid.spacing_mm))
    return trimmed(
        Plane(
            name="along the needle" if len(probes) == 1 else f"along needle {probes[0].id}",
            centre_mm=origin + middle[0] * right + middle[1] * down,
            right=right,
            down=down,
            width_mm=float(width),
            height_mm=float(height),
        ),
        grid,
    )


def trimmed(plane: Plane, grid: Grid) -> Plane:
    """The plane without the rows and columns that lie wholly beyond the grid."""
    points = plane.points_mm(max(grid.spacing_mm))
    rows, columns = points.shape[:2]
    index = grid.to_index(points.reshape(-1, 3)).reshape(points.shape)
    inside = ((index >= -0.5) & (index <= np.array(grid.shape) - 0.5)).all(axis=-1)
    tall, wide = np.flatnonzero(inside.any(axis=-1)), np.flatnonzero(inside.any(axis=0))
    if tall.size == 0:
        return plane
    down_mm, right_mm = plane.height_mm / rows, plane.width_mm / columns
    shift = (
        0.5 * (wide[0] + wide[-1] + 1 - columns) * right_mm * plane.right
        + 0.5 * (tall[0] + tall[-1] + 1 - rows) * down_mm * plane.down
    )
    return replace(
        plane,
        centre_mm=plane.centre_mm + shift,
        width_mm=float((wide[-1] - wide[0] + 1) * right_mm),
        height_mm=float((tall[-1] - tall[0] + 1) * down_mm),
    )


def _sideways(
    along: Float[np.ndarray, "3"], middles: Float[np.ndarray, "n 3"]
) -> Float[np.ndarray, "3"]:
    """Unit vector across a needle: towards the farthest other one, else towards the patient's left."""
    away = middles - middles[0]
    away -= (away @ along)[:, None] * along
    distance = np.linalg.norm(away, axis=1)
    if distance.max() < 1.0:
        axis = np.eye(3)[0] if abs(along[0]) < 0.9 else np.eye(3)[1]
        side = axis - (axis @ along) * along
    else:
        side = away[int(distance.argmax())]
    return side / np.linalg.norm(side)


def pixel_mm(plane: Plane) -> float:
    """Pixel size that gives pictures of one resolution."""
    return max(plane.width_mm, plane.height_mm) / PIXELS


def other_planes(plane: Plane, probe: Probe, grid: Grid) -> tuple[Plane, Plane]:
    """Two planes at right angles to the first: along the needle too, and across its active part.

    Args:
        plane: What `needle_plane` gave.
        probe: The first needle.
        grid: What they must not leave.
    """
    tip, along = probe.tip_mm.as_array(), np.array(probe.direction)
    middle = tip + 0.5 * probe.active_length_mm * along
    across = np.cross(plane.right, plane.down)
    down_mm = float((plane.centre_mm - middle) @ plane.down)
    right_mm = float((plane.centre_mm - middle) @ plane.right)
    size = max(plane.width_mm, 2 * MARGIN_MM)
    turned = replace(
        plane, name="the same, turned by 90°", right=across, width_mm=size,
        centre_mm=middle + down_mm * plane.down,
    )  # fmt: skip
    cross = Plane(
        name="across the middle of its active part",
        centre_mm=middle + right_mm * plane.right,
        right=plane.right,
        down=across,
        width_mm=plane.width_mm,
        height_mm=size,
    )
    return trimmed(turned, grid), trimmed(cross, grid)
