"""What tissues look like in each channel: tables with a wide spread, and freely drawn contrasts.

The physics-like half starts from the tables of `ct`, `mr` and `pet` and varies circulation, timing
of the scan, fatty liver, scanner scale and every tissue by itself. The free half draws the mean of
every tissue by chance (Billot et al., SynthSeg, Med Image Anal 2023), so that no network can lean on
absolute values.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import torch

from netseg.phantom import ct, mr, pet
from netseg.phantom.tissue import Tissue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netseg.phantom.chance import Chance


class Family(StrEnum):
    """Scanners: what one of them records lies in one frame."""

    CT = "ct"
    MR = "mr"
    PET = "pet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One kind of image.

    Attributes:
        family: Its scanner.
        column: Its column in the tables of `ct` and `mr`; 0 for SSTR and 1 for FDG in PET.
    """

    family: Family
    column: int


CHANNELS: Mapping[str, Channel] = {
    "ct_native": Channel(family=Family.CT, column=0),
    "ct_arterial": Channel(family=Family.CT, column=1),
    "ct_portal": Channel(family=Family.CT, column=2),
    "ct_delayed": Channel(family=Family.CT, column=3),
    "mr_t1": Channel(family=Family.MR, column=0),
    "mr_arterial": Channel(family=Family.MR, column=1),
    "mr_portal": Channel(family=Family.MR, column=2),
    "mr_hepatobiliary": Channel(family=Family.MR, column=3),
    "mr_t2": Channel(family=Family.MR, column=4),
    "mr_dwi": Channel(family=Family.MR, column=5),
    "pet_sstr": Channel(family=Family.PET, column=0),
    "pet_fdg": Channel(family=Family.PET, column=1),
}
TINTED = ("ct_arterial", "mr_arterial")

# FDG one hour after injection (SUVbw), mean values as commonly reported; urine and gut vary widely
FDG_SUV: Mapping[Tissue, float] = dict(pet.SUV) | {
    Tissue.FAT: 0.3,
    Tissue.MUSCLE: 0.7,
    Tissue.HEART: 3.0,
    Tissue.SPLEEN: 1.9,
    Tissue.PANCREAS: 1.5,
    Tissue.STOMACH_WALL: 2.0,
    Tissue.STOMACH_FLUID: 0.6,
    Tissue.BOWEL_WALL: 1.6,
    Tissue.BOWEL_CONTENT: 1.4,
    Tissue.LIVER: 2.3,
    Tissue.GALLBLADDER: 0.7,
    Tissue.KIDNEY_CORTEX: 2.8,
    Tissue.KIDNEY_MEDULLA: 7.0,
    Tissue.SPONGY_BONE: 1.2,
    Tissue.INFERIOR_VENA_CAVA: 1.7,
    Tissue.AORTA: 1.8,
    Tissue.PORTAL_VEIN: 1.8,
    Tissue.HEPATIC_VEIN: 1.8,
    Tissue.HEPATIC_ARTERY: 1.8,
}
# slow variation inside a tissue, in HU; MR and PET take it relative to the liver's texture
GRAIN: Mapping[Tissue, float] = {
    Tissue.FAT: 7.0,
    Tissue.SKIN: 10.0,
    Tissue.MUSCLE: 7.0,
    Tissue.LUNG: 35.0,
    Tissue.HEART: 6.0,
    Tissue.SPLEEN: 4.0,
    Tissue.PANCREAS: 9.0,
    Tissue.STOMACH_WALL: 10.0,
    Tissue.STOMACH_FLUID: 6.0,
    Tissue.BOWEL_WALL: 10.0,
    Tissue.BOWEL_CONTENT: 24.0,
    Tissue.LIVER: 3.0,
    Tissue.GALLBLADDER: 2.0,
    Tissue.KIDNEY_CORTEX: 7.0,
    Tissue.KIDNEY_MEDULLA: 8.0,
    Tissue.SPONGY_BONE: 45.0,
    Tissue.CORTICAL_BONE: 90.0,
    Tissue.CARTILAGE: 12.0,
    Tissue.DISC: 8.0,
    Tissue.SPINAL_CANAL: 6.0,
}
FIXED = (Tissue.AIR, Tissue.GAS, Tissue.LUNG, Tissue.CORTICAL_BONE)
CONTRAST_MEDIUM = (Tissue.STOMACH_FLUID, Tissue.BOWEL_CONTENT)
BLOOD = (
    Tissue.INFERIOR_VENA_CAVA,
    Tissue.AORTA,
    Tissue.PORTAL_VEIN,
    Tissue.HEPATIC_VEIN,
    Tissue.HEPATIC_ARTERY,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """What all physics-like channels of one sample share.

    Attributes:
        enhancement: Factor on every enhancement over native.
        fatty_hu: Added to the liver in CT: negative in fatty liver.
        timing: How far between this phase and the next (positive) or the last (negative) it was shot.
        fat_saturation: Whether MR suppresses fat.
        b_value: Of the DWI, s/mm².
        uptake: Factor of hepatocytes on the hepatobiliary phase's gain over native.
        jitter: A normal number per tissue, shared by all channels, (tissues,).
    """

    enhancement: float
    fatty_hu: float
    timing: float
    fat_saturation: bool
    b_value: float
    uptake: float
    jitter: torch.Tensor


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Palette:
    """The tissues of one channel.

    Attributes:
        channel: Its name.
        values: Mean per tissue in native units, (tissues,) on the CPU.
        grain: Standard deviation of the slow variation per tissue, (tissues,).
        unit: Size of a strong contrast: 100 HU in CT, the liver's signal in MR and PET.
        free: Whether drawn freely instead of from the tables.
    """

    channel: str
    values: torch.Tensor
    grain: torch.Tensor
    unit: float
    free: bool

    @property
    def family(self) -> Family:
        """Its scanner."""
        return CHANNELS[self.channel].family

    def of(self, tissue: Tissue) -> float:
        """Mean of one tissue."""
        return float(self.values[tissue])

    @property
    def liver(self) -> float:
        """Mean of the liver."""
        return self.of(Tissue.LIVER)


def draw_patient(chance: Chance) -> Patient:
    """A random circulation, liver and protocol."""
    fatty = -chance.uniform(8.0, 45.0) if chance.coin(0.3) else chance.uniform(-8.0, 8.0)
    return Patient(
        enhancement=chance.uniform(0.65, 1.35),
        fatty_hu=fatty,
        timing=chance.uniform(-0.3, 0.4),
        fat_saturation=chance.coin(0.8),
        b_value=chance.pick((0.0, 50.0, 400.0, 600.0, 800.0, 1000.0)),
        uptake=chance.uniform(0.55, 1.15),
        jitter=torch.tensor([chance.normal() for _ in Tissue]),
    )


def palette(channel: str, patient: Patient, chance: Chance) -> Palette:
    """The tables' look of a channel in one patient on one scanner."""
    family, column = CHANNELS[channel].family, CHANNELS[channel].column
    draw = {Family.CT: _ct, Family.MR: _mr, Family.PET: _pet}[family]
    return draw(channel, column, patient, chance)


def free_palette(channel: str, chance: Chance) -> Palette:
    """A look drawn by chance, tissue by tissue; positive in MR and PET."""
    family = CHANNELS[channel].family
    low, high = {Family.CT: (-60.0, 240.0), Family.MR: (15.0, 600.0), Family.PET: (0.3, 14.0)}[
        family
    ]
    drawn = chance.several(len(Tissue))
    if family is Family.CT:
        values = low + (high - low) * drawn
        unit, scatter = 100.0, chance.uniform(1.0, 9.0)
    else:
        values = low * (high / low) ** drawn
        floor = {Family.MR: 90.0, Family.PET: 0.8}[family]
        values[Tissue.LIVER] = values[Tissue.LIVER].clamp(min=floor)
        unit = float(values[Tissue.LIVER])
        scatter = unit * chance.uniform(0.01, 0.06)
    if chance.coin(0.5):  # all vessels hold the same blood
        values[list(BLOOD)] = float(values[Tissue.PORTAL_VEIN])
    values[Tissue.AIR] = {Family.CT: -1000.0}.get(family, 0.0)
    if family is Family.CT and chance.coin(0.7):
        _keep_ends(values, chance)
    if family is not Family.CT and chance.coin(0.7):
        values[list(FIXED)] = values[list(FIXED)] * 0.05
    grain = torch.full((len(Tissue),), scatter) * (0.5 + chance.several(len(Tissue)))
    grain[[Tissue.AIR, Tissue.GAS]] = 0.0
    return Palette(channel=channel, values=values, grain=grain, unit=unit, free=True)


def _keep_ends(values: torch.Tensor, chance: Chance) -> None:
    """Air, lung, fat and bone stay what they are in any CT."""
    for tissue in (*FIXED, Tissue.FAT, Tissue.SPONGY_BONE):
        values[tissue] = ct.HU[tissue][0] * chance.uniform(0.85, 1.1)
    values[Tissue.GAS] = values[Tissue.GAS].clamp(min=-1000.0)
    values[Tissue.AIR] = -1000.0


def _ct(channel: str, column: int, patient: Patient, chance: Chance) -> Palette:
    values = torch.empty(len(Tissue))
    other = min(3, max(0, column + (1 if patient.timing > 0 else -1)))
    share = abs(patient.timing) if column > 0 else 0.0
    for tissue, hu in ct.HU.items():
        seen = hu[column] + share * (hu[other if other > 0 else column] - hu[column])
        gain = patient.enhancement * (seen - hu[0])
        spread = 0.0 if tissue in FIXED else 2.0 + 0.06 * abs(gain)
        values[tissue] = hu[0] + gain + spread * float(patient.jitter[tissue])
    values[Tissue.FAT] += 6.0 * float(patient.jitter[Tissue.FAT])
    values[Tissue.CORTICAL_BONE] *= chance.uniform(0.6, 1.5)
    values[Tissue.SPONGY_BONE] *= chance.uniform(0.7, 1.4)
    values[Tissue.LIVER] += patient.fatty_hu
    if patient.jitter[Tissue.BOWEL_CONTENT] > 0.7:  # drank contrast medium
        values[list(CONTRAST_MEDIUM)] += chance.uniform(60.0, 280.0)
    grain = _grain(chance.uniform(0.5, 1.8))
    return Palette(channel=channel, values=values, grain=grain, unit=100.0, free=False)


def _mr(channel: str, column: int, patient: Patient, chance: Chance) -> Palette:
    values = torch.empty(len(Tissue))
    for tissue, signal in mr.SIGNAL.items():
        if channel == "mr_dwi":
            level = 3.0 * signal[4] * math.exp(-1e-6 * patient.b_value * signal[5])
        else:
            level = float(signal[column])
        if channel == "mr_hepatobiliary" and tissue in (Tissue.LIVER, Tissue.GALLBLADDER):
            level = signal[0] + patient.uptake * (level - signal[0])
        values[tissue] = level * math.exp(0.10 * float(patient.jitter[tissue]))
    if channel in TINTED:
        values = values * _stretch(patient.timing, values, values[Tissue.MUSCLE])
    if not patient.fat_saturation:
        values[[Tissue.FAT, Tissue.SPONGY_BONE]] = values[Tissue.MUSCLE] * chance.uniform(1.4, 2.6)
    scale = chance.log_uniform(0.15, 12.0)
    values = values * scale
    liver = float(values[Tissue.LIVER])
    grain = _grain(chance.uniform(0.5, 1.6)) / 100.0 * liver
    return Palette(channel=channel, values=values, grain=grain, unit=liver, free=False)


def _stretch(timing: float, values: torch.Tensor, muscle: torch.Tensor) -> torch.Tensor:
    """Early shots show brighter arteries and less of the rest."""
    strong = (values > 1.8 * muscle).float()
    return 1.0 + strong * (-0.5 * timing)


def _pet(channel: str, column: int, patient: Patient, chance: Chance) -> Palette:
    table = pet.SUV if column == 0 else FDG_SUV
    values = torch.zeros(len(Tissue))
    for tissue, suv in table.items():
        values[tissue] = suv * math.exp(0.14 * float(patient.jitter[tissue]))
    values *= chance.factor(0.10)
    gut = chance.log_uniform(0.6, 2.6)
    values[[Tissue.BOWEL_WALL, Tissue.BOWEL_CONTENT, Tissue.STOMACH_WALL]] *= gut
    values[[Tissue.KIDNEY_CORTEX, Tissue.KIDNEY_MEDULLA]] *= chance.log_uniform(0.6, 1.8)
    if channel == "pet_fdg":
        values[Tissue.HEART] *= chance.log_uniform(0.5, 4.0)
    liver = float(values[Tissue.LIVER])
    soft = _grain(chance.uniform(0.6, 1.6)).clamp(max=12.0) / 60.0
    return Palette(channel=channel, values=values, grain=soft * values, unit=liver, free=False)


def _grain(factor: float) -> torch.Tensor:
    grain = torch.zeros(len(Tissue))
    for tissue, spread in GRAIN.items():
        grain[tissue] = spread * factor
    grain[list(BLOOD)] = 2.0 * factor
    return grain


def paint(palette_: Palette, tissues: torch.Tensor, texture: torch.Tensor) -> torch.Tensor:
    """The tissues in a channel before any lesion or scanner: native units, (i, j, k) float32.

    Args:
        palette_: The channel's look.
        tissues: `Tissue` numbers, uint8.
        texture: Slow noise of unit variance on the same voxels.
    """
    numbers = tissues.long()
    values, grain = (t.to(tissues.device) for t in (palette_.values, palette_.grain))
    image = values[numbers].addcmul_(grain[numbers], texture)
    return image if palette_.family is Family.CT else image.clamp_(min=0.0)
