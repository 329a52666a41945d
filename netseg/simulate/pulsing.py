"""Pulse runs: tissue that opens under a field, needles, trains of pulses, thresholds.

parts = pulsing_parts(scene, protocol, thresholds, like=like)
done = parts.run()
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import torch

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.simulate.electroporation import Pulses, electroporate
from netseg.simulate.pulsed_tissue import PULSED, PulsedTissue, Ramp
from netseg.simulate.scene import needles, require_fit
from netseg.simulate.survival import FEWEST_PULSES, MOST_PULSES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor

    from netseg.domain.ablation import AblationProtocol
    from netseg.simulate.electroporation import Electroporated
    from netseg.simulate.needle import Needle
    from netseg.simulate.scene import Scene
    from netseg.simulate.survival import FieldThreshold
    from netseg.simulate.tissue import Tissue

PULSE_S = 7e-5  # 70 microseconds, Ben-David et al. 2012


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PulsingParts:
    """What a pulse run is made of.

    Attributes:
        tissue: Tissue whose conductivity rises with the field.
        needles: Electrodes by probe id, in the grid's coordinates.
        trains: Pairs in the order of use.
        thresholds: When tissue dies, by name; the first is the zone.
    """

    tissue: PulsedTissue
    needles: Mapping[str, Needle]
    trains: tuple[Pulses, ...]
    thresholds: Mapping[str, FieldThreshold]

    def run(self, progress: Callable[[int, Tensor], None] | None = None) -> Electroporated:
        """Pulse one pair after another.

        Args:
            progress: Called after each pair with its number and the strongest field so far.

        Raises:
            StudyRejectedError: If two electrodes touch or the solve does not converge.
        """
        fewest = min(t.count for t in self.trains)
        return electroporate(
            self.tissue,
            self.needles,
            self.trains,
            thresholds=self.thresholds,
            survival=FEWEST_PULSES <= fewest <= MOST_PULSES,
            progress=progress,
        )


def pulsing_parts(
    scene: Scene, protocol: AblationProtocol, thresholds: Sequence[FieldThreshold], *, like: Tensor
) -> PulsingParts:
    """IRE electrodes of a scene under the pulses of a protocol; without pairs, each with each.

    Raises:
        StudyRejectedError: If there is only one electrode, probes do not fit the protocol or leave
            the grid, or voltage or pulses are missing.
    """
    require_fit(scene, protocol)
    if scene.vessels:
        raise StudyRejectedError(
            Code.SIMULATION_REFUSED,
            f"vessels carry heat away, and pulses make too little of it; got {len(scene.vessels)} "
            "vessels for ire.",
            hint="Outline a vessel in the label image and give it the ramp `vessel` in `pulsed`.",
        )
    ids = [p.id for p in scene.probes]
    if len(ids) < 2 or protocol.voltage_v is None or protocol.pulses is None:
        what = "two electrodes" if len(ids) < 2 else "voltage_v and pulses"
        raise StudyRejectedError(
            Code.SIMULATION_REFUSED, f"ire needs at least {what}; got {', '.join(ids)}."
        )
    pulse_s = protocol.settings.get("pulse_s", PULSE_S)
    trains = tuple(
        Pulses(pair=pair, volts=protocol.voltage_v, count=protocol.pulses, pulse_s=pulse_s)
        for pair in protocol.pairs or tuple(combinations(ids, 2))
    )
    return PulsingParts(
        tissue=pulsed_tissue(scene, like=like),
        needles=dict(zip(ids, needles(scene), strict=True)),
        trains=trains,
        thresholds={t.name: t for t in thresholds},
    )


def pulsed_tissue(scene: Scene, *, like: Tensor) -> PulsedTissue:
    """Conductivity under pulses, per cell.

    A ramp stated for a label wins. Else a named tissue set opens as liver does (`PULSED["tissue"]`),
    and tissue given by numbers keeps the conductivity it states, whatever the field.
    """
    labels = np.zeros(scene.grid.shape, np.int64) if scene.labels is None else scene.labels
    stated, tissues = scene.ramps or {}, {0: scene.tissue, **(scene.labelled or {})}
    ramps = {n: _ramp(t) for n, t in tissues.items()} | dict(stated)
    made = PulsedTissue.labelled(
        torch.from_numpy(np.ascontiguousarray(labels, dtype=np.int64)),
        ramps,
        scene.grid.spacing_mm,
        like=like,
    )
    return replace(made, capacity_j_m3k=scene.tissue.capacity_j_m3k)


def _ramp(tissue: Tissue) -> Ramp:
    if tissue.name != "explicit":
        return PULSED["tissue"]
    open_at = PULSED["tissue"]
    return Ramp(
        intact_s_m=tissue.sigma_s_m,
        open_s_m=tissue.sigma_s_m,
        from_v_cm=open_at.from_v_cm,
        to_v_cm=open_at.to_v_cm,
    )
