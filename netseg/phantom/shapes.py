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
    k0, k1 = np.zeros_like(q[0]), np.full_like(q[0], 1e-12)
    for p, c, r in zip(q, centre, radii, strict=True):
        u = (p - c) * (1 / r)
        u *= u
        k0 += u
        u *= 1 / r**2
        k1 += u
    np.sqrt(k0, out=k0)
    np.sqrt(k1, out=k1)
    return k0 * (k0 - 1) / k1


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
    (sx, sy, sz), (ax, ay, az) = start, (b - a for a, b in zip(start, end, strict=True))
    x, y, z = q[0] - sx, q[1] - sy, q[2] - sz
    t = x * ax
    t += y * ay
    t += z * az
    t *= 1 / max(ax * ax + ay * ay + az * az, 1e-6)
    np.clip(t, 0, 1, out=t)
    x -= t * ax
    y -= t * ay
    z -= t * az
    x *= x
    y *= y
    z *= z
    x += y
    x += z
    np.sqrt(x, out=x)
    t *= r_end - r_start
    x -= t
    x -= r_start
    return x


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
    h = np.abs(a - b)
    np.subtract(blend_mm, h, out=h)
    np.maximum(h, 0, out=h)
    h *= h
    h *= 0.25 / blend_mm
    return np.minimum(a, b) - h


def common(a: Field, b: Field, blend_mm: float = 0.0) -> Field:
    """What two shapes have in common, its edge rounded over about `blend_mm`."""
    return -union(-a, -b, blend_mm)


def without(a: Field, b: Field, blend_mm: float = 0.0) -> Field:
    """The first shape with the second carved out."""
    return -union(-a, b, blend_mm)
