"""The zone as a probability: many draws of what is not known, one run each.

    result = ensemble(scene, protocol, models, draws=64, seed=1, like=torch.zeros(()),
                      priors=None, step_s=1.0, cooling_s=60.0, targets={"1": mask},
                      workers=2, progress=lambda done, draws: ...)
    result.coverage             P(dead) per cell of scene.grid, over draws and damage models
    result.volume_quantiles_ml("arrhenius", (0.05, 0.5, 0.95))
    result.probability_of_margin("1", 5.0)
    result.document()           what goes into zone.json

`priors=None` takes the carried set of the scene's tissue (`priors.priors_for`). Every draw is one
run of `simulate_scene`: whatever that can do, an ensemble can. The damage models share a run's
temperatures, and weigh the same in `coverage`; what they disagree on is part of the doubt.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.simulate.priors import draw, priors_for, vary
from netseg.simulate.scene_run import simulate_scene
from netseg.simulate.target_margin import Target

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from jaxtyping import Float
    from torch import Tensor

    from netseg.domain.ablation import AblationProtocol
    from netseg.domain.grid import Grid
    from netseg.domain.volume import Mask
    from netseg.simulate.damage import DamageModel
    from netseg.simulate.priors import Prior
    from netseg.simulate.scene import Scene
    from netseg.simulate.scene_run import Simulated

BAND = (0.05, 0.5, 0.95)  # the quantiles that are written down


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ensemble:
    """What the draws agree and disagree on.

    Attributes:
        grid: The simulation grid.
        coverage_by_model: Share of the draws in which a cell dies, by damage model.
        volumes_ml: Volume of each draw's zone, by damage model.
        parameters: Each draw's parameters.
        margins_mm: Each draw's margin around each target, by target and damage model.
        seed: Of the draws.
        sources: Where each prior is from.
    """

    grid: Grid
    coverage_by_model: Mapping[str, Float[np.ndarray, "i j k"]]
    volumes_ml: Mapping[str, Float[np.ndarray, "n"]]
    parameters: Mapping[str, Float[np.ndarray, "n"]]
    margins_mm: Mapping[str, Mapping[str, Float[np.ndarray, "n"]]] = field(default_factory=dict)
    seed: int = 0
    sources: Mapping[str, str] = field(default_factory=dict)

    @property
    def draws(self) -> int:
        """How many runs there were."""
        return len(next(iter(self.volumes_ml.values())))

    @property
    def coverage(self) -> Float[np.ndarray, "i j k"]:
        """P(dead) per cell, every damage model weighing the same (float32)."""
        return np.mean(list(self.coverage_by_model.values()), axis=0, dtype=np.float32)

    def volume_quantiles_ml(self, model: str, shares: Sequence[float] = BAND) -> tuple[float, ...]:
        """Volumes below which these shares of the draws lie."""
        return tuple(float(v) for v in np.quantile(self.volumes_ml[model], shares))

    def probability_of_margin(self, target: str, margin_mm: float = 5.0) -> float:
        """P(the zone reaches at least this far beyond the target), over draws and damage models."""
        margins = self.margins_mm[target].values()
        return float(np.mean([np.mean(m >= margin_mm) for m in margins]))

    def document(self) -> dict[str, Any]:
        """The ensemble in JSON types: quantiles, probabilities, what was varied and by whose word."""
        return {
            "draws": self.draws,
            "seed": self.seed,
            "volume_quantiles_ml": {
                model: dict(zip(map(str, BAND), self.volume_quantiles_ml(model), strict=True))
                for model in self.volumes_ml
            },
            "probability_of_5_mm": {t: self.probability_of_margin(t) for t in self.margins_mm},
            "probability_of_cover": {
                t: self.probability_of_margin(t, 0.0) for t in self.margins_mm
            },
            "parameters": {
                name: {
                    "smallest": float(values.min()),
                    "median": float(np.median(values)),
                    "largest": float(values.max()),
                    "source": self.sources.get(name, ""),
                }
                for name, values in self.parameters.items()
            },
        }


def ensemble(
    scene: Scene,
    protocol: AblationProtocol,
    models: Sequence[DamageModel],
    *,
    draws: int,
    seed: int,
    like: Tensor,
    priors: Sequence[Prior] | None = None,
    step_s: float = 1.0,
    cooling_s: float = 60.0,
    targets: Mapping[str, Mask] | None = None,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
    simulate: Callable[..., Simulated] = simulate_scene,
) -> Ensemble:
    """Simulate a scene once per draw of its unknown parameters.

    Args:
        scene: Grid, probes, tissue.
        protocol: Energy.
        models: Damage models, at least one; the first stops perfusion.
        draws: How many runs.
        seed: Of the draws; the same seed gives the same bytes, however many workers.
        like: A tensor of the type and device to compute with.
        priors: What is not known; None for the carried set of the scene's tissue.
        step_s: Step of control and damage.
        cooling_s: Simulated time after the energy is off.
        targets: Regions whose margin each draw is asked for, by name.
        workers: Runs that go on at the same time, each on its own threads.
        progress: Called with the finished and the whole number of draws.
        simulate: What makes one run, called like `simulate_scene`.

    Raises:
        StudyRejectedError: If draws is not positive, a parameter is unknown or impossible, or a
            run is refused.
    """
    if workers < 1:
        raise StudyRejectedError(Code.CONFIG_RANGE, f"workers must be at least 1; got {workers}.")
    known = priors_for(scene, models) if priors is None else tuple(priors)
    table = draw(known, draws, seed, models=models)
    relative = frozenset(p.name for p in known if p.relative)
    members = [
        vary(scene, models, {name: float(v[n]) for name, v in table.items()}, relative)
        for n in range(draws)
    ]  # an impossible number is refused before the first run

    def one(member: tuple[Scene, tuple[DamageModel, ...]]) -> Simulated:
        return simulate(
            member[0], protocol, member[1], like=like, step_s=step_s, cooling_s=cooling_s
        )

    count = _Count(
        names=tuple(m.name for m in models),
        targets={n: Target.prepare(t, scene.grid) for n, t in (targets or {}).items()},
    )
    with ThreadPoolExecutor(max_workers=workers) as pool:
        for first in range(0, draws, workers):  # no more finished runs are held than needed
            for done in pool.map(one, members[first : first + workers]):
                count.add(done)
                if progress is not None:
                    progress(len(count.volumes), draws)
    return Ensemble(
        grid=scene.grid,
        coverage_by_model=count.coverage(),
        volumes_ml=count.by_model(count.volumes),
        parameters=table,
        margins_mm={n: count.by_model(m) for n, m in count.margins.items()},
        seed=seed,
        sources={p.name: p.source for p in known},
    )


@dataclass(slots=True, kw_only=True, eq=False)
class _Count:
    """Runs counted one by one, in the order of the draws."""

    names: tuple[str, ...]
    targets: Mapping[str, Target]
    dead: dict[str, np.ndarray] = field(default_factory=dict)
    volumes: list[list[float]] = field(default_factory=list)
    margins: dict[str, list[list[float]]] = field(default_factory=dict)

    def add(self, done: Simulated) -> None:
        """Count one run."""
        for name in self.names:
            dead = (done.depth[name] >= 0).astype(np.float32)
            self.dead[name] = self.dead[name] + dead if name in self.dead else dead
        self.volumes.append([done.volumes_ml[n] for n in self.names])
        for target, prepared in self.targets.items():
            margins = [prepared.margin_mm(done.depth[n]) for n in self.names]
            self.margins.setdefault(target, []).append(margins)

    def coverage(self) -> dict[str, np.ndarray]:
        """Share of the runs in which a cell died."""
        return {n: d / np.float32(len(self.volumes)) for n, d in self.dead.items()}

    def by_model(self, rows: list[list[float]]) -> dict[str, np.ndarray]:
        """One column per model."""
        return {n: np.array([row[c] for row in rows]) for c, n in enumerate(self.names)}


def first_order_indices(
    parameters: Mapping[str, Float[np.ndarray, "n"]], outcome: Float[np.ndarray, "n"]
) -> dict[str, float]:
    """Share of an outcome's variance that each parameter explains alone.

    From the draws as they are: the outcome is fitted by a parabola in one parameter, and the
    variance of the fit over that of the outcome, less what chance would explain, is its index
    (adjusted R^2 of a given-data Sobol' index). Parameters that do not vary have none.

    Args:
        parameters: Draws by parameter.
        outcome: What came of them.
    """
    indices = {}
    n = len(outcome)
    if n < 5:
        raise StudyRejectedError(
            Code.CONFIG_RANGE, f"indices need at least five draws; got {n}.",
        )  # fmt: skip
    for name, values in parameters.items():
        spread = float(np.std(values))
        if spread <= 1e-12 * max(abs(float(np.mean(values))), 1e-300):
            continue
        scaled = (values - np.mean(values)) / spread
        basis = np.column_stack((np.ones(n), scaled, scaled**2))
        fitted = basis @ np.linalg.lstsq(basis, outcome, rcond=None)[0]
        total = float(np.var(outcome))
        share = 0.0 if total == 0 else 1.0 - float(np.mean((outcome - fitted) ** 2)) / total
        adjusted = 1.0 - (1.0 - share) * (n - 1) / (n - 3)
        indices[name] = max(0.0, adjusted) if math.isfinite(adjusted) else 0.0
    return indices
