"""The images a network can be fed, by name, and which series of a study fills which.

A network is trained on all of these channels and used on any subset. A channel that a study does
not have is absent, which is something else than an image of zeros.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netseg.domain import Modality, MrSequence, Phase

if TYPE_CHECKING:
    from netseg.domain import Series

CHANNELS = (
    "ct_native",
    "ct_arterial",
    "ct_portal",
    "ct_delayed",
    "mr_t1",
    "mr_arterial",
    "mr_portal",
    "mr_hepatobiliary",
    "mr_t2",
    "mr_dwi",
    "pet_sstr",
    "pet_fdg",
)

_CT = {
    Phase.NATIVE: "ct_native",
    Phase.LATE_ARTERIAL: "ct_arterial",
    Phase.PORTAL_VENOUS: "ct_portal",
    Phase.DELAYED: "ct_delayed",
    None: "ct_portal",
}
_T1 = {
    Phase.NATIVE: "mr_t1",
    Phase.LATE_ARTERIAL: "mr_arterial",
    Phase.PORTAL_VENOUS: "mr_portal",
    Phase.DELAYED: "mr_portal",
    Phase.HEPATOBILIARY: "mr_hepatobiliary",
    None: "mr_t1",
}
_MR = {MrSequence.T2: "mr_t2", MrSequence.DWI: "mr_dwi"}
SSTR_TRACERS = ("dotatate", "dotatoc", "dotanoc", "satoreotide")
FDG_TRACERS = ("fdg",)


def channel_of(series: Series) -> str | None:
    """The channel a series fills.

    Args:
        series: Any series of a study.

    Returns:
        One of `CHANNELS`. A CT without a stated phase is taken as portal venous and a T1 without
        one as native, which the caller tells its user. None for what no channel is made for: an ADC
        map, an MR of unknown weighting, a PET of unknown or other tracer.
    """
    if series.modality is Modality.CT:
        return _CT.get(series.phase)
    if series.modality is Modality.MR:
        if series.sequence is MrSequence.T1:
            return _T1[series.phase]
        return _MR.get(series.sequence) if series.sequence else None
    tracer = (series.tracer or "").lower()
    if any(name in tracer for name in SSTR_TRACERS):
        return "pet_sstr"
    return "pet_fdg" if any(name in tracer for name in FDG_TRACERS) else None
