"""A drawn patient: one atlas body, one warp, and its fields on a coarse grid of the whole trunk."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from netseg.phantom.bones import Rod, muscle_fields, spine_room
from netseg.phantom.bowel import small_bowel
from netseg.phantom.liver import couinaud, liver_field, with_visceral
from netseg.phantom.organs import (
    AORTA_PATH,
    AORTA_RADII,
    CAVA_PATH,
    CAVA_RADII,
    Body,
    cavity,
    draw_body,
    liver_of,
    organ_fields,
    skin_field,
    wall_field,
)
from netseg.phantom.raster import Axes
from netseg.phantom.tissue import Tissue
from netseg.phantom.vessels import hepatic_arteries, hepatic_veins, portal_tree, renal_vessels
from netseg.phantom.warp import Warp, draw_warp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Float, UInt8

COARSE_MM = 6.0
FIT_MM = 11.0  # the liver's volume is fitted on soft voxels this large
REACH_MM = ((-205.0, 205.0), (-165.0, 165.0), (-140.0, 165.0))  # the trunk that is modelled


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Patient:
    """Everything about one patient that does not depend on a voxel grid.

    Attributes:
        body: Numbers of the anatomy.
        warp: Patient to atlas.
        axes: Coarse axes over the trunk.
        atlas: Atlas coordinates on the coarse axes.
        fields: Coarse fields by tissue, negative inside.
        wall: Coarse fields "skin", "wall", "cavity", "muscle" and "spine", the room it stands in.
        rods: Vessels and small bowel in atlas coordinates by tissue.
    """

    body: Body
    warp: Warp
    axes: Axes
    atlas: tuple[np.ndarray, np.ndarray, np.ndarray]
    fields: Mapping[Tissue, Float[np.ndarray, "a b c"]]
    wall: Mapping[str, Float[np.ndarray, "a b c"]]
    rods: Mapping[Tissue, list[Rod]]

    @property
    def liver(self) -> np.ndarray:
        """The coarse liver as booleans."""
        return self.fields[Tissue.LIVER] < 0

    def segments(self) -> UInt8[np.ndarray, "a b c"]:
        """Coarse Couinaud segments, 0 outside the liver."""
        return np.where(self.liver, couinaud(self.atlas, self.body.liver), 0).astype(np.uint8)


def draw_patient(rng: np.random.Generator, liver_ml: float | None = None) -> Patient:
    """A random patient.

    Args:
        rng: Source of chance.
        liver_ml: Volume of the liver; None draws one from 1250 ... 1850 ml.
    """
    warp = draw_warp(rng)
    wanted = rng.uniform(1250.0, 1850.0) if liver_ml is None else liver_ml
    body = fit_volume(draw_body(rng), warp, wanted)
    axes = trunk_axes(COARSE_MM)
    atlas = warp.grid_to_atlas(*axes.all)
    wall = {
        "skin": skin_field(atlas, body.fat_mm),
        "wall": wall_field(atlas),
        "cavity": cavity(atlas),
    }
    wall |= {"muscle": muscle_fields(atlas), "spine": spine_room(atlas)}
    depth = partial(_depth, shape=body.liver)
    portal = portal_tree(body.liver, depth, rng)
    renal_arteries, renal_veins = renal_vessels(body)
    rods = {
        Tissue.INFERIOR_VENA_CAVA: [_chain(CAVA_PATH, CAVA_RADII), *renal_veins],
        Tissue.AORTA: [_chain(AORTA_PATH, AORTA_RADII), *renal_arteries],
        Tissue.PORTAL_VEIN: portal,
        Tissue.HEPATIC_VEIN: hepatic_veins(body.liver, depth, rng),
        Tissue.HEPATIC_ARTERY: hepatic_arteries(portal, rng),
        Tissue.BOWEL_WALL: small_bowel(rng),
    }
    fields = {t: f.astype(np.float32) for t, f in organ_fields(atlas, body).items()}
    wall = {name: f.astype(np.float32) for name, f in wall.items()}
    return Patient(
        body=body, warp=warp, axes=axes, atlas=atlas, fields=fields, wall=wall, rods=rods
    )


def trunk_axes(spacing_mm: float) -> Axes:
    """Axes over the modelled trunk."""
    x, y, z = (np.arange(a, b + spacing_mm / 2, spacing_mm) for a, b in REACH_MM)
    return Axes(x=x, y=y, z=z)


def fit_volume(body: Body, warp: Warp, wanted_ml: float) -> Body:
    """The body with the height of the liver's lower surface at which its volume is `wanted_ml`."""
    axes = trunk_axes(FIT_MM)
    atlas = warp.grid_to_atlas(*axes.all)
    voxel_ml = FIT_MM**3 / 1000
    low, high = -60.0, 40.0  # the liver shrinks as its lower surface rises
    for _ in range(8):
        middle = (low + high) / 2
        body = replace(body, liver=with_visceral(body.liver, middle))
        soft = np.clip(0.5 - liver_of(atlas, body) / FIT_MM, 0, 1)
        if float(soft.sum()) * voxel_ml > wanted_ml:
            low = middle
        else:
            high = middle
    return body


def _depth(points: Float[np.ndarray, "n 3"], shape) -> Float[np.ndarray, "n"]:
    x, y, z = points.T
    return liver_field((x, y, z), shape)


def _chain(path: tuple, radii: tuple[float, ...]) -> Rod:
    """A vessel through the trunk, finely divided so that the warp can bend it."""
    t = np.linspace(0, len(path) - 1, 8 * (len(path) - 1) + 1)
    known = np.arange(len(path))
    fine = np.stack([np.interp(t, known, c) for c in np.array(path).T], axis=1)
    return Rod(path_mm=fine, radius_mm=np.interp(t, known, radii))
