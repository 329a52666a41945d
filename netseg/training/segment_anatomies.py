"""Phantom livers whose segments are known and differ more than those of the house's atlas.

The atlas draws the planes of the hepatic veins within a few degrees, so that a network could learn
where the segments usually lie and never look at a vessel. Here the planes, the portal plane, the
left lobe and the volume vary over the wider ranges below (assumed from the spread that anatomy
describes, not fitted to any image), the vessels move with them, and a trunk may be missing.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from netseg.phantom.liver import LiverShape, draw_liver, liver_field
from netseg.phantom.organs import organ_fields
from netseg.phantom.patient import Patient, draw_patient, fit_volume
from netseg.phantom.raster import Axes
from netseg.phantom.tissue import Tissue
from netseg.phantom.vessels import hepatic_arteries, hepatic_veins, portal_tree
from netseg.phantom.voxels import voxelise

if TYPE_CHECKING:
    from pathlib import Path

    from jaxtyping import UInt8

logger = logging.getLogger(__name__)

RIGHT_DEG, MIDDLE_DEG, LEFT_DEG = (52.0, 86.0), (6.0, 34.0), (-44.0, -14.0)
PORTAL_MM, LEFT_END_MM, VOLUME_ML = (-4.0, 22.0), (55.0, 125.0), (1000.0, 2100.0)
MISSING_TRUNK = 0.15  # share of patients in whom one of the three trunks is not to be seen
MARGIN_MM = 36.0  # surroundings kept around the liver
VESSELS = (Tissue.HEPATIC_VEIN, Tissue.PORTAL_VEIN, Tissue.HEPATIC_ARTERY)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SegmentAnatomy:
    """One liver with its surroundings on cubic voxels, axes along LPS.

    Attributes:
        tissue: `Tissue` per voxel.
        segments: 1 ... 8 inside the liver, 0 outside.
        vessels: Share (0 ... 255) of each voxel filled by hepatic vein, portal vein and artery.
        spacing_mm: Voxel edge.
    """

    tissue: UInt8[np.ndarray, "i j k"]
    segments: UInt8[np.ndarray, "i j k"]
    vessels: UInt8[np.ndarray, "3 i j k"]
    spacing_mm: float


def draw_shape(rng: np.random.Generator) -> LiverShape:
    """A liver whose planes lie anywhere within the wide ranges."""
    return replace(
        draw_liver(rng),
        right_vein_deg=rng.uniform(*RIGHT_DEG),
        middle_vein_deg=rng.uniform(*MIDDLE_DEG),
        left_vein_deg=rng.uniform(*LEFT_DEG),
        portal_mm=rng.uniform(*PORTAL_MM),
        left_end_mm=rng.uniform(*LEFT_END_MM),
    )


def draw_wide_patient(rng: np.random.Generator) -> Patient:
    """A patient of the atlas whose liver is drawn anew, with the vessels that belong to it."""
    patient = draw_patient(rng)
    body = replace(patient.body, liver=draw_shape(rng))
    body = fit_volume(body, patient.warp, rng.uniform(*VOLUME_ML))
    depth = partial(_depth, shape=body.liver)
    portal = portal_tree(body.liver, depth, rng)
    veins = hepatic_veins(body.liver, depth, rng)
    if rng.random() < MISSING_TRUNK:
        del veins[rng.integers(3)]  # the trunks come first: right, middle, left
    fields = {t: f.astype(np.float32) for t, f in organ_fields(patient.atlas, body).items()}
    rods = dict(patient.rods) | {
        Tissue.PORTAL_VEIN: portal,
        Tissue.HEPATIC_VEIN: veins,
        Tissue.HEPATIC_ARTERY: hepatic_arteries(portal, rng),
    }
    return replace(patient, body=body, fields=fields, rods=rods)


def draw_segment_anatomy(seed: int, spacing_mm: float) -> SegmentAnatomy:
    """A wide patient on voxels around the liver; the same seed gives the same arrays."""
    rng = np.random.default_rng((seed, 0x5E6))
    patient = draw_wide_patient(rng)
    where = np.argwhere(patient.liver)
    axes = []
    for axis, low, high in zip(patient.axes.all, where.min(0), where.max(0), strict=True):
        first = axis[low] - MARGIN_MM
        count = int(np.ceil((axis[high] + MARGIN_MM - first) / spacing_mm))
        axes.append(first + spacing_mm * np.arange(count))
    voxels = voxelise(patient, Axes(x=axes[0], y=axes[1], z=axes[2]))
    return SegmentAnatomy(
        tissue=voxels.tissue,
        segments=voxels.segments,
        vessels=np.stack([voxels.share[kind] for kind in VESSELS]),
        spacing_mm=spacing_mm,
    )


def anatomies(
    first_seed: int, count: int, spacing_mm: float, cache: Path | None = None
) -> list[SegmentAnatomy]:
    """Anatomies of consecutive seeds.

    Args:
        first_seed: The hold-out's seeds begin at 900000; training stays below.
        count: How many.
        spacing_mm: Voxel edge.
        cache: Folder that keeps them, one file each, so that a resumed run need not draw again;
            None keeps nothing.
    """
    made = []
    for seed in range(first_seed, first_seed + count):
        path = cache / f"{seed}_{spacing_mm:g}mm.npz" if cache else None
        if path is not None and path.is_file():
            with np.load(path) as stored:
                parts = {n: stored[n] for n in ("tissue", "segments", "vessels")}
            made.append(SegmentAnatomy(**parts, spacing_mm=spacing_mm))
            continue
        drawn = draw_segment_anatomy(seed, spacing_mm)
        made.append(drawn)
        if path is not None:
            _store(drawn, path)
    logger.info("%d anatomies of %g mm", len(made), spacing_mm)
    return made


def _store(drawn: SegmentAnatomy, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_suffix(".part.npz")  # a file that exists under its own name is whole
    np.savez_compressed(half, tissue=drawn.tissue, segments=drawn.segments, vessels=drawn.vessels)
    half.replace(path)


def _depth(points: np.ndarray, shape: LiverShape) -> np.ndarray:
    x, y, z = points.T
    return liver_field((x, y, z), shape)
