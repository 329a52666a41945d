"""What is scanned: the series of a synthetic examination, rendered from the phantom's seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netseg.domain import Modality, MrSequence, Phase, Series
from netseg.phantom.ct import PHASES, render_ct
from netseg.phantom.mr import render_mr
from netseg.phantom.pet import TRACER, render_pet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netseg.phantom.phantom import Phantom

TRIPHASIC = (Phase.LATE_ARTERIAL, Phase.PORTAL_VENOUS, Phase.DELAYED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """The series of one examination.

    Attributes:
        ct_phases: CT phases in the order of acquisition.
        pet: Whether an SSTR-PET follows.
        pet_spacing_mm: Voxel size of the PET.
        mr: MR sequences with their phase, where T1 has one.
    """

    ct_phases: tuple[Phase, ...] = TRIPHASIC
    pet: bool = True
    pet_spacing_mm: tuple[float, float, float] = (4.0, 4.0, 4.0)
    mr: tuple[tuple[MrSequence, Phase | None], ...] = ()


CT_AND_PET = Protocol()


def series_of(phantom: Phantom, protocol: Protocol = CT_AND_PET) -> Iterator[Series]:
    """Render one series after the other; each has its own chance, so leaving one out moves none."""
    for phase in protocol.ct_phases:
        volume = render_ct(phantom, phase, _chance(phantom, 100 + PHASES.index(phase)))
        yield Series(key=f"ct_{phase}", modality=Modality.CT, volume=volume, phase=phase)
    if protocol.pet:
        volume = render_pet(phantom, _chance(phantom, 200), spacing_mm=protocol.pet_spacing_mm)
        yield Series(key=f"pt_{TRACER}", modality=Modality.PT, volume=volume, tracer=TRACER)
    for number, (sequence, phase) in enumerate(protocol.mr):
        volume = render_mr(phantom, sequence, _chance(phantom, 300 + number), phase=phase)
        key = f"mr_{sequence}" + (f"_{phase}" if phase else "")
        b_value = 800.0 if sequence is MrSequence.DWI else None
        yield Series(
            key=key,
            modality=Modality.MR,
            volume=volume,
            phase=phase,
            sequence=sequence,
            b_value=b_value,
        )


def _chance(phantom: Phantom, stream: int) -> np.random.Generator:
    return np.random.default_rng((phantom.seed, stream))
