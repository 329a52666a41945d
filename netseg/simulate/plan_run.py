"""Running a plan file: fields, zone and the content of zone.json."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from netseg.domain.ablation import AblationZone, Evidence
from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.domain.volume import LabelMap, Mask, Quantity, Volume
from netseg.simulate.damage import damage_model
from netseg.simulate.model import choose_device, energy_document, simulate_scene
from netseg.simulate.scene import Scene
from netseg.simulate.surface import measure_shape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netseg.simulate.model import Simulated
    from netseg.simulate.plan_file import SimulationPlan


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SimulationResult:
    """What `netseg simulate` writes.

    Attributes:
        zone: The zone of the first damage model on the plan's grid.
        hottest: Highest temperature per cell, Celsius.
        final: Temperature at the end, Celsius.
        depth: Depth of the zone by damage model: natural logarithm of damage over lethal damage
            (three-state model: lost viability beyond the threshold); positive inside.
        document: Content of zone.json.
        run: Steps and operator evaluations, for run.json; times are the caller's to measure.
    """

    zone: AblationZone
    hottest: Volume
    final: Volume
    depth: Mapping[str, Volume]
    document: Mapping[str, Any]
    run: Mapping[str, int]


def simulate_plan(
    plan: SimulationPlan, tissue: LabelMap | None = None, *, device: str = "auto"
) -> SimulationResult:
    """Simulate a plan.

    Args:
        plan: What `read_plan` gave.
        tissue: Label image: its grid is the simulation grid, its numbers name the tissues.
        device: "auto", "cpu" or "cuda[:N]".

    Raises:
        StudyRejectedError: If there is no grid, a label has no tissue, or the plan is impossible.
    """
    grid = plan.grid if tissue is None else tissue.grid
    if grid is None:
        raise StudyRejectedError(
            Code.SIMULATION_REFUSED,
            "the plan has no grid and no label image was given.",
            hint="Add `grid: {shape: …, spacing_mm: …}` or pass `--tissue LABELS.nii.gz`.",
        )
    scene = Scene(
        grid=grid,
        probes=plan.probes,
        tissue=plan.tissue,
        labels=None if tissue is None else tissue.labels,
        labelled=dict(plan.labelled),
        vessels=plan.vessels,
    )
    like = torch.zeros((), device=choose_device(device))
    models = [damage_model(name) for name in plan.damage]
    done = simulate_scene(scene, plan.protocol, models, like=like)
    zone = _zone(done, plan)
    return SimulationResult(
        zone=zone,
        hottest=_volume(done.hottest_c, done, Quantity.CELSIUS),
        final=_volume(done.final_c, done, Quantity.CELSIUS),
        depth={n: _volume(d, done, Quantity.ARBITRARY) for n, d in done.depth.items()},
        document=zone_document(done, plan.damage[0]),
        run=dict(done.run),
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
        "volume_ml": shape.volume_ml,
        "volume_band_ml": [min(volumes), max(volumes)],
        "volumes_ml": dict(done.volumes_ml),
        "diameters_mm": list(shape.diameters_mm),
        "sphericity": shape.sphericity,
        "max_temperature_c": float(done.hottest_c.max()),
        "energy_j": energy_document(done.energy),
        "trace": {name: list(values) for name, values in done.trace.items()},
    }


def _zone(done: Simulated, plan: SimulationPlan) -> AblationZone:
    volumes = done.volumes_ml.values()
    return AblationZone(
        mask=Mask(np.asarray(done.depth[plan.damage[0]] >= 0), done.window),
        evidence=Evidence.SIMULATED,
        volume_band_ml=(min(volumes), max(volumes)),
        max_temperature_c=float(done.hottest_c.max()),
        energy_j=energy_document(done.energy),
        trace=dict(done.trace),
        provenance={
            "model": "bioheat",
            "tissue": plan.tissue.name,
            "devices": {p.id: p.device.name for p in plan.probes},
            "damage_models": list(plan.damage),
            **done.run,
        },
    )


def _volume(values: np.ndarray, done: Simulated, quantity: Quantity) -> Volume:
    return Volume(values.astype(np.float32), done.window, quantity)
