"""The ablation model that the planner is handed: what will this needle destroy?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

import numpy as np
import torch

from netseg.domain.ablation import AblationModality, AblationZone, Evidence
from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.domain.point import PointMm
from netseg.simulate.damage import damage_model
from netseg.simulate.devices import load_device
from netseg.simulate.lethal import lethal_models, lethal_names
from netseg.simulate.scene import PlacedProbe, Scene, reaches, single_needles, tip_index
from netseg.simulate.scene_run import (
    Simulated,
    choose_device,
    energy_document,
    known_trace,
    simulate_scene,
)
from netseg.simulate.surface import Shape, measure_shape, zone_mask
from netseg.simulate.tissue import Tissue, load_tissue
from netseg.simulate.window import window_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netseg.domain.ablation import Ablation, AblationProtocol
    from netseg.domain.grid import Grid
    from netseg.simulate.vessel import Vessel


SPACING_MM = {AblationModality.MWA: 3.0, AblationModality.RFA: 2.0}  # see `BioheatModel`


@final
class BioheatModel:
    """Simulation of radiofrequency, microwave, cryo and electroporation needles.

    The tissue is homogeneous but for the vessels that are handed in. Where no vessel is near, the
    outcome for a device and protocol is remembered and only laid along the next needle.

    Args:
        tissue: Name of a tissue set, or its numbers.
        device: "auto", "cpu" or "cuda[:N]": where to compute.
        spacing_mm: Cell size of the simulation; None takes 3 mm for microwaves, whose zones of 1.5,
            2 and 3 mm cells differ by less than 1 % in volume, and 2 mm for thin electrodes, whose
            zones of 3 mm cells are a fifth too large (experiments/zone_sizes).
        margin_mm: Tissue simulated around the active part.
        step_s: Step of control and damage.
        damage: Damage models of heat; the first makes the zone, all of them the band. Cold and
            pulses have their own (`lethal.lethal_names`).
        vessels: Heat sinks (LPS).
        dtype: torch.float32, or torch.float64 for tests.

    Raises:
        StudyRejectedError: If a name is unknown or the spacing is not positive.
    """

    def __init__(
        self,
        tissue: str | Tissue = "liver_in_vivo",
        device: str = "auto",
        spacing_mm: float | None = None,
        *,
        margin_mm: float = 36.0,
        step_s: float = 1.0,
        damage: Sequence[str] = ("arrhenius", "cem43", "oneill"),
        vessels: Sequence[Vessel] = (),
        dtype: torch.dtype = torch.float32,
    ) -> None:
        if spacing_mm is not None and not spacing_mm > 0:
            raise StudyRejectedError(
                Code.SIMULATION_REFUSED, f"spacing_mm must be positive; got {spacing_mm}."
            )
        self._tissue = load_tissue(tissue) if isinstance(tissue, str) else tissue
        self._like = torch.zeros((), dtype=dtype, device=choose_device(device))
        self._spacing_mm, self._margin_mm, self._step_s = spacing_mm, margin_mm, step_s
        self._models = tuple(damage_model(name) for name in damage)
        self._vessels = tuple(vessels)
        self._known: dict[Any, Simulated] = {}

    def zone(self, ablation: Ablation, grid: Grid) -> AblationZone:
        """The zone of one ablation on `grid`.

        Raises:
            StudyRejectedError: If the ablation cannot be simulated as given.
        """
        given = tuple(
            PlacedProbe(
                id=p.id,
                device=load_device(p.device),
                tip_mm=p.tip_mm,
                direction=p.direction,
                active_length_mm=p.active_length_mm,
            )
            for p in ablation.probes
        )
        probes = tuple(needle for probe in given for needle in single_needles(probe))
        if not probes:
            raise StudyRejectedError(
                Code.SIMULATION_REFUSED, "an ablation needs at least one probe; got none."
            )
        for probe in probes:
            tip_index(probe, grid)  # refuses a tip outside the image, whatever the window holds
        window = window_for(
            probes,
            spacing_mm=self._spacing_mm or SPACING_MM.get(ablation.protocol.modality, 2.0),
            margin_mm=self._margin_mm,
            frame_uid=grid.frame_uid,
        )
        near = tuple(v for v in self._vessels if reaches(v, window))
        done = self._simulated(probes, window, ablation.protocol, near)
        first = next(iter(done.depth))
        volumes = done.volumes_ml.values()
        return AblationZone(
            mask=zone_mask(done.depth[first], window, grid),
            evidence=Evidence.SIMULATED,
            volume_band_ml=(min(volumes), max(volumes)),
            max_temperature_c=done.highest_c,
            energy_j=energy_document(done.energy),
            trace=known_trace(done),
            provenance=self._provenance(done, probes),
        )

    def nominal_zone(self, device_name: str, protocol: AblationProtocol) -> Shape:
        """Size of the zone of one needle of a device, simulated away from any vessel.

        Raises:
            StudyRejectedError: If the device is unknown or the protocol does not fit it.
        """
        device = load_device(device_name)
        probe = PlacedProbe(
            id="A",
            device=device,
            tip_mm=PointMm(0.0, 0.0, 0.0),
            direction=(0.0, 0.0, 1.0),
            active_length_mm=device.active_length_mm,
        )
        needles = single_needles(probe)
        window = window_for(
            needles,
            spacing_mm=self._spacing_mm or SPACING_MM.get(protocol.modality, 2.0),
            margin_mm=self._margin_mm,
            frame_uid="simulation",
        )
        done = self._simulated(needles, window, protocol)
        return measure_shape(next(iter(done.depth.values())), done.window)

    def _simulated(
        self,
        probes: tuple[PlacedProbe, ...],
        window: Grid,
        protocol: AblationProtocol,
        vessels: tuple[Vessel, ...] = (),
    ) -> Simulated:
        """Compute, or remember: in homogeneous tissue only relative positions matter."""
        local = [
            (p.device.name, p.active_length_mm, *_local(p, window).round(6).tolist())
            for p in probes
        ]
        key = (repr(protocol), tuple(local))
        if not vessels and key in self._known:
            return self._known[key]
        scene = Scene(grid=window, probes=probes, tissue=self._tissue, vessels=vessels)
        heat = protocol.modality in (AblationModality.RFA, AblationModality.MWA)
        models = self._models
        if not heat:
            models = lethal_models(protocol.modality, lethal_names(protocol.modality))
        done = simulate_scene(scene, protocol, models, like=self._like, step_s=self._step_s)
        if not vessels:
            self._known[key] = done
        return done

    def _provenance(self, done: Simulated, probes: tuple[PlacedProbe, ...]) -> dict[str, Any]:
        return {
            "model": "bioheat",
            "tissue": self._tissue.name,
            "devices": {p.id: p.device.name for p in probes},
            "device_labels": sorted({p.device.label for p in probes}),
            "damage_models": list(done.depth),
            "volumes_ml": dict(done.volumes_ml),
            "spacing_mm": done.window.spacing_mm[0],
            "step_s": self._step_s,
            "precision": str(self._like.dtype).removeprefix("torch."),
            "compute_device": self._like.device.type,
            "engine": done.engine,
            "vessels": len(self._vessels),
            **done.run,
        }


def _local(probe: PlacedProbe, window: Grid) -> np.ndarray:
    tip = window.to_index(probe.tip_mm.as_array()[None])[0]
    return np.concatenate((tip, window.directions.T @ np.array(probe.direction)))
