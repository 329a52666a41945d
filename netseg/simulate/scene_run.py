"""One run of a scene, brought back to numpy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from netseg.domain.codes import Code
from netseg.domain.errors import EnvironmentFaultError, StudyRejectedError, UsageError
from netseg.simulate.control import controller_for
from netseg.simulate.drive import Timing
from netseg.simulate.scene import assemble
from netseg.simulate.solver import run
from netseg.simulate.surface import measure_shape
from netseg.simulate.threads import threads_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from jaxtyping import Float
    from torch import Tensor

    from netseg.domain.ablation import AblationProtocol
    from netseg.domain.grid import Grid
    from netseg.simulate.damage import DamageModel
    from netseg.simulate.ledger import Ledger
    from netseg.simulate.scene import Scene

TRACE_POINTS = 240  # of a run's time series: pauses of 15 s show in a treatment of 12 min


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Simulated:
    """One run on its window, in numpy.

    Attributes:
        window: The simulation grid.
        depth: Depth of the zone by damage model, positive inside; the first is the zone.
        fields: Maps by name: "hottest_c", "final_c", …
        volumes_ml: Volume by damage model.
        energy: Energy balance.
        trace: Time series.
        run: Steps, evaluations, pauses: for provenance.
    """

    window: Grid
    depth: Mapping[str, Float[np.ndarray, "i j k"]]
    fields: Mapping[str, Float[np.ndarray, "i j k"]]
    volumes_ml: Mapping[str, float]
    energy: Ledger
    trace: Mapping[str, tuple[float, ...]]
    run: Mapping[str, int]

    @property
    def hottest_c(self) -> Float[np.ndarray, "i j k"]:
        """Highest temperature of each cell."""
        return self.fields["hottest_c"]

    @property
    def final_c(self) -> Float[np.ndarray, "i j k"]:
        """Temperature at the end."""
        return self.fields["final_c"]


def simulate_scene(
    scene: Scene,
    protocol: AblationProtocol,
    models: Sequence[DamageModel],
    *,
    like: torch.Tensor,
    step_s: float = 1.0,
    cooling_s: float = 60.0,
    progress: Callable[[float, Tensor], None] | None = None,
) -> Simulated:
    """Run one scene and bring its fields back to numpy.

    Args:
        scene: Grid, probes, tissue.
        protocol: Energy.
        models: Damage models, at least one.
        like: A tensor of the type and device to compute with.
        step_s: Step of control and damage.
        cooling_s: Simulated time after the energy is off.
        progress: Called with time and excess temperature after each step.

    Raises:
        StudyRejectedError: If the scene cannot be simulated as given.
    """
    if not models:
        raise StudyRejectedError(
            Code.SIMULATION_REFUSED, "a zone needs at least one damage model; got none."
        )
    problem, applicator = assemble(scene, protocol, like=like)
    controller = controller_for(protocol)
    timing = Timing(
        duration_s=protocol.duration_s,
        step_s=step_s,
        cooling_s=cooling_s,
        record_s=step_s * math.ceil(protocol.duration_s / (TRACE_POINTS * step_s)),
    )
    with threads_for(math.prod(scene.grid.shape)):
        outcome = run(problem, applicator, controller, models, timing, progress)
    depth = {m.name: _numpy(m.depth(outcome.damage[m.name])) for m in models}
    return Simulated(
        window=scene.grid,
        depth=depth,
        fields={
            "hottest_c": _numpy(outcome.hottest_k) + problem.baseline_c,
            "final_c": _numpy(outcome.excess_k) + problem.baseline_c,
        },
        volumes_ml={n: measure_shape(d, scene.grid).volume_ml for n, d in depth.items()},
        energy=outcome.energy,
        trace={name: tuple(values) for name, values in outcome.trace.items()},
        run={"steps": outcome.steps, "heat_updates": outcome.updates, "pauses": outcome.pauses},
    )


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


def _numpy(field: torch.Tensor) -> np.ndarray:
    return field.detach().cpu().numpy()
