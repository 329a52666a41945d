"""Running a plan file: fields, zone and the content of zone.json."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from netseg.domain.ablation import AblationModality, AblationZone, Evidence
from netseg.domain.volume import LabelMap, Mask, Quantity, Volume
from netseg.simulate.calibrated import calibration_note
from netseg.simulate.contraction import EX_VIVO, IN_VIVO, contracted
from netseg.simulate.doubt import doubts, widened
from netseg.simulate.lethal import lethal_models
from netseg.simulate.plan_space import plan_scene
from netseg.simulate.recorder import Frame, Recorder, frame_times_s
from netseg.simulate.scene_run import (
    V_CM,
    choose_device,
    energy_document,
    known_trace,
    simulate_scene,
)
from netseg.simulate.surface import measure_shape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Float
    from torch import Tensor

    from netseg.domain.grid import Grid
    from netseg.simulate.doubt import Progress
    from netseg.simulate.plan_file import SimulationPlan
    from netseg.simulate.scene_run import Simulated


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SimulationResult:
    """What `netseg simulate` writes.

    Attributes:
        zone: The zone of the first damage model on the plan's grid.
        fields: Maps by file name: "hottest_c", "final_c", …
        depth: Depth of the zone by damage model: natural logarithm of damage over lethal damage
            (three-state model: lost viability beyond the threshold); positive inside.
        document: Content of zone.json.
        run: Steps, operator evaluations, cells, wall time of the fields: for run.json.
        frames: Pictures of the plane that was asked for.
        coverage: Probability per cell that tissue dies; None where nobody knows it.
    """

    zone: AblationZone
    fields: Mapping[str, Volume]
    depth: Mapping[str, Volume]
    document: Mapping[str, Any]
    run: Mapping[str, Any]
    frames: tuple[Frame, ...] = ()
    coverage: Volume | None = None

    @property
    def hottest(self) -> Volume:
        """Highest temperature per cell, Celsius; heating alone has it."""
        return self.fields["hottest_c"]


def simulate_plan(
    plan: SimulationPlan,
    tissue: LabelMap | None = None,
    *,
    device: str = "auto",
    progress: Progress | None = None,
    pictured_mm: Float[np.ndarray, "rows columns 3"] | None = None,
) -> SimulationResult:
    """Simulate a plan.

    Args:
        plan: What `read_plan` gave.
        tissue: Label image: its grid is the simulation grid, its numbers name the tissues.
        device: "auto", "cpu" or "cuda[:N]".
        progress: Called with what is counted ("simulated s", "draws"), how far and out of how much.
        pictured_mm: Points (LPS) that are recorded while the run goes on.

    Raises:
        StudyRejectedError: If there is no grid, a label has no tissue, or the plan is impossible.
    """
    scene = plan_scene(plan, tissue)
    like = torch.zeros((), device=choose_device(device))
    say = progress or (lambda *_: None)
    recorder = None if pictured_mm is None else _recorder(plan, scene.grid, pictured_mm)

    def watch(time_s: float, field: Tensor) -> None:
        if recorder is not None:
            recorder(time_s, field)
        say("simulated s", time_s, plan.total_s)

    models = lethal_models(plan.protocol.modality, plan.damage)
    start = time.perf_counter()
    done = simulate_scene(
        scene,
        plan.protocol,
        models,
        like=like,
        step_s=plan.step_s,
        cooling_s=plan.cooling_s,
        progress=watch,
    )
    field_s = time.perf_counter() - start
    doubt = doubts(plan, scene, models, like=like, progress=say)
    coverage = done.coverage if doubt.coverage is None else doubt.coverage
    document = {**zone_document(done, plan.damage[0]), **shrunk(plan, done), **doubt.document}
    if plan.notes:
        document["notes"] = list(plan.notes)
    calibration = calibration_note(
        done.volumes_ml,
        leading=plan.damage[0],
        tissue=plan.tissue.name,
        modality=plan.protocol.modality,
    )
    if calibration is not None:
        document["calibration"] = calibration
    document["volume_band_ml"] = widened(document["volume_band_ml"], doubt.document.get("ensemble"))
    return SimulationResult(
        zone=_zone(done, plan, coverage),
        fields={n: _volume(f, done, _quantity(n)) for n, f in done.fields.items()},
        depth={n: _volume(d, done, Quantity.ARBITRARY) for n, d in done.depth.items()},
        document={**document, "model": provenance(plan, done)},
        run={
            **done.run,
            "cells": int(np.prod(scene.grid.shape)),
            "field_wall_s": field_s,
            "device": like.device.type,
            "engine": done.engine,
        },
        frames=() if recorder is None else tuple(recorder.frames),
        coverage=None if coverage is None else _volume(coverage, done, Quantity.PROBABILITY),
    )


def shrunk(plan: SimulationPlan, done: Simulated) -> dict[str, Any]:
    """What the zone would measure after its tissue has contracted; stated, never applied."""
    if "hottest_c" not in done.fields:
        return {}
    prior = IN_VIVO if plan.tissue.perfusion_1_s > 0 else EX_VIVO
    after = contracted(done.depth[plan.damage[0]], done.hottest_c, done.window, prior)
    return {
        "contracted": {
            "volume_ml": list(after.volume_ml),
            "diameters_mm": [list(d) for d in after.diameters_mm],
            "prior": "ex_vivo" if prior is EX_VIVO else "in_vivo",
            "source": prior.source,
        }
    }


def _recorder(
    plan: SimulationPlan, grid: Grid, points_mm: Float[np.ndarray, "rows columns 3"]
) -> Recorder:
    """Temperature in Celsius over time, or the strongest field so far in V/cm."""
    pulsed = plan.protocol.modality is AblationModality.IRE
    return Recorder(
        points_mm=points_mm,
        grid=grid,
        zero=0.0 if pulsed else plan.tissue.baseline_c,
        unit=1.0 / V_CM if pulsed else 1.0,
        times_s=frame_times_s(plan.total_s),
    )


def zone_document(done: Simulated, leading: str) -> dict[str, Any]:
    """The content of zone.json.

    Args:
        done: A finished run.
        leading: The damage model that makes the zone.
    """
    shape = measure_shape(done.depth[leading], done.window)
    volumes = done.volumes_ml.values()
    return {
        "schema_version": "1",
        "evidence": Evidence.SIMULATED.value,
        "volume_ml": shape.volume_ml,
        "volume_band_ml": [min(volumes), max(volumes)],
        "volumes_ml": dict(done.volumes_ml),
        "diameters_mm": list(shape.diameters_mm),
        "sphericity": shape.sphericity,
        "max_temperature_c": done.highest_c,
        **done.facts,
        "energy_j": energy_document(done.energy),
        "trace": {name: list(values) for name, values in done.trace.items()},
    }


def provenance(plan: SimulationPlan, done: Simulated) -> dict[str, Any]:
    """What the zone rests on: models, devices with their labels, tissue, grid."""
    return {
        "model": "bioheat",
        "modality": plan.protocol.modality.value,
        "tissue": plan.tissue.name,
        "labels": {str(n): t.name for n, t in plan.labelled.items()},
        "vessels": len(plan.vessels),
        "devices": {p.id: p.device.name for p in plan.probes},
        "device_labels": {p.device.name: p.device.label for p in plan.probes},
        "damage_models": list(plan.damage),
        "spacing_mm": list(done.window.spacing_mm),
        "step_s": plan.step_s,
        "cooling_s": plan.cooling_s,
        **done.run,
    }


def _zone(
    done: Simulated, plan: SimulationPlan, coverage: Float[np.ndarray, "i j k"] | None
) -> AblationZone:
    volumes = done.volumes_ml.values()
    return AblationZone(
        mask=Mask(np.asarray(done.depth[plan.damage[0]] >= 0), done.window),
        evidence=Evidence.SIMULATED,
        volume_band_ml=(min(volumes), max(volumes)),
        max_temperature_c=done.highest_c,
        energy_j=energy_document(done.energy),
        trace=known_trace(done),
        provenance=provenance(plan, done),
        coverage=coverage,
    )


def _quantity(name: str) -> Quantity:
    if name == "survival":
        return Quantity.PROBABILITY
    return Quantity.CELSIUS if name.endswith("_c") else Quantity.ARBITRARY


def _volume(values: np.ndarray, done: Simulated, quantity: Quantity) -> Volume:
    return Volume(values.astype(np.float32), done.window, quantity)
