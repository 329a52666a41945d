"""Patients without lesions on cubic voxels: what the synthesis of training images starts from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from netseg.phantom.patient import REACH_MM, Patient, draw_patient
from netseg.phantom.raster import Axes
from netseg.phantom.tissue import Tissue
from netseg.phantom.voxels import voxelise

DIAPHRAGM_MM = (2.5, 6.0)  # reach of the muscle between liver and chest wall or lung
BEYOND_DIAPHRAGM = (
    Tissue.MUSCLE,
    Tissue.LUNG,
    Tissue.HEART,
    Tissue.CORTICAL_BONE,
    Tissue.SPONGY_BONE,
    Tissue.CARTILAGE,
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Anatomy:
    """A patient without lesions; axes i, j, k run to the left, the back and the head.

    Attributes:
        name: Where it is from.
        tissues: `Tissue` per voxel, uint8 (i, j, k); vessels inside the liver are painted.
        liver: The liver with the vessels inside it, bool (i, j, k).
        segments: Couinaud segments 1 ... 8 inside the liver, 0 outside, uint8 (i, j, k).
        spacing_mm: Voxel edge.
    """

    name: str
    tissues: torch.Tensor
    liver: torch.Tensor
    segments: torch.Tensor
    spacing_mm: float

    def to(self, device: torch.device | str) -> Anatomy:
        """The same patient on another device."""
        return Anatomy(
            name=self.name,
            tissues=self.tissues.to(device),
            liver=self.liver.to(device),
            segments=self.segments.to(device),
            spacing_mm=self.spacing_mm,
        )


def draw_anatomy(seed: int, spacing_mm: float, *, margin_mm: float = 30.0) -> Anatomy:
    """Grow a patient from a seed.

    Args:
        seed: The same seed gives the same patient, at any spacing.
        spacing_mm: Voxel edge.
        margin_mm: Body that is kept around the liver, at most the whole modelled trunk.
    """
    rng = np.random.default_rng((seed, 0xA1))
    patient = draw_patient(rng)
    low, high = liver_box(patient)
    ends = np.array(REACH_MM)
    low, high = np.maximum(low - margin_mm, ends[:, 0]), np.minimum(high + margin_mm, ends[:, 1])
    x, y, z = (np.arange(a, b, spacing_mm) for a, b in zip(low, high, strict=True))
    voxels = voxelise(patient, Axes(x=x, y=y, z=z))
    reach_mm = rng.uniform(*DIAPHRAGM_MM)
    if rng.random() < 0.8:
        add_diaphragm(voxels.tissue, voxels.liver, reach_mm, spacing_mm)
    return Anatomy(
        name=f"phantom {seed}",
        tissues=torch.from_numpy(voxels.tissue),
        liver=torch.from_numpy(voxels.liver),
        segments=torch.from_numpy(voxels.segments),
        spacing_mm=spacing_mm,
    )


def add_diaphragm(
    tissue: np.ndarray, liver: np.ndarray, reach_mm: float, spacing_mm: float
) -> None:
    """Turn the fat between the liver and chest wall, lung or heart into muscle, in place.

    The phantom leaves a layer of fat around the whole liver; in most patients the liver touches the
    diaphragm, whose muscle looks like the chest wall's.

    Args:
        tissue: `Tissue` numbers (i, j, k).
        liver: The liver, same shape.
        reach_mm: How far from the liver, and from what lies beyond, the muscle reaches.
        spacing_mm: Voxel edge.
    """
    from scipy.ndimage import distance_transform_edt, uniform_filter

    near_liver = np.asarray(distance_transform_edt(~liver, sampling=spacing_mm)) <= reach_mm
    there = np.isin(tissue, BEYOND_DIAPHRAGM)
    beyond = np.asarray(distance_transform_edt(~there, sampling=spacing_mm))
    fat = tissue == Tissue.FAT
    tissue[fat & near_liver & (beyond <= reach_mm)] = Tissue.MUSCLE
    fat = tissue == Tissue.FAT
    crumbs = fat & near_liver & (uniform_filter(fat.astype(np.float32), 3) < 0.45)
    tissue[crumbs] = Tissue.MUSCLE


def liver_box(patient: Patient) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest corner of the liver in mm."""
    where = np.argwhere(patient.liver)
    axes = patient.axes.all
    low = np.array([a[i] for a, i in zip(axes, where.min(0), strict=True)])
    high = np.array([a[i] for a, i in zip(axes, where.max(0), strict=True)])
    return low, high
