"""Implicit shapes: fields that are negative inside, positive outside, in millimetres near the surface.

Signed-distance algebra after I. Quilez, "Distance functions" (2008): exact for capsules, a good
first-order approximation near the surface of ellipsoids.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float

    Field = Float[np.ndarray, "..."]
    Points = tuple[Field, Field, Field]

Triple = tuple[float, float, float]


def ellipsoid(q: Points, centre: Triple, radii: Triple) -> Field:
    """Approximate distance to an axis-aligned ellipsoid."""
    u = [(p - c) / r for p, c, r in zip(q, centre, radii, strict=True)]
    k0 = np.sqrt(u[0] ** 2 + u[1] ** 2 + u[2] ** 2)
    k1 = np.sqrt(sum((p / r) ** 2 for p, r in zip(u, radii, strict=True)))
    return k0 * (k0 - 1) / np.maximum(k1, 1e-6)


def rotated(q: Points, centre: Triple, rotation: Float[np.ndarray, "3 3"]) -> Points:
    """The points in a frame turned by `rotation` about `centre`; rows are the new axes."""
    d = [p - c for p, c in zip(q, centre, strict=True)]
    x, y, z = (r[0] * d[0] + r[1] * d[1] + r[2] * d[2] for r in rotation)
    return x, y, z


def superellipse_cylinder(
    q: Points, half_x: Field | float, half_y: Field | float, power: float
) -> Field:
    """A cylinder along z with a rounded-box cross-section; approximate distance."""
    u, v = np.abs(q[0] / half_x), np.abs(q[1] / half_y)
    rho = (u**power + v**power) ** (1 / power)
    scale = np.sqrt(q[0] ** 2 + q[1] ** 2) / np.maximum(rho, 1e-3)
    return (rho - 1) * np.maximum(scale, 1.0)


def capsule(q: Points, start: Triple, end: Triple, r_start: float, r_end: float) -> Field:
    """A rod with round ends whose radius changes linearly along it."""
    axis = np.subtract(end, start)
    d = [p - s for p, s in zip(q, start, strict=True)]
    t = (d[0] * axis[0] + d[1] * axis[1] + d[2] * axis[2]) / max(float(axis @ axis), 1e-6)
    t = np.clip(t, 0, 1)
    away = sum((p - t * a) ** 2 for p, a in zip(d, axis, strict=True))
    return np.sqrt(away) - (r_start + (r_end - r_start) * t)


def tube(q: Points, path: Sequence[Triple], radii: Sequence[float], blend_mm: float = 0.0) -> Field:
    """A chain of rods through `path`, smoothly joined."""
    field = capsule(q, path[0], path[1], radii[0], radii[1])
    for i in range(1, len(path) - 1):
        field = union(field, capsule(q, path[i], path[i + 1], radii[i], radii[i + 1]), blend_mm)
    return field


def union(a: Field, b: Field, blend_mm: float = 0.0) -> Field:
    """Either of two shapes, with a fillet of about `blend_mm`."""
    if blend_mm <= 0:
        return np.minimum(a, b)
    h = np.maximum(blend_mm - np.abs(a - b), 0) / blend_mm
    return np.minimum(a, b) - h * h * blend_mm / 4


def common(a: Field, b: Field, blend_mm: float = 0.0) -> Field:
    """What two shapes have in common, its edge rounded over about `blend_mm`."""
    return -union(-a, -b, blend_mm)


def without(a: Field, b: Field, blend_mm: float = 0.0) -> Field:
    """The first shape with the second carved out."""
    return -union(-a, b, blend_mm)
