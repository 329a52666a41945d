"""A patient on a voxel grid: tissue labels, liver, segments and vessel shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netseg.phantom.bones import Rod, cartilages, ribs, spine_fields
from netseg.phantom.liver import couinaud
from netseg.phantom.organs import kidney_centre
from netseg.phantom.raster import Axes, rod_share, upsample, weights
from netseg.phantom.tissue import Tissue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Bool, Float, UInt8

    from netseg.phantom.patient import Patient

SKIN_MM, CORTEX_MM, BOWEL_WALL_MM = 2.0, 1.8, 2.6
FAT_PLANE_MM = 0.9  # half thickness
VESSELS = (Tissue.HEPATIC_ARTERY, Tissue.HEPATIC_VEIN, Tissue.PORTAL_VEIN)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Voxels:
    """Arrays on one grid.

    Attributes:
        tissue: `Tissue` per voxel; the thin vessels in the liver are in `share` as well.
        liver: The liver with the vessels inside it, without the vena cava.
        segments: Couinaud segments 1 ... 8 inside `liver`.
        share: Share of each voxel (0 ... 255) filled by portal vein, hepatic vein and artery.
    """

    tissue: UInt8[np.ndarray, "i j k"]
    liver: Bool[np.ndarray, "i j k"]
    segments: UInt8[np.ndarray, "i j k"]
    share: Mapping[Tissue, UInt8[np.ndarray, "i j k"]]


@dataclass(frozen=True, slots=True, eq=False)
class _Brush:
    """Brings the coarse fields of one patient onto the fine axes, only where they matter."""

    patient: Patient
    axes: Axes
    matrices: tuple[np.ndarray, np.ndarray, np.ndarray]

    def box(
        self, coarse: Float[np.ndarray, "a b c"], level: float
    ) -> tuple[slice, slice, slice] | None:
        """Fine voxels near which the coarse field is below `level`."""
        near = coarse < level + 1.2 * (self.patient.axes.x[1] - self.patient.axes.x[0])
        slices = []
        for c, (fine, rough) in enumerate(zip(self.axes.all, self.patient.axes.all, strict=True)):
            hit = np.flatnonzero(near.any(axis=tuple(a for a in range(3) if a != c)))
            if not len(hit):
                return None
            step = rough[1] - rough[0]
            first, last = np.searchsorted(fine, (rough[hit[0]] - step, rough[hit[-1]] + step))
            if first >= last:
                return None
            slices.append(slice(int(first), int(last)))
        return slices[0], slices[1], slices[2]

    def fine(
        self, coarse: Float[np.ndarray, "a b c"], box: tuple[slice, slice, slice]
    ) -> np.ndarray:
        """The field on the fine voxels of `box`."""
        wx, wy, wz = (m[s] for m, s in zip(self.matrices, box, strict=True))
        return upsample(coarse, wx, wy, wz)

    def atlas(self, box: tuple[slice, slice, slice]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Atlas coordinates on the fine voxels of `box`."""
        x, y, z = (self.fine(c, box) for c in self.patient.atlas)
        return x, y, z


def voxelise(patient: Patient, axes: Axes) -> Voxels:
    """Paint the patient on the grid spanned by `axes`."""
    matrices = [weights(c, f) for c, f in zip(patient.axes.all, axes.all, strict=True)]
    brush = _Brush(patient, axes, (matrices[0], matrices[1], matrices[2]))
    tissue = np.zeros(axes.shape, np.uint8)
    _paint_trunk(brush, tissue)
    for kind, field in patient.fields.items():
        _paint_organ(brush, tissue, kind, field)
    _paint_small_bowel(brush, tissue)
    _paint_bones(brush, tissue)
    liver, segments = _paint_liver(brush, tissue)
    warp, rods = patient.warp, patient.rods
    for kind in (Tissue.INFERIOR_VENA_CAVA, Tissue.AORTA):
        vessel = rod_share(axes, rods[kind], warp) > 127
        tissue[vessel & (tissue != Tissue.LUNG)] = kind
        liver &= ~vessel
    segments[~liver] = 0
    share = {kind: rod_share(axes, rods[kind], warp) for kind in VESSELS}
    for kind, part in share.items():
        tissue[part > 127] = kind
    return Voxels(tissue=tissue, liver=liver, segments=segments, share=share)


def _paint_trunk(brush: _Brush, tissue: np.ndarray) -> None:
    wall = brush.patient.wall
    for name, level, kind in (("skin", 0.0, Tissue.SKIN), ("skin", -SKIN_MM, Tissue.FAT), ("wall", 0.0, Tissue.MUSCLE),
                              ("cavity", 0.0, Tissue.FAT), ("muscle", 0.0, Tissue.MUSCLE)):  # fmt: skip
        box = brush.box(wall[name], level)
        if box is None:
            continue
        inside = brush.fine(wall[name], box) < level
        if name == "muscle":
            inside &= tissue[box] != Tissue.AIR
        tissue[box][inside] = kind
        if name == "cavity":
            _paint_fat_planes(brush, tissue)


def _paint_fat_planes(brush: _Brush, tissue: np.ndarray) -> None:
    """Fat between the layers of the flank's muscles and along the white line in front."""
    wall = brush.patient.wall
    box = brush.box(wall["wall"], 0.0)
    if box is None:
        return
    view = tissue[box]
    inner, outer = brush.fine(wall["cavity"], box), brush.fine(wall["wall"], box)
    x, y, z = brush.atlas(box)
    depth = inner / np.maximum(inner - outer, 1.0)  # 0 at the cavity, 1 at the outer surface
    thin = FAT_PLANE_MM / np.maximum(inner - outer, FAT_PLANE_MM)
    flank = (np.abs(x) > 55 + 6 * np.sin(0.2 * y)) & (np.abs(depth - 0.58) < thin)
    white_line = (np.abs(x) < 2.5) & (y < 0) & (z < 40)
    view[(view == Tissue.MUSCLE) & (flank | white_line)] = Tissue.FAT


def _paint_organ(brush: _Brush, tissue: np.ndarray, kind: Tissue, coarse: np.ndarray) -> None:
    box = brush.box(coarse, 0.0)
    if box is None or kind is Tissue.LIVER:
        return
    field, view = brush.fine(coarse, box), tissue[box]
    view[field < 0] = kind
    y = (
        brush.fine(brush.patient.atlas[1], box)
        if kind in {Tissue.STOMACH_WALL, Tissue.BOWEL_WALL}
        else None
    )
    if kind is Tissue.STOMACH_WALL and y is not None:
        level = brush.patient.body.stomach_level_mm
        view[field < -3.5] = Tissue.STOMACH_FLUID
        view[(field < -3.5) & (y < level)] = Tissue.GAS
    elif kind is Tissue.BOWEL_WALL and y is not None:
        view[field < -2.5] = Tissue.BOWEL_CONTENT
        view[(field < -2.5) & (y < -60)] = Tissue.GAS
    elif kind is Tissue.KIDNEY_CORTEX:
        _paint_kidney(brush, view, field, box)


def _paint_kidney(
    brush: _Brush, view: np.ndarray, field: np.ndarray, box: tuple[slice, slice, slice]
) -> None:
    """Pyramids below the cortex, fat in the sinus."""
    x, y, z = brush.atlas(box)
    for side in (-1, 1):
        cx, cy, cz = kidney_centre(side, brush.patient.body)
        here = x * side > 0
        angle = np.arctan2(y - cy, np.abs(x) - abs(cx))
        columns = np.sin(0.30 * (z - cz) + 2.0 * np.sin(angle)) + np.cos(5 * angle) > -0.7
        view[here & (field < -7.0) & columns] = Tissue.KIDNEY_MEDULLA
        sinus = (
            ((np.abs(x) - abs(cx) + 6) / 11) ** 2 + ((y - cy + 2) / 8) ** 2 + ((z - cz) / 24) ** 2
        )
        view[here & (field < 0) & (sinus < 1)] = Tissue.FAT


def _paint_small_bowel(brush: _Brush, tissue: np.ndarray) -> None:
    """Loops fill free fat inside the cavity only."""
    rods, warp = brush.patient.rods[Tissue.BOWEL_WALL], brush.patient.warp
    cavity = brush.patient.wall["cavity"]
    box = brush.box(cavity, 0.0)
    if box is None:
        return
    free = np.zeros(tissue.shape, bool)
    free[box] = (tissue[box] == Tissue.FAT) & (brush.fine(cavity, box) < -2.0)
    inner = [Rod(path_mm=r.path_mm, radius_mm=r.radius_mm - BOWEL_WALL_MM) for r in rods]
    for chain, kind in ((rods, Tissue.BOWEL_WALL), (inner, Tissue.BOWEL_CONTENT)):
        tissue[(rod_share(brush.axes, chain, warp) > 127) & free] = kind


def _paint_bones(brush: _Brush, tissue: np.ndarray) -> None:
    wall = brush.patient.wall
    box = brush.box(wall["spine"], 0.0)
    if box is not None:
        view = tissue[box]
        body = view != Tissue.AIR
        spine = spine_fields(brush.atlas(box))
        view[body & (spine["disc"] < 0)] = Tissue.DISC
        view[body & (spine["bone"] < 0)] = Tissue.CORTICAL_BONE
        view[body & (spine["bone"] < -CORTEX_MM)] = Tissue.SPONGY_BONE
        view[body & (spine["canal"] < 0)] = Tissue.SPINAL_CANAL
    shift, warp = brush.patient.body.rib_shift_mm, brush.patient.warp
    rods = ribs(shift)
    inner = [Rod(path_mm=r.path_mm, radius_mm=r.radius_mm - CORTEX_MM) for r in rods]
    for chain, kind in (
        (cartilages(shift), Tissue.CARTILAGE),
        (rods, Tissue.CORTICAL_BONE),
        (inner, Tissue.SPONGY_BONE),
    ):
        inside = rod_share(brush.axes, chain, warp, 1.45) > 127
        tissue[inside & (tissue != Tissue.AIR)] = kind


def _paint_liver(brush: _Brush, tissue: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    liver, segments = np.zeros(tissue.shape, bool), np.zeros(tissue.shape, np.uint8)
    coarse = brush.patient.fields[Tissue.LIVER]
    box = brush.box(coarse, 0.0)
    if box is not None:
        inside = brush.fine(coarse, box) < 0
        inside &= tissue[box] != Tissue.CORTICAL_BONE
        liver[box] = inside
        segments[box] = np.where(inside, couinaud(brush.atlas(box), brush.patient.body.liver), 0)
        tissue[box][inside] = Tissue.LIVER
    return liver, segments
