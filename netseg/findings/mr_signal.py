"""MR signal of a lesion against the liver beside it, and what it says of arterial enhancement.

The scale of MR signal is arbitrary, and it drifts through the body with the sensitivity of the
coils. So a lesion is held against lesion-free liver of the same series within 30 mm of its bounding
box: the ratio of both has no unit and survives any gain.

With a, n and p the ratios in the late arterial, native and a later phase of dynamic T1:

- Hyper-enhancing: a is 1.1 or more (assumption, beside the 10 HU of CT: a liver of 100 HU), by three
  standard errors or more, and exceeds n by as much: what is bright before contrast has not enhanced.
  A bright lesion without a native series stays unknown.
- Washout: after hyper-enhancement, p is 0.9 or less, by three standard errors or more. Where a
  hepatobiliary phase exists the agent is taken up by hepatocytes, and only the portal venous phase
  counts: later on every tissue without them turns dark (LI-RADS v2018).
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netseg.domain import Modality, MrSequence, Phase, Quantity
from netseg.findings.enhancement import cnr, samples
from netseg.findings.level import Level, without_outliers
from netseg.findings.wash import HYPERENHANCEMENT, STANDARD_ERRORS, WASHOUT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netseg.domain import Series
    from netseg.findings.record import Record
    from netseg.findings.region import Region

REACH_MM = 30.0  # assumption: over this way the coils' sensitivity hardly changes
FEWEST_ML = 2.0  # of liver beside a lesion: below it is no reference (assumption)
SIGNIFICANT = 0.1
BESIDE = f"lesion-free liver within {REACH_MM:.0f} mm of the lesion's box"
ARTERIAL = f"{MrSequence.T1}_{Phase.LATE_ARTERIAL}"
NATIVE = f"{MrSequence.T1}_{Phase.NATIVE}"
PORTAL = f"{MrSequence.T1}_{Phase.PORTAL_VENOUS}"
DELAYED = f"{MrSequence.T1}_{Phase.DELAYED}"
HEPATOBILIARY = f"{MrSequence.T1}_{Phase.HEPATOBILIARY}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """A lesion's mean over the liver's median.

    Attributes:
        value: The ratio; 1 is as bright as liver.
        error: Its standard error from the liver's noise, over independent samples of both.
    """

    value: float
    error: float

    @property
    def is_bright(self) -> bool | None:
        """Whether it is a tenth above liver for sure; None where it is, but not for sure."""
        return _sure(self.value - 1.0, self.error)

    @property
    def is_dark(self) -> bool | None:
        """Whether it is a tenth below liver for sure; None where it is, but not for sure."""
        return _sure(1.0 - self.value, self.error)

    def exceeds(self, other: Ratio) -> bool | None:
        """Whether it is a tenth above another ratio for sure; None where it is, but not for sure."""
        return _sure(self.value - other.value, math.hypot(self.error, other.error))


def signal_names(series: Sequence[Series]) -> dict[str, Series]:
    """The MR series of arbitrary scale, by weighting and phase: `t1_late_arterial`, `dwi_b800`, `t2`.

    Where the weighting is unknown, or two series claim one name, the series' key stands in its
    place.
    """
    mr = [
        s for s in series if s.modality is Modality.MR and s.volume.quantity is Quantity.ARBITRARY
    ]
    names = [_name(s) for s in mr]
    often = Counter(names)
    return {s.key if often[name] > 1 else name: s for name, s in zip(names, mr, strict=True)}


def _name(series: Series) -> str:
    if series.sequence is None:
        return series.key
    weighting = None if series.b_value is None else f"b{series.b_value:g}"
    return "_".join(str(part) for part in (series.sequence, weighting, series.phase) if part)


def signals(
    named: Mapping[str, Series], region: Region, liver: Region | None, record: Record
) -> None:
    """Note how bright a lesion is beside the liver, and the two signs where CT did not tell them.

    Args:
        named: MR series by name (`signal_names`), in the region's frame.
        region: The lesion.
        liver: Lesion-free liver on the same label map; None where there is too little.
        record: Takes `signal_ratio_<name>`, `cnr_<name>`, and the signs `arterial_hyperenhancement`
            and `washout`.
    """
    if not named:
        return
    near = None if liver is None else _beside(region, liver)
    if near is None:
        why = f"less than {FEWEST_ML:g} ml of lesion-free liver are known within {REACH_MM:g} mm"
        record.cannot_tell([f"signal_ratio_{name}" for name in named], why)
        return
    inside, around = samples(named, region), samples(named, near)
    ratios: dict[str, Ratio] = {}
    for name, series in named.items():
        if name not in inside or name not in around:
            why = f"{series.key} does not reach all of the lesion and of the liver beside it"
            record.cannot_tell([f"signal_ratio_{name}"], why)
            continue
        lesion = Level.of(inside[name], region.volume_ml)
        beside = Level.of(without_outliers(around[name]), near.volume_ml)
        if beside.median <= 0:
            why = f"the liver beside it has no signal in {series.key}"
            record.cannot_tell([f"signal_ratio_{name}"], why)
            continue
        ratios[name] = ratio(lesion, beside)
        record.note(
            {f"signal_ratio_{name}": ratios[name].value} | _cnr(name, lesion, beside),
            f"whole lesion against {BESIDE}",
            series=series.key,
            voxels=region.voxels,
            volume_ml=region.volume_ml,
        )
    if ARTERIAL in ratios and HYPERENHANCEMENT not in record.signs:
        _signs(ratios, record, is_hepatocyte_agent=HEPATOBILIARY in named)


def ratio(lesion: Level, liver: Level) -> Ratio:
    """A lesion's brightness as a multiple of the liver's, whose median is positive."""
    noise = liver.sd * math.sqrt(1 / lesion.samples + 1 / liver.samples)
    return Ratio(value=lesion.mean / liver.median, error=noise / liver.median)


def _cnr(name: str, lesion: Level, liver: Level) -> dict[str, float]:
    found = cnr(lesion, liver)
    return {} if found is None else {f"cnr_{name}": found}


def _beside(lesion: Region, liver: Region) -> Region | None:
    """The part of the liver within reach of the lesion's box, both cut from one label map."""
    near = np.zeros(liver.inside.shape, np.bool_)
    box = []
    for axis, spacing_mm in enumerate(lesion.grid.spacing_mm):
        reach = math.ceil(REACH_MM / spacing_mm)
        first = lesion.start[axis] - liver.start[axis]
        last = first + lesion.inside.shape[axis]
        box.append(slice(max(0, first - reach), max(0, last + reach)))
    near[tuple(box)] = True
    found = liver.within(near)
    return found if found.volume_ml >= FEWEST_ML else None


def _signs(ratios: Mapping[str, Ratio], record: Record, *, is_hepatocyte_agent: bool) -> None:
    bright = ratios[ARTERIAL].is_bright
    why = "noise hides a difference of this size in MR"
    if bright and NATIVE in ratios:
        bright = ratios[ARTERIAL].exceeds(ratios[NATIVE])
    elif bright:
        bright, why = (
            None,
            "bright in the late arterial MR, but no native T1 shows it before contrast",
        )
    record.sign(HYPERENHANCEMENT, seen=bright, why_unknown=why)
    if not bright:
        record.cannot_tell([WASHOUT], "no arterial hyper-enhancement is known that could wash out")
        return
    phases = (PORTAL,) if is_hepatocyte_agent else (PORTAL, DELAYED)
    seen = [ratios[name].is_dark for name in phases if name in ratios]
    dark = True if True in seen else None if None in seen or not seen else False
    why = "noise hides a difference of this size in MR" if seen else "no later T1 that could tell"
    record.sign(WASHOUT, seen=dark, why_unknown=why)


def _sure(by: float, error: float) -> bool | None:
    if by < SIGNIFICANT:
        return False
    return True if by >= STANDARD_ERRORS * error else None
