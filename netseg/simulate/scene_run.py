"""One run of a scene, whatever its physics, brought back to numpy."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from netseg.domain.ablation import AblationModality
from netseg.domain.codes import Code
from netseg.domain.errors import EnvironmentFaultError, StudyRejectedError, UsageError
from netseg.simulate.cooling import freezing_parts
from netseg.simulate.drive import Timing
from netseg.simulate.heating import heating_parts
from netseg.simulate.ledger import Ledger
from netseg.simulate.pulsing import pulsing_parts
from netseg.simulate.radiofrequency import RadiofrequencyElectrodes
from netseg.simulate.surface import measure_shape
from netseg.simulate.threads import threads_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from jaxtyping import Float
    from torch import Tensor

    from netseg.domain.ablation import AblationProtocol
    from netseg.domain.grid import Grid
    from netseg.simulate.circuit import Connection
    from netseg.simulate.pulsing import PulsingParts
    from netseg.simulate.scene import Scene

    Watch = Callable[[float, Tensor], None]

TRACE_POINTS = 240  # of a run's time series: pauses of 15 s show in a treatment of 12 min
V_CM = 100.0  # volt per metre in one volt per centimetre


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Simulated:
    """One run on its window, in numpy.

    Attributes:
        window: The simulation grid.
        depth: Depth of the zone by damage model, positive inside; the first is the zone.
        fields: Maps by name: "hottest_c", "coldest_c", "final_c", "field_v_cm", "survival", …
        volumes_ml: Volume by damage model.
        energy: Energy balance.
        trace: Time series.
        run: Steps, evaluations, pauses: for provenance.
        engine: What computed it, where there is a choice.
        coverage: Probability per cell that tissue dies, where the physics knows it of one run.
        facts: What else a reader of the zone wants to know, by name.
    """

    window: Grid
    depth: Mapping[str, Float[np.ndarray, "i j k"]]
    fields: Mapping[str, Float[np.ndarray, "i j k"]]
    volumes_ml: Mapping[str, float]
    energy: Ledger
    trace: Mapping[str, tuple[float | None, ...]]
    run: Mapping[str, int]
    engine: str = "torch eager"
    coverage: Float[np.ndarray, "i j k"] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def hottest_c(self) -> Float[np.ndarray, "i j k"]:
        """Highest temperature of each cell."""
        return self.fields["hottest_c"]

    @property
    def final_c(self) -> Float[np.ndarray, "i j k"]:
        """Temperature at the end."""
        return self.fields["final_c"]

    @property
    def highest_c(self) -> float | None:
        """Highest temperature of all; None where the physics has none."""
        return float(self.hottest_c.max()) if "hottest_c" in self.fields else None


def simulate_scene(
    scene: Scene,
    protocol: AblationProtocol,
    models: Sequence[Any],
    *,
    like: Tensor,
    step_s: float = 1.0,
    cooling_s: float = 60.0,
    progress: Watch | None = None,
) -> Simulated:
    """Run one scene and bring its fields back to numpy.

    Args:
        scene: Grid, probes, tissue.
        protocol: Energy.
        models: When tissue dies, at least one: damage models under heat, isotherms under cold,
            field thresholds under pulses (`lethal.lethal_models`); the first makes the zone.
        like: A tensor of the type and device to compute with.
        step_s: Step of control and damage.
        cooling_s: Simulated time after heating.
        progress: Called with time and excess temperature after each step; under pulses with time
            and strongest field in V/m after each pair.

    Raises:
        StudyRejectedError: If the scene cannot be simulated as given.
    """
    if not models:
        raise StudyRejectedError(
            Code.SIMULATION_REFUSED, "a zone needs at least one damage model; got none."
        )
    with threads_for(math.prod(scene.grid.shape)):
        if protocol.modality is AblationModality.IRE:
            return _pulsed(scene, protocol, models, like, progress)
        record_s = step_s * math.ceil(protocol.duration_s / (TRACE_POINTS * step_s))
        if protocol.modality is AblationModality.CRYO:
            return _frozen(scene, protocol, models, like, (step_s, record_s, progress))
        stepper = Timing(
            duration_s=protocol.duration_s, step_s=step_s, cooling_s=cooling_s, record_s=record_s
        )
        return _heated(scene, protocol, models, stepper, like, progress)


def _heated(
    scene: Scene,
    protocol: AblationProtocol,
    models: Sequence[Any],
    stepper: Timing,
    like: Tensor,
    progress: Watch | None,
) -> Simulated:
    parts = heating_parts(scene, protocol, models, stepper, like=like)
    outcome = parts.run(progress)
    depth = {m.name: _numpy(m.depth(outcome.damage[m.name])) for m in models}
    base, trace = parts.equation.baseline_c, outcome.trace
    if isinstance(parts.source, RadiofrequencyElectrodes):
        trace = by_connection(trace, parts.source.connections)
    return Simulated(
        window=scene.grid,
        depth=depth,
        fields={
            "hottest_c": _numpy(outcome.hottest_k) + base,
            "final_c": _numpy(outcome.excess_k) + base,
        },
        volumes_ml=_volumes(depth, scene.grid),
        energy=outcome.energy,
        trace={name: tuple(values) for name, values in trace.items()},
        run={
            "steps": outcome.steps,
            "heat_updates": outcome.updates,
            "cell_updates": outcome.cell_updates,
            "pauses": outcome.pauses,
        },
        engine=outcome.engine,
    )


def _frozen(
    scene: Scene,
    protocol: AblationProtocol,
    models: Sequence[Any],
    like: Tensor,
    steps: tuple[float, float, Watch | None],
) -> Simulated:
    step_s, record_s, progress = steps
    parts = freezing_parts(scene, protocol, models, like=like)
    done = parts.run(step_s=step_s, record_s=record_s, progress=progress)
    depth = {name: _numpy(d) for name, d in done.depth.items()}
    base = scene.tissue.baseline_c
    coldest = _numpy(done.coldest_k) + base
    return Simulated(
        window=scene.grid,
        depth=depth,
        fields={"coldest_c": coldest, "final_c": _numpy(done.excess_k) + base},
        volumes_ml=_volumes(depth, scene.grid),
        energy=done.energy,
        trace={
            name: tuple(None if math.isnan(v) else v for v in values)
            for name, values in done.trace.items()
        },
        run={"steps": done.steps, "heat_updates": done.updates, "cell_updates": done.cell_updates},
        facts={"min_temperature_c": float(coldest.min()), "largest_ice_ball_ml": done.ice_ml},
    )


def _pulsed(
    scene: Scene,
    protocol: AblationProtocol,
    models: Sequence[Any],
    like: Tensor,
    progress: Watch | None,
) -> Simulated:
    parts = pulsing_parts(scene, protocol, models, like=like)
    each_s = protocol.duration_s / len(parts.trains)

    def watch(number: int, field_v_m: Tensor) -> None:
        if progress is not None:
            progress(number * each_s, field_v_m)

    done = parts.run(watch)
    depth = {name: _numpy(d) for name, d in done.depth.items()}
    strongest = _numpy(done.field_v_m) / V_CM
    fields = {"field_v_cm": strongest, "heating_bound_k": _numpy(done.heating_k)}
    if done.survival is not None:
        fields["survival"] = _numpy(done.survival)
    within, beyond = (sum(heat) for heat in zip(*done.heat_j, strict=True))
    return Simulated(
        window=scene.grid,
        depth=depth,
        fields=fields,
        volumes_ml=_volumes(depth, scene.grid),
        energy=Ledger(delivered=sum(done.energy_j), stored=within, boundary=beyond),
        trace=_pulse_trace(parts, done.currents_a, each_s),
        run={"steps": len(parts.trains), "field_solves": sum(done.turns)},
        coverage=_numpy(done.coverage),
        facts={"max_field_v_cm": float(strongest.max()), "largest_current_a": max(done.currents_a)},
    )


def by_connection(
    trace: Mapping[str, list[float]], connections: Sequence[Connection]
) -> dict[str, list[float]]:
    """Power of each connection instead of the number of the one in use.

    Args:
        trace: Time series; `connection` is the number of the connection in use.
        connections: What the numbers mean.
    """
    if "connection" not in trace:
        return dict(trace)
    told = {name: values for name, values in trace.items() if name != "connection"}
    for number, connection in enumerate(connections):
        sides = ("+".join(side) for side in (connection.plus, connection.minus) if side)
        told[f"power_w_{'-'.join(sides)}"] = [
            watt if way == number else 0.0
            for watt, way in zip(trace["power_w"], trace["connection"], strict=True)
        ]
    return told


def _pulse_trace(
    parts: PulsingParts, currents_a: Sequence[float], each_s: float
) -> dict[str, tuple[float, ...]]:
    volts = [t.volts for t in parts.trains]
    pairs = list(zip(volts, currents_a, strict=True))
    return {
        "time_s": tuple(n * each_s for n in range(len(pairs))),
        "voltage_v": tuple(volts),
        "current_a": tuple(currents_a),
        "power_w": tuple(v * a for v, a in pairs),
        "impedance_ohm": tuple(v / a for v, a in pairs),
    }


def energy_document(energy: Ledger) -> dict[str, float]:
    """The energy balance by name, in joules; `balance_error` is a share."""
    return {
        "delivered": energy.delivered,
        "stored": energy.stored,
        "latent": energy.latent,
        "perfusion": energy.perfusion,
        "coolant": energy.coolant,
        "boundary": energy.boundary,
        "balance_error": energy.balance_error,
    }


def known_trace(done: Simulated) -> dict[str, tuple[float, ...]]:
    """The time series whose every value is known."""
    return {
        name: tuple(v for v in values if v is not None)
        for name, values in done.trace.items()
        if None not in values
    }


def choose_device(name: str) -> torch.device:
    """The torch device of a `--device` value.

    Raises:
        EnvironmentFaultError: If CUDA is asked for and not there.
        UsageError: If the name means nothing.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(name)
    except RuntimeError:
        chosen = None
    if chosen is None or chosen.type not in ("cpu", "cuda"):
        raise UsageError(
            Code.CONFIG_RANGE, f"device {name!r} is none of auto, cpu, cuda and cuda:N."
        )
    if chosen.type == "cuda" and not (
        torch.cuda.is_available() and (chosen.index or 0) < torch.cuda.device_count()
    ):
        raise EnvironmentFaultError(
            Code.SIMULATION_REFUSED,
            f"device {name} was asked for, but torch sees {torch.cuda.device_count()} of them.",
            hint="Use `--device cpu` or `auto`.",
        )
    return chosen


def _volumes(depth: Mapping[str, np.ndarray], grid: Grid) -> dict[str, float]:
    return {name: measure_shape(d, grid).volume_ml for name, d in depth.items()}


def _numpy(values: Tensor) -> np.ndarray:
    return values.detach().cpu().numpy()
