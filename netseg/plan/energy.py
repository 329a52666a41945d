"""How much energy: the smallest protocol whose predicted zone keeps the margin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from netseg.domain import Ablation, AblationZone, Mask
from netseg.geometry.distance import signed_distance_mm
from netseg.geometry.extent import bounding_box, crop

if TYPE_CHECKING:
    from netseg.domain import AblationModel, AblationProtocol, Segmentation

REACH_MM = 45.0  # no single probe destroys tissue farther than this from its lesion (assumption)
SPREAD = 1.15  # zones of one protocol differ by less than this between places (assumption)

MarginOf = Callable[[Mask, AblationZone, Mask | None], float | None]
"""Smallest margin in mm of a lesion in a zone, with the liver where it is known; all three masks on
one grid. None where it cannot be told. The pipeline hands in what `verify` would say."""


@dataclass(slots=True, kw_only=True)
class EnergySearch:
    """Chooses protocols for the lesions of one plan and remembers how large their zones were.

    Attributes:
        model: Predicts zones.
        protocols: In ascending energy, at least one.
        margin_of: Judges a zone.
        required_mm: The margin to be reached.
        largest_ml: Largest zone met so far, by protocol.
    """

    model: AblationModel
    protocols: tuple[AblationProtocol, ...]
    margin_of: MarginOf
    required_mm: float
    largest_ml: dict[int, float] = field(default_factory=dict)

    def choose(self, draft: Ablation, segmentation: Segmentation) -> Ablation:
        """The draft with the smallest protocol that keeps the margin, or the largest there is.

        Halves the row of protocols, as a larger one never destroys less: three zones for six
        protocols. A protocol whose zone at an earlier lesion was smaller than the volume to be
        destroyed here (`demanded_ml`) is not tried again.

        Args:
            draft: Needle and any protocol.
            segmentation: The lesion and its liver.
        """
        lesion, liver = _local(draft.lesion_id, segmentation)
        demand_ml = demanded_ml(lesion, liver, self.required_mm)
        margins: dict[int, float | None] = {}
        first, beyond = 0, len(self.protocols)
        while first < beyond:
            middle = (first + beyond) // 2
            if self._too_small(middle, demand_ml):
                first = middle + 1
                continue
            margin = self._margin(middle, draft, lesion, liver)
            margins[middle] = margin
            if margin is not None and margin >= self.required_mm:
                beyond = middle
            else:
                first = middle + 1
        if first == len(self.protocols):
            return self._largest(draft, demand_ml, margins.get(first - 1))
        chosen = self.protocols[first]
        said = (
            f"plan predicts a smallest margin of {margins[first]:.1f} mm with {in_words(chosen)}, "
            f"the least energy of this device that reaches {self.required_mm:g} mm"
        )
        return replace(draft, protocol=chosen, why=(*draft.why, said))

    def _margin(
        self, number: int, draft: Ablation, lesion: Mask, liver: Mask | None
    ) -> float | None:
        zone = self.model.zone(replace(draft, protocol=self.protocols[number]), lesion.grid)
        self.largest_ml[number] = max(self.largest_ml.get(number, 0.0), zone.mask.volume_ml)
        return self.margin_of(lesion, zone, liver)

    def _too_small(self, number: int, demand_ml: float) -> bool:
        return number in self.largest_ml and self.largest_ml[number] * SPREAD < demand_ml

    def _largest(self, draft: Ablation, demand_ml: float, margin: float | None) -> Ablation:
        chosen = self.protocols[-1]
        if margin is None:
            what = (
                f"lesion and margin take {demand_ml:.0f} ml, the largest zone of {in_words(chosen)} "
                f"is {self.largest_ml.get(len(self.protocols) - 1, 0.0):.0f} ml"
            )
        else:
            what = f"plan predicts a smallest margin of {margin:.1f} mm with {in_words(chosen)}"
        said = (
            f"one probe cannot reach {self.required_mm:g} mm around this lesion: {what}; several "
            "probes or positions are needed"
        )
        return replace(draft, protocol=chosen, why=(*draft.why, said))


def demanded_ml(lesion: Mask, liver: Mask | None, required_mm: float) -> float:
    """Volume that a zone must destroy: the lesion and the liver within the margin around it."""
    start, shape = bounding_box(lesion, required_mm + max(lesion.grid.spacing_mm))
    lesion = crop(lesion, start, shape)
    wanted = signed_distance_mm(lesion) <= required_mm
    if liver is not None:
        wanted &= crop(liver, start, shape).inside | lesion.inside
    return float(np.count_nonzero(wanted)) * lesion.grid.voxel_volume_ml


def in_words(protocol: AblationProtocol) -> str:
    """A protocol for a sentence: "MWA 60 W for 5 min"."""
    strength = ""
    if protocol.power_w is not None:
        strength = f" {protocol.power_w:g} W"
    elif protocol.voltage_v is not None:
        strength = f" {protocol.voltage_v:g} V"
    return f"{protocol.modality.value.upper()}{strength} for {protocol.duration_s / 60:g} min"


def _local(lesion_id: int, segmentation: Segmentation) -> tuple[Mask, Mask | None]:
    """Lesion and liver on the crop of their grid that one probe can reach."""
    lesion = segmentation.lesions.region(lesion_id)
    start, shape = bounding_box(lesion, REACH_MM)
    liver = segmentation.liver
    return crop(lesion, start, shape), None if liver is None else crop(liver, start, shape)
