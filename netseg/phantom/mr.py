"""MR of a phantom in arbitrary units: T1 (native, dynamic, hepatobiliary), T2, DWI, ADC.

Relative signals of a fat-suppressed liver protocol with gadoxetate at 1.5 T; a first version that
orders tissues rightly rather than solving the Bloch equations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netseg.domain import MrSequence, Phase, Quantity, Volume
from netseg.phantom.lesions import LesionKind
from netseg.phantom.shading import Shade, shade_lesions
from netseg.phantom.texture import cloud, correlated_noise, smooth
from netseg.phantom.tissue import Tissue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netseg.phantom.phantom import Phantom

T1_PHASES = (Phase.NATIVE, Phase.LATE_ARTERIAL, Phase.PORTAL_VENOUS, Phase.HEPATOBILIARY)
# signal: T1 native, arterial, portal venous, hepatobiliary | T2 | ADC in 1e-6 mm²/s
SIGNAL: Mapping[Tissue, tuple[float, float, float, float, float, float]] = {
    Tissue.AIR: (0, 0, 0, 0, 0, 0),
    Tissue.FAT: (60, 60, 60, 60, 70, 300),
    Tissue.SKIN: (120, 130, 140, 140, 100, 900),
    Tissue.MUSCLE: (190, 205, 220, 215, 75, 1400),
    Tissue.LUNG: (15, 18, 20, 18, 20, 600),
    Tissue.HEART: (150, 420, 380, 250, 90, 1800),
    Tissue.SPLEEN: (170, 400, 390, 260, 210, 850),
    Tissue.PANCREAS: (270, 400, 370, 310, 140, 1500),
    Tissue.STOMACH_WALL: (190, 320, 320, 260, 120, 1600),
    Tissue.STOMACH_FLUID: (70, 70, 70, 75, 620, 2900),
    Tissue.BOWEL_WALL: (190, 300, 310, 260, 120, 1600),
    Tissue.BOWEL_CONTENT: (150, 150, 150, 170, 300, 2200),
    Tissue.GAS: (5, 5, 5, 5, 5, 100),
    Tissue.LIVER: (240, 285, 390, 520, 110, 1150),
    Tissue.GALLBLADDER: (90, 90, 95, 420, 700, 3000),
    Tissue.KIDNEY_CORTEX: (230, 520, 470, 380, 190, 2000),
    Tissue.KIDNEY_MEDULLA: (160, 260, 440, 390, 240, 2000),
    Tissue.SPONGY_BONE: (150, 165, 175, 170, 110, 600),
    Tissue.CORTICAL_BONE: (20, 20, 20, 20, 15, 200),
    Tissue.CARTILAGE: (130, 130, 140, 140, 110, 1200),
    Tissue.DISC: (130, 130, 135, 135, 160, 1600),
    Tissue.SPINAL_CANAL: (80, 80, 85, 85, 560, 2700),
    Tissue.INFERIOR_VENA_CAVA: (120, 240, 450, 280, 60, 1900),
    Tissue.AORTA: (130, 720, 470, 280, 50, 1900),
    Tissue.PORTAL_VEIN: (130, 330, 560, 285, 70, 1900),
    Tissue.HEPATIC_VEIN: (130, 220, 530, 285, 70, 1900),
    Tissue.HEPATIC_ARTERY: (130, 680, 470, 280, 60, 1900),
}
# relative to liver in the same columns
RIM = {
    LesionKind.HYPERVASCULAR: (0.72, 1.45, 0.92, 0.50, 1.9, 0.85),
    LesionKind.RING: (0.70, 1.45, 0.95, 0.50, 1.9, 0.85),
    LesionKind.HYPOVASCULAR: (0.70, 0.85, 0.72, 0.48, 1.7, 0.90),
    LesionKind.NECROTIC: (0.70, 1.35, 0.90, 0.50, 1.9, 0.90),
    LesionKind.CYST: (0.38, 0.32, 0.25, 0.22, 6.0, 2.50),
    LesionKind.HAEMANGIOMA: (0.60, 1.50, 1.30, 0.55, 4.0, 1.70),
    LesionKind.FOCAL_FAT: (0.80, 0.80, 0.80, 0.85, 1.0, 1.00),
}
CORE = RIM | {
    LesionKind.RING: (0.65, 0.80, 0.70, 0.45, 2.4, 1.10),
    LesionKind.NECROTIC: (0.50, 0.45, 0.36, 0.32, 4.0, 1.90),
    LesionKind.HAEMANGIOMA: (0.60, 0.70, 0.90, 0.50, 4.2, 1.75),
}


def render_mr(
    phantom: Phantom,
    sequence: MrSequence,
    generator: np.random.Generator,
    *,
    phase: Phase | None = None,
    b_value: float = 800.0,
    noise: float = 0.03,
) -> Volume:
    """One MR series on the phantom's grid.

    Args:
        phantom: The patient.
        sequence: T1, T2, DWI or ADC.
        generator: Source of bias field and noise.
        phase: For T1: native (also None), late arterial, portal venous or hepatobiliary.
        b_value: For DWI, in s/mm².
        noise: Noise relative to the liver's native T1 signal.

    Returns:
        Signal in arbitrary units, or ADC in 1e-6 mm²/s, as float32.

    Raises:
        ValueError: If the sequence has no such phase.
    """
    texture = cloud(phantom.grid.shape, phantom.grid.spacing_mm, 10.0, generator)
    signal = _signal(phantom, sequence, phase, b_value, texture)
    i, j, _ = (0.8 / s for s in phantom.grid.spacing_mm)
    signal = smooth(signal, (i, j, 0.4))
    if sequence is MrSequence.ADC:
        return Volume(np.maximum(signal, 0), phantom.grid, Quantity.ADC)
    signal *= np.exp(
        np.float32(0.12) * cloud(phantom.grid.shape, phantom.grid.spacing_mm, 200.0, generator)
    )
    spread = np.float32(noise * SIGNAL[Tissue.LIVER][0])
    real, imaginary = (
        correlated_noise(phantom.grid.shape, (0.5, 0.5, 0.2), generator) for _ in range(2)
    )
    magnitude = np.hypot(signal + spread * real, spread * imaginary)  # Rician
    return Volume(magnitude.astype(np.float32), phantom.grid, Quantity.ARBITRARY)


def _signal(
    phantom: Phantom, sequence: MrSequence, phase: Phase | None, b_value: float, texture: np.ndarray
) -> np.ndarray:
    if sequence is MrSequence.DWI:
        t2 = _contrast(phantom, 4, texture)
        adc = _contrast(phantom, 5, texture)
        return t2 * np.exp(-np.float32(b_value * 1e-6) * adc) * 3
    if sequence is MrSequence.T1:
        wanted = phase or Phase.NATIVE
        if wanted not in T1_PHASES:
            raise ValueError(
                f"T1 has one of the phases {[str(p) for p in T1_PHASES]}; got {phase}."
            )
        return _contrast(phantom, T1_PHASES.index(wanted), texture)
    if phase is not None:
        raise ValueError(f"only T1 has contrast phases; got {phase} for {sequence}.")
    return _contrast(phantom, 4 if sequence is MrSequence.T2 else 5, texture)


def _contrast(phantom: Phantom, column: int, texture: np.ndarray) -> np.ndarray:
    table = np.zeros(len(Tissue), np.float32)
    for tissue, values in SIGNAL.items():
        table[tissue] = values[column]
    image = table[phantom.tissues.labels] * (1 + np.float32(0.03) * texture)
    liver = float(table[Tissue.LIVER])
    kinds = {t.id: t.kind for t in phantom.truth} | {-t.id: t.kind for t in phantom.mimic_truth}
    shades = {
        n: Shade(rim=liver * RIM[k][column], core=liver * CORE[k][column], texture=0.03 * liver)
        for n, k in kinds.items()
    }
    shade_lesions(phantom, image, shades, texture)
    return image
