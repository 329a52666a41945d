"""The atlas liver: shape, Couinaud segments and the planes that the hepatic veins define.

The atlas lives in LPS millimetres with the spine behind (y > 0) and z = 0 near the hilum. Segments
follow Couinaud (1957): three planes through the inferior vena cava, in which the right, middle and
left hepatic veins run, and the portal plane; Cantlie's plane is the middle one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from netseg.phantom.shapes import capsule, common, ellipsoid, superellipse_cylinder, union, without

if TYPE_CHECKING:
    from netseg.phantom.shapes import Field, Points

CAVA_X_MM, CAVA_Y_MM = -22.0, 22.0
CAVITY_X_MM, CAVITY_Y_MM = 130.0, 90.0  # half axes of the inside of the trunk wall


@dataclass(frozen=True, slots=True, kw_only=True)
class LiverShape:
    """The numbers by which livers of this atlas differ.

    Attributes:
        dome_mm: Height of the right dome.
        visceral_mm: Height of the lower surface at x = -40; set to meet the wanted volume.
        slope: Rise of the lower surface from the right edge to the hilum.
        left_end_mm: How far the left lobe reaches across the midline.
        right_tip_mm: Extra length of the right lobe at its lateral edge (Riedel's lobe when large).
        right_vein_deg: Plane of the right hepatic vein, from anterior towards the patient's right.
        middle_vein_deg: Cantlie's plane.
        left_vein_deg: Plane of the left vein and umbilical fissure.
        portal_mm: Height of the portal plane on the right.
    """

    dome_mm: float = 95.0
    visceral_mm: float = -5.0
    slope: float = 0.85
    left_end_mm: float = 95.0
    right_tip_mm: float = 16.0
    right_vein_deg: float = 76.0
    middle_vein_deg: float = 20.0
    left_vein_deg: float = -27.0
    portal_mm: float = 10.0


def draw_liver(rng: np.random.Generator) -> LiverShape:
    """A random liver; its volume is set afterwards by `fit_volume`."""
    return LiverShape(
        dome_mm=rng.uniform(86, 102),
        slope=rng.uniform(0.7, 1.0),
        left_end_mm=rng.uniform(72, 118),
        right_tip_mm=rng.uniform(5, 30),
        right_vein_deg=rng.uniform(70, 82),
        middle_vein_deg=rng.uniform(14, 27),
        left_vein_deg=rng.uniform(-34, -20),
        portal_mm=rng.uniform(5, 15),
    )


def cavity(q: Points) -> Field:
    """The inside of the trunk wall."""
    return superellipse_cylinder((q[0], q[1] + 2, q[2]), CAVITY_X_MM, CAVITY_Y_MM, 2.35)


def diaphragm(q: Points, dome_mm: float) -> Field:
    """Below the two domes (negative) or above them."""
    x, y, z = q
    above = np.maximum(z + 25, 0)
    right = ellipsoid((x, y, above), (-62.0, 2.0, 0.0), (74.0, 92.0, dome_mm + 25))
    left = ellipsoid((x, y, above), (58.0, 2.0, 0.0), (78.0, 92.0, dome_mm + 11))
    middle = ellipsoid((x, y, above), (0.0, -8.0, 0.0), (60.0, 86.0, dome_mm + 1))
    return union(union(right, left, 14.0), middle, 10.0)


def lower_surface(q: Points, shape: LiverShape) -> Field:
    """Above the visceral surface (negative) or below it."""
    x, y, z = q
    lateral, medial = np.minimum(x + 40, 0), np.maximum(x + 40, 0)
    height = shape.visceral_mm + shape.slope * lateral + 0.30 * medial + 0.0009 * medial**2
    height = height + 0.30 * y - shape.right_tip_mm * (np.maximum(-x - 60, 0) / 70) ** 2
    return (height - z) / 1.3


def liver_field(q: Points, shape: LiverShape) -> Field:
    """The liver without the impressions of its neighbours; negative inside."""
    x, y, _ = q
    field = common(diaphragm(q, shape.dome_mm) + 3.0, cavity(q) + 3.5, 6.0)
    field = common(field, lower_surface(q, shape), 13.0)
    field = common(field, (x - shape.left_end_mm + 0.25 * (y + 40)) / 1.03, 22.0)
    behind_left = ((y - 9) + 0.30 * (x + 8)) / 1.04
    behind_right = (0.9 * (x + 37) + 0.42 * (y - 34)) / 0.99
    field = common(field, union(behind_left, behind_right, 8.0), 9.0)
    field = union(field, _caudate(q), 6.0)
    hilum = ellipsoid(q, (-14.0, -9.0, shape.portal_mm - 8), (24.0, 10.0, 11.0))
    fissure = capsule(q, (11.0, -95.0, -12.0), (3.0, -30.0, shape.portal_mm + 22), 5.0, 2.5)
    return without(without(field, hilum, 6.0), fissure, 4.0)


def _caudate(q: Points, grow: float = 0.0) -> Field:
    radii = (15.0 + grow, 13.0 + grow, 30.0 + grow)
    return ellipsoid(q, (-8.0, 9.0, 34.0), radii)


def vein_angle(q: Points) -> Field:
    """Angle about the vena cava in degrees: 0 is anterior, positive towards the patient's right."""
    return np.degrees(np.arctan2(-(q[0] - CAVA_X_MM), -(q[1] - CAVA_Y_MM)))


def portal_height(q: Points, shape: LiverShape) -> Field:
    """Height above the portal plane: VIII, VII and II lie above, V, VI and III below."""
    x, y, z = q
    right = z - shape.portal_mm - 0.10 * (x + 60)
    left = (z - shape.portal_mm - 38) + 0.75 * (y + 40) - 0.2 * (x - 30)
    return np.where(vein_angle(q) > shape.left_vein_deg, right, left)


def couinaud(q: Points, shape: LiverShape) -> np.ndarray:
    """Segment numbers 1 ... 8 for atlas points (uint8), meaningful inside the liver."""
    angle, upper = vein_angle(q), portal_height(q, shape) > 0
    behind = (angle > 150) | (angle < -110)  # the slips of liver beside and behind the cava
    segment = np.where(upper, 7, 6)
    segment = np.where(angle < shape.right_vein_deg, np.where(upper, 8, 5), segment)
    segment = np.where(angle < shape.middle_vein_deg, 4, segment)
    segment = np.where(angle < shape.left_vein_deg, np.where(upper, 2, 3), segment)
    segment = np.where(behind, np.where(upper, 7, 6), segment)
    near_cava = (_caudate(q, 2.5) < 0) & (angle < 60)
    return np.where(near_cava, 1, segment).astype(np.uint8)


def with_visceral(shape: LiverShape, visceral_mm: float) -> LiverShape:
    """The same liver with another height of its lower surface."""
    return replace(shape, visceral_mm=visceral_mm)
