"""What a voxel of the phantom is made of."""

from __future__ import annotations

from enum import IntEnum


class Tissue(IntEnum):
    """Labels of the phantom's tissue map; the order is also the order of painting."""

    AIR = 0
    FAT = 1
    SKIN = 2
    MUSCLE = 3
    LUNG = 4
    HEART = 5
    SPLEEN = 6
    PANCREAS = 7
    STOMACH_WALL = 8
    STOMACH_FLUID = 9
    BOWEL_WALL = 10
    BOWEL_CONTENT = 11
    GAS = 12
    LIVER = 13
    GALLBLADDER = 14
    KIDNEY_CORTEX = 15
    KIDNEY_MEDULLA = 16
    SPONGY_BONE = 17
    CORTICAL_BONE = 18
    CARTILAGE = 19
    DISC = 20
    SPINAL_CANAL = 21
    INFERIOR_VENA_CAVA = 22
    AORTA = 23
    PORTAL_VEIN = 24
    HEPATIC_VEIN = 25
    HEPATIC_ARTERY = 26


NAMES = {int(t): t.name.lower() for t in Tissue if t is not Tissue.AIR}
SEGMENT_NAMES = dict(enumerate(("I", "II", "III", "IV", "V", "VI", "VII", "VIII"), start=1))
