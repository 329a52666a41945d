"""Arterial hyper-enhancement and washout of a lesion against the liver, by stated thresholds.

With A, P, D, N the lesion's mean HU in the late arterial, portal venous, delayed and native phase:

- Hyper-enhancing: A exceeds the liver's median of that phase by 10 HU or more (assumption: the
  threshold that allocation uses), and by three standard errors or more. Between both, unknown.
- Washout: after hyper-enhancement, P or D lies 10 HU or more (assumption), and three standard errors
  or more, below the liver's median of its phase.
- Relative washout to a later phase X: 100 (A - X) / A. Absolute washout: 100 (A - X) / (A - N). These
  are the formulas known from adrenal CT (Korobkin et al., AJR 1998;170:747-752), there from the portal
  to the 15-minute phase, here from the late arterial phase on. A lesion that enhances by less than
  10 HU has no absolute washout: the ratio would be noise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netseg.findings.enhancement import (
    ARTERIAL,
    DELAYED,
    NATIVE,
    PORTAL,
    cnr,
    contrast_hu,
    standard_error_hu,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netseg.findings.level import Level
    from netseg.findings.record import Record
    from netseg.findings.region import Region

SIGNIFICANT_HU = 10.0
STANDARD_ERRORS = 3.0
HYPERENHANCEMENT = "arterial_hyperenhancement"
WASHOUT = "washout"


def contrasts(
    lesion: Mapping[str, Level], liver: Mapping[str, Level], region: Region, record: Record
) -> None:
    """Note contrast, CNR and washout, and the two signs where the phases allow them.

    Args:
        lesion: The lesion's level per series (`netseg.findings.enhancement.brightness`).
        liver: Lesion-free liver's.
        region: The lesion.
        record: Takes `contrast_hu_<phase>`, `cnr_hu_<phase>`, `washout_relative_pct_<phase>`,
            `washout_absolute_pct_<phase>`, and the signs `arterial_hyperenhancement` and `washout`.
    """
    values: dict[str, float] = {}
    for name in lesion.keys() & liver.keys():
        if name.startswith("hu_"):
            values[f"contrast_{name}"] = contrast_hu(lesion[name], liver[name])
            ratio = cnr(lesion[name], liver[name])
            if ratio is not None:
                values[f"cnr_{name}"] = ratio
    values |= _washouts(lesion)
    record.note(
        dict(sorted(values.items())),
        "whole lesion against lesion-free liver",
        voxels=region.voxels,
        volume_ml=region.volume_ml,
    )
    _signs(lesion, liver, record)


def _washouts(lesion: Mapping[str, Level]) -> dict[str, float]:
    arterial, native = lesion.get(ARTERIAL), lesion.get(NATIVE)
    found: dict[str, float] = {}
    if arterial is None:
        return found
    for later in (PORTAL, DELAYED):
        if later not in lesion:
            continue
        drop = arterial.mean - lesion[later].mean
        phase = later.removeprefix("hu_")
        if arterial.mean >= SIGNIFICANT_HU:
            found[f"washout_relative_pct_{phase}"] = 100 * drop / arterial.mean
        if native is not None and arterial.mean - native.mean >= SIGNIFICANT_HU:
            found[f"washout_absolute_pct_{phase}"] = 100 * drop / (arterial.mean - native.mean)
    return found


def _signs(lesion: Mapping[str, Level], liver: Mapping[str, Level], record: Record) -> None:
    if ARTERIAL not in lesion or ARTERIAL not in liver:
        what = "lesion" if ARTERIAL not in lesion else "lesion-free liver"
        why = f"no late arterial CT shows the whole {what}"
        record.cannot_tell([HYPERENHANCEMENT, WASHOUT], why)
        return
    bright = _differs(lesion[ARTERIAL], liver[ARTERIAL], upwards=True)
    record.sign(HYPERENHANCEMENT, seen=bright, why_unknown="noise hides a difference of this size")
    if not bright:
        why = "no arterial hyper-enhancement is known that could wash out"
        record.cannot_tell([WASHOUT], why)
        return
    later = [name for name in (PORTAL, DELAYED) if name in lesion and name in liver]
    seen = [_differs(lesion[name], liver[name], upwards=False) for name in later]
    dark = True if True in seen else None if None in seen or not seen else False
    why = "noise hides a difference of this size" if seen else "no portal venous or delayed CT"
    record.sign(WASHOUT, seen=dark, why_unknown=why)


def _differs(lesion: Level, liver: Level, *, upwards: bool) -> bool | None:
    """Whether the contrast is large and sure; None where it is large but not sure."""
    by_hu = contrast_hu(lesion, liver) if upwards else -contrast_hu(lesion, liver)
    if by_hu < SIGNIFICANT_HU:
        return False
    return True if by_hu >= STANDARD_ERRORS * standard_error_hu(lesion, liver) else None
