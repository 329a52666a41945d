"""How a body differs from the liver around it, channel by channel."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from netseg.phantom import ct, mr
from netseg.phantom.appearance import CHANNELS, Family, Palette
from netseg.phantom.lesions import LesionKind
from netseg.phantom.tissue import Tissue
from netseg.phantom.tumour_prior import Mimic, Order

if TYPE_CHECKING:
    from netseg.phantom.appearance import Patient
    from netseg.phantom.chance import Chance
    from netseg.phantom.tumours import Growth

CT = ("ct_native", "ct_arterial", "ct_portal", "ct_delayed")
CLEAR_RIM = (
    0.5,
    0.9,
)  # a rim at least this share of its core's contrast: truth ends where it is seen
# channels in which a look-alike can be told from a metastasis; without one of them it is not drawn
TELLING = {
    Mimic.CYST: (*CT, "mr_portal", "mr_t2", "mr_arterial"),
    Mimic.HAEMANGIOMA: ("ct_arterial", "ct_portal", "mr_arterial", "mr_portal", "mr_t2"),
    Mimic.FOCAL_FAT: (*CT, "mr_t1", "mr_portal"),
    Mimic.VESSEL: tuple(CHANNELS),
    Mimic.PERFUSION: ("ct_arterial", "mr_arterial"),
    Mimic.PET_SPOT: ("pet_sstr", "pet_fdg"),
}
TELLING_FREE = (Mimic.VESSEL, Mimic.CYST, Mimic.FOCAL_FAT)
ADC_COLUMN, T2_COLUMN = 5, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A body in one channel, as differences to the liver's mean in native units.

    Attributes:
        rim: Near its surface.
        core: In its middle.
        core_begins: Depth, as a share of the radius, where the core begins.
        grain: Weight of its inner unevenness.
        treated: Added where treated material lies; 0 for none.
        nodular: Whether only bumps of the rim show the rim's contrast.
        through: How much of what was there (vessels, texture) shows through.
    """

    rim: float
    core: float
    core_begins: float = 0.3
    grain: float = 0.0
    treated: float = 0.0
    nodular: bool = False
    through: float = 0.15

    @property
    def seen(self) -> bool:
        """Whether it changes the image at all."""
        return any((self.rim, self.core, self.grain, self.treated))


@dataclass(frozen=True, slots=True, kw_only=True)
class Temper:
    """What the lesions of one patient have in common in one channel.

    Attributes:
        strength: Factor on the tables' contrast.
        contrast: Freely drawn contrast of homogeneous lesions, native units.
        rim: Freely drawn contrast of rims.
        core: Freely drawn contrast of cores.
        uptake: Uptake of living tumour over liver in PET; in MR and CT unused.
    """

    strength: float
    contrast: float
    rim: float
    core: float
    uptake: float


def draw_temper(palette: Palette, chance: Chance) -> Temper:
    """The lesions' common look in one channel."""
    if palette.family is Family.CT:
        size = chance.log_uniform(14.0, 110.0)
    elif palette.family is Family.MR:
        size = palette.liver * chance.log_uniform(0.12, 1.2)
    else:
        size = palette.liver * chance.log_uniform(0.5, 5.0)
    bright = chance.coin(0.85 if palette.family is Family.PET else 0.5)
    contrast = size if bright else -min(size, _room_below(palette))
    ring = abs(contrast) * chance.uniform(0.7, 1.5)
    rim = ring if chance.coin(0.5) else -min(ring, _room_below(palette))
    depth = abs(rim) * chance.uniform(0.6, 1.8)
    core = depth if chance.coin(0.3) else -min(depth, _room_below(palette))
    return Temper(
        strength=chance.uniform(0.55, 1.5),
        contrast=contrast,
        rim=rim,
        core=core,
        uptake=_uptake(palette.channel, chance),
    )


def _room_below(palette: Palette) -> float:
    """How much darker than liver something can be."""
    return 120.0 if palette.family is Family.CT else 0.85 * palette.liver


def _uptake(channel: str, chance: Chance) -> float:
    """Tumour over liver: SSTR-negative in a seventh; FDG like liver in well differentiated tumours."""
    if channel == "pet_sstr":
        return chance.uniform(0.3, 1.1) if chance.coin(0.14) else chance.log_uniform(1.5, 7.0)
    return chance.uniform(0.8, 1.3) if chance.coin(0.45) else chance.log_uniform(1.5, 5.0)


def allowed_mimics(channels: tuple[str, ...], *, free: bool) -> tuple[Mimic, ...]:
    """Look-alikes that at least one of the channels tells from a metastasis."""
    return tuple(
        mimic
        for mimic, telling in TELLING.items()
        if any(name in telling for name in channels) and (not free or mimic in TELLING_FREE)
    )


def look(order: Order, palette: Palette, temper: Temper, patient: Patient, chance: Chance) -> Look:
    """The look of one body in one channel."""
    if isinstance(order.kind, Mimic):
        return _mimic(order.kind, palette, patient, chance)
    if palette.free:
        rim, core = _free(order.kind, temper)
    else:
        rim, core = _physical(order.kind, palette, temper, patient, hyper=order.hyper)
    own = chance.uniform(0.85, 1.15)
    rim, core = _clear_rim(rim * own, core * own, chance)
    begins = {LesionKind.RING: (0.15, 0.4), LesionKind.NECROTIC: (0.25, 0.5)}
    treated = _treated(palette, chance) if order.treated else 0.0
    return Look(
        rim=rim,
        core=core,
        core_begins=chance.uniform(*begins.get(order.kind, (0.2, 0.5))),
        grain=chance.uniform(0.02, 0.25) * max(abs(rim), abs(core)),
        treated=treated,
    )


def _clear_rim(rim: float, core: float, chance: Chance) -> tuple[float, float]:
    """A rim that would melt into the liver around a strong core takes a share of the core's contrast."""
    low, high = CLEAR_RIM
    if abs(rim) >= low * abs(core):
        return rim, core
    return chance.uniform(low, high) * core, core


def _free(kind: LesionKind, temper: Temper) -> tuple[float, float]:
    if kind in (LesionKind.RING, LesionKind.NECROTIC):
        return temper.rim, temper.core * (1.0 if kind is LesionKind.RING else 1.3)
    sign = 1.0 if kind is LesionKind.HYPERVASCULAR else 0.75
    return sign * temper.contrast, sign * temper.contrast


def _physical(
    kind: LesionKind, palette: Palette, temper: Temper, patient: Patient, *, hyper: bool
) -> tuple[float, float]:
    rim_kind = kind if hyper or kind is LesionKind.RING else LesionKind.HYPOVASCULAR
    channel = CHANNELS[palette.channel]
    if palette.family is Family.CT:
        rim, core = ct.RIM[rim_kind][channel.column], ct.CORE[kind][channel.column]
        fatty = -0.7 * patient.fatty_hu  # the tumour holds no fat
        return rim * temper.strength + fatty, core * temper.strength + fatty
    if palette.family is Family.MR:
        rim, core = mr.RIM[rim_kind], mr.CORE[kind]
        both = (_mr_ratio(part, palette.channel, patient) for part in (rim, core))
        rim, core = (palette.liver * temper.strength * (ratio - 1.0) for ratio in both)
        floor = -0.9 * palette.liver
        return max(rim, floor), max(core, floor)
    living = palette.liver * (temper.uptake - 1.0)
    dead = {LesionKind.NECROTIC: 0.12, LesionKind.RING: 0.6}.get(kind, 1.0)
    return living, palette.liver * (dead * temper.uptake - 1.0)


def _mr_ratio(row: tuple[float, ...], channel: str, patient: Patient) -> float:
    """Signal over the liver's."""
    if channel != "mr_dwi":
        return row[CHANNELS[channel].column]
    liver_adc = mr.SIGNAL[Tissue.LIVER][ADC_COLUMN]
    return row[T2_COLUMN] * math.exp(-1e-6 * patient.b_value * liver_adc * (row[ADC_COLUMN] - 1.0))


def _treated(palette: Palette, chance: Chance) -> float:
    """Iodised oil, blood and ablated tissue: very bright in CT, either way in MR, dead in PET."""
    if palette.family is Family.CT:
        return chance.uniform(60.0, 400.0)
    if palette.family is Family.MR:
        return palette.liver * chance.uniform(-0.5, 0.8)
    return -0.6 * palette.liver


def _mimic(kind: Mimic, palette: Palette, patient: Patient, chance: Chance) -> Look:
    if kind is Mimic.VESSEL:
        blood = palette.of(chance.pick((Tissue.PORTAL_VEIN, Tissue.HEPATIC_VEIN)))
        return Look(rim=blood - palette.liver, core=blood - palette.liver)
    if kind is Mimic.PET_SPOT:
        spot = palette.liver * chance.uniform(0.5, 1.6) if palette.family is Family.PET else 0.0
        return Look(rim=spot, core=spot)
    if kind is Mimic.PERFUSION:
        seen = palette.channel in ("ct_arterial", "mr_arterial")
        size = {Family.CT: 1.0}.get(palette.family, palette.liver / 100.0)
        rim = chance.uniform(14.0, 40.0) * size if seen else 0.0
        return Look(rim=rim, core=rim, grain=0.2 * rim, through=1.0)
    if palette.free:
        return _free_mimic(kind, palette, chance)
    return _known_mimic(LesionKind(kind.value), palette, patient, chance)


def _free_mimic(kind: Mimic, palette: Palette, chance: Chance) -> Look:
    """A cyst holds what the gallbladder holds; focal fat fades."""
    if kind is Mimic.CYST:
        fluid = palette.of(Tissue.GALLBLADDER) - palette.liver
        return Look(rim=fluid, core=fluid)
    faint = chance.uniform(-0.25, 0.25) * palette.unit
    return Look(rim=faint, core=faint, through=1.0)


def _known_mimic(kind: LesionKind, palette: Palette, patient: Patient, chance: Chance) -> Look:
    column, spread = CHANNELS[palette.channel].column, chance.uniform(0.8, 1.2)
    nodular = kind is LesionKind.HAEMANGIOMA
    if palette.family is Family.CT:
        if kind is LesionKind.CYST:
            fluid = chance.uniform(-6.0, 18.0) - palette.liver
            return Look(rim=fluid, core=fluid)
        rim, core = ct.RIM[kind][column] * spread, ct.CORE[kind][column] * spread
        if kind is LesionKind.FOCAL_FAT and patient.fatty_hu < -8.0:
            rim, core = -rim, -core  # spared from fat
        return Look(rim=rim, core=core, core_begins=0.35, nodular=nodular)
    if palette.family is Family.MR:
        rim, core = (
            palette.liver * (_mr_ratio(part[kind], palette.channel, patient) - 1.0)
            for part in (mr.RIM, mr.CORE)
        )
        return Look(rim=rim * spread, core=core * spread, core_begins=0.35, nodular=nodular)
    share = {LesionKind.CYST: 0.1, LesionKind.HAEMANGIOMA: 0.6, LesionKind.FOCAL_FAT: 0.92}[kind]
    cold = palette.liver * (share - 1.0)
    return Look(rim=cold, core=cold)


def change(body: Growth, look_: Look, liver: float, image: torch.Tensor) -> torch.Tensor:
    """What a body adds to a channel before the scanner, in its box, native units.

    Args:
        body: Its shape.
        look_: Its look in the channel.
        liver: Mean of the liver there.
        image: The channel without it, in the body's box.
    """
    inner = body.depth_mm / body.radius_mm
    core = torch.sigmoid((inner - look_.core_begins + 0.10 * body.bumps) * 12.0)
    rim = torch.full_like(inner, look_.rim)
    if look_.nodular:
        knobs = torch.sigmoid((body.bumps - 0.1) * 5.0)
        rim = look_.core + knobs * (look_.rim - look_.core)
    value = rim + core * (look_.core - rim) + look_.grain * body.bumps
    if look_.treated:
        dense = torch.sigmoid(6.0 * (body.bumps - 0.5)) * torch.sigmoid((inner - 0.15) * 15.0)
        value = value + look_.treated * dense
    kept = look_.through * (image - liver)
    return body.soft * (liver + value + kept - image)
