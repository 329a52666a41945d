"""The atlas organs around the liver: fields in millimetres, negative inside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netseg.phantom.liver import (
    CAVITY_X_MM,
    CAVITY_Y_MM,
    LiverShape,
    cavity,
    diaphragm,
    draw_liver,
    liver_field,
)
from netseg.phantom.shapes import (
    capsule,
    common,
    ellipsoid,
    rotated,
    superellipse_cylinder,
    tube,
    union,
    without,
)
from netseg.phantom.tissue import Tissue

if TYPE_CHECKING:
    from netseg.phantom.shapes import Field, Points

CAVA_PATH = ((-20.0, 24.0, -200.0), (-21.0, 24.0, 0.0), (-22.0, 24.0, 60.0), (-16.0, 8.0, 98.0))
CAVA_RADII = (10.5, 11.0, 11.5, 12.0)
AORTA_PATH = ((6.0, 20.0, -200.0), (7.0, 20.0, 0.0), (10.0, 26.0, 60.0), (16.0, 34.0, 200.0))
AORTA_RADII = (8.5, 9.5, 11.0, 12.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """The numbers by which patients of this atlas differ, beside size and warp.

    Attributes:
        liver: The liver.
        fat_mm: Thickness of the subcutaneous fat at the flank; more in front.
        spleen_radii_mm: Half axes of the spleen.
        stomach_fill: Radius of the stomach relative to the atlas.
        stomach_level_mm: Height (y) of the air-fluid level; the patient lies on the back.
        kidney_shift_mm: How far right and left kidney stand above the atlas position.
        gallbladder_mm: Radius of the gallbladder; 0 after cholecystectomy.
        colon_radius_mm: Radius of the colon.
        rib_shift_mm: Height of the rib cage against the organs: breathing state.
    """

    liver: LiverShape
    fat_mm: float = 14.0
    spleen_radii_mm: tuple[float, float, float] = (33.0, 49.0, 56.0)
    stomach_fill: float = 1.0
    stomach_level_mm: float = -48.0
    kidney_shift_mm: tuple[float, float] = (0.0, 0.0)
    gallbladder_mm: float = 14.0
    colon_radius_mm: float = 17.0
    rib_shift_mm: float = 0.0


def draw_body(rng: np.random.Generator) -> Body:
    """A random patient."""
    spleen = rng.uniform(0.8, 1.2)
    return Body(
        liver=draw_liver(rng),
        fat_mm=rng.uniform(7, 26),
        spleen_radii_mm=(33.0 * spleen, 49.0 * spleen, rng.uniform(48, 64)),
        stomach_fill=rng.uniform(0.75, 1.1),
        stomach_level_mm=rng.uniform(-60, -30),
        kidney_shift_mm=(rng.uniform(-14, 10), rng.uniform(-14, 10)),
        gallbladder_mm=0.0 if rng.random() < 0.1 else rng.uniform(10, 17),
        colon_radius_mm=rng.uniform(13, 21),
        rib_shift_mm=rng.uniform(-8, 12),
    )


def skin_field(q: Points, fat_mm: float) -> Field:
    """The body's surface."""
    x, y, z = q
    waist = 1.0 - 0.0004 * np.abs(z)
    front = np.where(y < 0, 0.6 * fat_mm * (np.abs(y) / 112) ** 2, 0.0)
    grow = (13.0 + fat_mm + front) * waist
    return superellipse_cylinder((x, y - 2, z), CAVITY_X_MM + grow, CAVITY_Y_MM + grow, 2.3)


def wall_field(q: Points) -> Field:
    """The outer surface of the muscular trunk wall: thin in front, latissimus at the back's sides.

    Ribs lie between it and the cavity.
    """
    x, y, z = q
    wall = superellipse_cylinder((x, y - 2.5, z), CAVITY_X_MM + 12.5, CAVITY_Y_MM + 13.0, 2.3)
    front = np.clip(-y / 70, 0, 1)
    latissimus = np.exp(-(((np.abs(x) - 112) / 26) ** 2) - ((y - 48) / 26) ** 2)
    return wall + 3.2 * front - 4.0 * latissimus


def organ_fields(q: Points, body: Body) -> dict[Tissue, Field]:
    """Fields of the soft organs, already carved so that neighbours do not overlap."""
    inside = cavity(q)
    dome = diaphragm(q, body.liver.dome_mm)
    kidneys = _kidneys(q, body)
    gallbladder = _gallbladder(q, body)
    liver = _carved(liver_field(q, body.liver), inside, kidneys, gallbladder, _cava(q))
    spleen = _spleen(q, body, dome, inside)
    stomach = _stomach(q, body, dome, inside)
    stomach = without(without(stomach, liver - 2.5, 2.0), spleen - 2.5, 2.0)
    pancreas = without(_pancreas(q), stomach - 1.5)
    colon = without(without(_colon(q, body), liver - 2.5), common(stomach, kidneys) - 2.0)
    for other in (kidneys, stomach, gallbladder, spleen):
        colon = without(colon, other - 2.0)
    return {
        Tissue.LUNG: _lungs(q, dome, inside),
        Tissue.HEART: _heart(q, dome),
        Tissue.SPLEEN: spleen,
        Tissue.PANCREAS: pancreas,
        Tissue.STOMACH_WALL: stomach,
        Tissue.BOWEL_WALL: colon,
        Tissue.LIVER: liver,
        Tissue.GALLBLADDER: gallbladder,
        Tissue.KIDNEY_CORTEX: kidneys,
    }


def liver_of(q: Points, body: Body) -> Field:
    """The liver with the impressions of kidney, gallbladder and vena cava."""
    return _carved(
        liver_field(q, body.liver), cavity(q), _kidneys(q, body), _gallbladder(q, body), _cava(q)
    )


def _carved(liver: Field, inside: Field, kidneys: Field, gallbladder: Field, cava: Field) -> Field:
    liver = common(liver, inside + 3.0)
    for neighbour, gap in ((kidneys, 3.0), (gallbladder, 1.5), (cava, 0.5)):
        liver = without(liver, neighbour - gap, 3.0)
    return liver


def _lungs(q: Points, dome: Field, inside: Field) -> Field:
    x, y, z = q
    lungs = common(common(inside + 1.5, 2.0 - dome, 3.0), -(z + 14), 6.0)
    mediastinum = superellipse_cylinder((x - 4, y + 8, z), 34.0, 62.0, 2.5)
    return without(without(lungs, mediastinum, 8.0), _spine_room(q), 6.0)


def _spine_room(q: Points) -> Field:
    return capsule(q, (0.0, 58.0, -300.0), (0.0, 58.0, 300.0), 27.0, 27.0)


def _heart(q: Points, dome: Field) -> Field:
    heart = ellipsoid(q, (22.0, -38.0, 128.0), (58.0, 44.0, 46.0))
    return without(heart, dome - 3.0, 4.0)


def _spleen(q: Points, body: Body, dome: Field, inside: Field) -> Field:
    c, s = np.cos(0.55), np.sin(0.55)
    local = rotated(
        q, (98.0, 38.0, 42.0), np.array(((c, s, 0.12), (-s, c, -0.2), (-0.12, 0.2, 1.0)))
    )
    spleen = ellipsoid(local, (0.0, 0.0, 0.0), body.spleen_radii_mm)
    hollow = ellipsoid(local, (-36.0, -10.0, -8.0), (27.0, 32.0, 42.0))
    spleen = without(spleen, hollow, 6.0)
    return common(common(spleen, dome + 3.5, 4.0), inside + 3.5, 4.0)


def _kidneys(q: Points, body: Body) -> Field:
    right, left = (_kidney(q, side, body) for side in (-1, 1))
    return union(right, left)


def kidney_centre(side: int, body: Body) -> tuple[float, float, float]:
    """Centre of the right (-1) or left (+1) kidney."""
    if side < 0:
        return -60.0, 50.0, -48.0 + body.kidney_shift_mm[0]
    return 62.0, 50.0, -32.0 + body.kidney_shift_mm[1]


def _kidney(q: Points, side: int, body: Body) -> Field:
    """An ellipsoid leaning outwards at its foot, with a hilum facing the midline and the front."""
    centre = kidney_centre(side, body)
    turn = np.array(((1.0, 0.0, side * 0.22), (0.0, 1.0, 0.16), (-side * 0.22, -0.16, 1.0)))
    local = rotated(q, centre, turn)
    kidney = ellipsoid(local, (0.0, 0.0, 0.0), (27.0, 25.0, 53.0))
    hilum = ellipsoid(local, (-side * 24.0, -7.0, 0.0), (17.0, 9.0, 17.0))
    return without(kidney, hilum, 6.0)


def _gallbladder(q: Points, body: Body) -> Field:
    if body.gallbladder_mm <= 0:
        return np.full_like(q[0], 1e3)
    base = body.liver.visceral_mm
    path = ((-33.0, -22.0, base + 2), (-44.0, -42.0, base - 14), (-52.0, -62.0, base - 26))
    r = body.gallbladder_mm
    return tube(q, path, (0.45 * r, 0.9 * r, r), 6.0)


def _cava(q: Points) -> Field:
    return tube(q, CAVA_PATH, CAVA_RADII)


def _stomach(q: Points, body: Body, dome: Field, inside: Field) -> Field:
    f = body.stomach_fill
    path = ((58.0, 14.0, 62.0), (70.0, -18.0, 34.0), (54.0, -44.0, -6.0), (14.0, -50.0, -26.0),
            (-12.0, -34.0, -20.0))  # fmt: skip
    stomach = tube(q, path, (31 * f, 29 * f, 24 * f, 17 * f, 11 * f), 14.0)
    gullet = tube(
        q, ((14.0, 12.0, 120.0), (22.0, 10.0, 80.0), (50.0, 8.0, 62.0)), (8.0, 8.0, 9.0), 6.0
    )
    inner = common(common(stomach, dome + 4.0, 5.0), inside + 4.0, 5.0)
    return union(inner, gullet, 6.0)


def _pancreas(q: Points) -> Field:
    path = ((-20.0, -14.0, -42.0), (-14.0, -20.0, -18.0), (8.0, -22.0, -8.0), (40.0, -2.0, 4.0),
            (76.0, 22.0, 18.0))  # fmt: skip
    return tube(q, path, (12.0, 12.0, 8.5, 9.0, 7.5), 6.0)


def _colon(q: Points, body: Body) -> Field:
    r = body.colon_radius_mm
    x, y, z = q
    right = (
        (-102.0, 18.0, -200.0),
        (-104.0, 14.0, -104.0),
        (-84.0, -34.0, -88.0),
        (-40.0, -62.0, -86.0),
    )
    left = ((-40.0, -62.0, -86.0), (20.0, -66.0, -98.0), (70.0, -56.0, -74.0), (100.0, -4.0, -26.0))
    down = ((100.0, -4.0, -26.0), (104.0, 26.0, -60.0), (104.0, 28.0, -200.0))
    colon = union(
        union(tube(q, right, [r] * 4, 5.0), tube(q, left, [r] * 4, 5.0), 5.0),
        tube(q, down, [0.75 * r] * 3, 5.0),
        4.0,
    )
    haustra = 3.0 * np.abs(np.sin(0.09 * (x + z))) * np.abs(np.cos(0.05 * (y - z)))
    return colon + haustra
