"""CT of a phantom in Hounsfield units: contrast phases, partial volume, correlated noise.

Typical attenuations of a triphasic liver protocol at 120 kV; spread between patients is drawn in
`CtContrast`. Liver and its vessels follow the usual teaching: hypervascular lesions stand out in
the late arterial phase, hypovascular ones in the portal venous phase.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netseg.domain import Phase, Quantity, Volume
from netseg.phantom.lesions import LesionKind
from netseg.phantom.shading import Shade, shade_lesions
from netseg.phantom.texture import cloud, correlated_noise, smooth
from netseg.phantom.tissue import Tissue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Float

    from netseg.phantom.phantom import Phantom

PHASES = (Phase.NATIVE, Phase.LATE_ARTERIAL, Phase.PORTAL_VENOUS, Phase.DELAYED)

# Hounsfield units in the order of PHASES
HU: Mapping[Tissue, tuple[float, float, float, float]] = {
    Tissue.AIR: (-1000, -1000, -1000, -1000),
    Tissue.FAT: (-102, -101, -100, -100),
    Tissue.SKIN: (20, 24, 30, 30),
    Tissue.MUSCLE: (55, 60, 66, 66),
    Tissue.LUNG: (-860, -850, -845, -848),
    Tissue.HEART: (42, 200, 150, 112),
    Tissue.SPLEEN: (48, 128, 122, 98),
    Tissue.PANCREAS: (42, 108, 96, 78),
    Tissue.STOMACH_WALL: (40, 85, 82, 72),
    Tissue.STOMACH_FLUID: (12, 12, 12, 12),
    Tissue.BOWEL_WALL: (38, 75, 82, 70),
    Tissue.BOWEL_CONTENT: (25, 25, 25, 25),
    Tissue.GAS: (-960, -960, -960, -960),
    Tissue.LIVER: (58, 74, 112, 94),
    Tissue.GALLBLADDER: (8, 8, 8, 8),
    Tissue.KIDNEY_CORTEX: (33, 185, 188, 160),
    Tissue.KIDNEY_MEDULLA: (33, 78, 168, 165),
    Tissue.SPONGY_BONE: (170, 180, 190, 185),
    Tissue.CORTICAL_BONE: (650, 650, 655, 655),
    Tissue.CARTILAGE: (105, 108, 112, 112),
    Tissue.DISC: (85, 86, 90, 90),
    Tissue.SPINAL_CANAL: (22, 26, 30, 30),
    Tissue.INFERIOR_VENA_CAVA: (42, 95, 138, 112),
    Tissue.AORTA: (42, 310, 158, 116),
    Tissue.PORTAL_VEIN: (42, 115, 172, 118),
    Tissue.HEPATIC_VEIN: (42, 68, 160, 118),
    Tissue.HEPATIC_ARTERY: (42, 280, 150, 114),
}

# difference to liver in the order of PHASES
RIM = {
    LesionKind.HYPERVASCULAR: (-12, 55, -14, -18),
    LesionKind.RING: (-14, 60, -10, -12),
    LesionKind.HYPOVASCULAR: (-14, -16, -42, -26),
    LesionKind.NECROTIC: (-14, 42, -14, -14),
    LesionKind.CYST: (-52, -68, -106, -88),
    LesionKind.HAEMANGIOMA: (-18, 70, 50, 24),
    LesionKind.FOCAL_FAT: (-28, -28, -32, -30),
}
CORE = {
    LesionKind.HYPERVASCULAR: (-12, 45, -28, -24),
    LesionKind.RING: (-20, -10, -46, -30),
    LesionKind.HYPOVASCULAR: (-18, -24, -54, -34),
    LesionKind.NECROTIC: (-34, -48, -84, -66),
    LesionKind.CYST: (-52, -68, -106, -88),
    LesionKind.HAEMANGIOMA: (-20, -14, -4, 18),
    LesionKind.FOCAL_FAT: (-26, -26, -30, -28),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CtContrast:
    """How one examination differs from the table.

    Attributes:
        noise_hu: Standard deviation of the noise.
        noise_mm: Correlation length of the noise in the slice.
        blur_mm: Standard deviation of the point spread in the slice.
        lesion: Factor on the lesions' difference to liver.
        enhancement: Factor on every tissue's enhancement over native.
        liver_shift_hu: Added to liver and lesions; negative in fatty liver.
        texture_hu: Slow variation inside soft tissue.
    """

    noise_hu: float = 11.0
    noise_mm: float = 0.8
    blur_mm: float = 0.7
    lesion: float = 1.0
    enhancement: float = 1.0
    liver_shift_hu: float = 0.0
    texture_hu: float = 3.0


def draw_contrast(rng: np.random.Generator) -> CtContrast:
    """A random scanner, dose, reconstruction and circulation."""
    return CtContrast(
        noise_hu=float(rng.uniform(4, 26)),
        noise_mm=float(rng.uniform(0.4, 1.4)),
        blur_mm=float(rng.uniform(0.3, 1.1)),
        lesion=float(rng.uniform(0.5, 1.35)),
        enhancement=float(rng.uniform(0.75, 1.25)),
        liver_shift_hu=float(rng.uniform(-22, 12)),
        texture_hu=float(rng.uniform(1, 6)),
    )


def render_ct(
    phantom: Phantom,
    phase: Phase,
    generator: np.random.Generator,
    *,
    contrast: CtContrast = CtContrast(),
) -> Volume:
    """One CT phase on the phantom's grid.

    Args:
        phantom: The patient.
        phase: Native, late arterial, portal venous or delayed.
        generator: Source of noise and texture.
        contrast: Scanner and circulation.

    Returns:
        HU as int16.

    Raises:
        ValueError: If the phase is not one of CT.
    """
    hu = ct_values(phantom, phase, generator, contrast)
    return Volume(np.clip(np.rint(hu), -1024, 3071).astype(np.int16), phantom.grid, Quantity.HU)


def ct_values(
    phantom: Phantom, phase: Phase, generator: np.random.Generator, contrast: CtContrast
) -> Float[np.ndarray, "i j k"]:
    """HU as float32, with noise."""
    if phase not in PHASES:
        raise ValueError(f"a CT has one of the phases {[str(p) for p in PHASES]}; got {phase}.")
    spacing = phantom.grid.spacing_mm
    hu = clean_hu(phantom, phase, contrast, generator)
    blur = tuple(contrast.blur_mm / s for s in spacing)
    hu = smooth(hu, (blur[0], blur[1], 0.35))
    sigma = (contrast.noise_mm / spacing[0], contrast.noise_mm / spacing[1], 0.3)
    noise = correlated_noise(phantom.grid.shape, sigma, generator)
    return hu + np.float32(contrast.noise_hu) * noise


def hu_table(phase: Phase, contrast: CtContrast) -> Float[np.ndarray, "n"]:
    """HU by tissue number."""
    column = PHASES.index(phase)
    table = np.zeros(len(Tissue), np.float32)
    for tissue, values in HU.items():
        table[tissue] = values[0] + contrast.enhancement * (values[column] - values[0])
    table[Tissue.LIVER] += contrast.liver_shift_hu
    return table


def clean_hu(
    phantom: Phantom, phase: Phase, contrast: CtContrast, generator: np.random.Generator
) -> Float[np.ndarray, "i j k"]:
    """HU before blur and noise: tissues, soft vessels, lesions, slow texture of soft tissue."""
    table = hu_table(phase, contrast)
    tissue = phantom.tissues.labels
    hu = table[tissue]
    vessel = np.isin(tissue, (Tissue.PORTAL_VEIN, Tissue.HEPATIC_VEIN, Tissue.HEPATIC_ARTERY))
    hu[vessel & phantom.liver.inside] = table[Tissue.LIVER]
    for kind in (Tissue.HEPATIC_ARTERY, Tissue.HEPATIC_VEIN, Tissue.PORTAL_VEIN):
        part = phantom.share[kind]
        where = np.nonzero(part)
        hu[where] += part[where] / np.float32(255) * (table[kind] - hu[where])
    texture = cloud(phantom.grid.shape, phantom.grid.spacing_mm, 9.0, generator)
    soft = (tissue != Tissue.AIR) & (tissue != Tissue.GAS)
    hu += np.float32(contrast.texture_hu) * texture * soft
    shades = {t.id: _shade(t.kind, phase, contrast, table) for t in phantom.truth}
    shades |= {-t.id: _shade(t.kind, phase, contrast, table) for t in phantom.mimic_truth}
    shade_lesions(phantom, hu, shades, texture)
    return hu


def _shade(kind: LesionKind, phase: Phase, contrast: CtContrast, table: np.ndarray) -> Shade:
    column, liver = PHASES.index(phase), float(table[Tissue.LIVER])
    rim, core = (liver + contrast.lesion * part[kind][column] for part in (RIM, CORE))
    return Shade(rim=rim, core=core, texture=1.5 * contrast.texture_hu)
