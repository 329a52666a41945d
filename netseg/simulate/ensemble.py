"""The zone as a probability: many draws of what is not known, one run each.

    result = ensemble(scene, protocol, models, draws=64, seed=1, like=torch.zeros(()),
                      priors=None, step_s=1.0, cooling_s=60.0, targets={"1": mask},
                      workers=None, batch=None, progress=lambda done, draws: ...)
    result.coverage             P(dead) per cell of scene.grid, over draws and damage models
    result.volume_quantiles_ml("arrhenius", (0.05, 0.5, 0.95))
    result.probability_of_margin("1", 5.0)
    result.document()           what goes into zone.json

`priors=None` takes the carried set of the scene's tissue (`priors.priors_for`). Every draw is one
run of `simulate_scene`: whatever that can do, an ensemble can. With `batch` over 1 so many draws lie
side by side in one field (`together`), which is for graphics cards. The damage models share a run's
temperatures, and weigh the same in `coverage`; what they disagree on is part of the doubt.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Union

import numpy as np
import torch

from netseg.domain.ablation import AblationModality
from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.simulate.priors import draw, priors_for, vary
from netseg.simulate.scene_run import simulate_scene
from netseg.simulate.target_margin import Target
from netseg.simulate.together import Drawn, Member, simulate_together

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

Zone = Union["Simulated", Drawn]
HEATED = (AblationModality.MWA, AblationModality.RFA)
FIELDS = 80
"""Fields that one draw of a batch takes in memory, counted generously."""
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
        total = np.zeros(self.grid.shape, dtype=np.float32)
        for share in self.coverage_by_model.values():
            total += share
        return total / np.float32(len(self.coverage_by_model))

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
    workers: int | None = None,
    batch: int | None = None,
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
        workers: Runs that go on at the same time and share torch's threads; None for one per
            thread on a processor and one on a graphics card.
        batch: Draws that lie side by side in one field; None for one run each on a processor, and
            as many as fit half of the free memory on a graphics card.
        progress: Called with the finished and the whole number of draws.
        simulate: What makes one run, called like `simulate_scene`.

    Raises:
        StudyRejectedError: If draws is not positive, a parameter is unknown or impossible, or a
            run is refused.
    """
    side_by_side = _batch(batch, scene, draws, like)
    at_once = _workers(workers, like)
    known = priors_for(scene, models) if priors is None else tuple(priors)
    table = draw(known, draws, seed, models=models)
    relative = frozenset(p.name for p in known if p.relative)
    members: list[Member] = [
        vary(scene, models, {name: float(v[n]) for name, v in table.items()}, relative)
        for n in range(draws)
    ]  # an impossible number is refused before the first run

    def several(group: list[Member]) -> Sequence[Zone]:
        torch.set_num_threads(max(1, threads // at_once))  # of this worker
        how: dict[str, Any] = {"like": like, "step_s": step_s, "cooling_s": cooling_s}
        if len(group) > 1:
            return simulate_together(group, protocol, **how)
        return [simulate(group[0][0], protocol, group[0][1], **how)]

    count = _Count(
        names=tuple(m.name for m in models),
        targets={n: Target.prepare(t, scene.grid) for n, t in (targets or {}).items()},
    )
    groups = [members[n : n + side_by_side] for n in range(0, draws, side_by_side)]
    threads = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(max_workers=at_once) as pool:
            for first in range(0, len(groups), at_once):  # few finished runs are held at a time
                for done in pool.map(several, groups[first : first + at_once]):
                    for zone in done:
                        count.add(zone)
                    if progress is not None:
                        progress(len(count.volumes), draws)
    finally:
        torch.set_num_threads(threads)
    return Ensemble(
        grid=scene.grid,
        coverage_by_model=count.coverage(),
        volumes_ml=count.by_model(count.volumes),
        parameters=table,
        margins_mm={n: count.by_model(m) for n, m in count.margins.items()},
        seed=seed,
        sources={p.name: p.source for p in known},
    )


def _workers(wanted: int | None, like: Tensor) -> int:
    if wanted is None:
        return torch.get_num_threads() if like.device.type == "cpu" else 1
    if wanted < 1:
        raise StudyRejectedError(Code.CONFIG_RANGE, f"workers must be at least 1; got {wanted}.")
    return wanted


def _batch(wanted: int | None, scene: Scene, draws: int, like: Tensor) -> int:
    if wanted is None:
        heated = all(p.device.modality in HEATED for p in scene.probes)
        if like.device.type != "cuda" or not heated or scene.tissue.k_rise_1_k != 0:
            return 1
        free, _ = torch.cuda.mem_get_info(like.device)
        member = FIELDS * math.prod(scene.grid.shape) * like.element_size()
        return max(1, min(draws, int(0.5 * free / member)))
    if wanted < 1:
        raise StudyRejectedError(Code.CONFIG_RANGE, f"batch must be at least 1; got {wanted}.")
    return wanted


@dataclass(slots=True, kw_only=True, eq=False)
class _Count:
    """Runs counted one by one, in the order of the draws."""

    names: tuple[str, ...]
    targets: Mapping[str, Target]
    dead: dict[str, np.ndarray] = field(default_factory=dict)
    volumes: list[list[float]] = field(default_factory=list)
    margins: dict[str, list[list[float]]] = field(default_factory=dict)

    def add(self, done: Zone) -> None:
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
