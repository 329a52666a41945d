"""Spine and ribs of the atlas, as rods that are painted at full resolution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netseg.phantom.liver import CAVITY_X_MM, CAVITY_Y_MM

if TYPE_CHECKING:
    from jaxtyping import Float

    from netseg.phantom.shapes import Field, Points

VERTEBRA_MM = 29.0  # height of a vertebra with its disc at the thoracolumbar junction
DISC_MM = 6.0
SPINE_Y_MM = 54.0
T12_MM = 0.0  # height of the middle of the twelfth thoracic vertebra

# rib: (height of its head above T12, end of the bony rib, as angle from the back in degrees)
RIBS = {5: (200.0, 150.0), 6: (172.0, 150.0), 7: (144.0, 150.0), 8: (116.0, 143.0), 9: (87.0, 132.0),
        10: (58.0, 118.0), 11: (29.0, 88.0), 12: (2.0, 55.0)}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rod:
    """A chain of points with a radius at each, in atlas millimetres.

    Attributes:
        path_mm: Points, one row each.
        radius_mm: Radius at each point.
    """

    path_mm: Float[np.ndarray, "n 3"]
    radius_mm: Float[np.ndarray, "n"]


def ribs(shift_mm: float) -> list[Rod]:
    """Ribs 5 ... 12 of both sides: each leaves the spine, falls obliquely and turns forward."""
    return [_rib(number, side, shift_mm) for number in RIBS for side in (-1, 1)]


def cartilages(shift_mm: float) -> list[Rod]:
    """Costal cartilages of ribs 5 ... 10, which rise again towards the sternum."""
    rods = []
    for number in (5, 6, 7, 8, 9, 10):
        for side in (-1, 1):
            end = _rib(number, side, shift_mm).path_mm[-1]
            target = np.array((side * 14.0, -98.0, 92.0 - 7 * max(number - 7, 0) + shift_mm))
            if number > 7:
                target = _rib(number - 1, side, shift_mm).path_mm[-1] * 0.55 + target * 0.45
            t = np.linspace(0, 1, 7)[:, None]
            path = end * (1 - t) + target * t
            across = np.abs(path[:, 0] / (CAVITY_X_MM + 6.0)) ** 2.3
            path[:, 1] = -(np.maximum(1 - across, 0.02) ** (1 / 2.3)) * (CAVITY_Y_MM + 4.0)
            rods.append(Rod(path_mm=path, radius_mm=np.full(len(path), 4.4)))
    return rods


def _rib(number: int, side: int, shift_mm: float) -> Rod:
    height, end_deg = RIBS[number]
    fall = 92.0 if number < 11 else 70.0
    phi = np.radians(np.linspace(14.0, end_deg, 22))
    c, s = np.cos(phi), np.sin(phi)
    power = 2 / 2.35
    x = side * (CAVITY_X_MM + 6.0) * np.abs(s) ** power
    y = 1.5 + (CAVITY_Y_MM + 6.0) * np.sign(c) * np.abs(c) ** power
    z = T12_MM + height + shift_mm - fall * (1 - c) / 2 * (1.0 if number < 11 else 1.2)
    path = np.stack((x, y, z), axis=1)
    head = np.array(
        (
            (side * 22.0, SPINE_Y_MM + 12, height + shift_mm + 4),
            (side * 42.0, SPINE_Y_MM + 30, height + shift_mm),
        )
    )
    path = np.concatenate((head, path[np.abs(path[:, 0]) > 52]))
    return Rod(path_mm=path, radius_mm=np.linspace(4.9, 4.3, len(path)))


def spine_fields(q: Points) -> dict[str, Field]:
    """Vertebral bodies with arch ("bone"), "disc" and "canal"; negative inside."""
    x, y, z = q
    phase = np.mod(z - T12_MM + VERTEBRA_MM / 2, VERTEBRA_MM) - VERTEBRA_MM / 2  # 0 at mid-vertebra
    waist = 2.0 * np.cos(np.pi * phase / (VERTEBRA_MM / 2)) ** 2 * (np.abs(phase) < VERTEBRA_MM / 4)
    radius = np.sqrt((x / 21.5) ** 2 + ((y - SPINE_Y_MM) / 17.0) ** 2)
    column = (radius - 1) * 18 + waist
    gap = VERTEBRA_MM / 2 - DISC_MM / 2 - np.abs(phase)  # positive inside the vertebra
    canal = np.sqrt((x / 1.25) ** 2 + (y - SPINE_Y_MM - 24) ** 2) - 8.0
    arch = np.abs(np.sqrt((x / 1.2) ** 2 + (y - SPINE_Y_MM - 24) ** 2) - 11.5) - 3.2
    arch = np.maximum(arch, np.abs(phase) - 9)
    spinous = np.maximum(np.abs(x) - 3.2, np.abs(y - SPINE_Y_MM - 42 - 0.3 * phase) - 10)
    spinous = np.maximum(spinous, np.abs(phase + 3) - 8)
    transverse = np.sqrt((y - SPINE_Y_MM - 24 - 0.25 * np.abs(x)) ** 2 + (phase + 2) ** 2) - 5.0
    transverse = np.maximum(transverse, np.abs(x) - 34)
    bone = np.minimum(np.maximum(column, -gap), np.minimum(arch, np.minimum(spinous, transverse)))
    return {"bone": np.maximum(bone, -canal), "disc": np.maximum(column, gap), "canal": canal}


def spine_room(q: Points) -> Field:
    """A box that holds the spine; its parts are evaluated at full resolution inside."""
    return np.maximum(np.abs(q[0]) - 38, np.abs(q[1] - SPINE_Y_MM - 17) - 38)


def muscle_fields(q: Points) -> Field:
    """Erector spinae beside the spine and psoas below T12."""
    x, y, z = q
    side = np.abs(x)
    erector = np.sqrt(((side - 34) / 27) ** 2 + ((y - 88) / 17) ** 2)
    psoas = np.sqrt(((side - 36 - 0.06 * np.maximum(-z - 30, 0)) / 17) ** 2 + ((y - 58) / 18) ** 2)
    psoas_field = np.maximum((psoas - 1) * 16, z + 8)
    crus = np.sqrt(((side - 19) / 6) ** 2 + ((y - 30) / 15) ** 2)
    crus_field = np.maximum(np.maximum((crus - 1) * 6, np.abs(z - 0) - 55), -(z + 55))
    return np.minimum(np.minimum((erector - 1) * 20, psoas_field), crus_field)
