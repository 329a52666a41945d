"""Where a margin is too small, in the words of an operating theatre.

In LPS, +x is the patient's left, +y dorsal, +z cranial.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse  # pyright: ignore[reportMissingTypeStubs]
import scipy.sparse.csgraph  # pyright: ignore[reportMissingTypeStubs]
import scipy.spatial  # pyright: ignore[reportMissingTypeStubs]

from netseg.domain.margin import Spot, SurfaceMap
from netseg.verify import shares

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from netseg.verify.lesion import SurfaceMargins

sparse: Any = scipy.sparse  # scipy carries no types
csgraph: Any = scipy.sparse.csgraph
spatial: Any = scipy.spatial

WAYS = (("left", "right"), ("dorsal", "ventral"), ("cranial", "caudal"))  # +, - of x, y, z
NAMED_FROM = 0.38  # direction cosine (68 degrees) up to which a way is named
NOWHERE = 0.3  # a patch whose directions average to less lies all around
MAP_STEP_DEG = 10.0
MAP_POINTS = 3  # of the surface that a cell of the map averages


def direction_words(towards: Float[np.ndarray, " 3"]) -> str:
    """A direction in words, the strongest part first: "cranial and left".

    Args:
        towards: Any length, LPS.
    """
    length = float(np.linalg.norm(towards))
    if length == 0:
        return "central"
    unit = towards / length
    named = [(abs(u), ways[0 if u > 0 else 1]) for u, ways in zip(unit, WAYS, strict=True)]
    strong = [name for size, name in sorted(named, reverse=True) if size >= NAMED_FROM]
    return " and ".join([", ".join(strong[:-1]), strong[-1]] if len(strong) > 1 else strong)


def thinnest(margins: SurfaceMargins) -> Spot:
    """Where the margin is smallest."""
    at = int(np.argmin(margins.to_viable_mm))
    return Spot(
        at_mm=_rounded(margins.points_mm[at]),
        direction=direction_words(margins.points_mm[at] - margins.centre_mm),
        margin_mm=shares.rounded_mm(margins.to_viable_mm[at]),
    )


def largest_patch(margins: SurfaceMargins, below_mm: float) -> Spot | None:
    """The largest connected piece of the surface whose margin is below a cut-off.

    Args:
        margins: Of one lesion.
        below_mm: The cut-off.

    Returns:
        Its area, its smallest margin and the point of it nearest to its middle; None if the whole
        surface keeps the cut-off.
    """
    low = np.round(margins.to_viable_mm, shares.DIGITS) < below_mm
    if not low.any():
        return None
    members = _largest(low, margins.triangles, margins.area_mm2)
    area = margins.area_mm2[members]
    points = margins.points_mm[members]
    middle = np.average(points, axis=0, weights=np.maximum(area, 1e-12))
    at = points[int(np.argmin(np.linalg.norm(points - middle, axis=1)))]
    away = points - margins.centre_mm
    away /= np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-9)
    mean = np.average(away, axis=0, weights=np.maximum(area, 1e-12))
    everywhere = float(np.linalg.norm(mean)) < NOWHERE
    return Spot(
        at_mm=_rounded(at),
        direction="all around" if everywhere else direction_words(mean),
        margin_mm=shares.rounded_mm(margins.to_viable_mm[members].min()),
        area_cm2=round(float(area.sum()) / 100, 3),
    )


def surface_map(margins: SurfaceMargins) -> SurfaceMap:
    """The margin in every direction from the lesion's centre, for a map such as Mollweide's.

    Every cell of 10 degrees takes the mean of the three points of the surface that lie nearest to
    its direction.
    """
    longitude = np.arange(-180 + MAP_STEP_DEG / 2, 180, MAP_STEP_DEG)
    latitude = np.arange(90 - MAP_STEP_DEG / 2, -90, -MAP_STEP_DEG)
    lon, lat = np.meshgrid(np.radians(longitude), np.radians(latitude))
    ways = np.stack([np.cos(lat) * np.sin(lon), -np.cos(lat) * np.cos(lon), np.sin(lat)], axis=-1)
    away = margins.points_mm - margins.centre_mm
    away /= np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-9)
    count = min(MAP_POINTS, len(away))
    _, near = spatial.cKDTree(away).query(ways.reshape(-1, 3), k=np.arange(1, count + 1))
    rows = margins.to_viable_mm[near].mean(axis=1).reshape(ways.shape[:2])
    return SurfaceMap(
        longitude_deg=tuple(longitude.tolist()),
        latitude_deg=tuple(latitude.tolist()),
        margin_mm=tuple(tuple(shares.rounded_mm(mm) for mm in row) for row in rows),
    )


def _largest(
    low: np.ndarray, triangles: Int[np.ndarray, "m 3"], area_mm2: Float[np.ndarray, " n"]
) -> np.ndarray:
    """Numbers of the points of the largest connected piece."""
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    edges = edges[low[edges].all(axis=1)]
    ones = np.ones(len(edges), np.bool_)
    joined = sparse.coo_matrix((ones, (edges[:, 0], edges[:, 1])), shape=(len(low), len(low)))
    _, piece = csgraph.connected_components(joined, directed=False)
    area = np.bincount(piece, np.where(low, np.maximum(area_mm2, 1e-12), 0))
    return np.flatnonzero(low & (piece == int(np.argmax(area))))


def _rounded(point_mm: Float[np.ndarray, " 3"]) -> tuple[float, float, float]:
    x, y, z = (round(float(v), 1) + 0.0 for v in point_mm)
    return x, y, z
