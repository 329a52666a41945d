"""SSTR-PET of a phantom in SUVbw: physiologic uptake, point spread, count noise.

Mean uptakes of Ga-68 DOTATATE one hour after injection as commonly reported: spleen and kidneys
highest, liver about 6, which is why liver metastases are hard to see where their uptake is low.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netseg.domain import Grid, Quantity, Volume
from netseg.phantom.lesions import LesionKind
from netseg.phantom.raster import axes_of, upsample, weights
from netseg.phantom.shading import Shade, shade_lesions
from netseg.phantom.texture import cloud, correlated_noise, smooth
from netseg.phantom.tissue import Tissue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netseg.phantom.phantom import Phantom

TRACER = "ga68_dotatate"
PSF_FWHM_MM = 6.0
FWHM_OVER_SIGMA = 2.354820045

SUV: Mapping[Tissue, float] = {
    Tissue.AIR: 0.0,
    Tissue.FAT: 0.35,
    Tissue.SKIN: 0.5,
    Tissue.MUSCLE: 0.8,
    Tissue.LUNG: 0.5,
    Tissue.HEART: 1.3,
    Tissue.SPLEEN: 18.0,
    Tissue.PANCREAS: 3.2,
    Tissue.STOMACH_WALL: 2.6,
    Tissue.STOMACH_FLUID: 0.8,
    Tissue.BOWEL_WALL: 3.0,
    Tissue.BOWEL_CONTENT: 1.2,
    Tissue.GAS: 0.1,
    Tissue.LIVER: 6.2,
    Tissue.GALLBLADDER: 1.5,
    Tissue.KIDNEY_CORTEX: 24.0,
    Tissue.KIDNEY_MEDULLA: 12.0,
    Tissue.SPONGY_BONE: 1.0,
    Tissue.CORTICAL_BONE: 0.4,
    Tissue.CARTILAGE: 0.5,
    Tissue.DISC: 0.5,
    Tissue.SPINAL_CANAL: 0.3,
    Tissue.INFERIOR_VENA_CAVA: 1.3,
    Tissue.AORTA: 1.4,
    Tissue.PORTAL_VEIN: 1.6,
    Tissue.HEPATIC_VEIN: 1.6,
    Tissue.HEPATIC_ARTERY: 1.6,
}
MIMIC_SUV = {LesionKind.CYST: 0.6, LesionKind.HAEMANGIOMA: 4.0, LesionKind.FOCAL_FAT: 5.4}
NECROSIS = {LesionKind.NECROTIC: 0.12, LesionKind.RING: 0.55}


def render_pet(
    phantom: Phantom,
    generator: np.random.Generator,
    *,
    spacing_mm: tuple[float, float, float] = (4.0, 4.0, 4.0),
    noise: float = 0.07,
) -> Volume:
    """The PET on its own coarser grid over the phantom's field of view, in the same frame.

    Args:
        phantom: The patient.
        generator: Source of the noise.
        spacing_mm: Voxel size.
        noise: Variance of a voxel per SUV; 0.07 gives about 11 % in the liver.

    Returns:
        SUVbw as float32, never negative.
    """
    suv = clean_suv(phantom, generator)
    sigma = PSF_FWHM_MM / FWHM_OVER_SIGMA
    i, j, k = (sigma / s for s in phantom.grid.spacing_mm)
    blurred = smooth(suv, (i, j, k))
    grid = _pet_grid(phantom.grid, spacing_mm)
    matrices = [
        weights(c, f) for c, f in zip(axes_of(phantom.grid).all, axes_of(grid).all, strict=True)
    ]
    mean = np.maximum(upsample(blurred, *matrices), 0)
    grain = correlated_noise(grid.shape, (0.7, 0.7, 0.7), generator)
    values = np.maximum(mean + np.sqrt(np.float32(noise) * (mean + 0.02)) * grain, 0)
    return Volume(values.astype(np.float32), grid, Quantity.SUVBW)


def clean_suv(phantom: Phantom, generator: np.random.Generator) -> np.ndarray:
    """Uptake before point spread and noise on the phantom's grid (float32)."""
    spleen, kidney, liver = generator.uniform((0.8, 0.75, 0.85), (1.2, 1.25, 1.25))
    table = np.zeros(len(Tissue), np.float32)
    for tissue, value in SUV.items():
        table[tissue] = value
    table[Tissue.SPLEEN] *= spleen
    table[[Tissue.KIDNEY_CORTEX, Tissue.KIDNEY_MEDULLA]] *= kidney
    table[Tissue.LIVER] *= liver
    suv = table[phantom.tissues.labels]
    texture = cloud(phantom.grid.shape, phantom.grid.spacing_mm, 16.0, generator)
    suv *= 1 + np.float32(0.05) * texture
    shades: dict[int, Shade] = {}
    for t in phantom.truth:
        shades[t.id] = Shade(rim=t.suv, core=t.suv * NECROSIS.get(t.kind, 1.0))
    for t in phantom.mimic_truth:
        shades[-t.id] = Shade(rim=MIMIC_SUV[t.kind], core=MIMIC_SUV[t.kind])
    shade_lesions(phantom, suv, shades, texture)
    return suv


def _pet_grid(grid: Grid, spacing_mm: tuple[float, float, float]) -> Grid:
    """Covers the same box with whole voxels, centred."""
    size = [n * s for n, s in zip(grid.shape, grid.spacing_mm, strict=True)]
    shape = tuple(max(4, round(n / s)) for n, s in zip(size, spacing_mm, strict=True))
    middle = grid.to_mm((np.array(grid.shape) - 1) / 2)
    affine = np.diag((*spacing_mm, 1.0))
    affine[:3, 3] = middle - np.array(spacing_mm) * (np.array(shape) - 1) / 2
    return Grid(shape=(shape[0], shape[1], shape[2]), affine_lps=affine, frame_uid=grid.frame_uid)
