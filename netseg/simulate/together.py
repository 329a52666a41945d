"""Several draws of one scene in one field: the batch of an ensemble.

The draws lie side by side along a last dimension, so that every operator of the solver applies to
all of them at once and a number that differs between draws is a vector along it. Generators and
heating patterns stay one per draw: they decide by themselves. On a graphics card one launch then
serves all draws; on a processor the fields of one draw fit its cache and those of many do not, so
that one draw after another is faster there (experiments/ensemble).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from netseg.domain.ablation import AblationModality
from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.simulate.diffusion import Diffusion
from netseg.simulate.drive import Drive, Timing
from netseg.simulate.heating import HeatingParts, heating_parts
from netseg.simulate.ledger import Ledger
from netseg.simulate.stage_weights import stage_weights
from netseg.simulate.stepping import stages_for
from netseg.simulate.surface import measure_shape

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from jaxtyping import Float
    from torch import Tensor

    from netseg.domain.ablation import AblationProtocol
    from netseg.simulate.damage import DamageModel
    from netseg.simulate.scene import Scene

Member = tuple["Scene", Sequence["DamageModel"]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Drawn:
    """The zone of one draw.

    Attributes:
        depth: By damage model, positive inside.
        volumes_ml: By damage model.
    """

    depth: Mapping[str, Float[np.ndarray, "i j k"]]
    volumes_ml: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SideBySide:
    """Boiling laws of several draws; the numbers are vectors along the last dimension."""

    starts_k: Float[Tensor, "b"]
    latent_k: Float[Tensor, "b"]
    width_k: Float[Tensor, "b"]
    dry_slope: Float[Tensor, "b"]

    def excess(self, heat_k: Float[Tensor, "i j k b"]) -> Float[Tensor, "i j k b"]:
        """Temperature above baseline, as `PhaseLaw.excess`."""
        above = (heat_k - self.starts_k).clamp_min_(0)
        slope = self.width_k / self.latent_k
        dry = (above - self.latent_k).clamp_min_(0)
        wet = torch.minimum(heat_k, self.starts_k)
        return wet.addcmul_(above, slope).addcmul_(dry, self.dry_slope - slope)

    def vapour(self, heat_k: Float[Tensor, "i j k b"]) -> Float[Tensor, "i j k b"]:
        """Share of the tissue's water that has left."""
        return ((heat_k - self.starts_k) / self.latent_k).clamp_(0, 1)


@torch.no_grad()
def simulate_together(
    members: Sequence[Member],
    protocol: AblationProtocol,
    *,
    like: Tensor,
    step_s: float = 1.0,
    cooling_s: float = 60.0,
) -> list[Drawn]:
    """Run several draws of one scene at once.

    Args:
        members: Scenes that differ in numbers alone, each with its damage models.
        protocol: Energy, by microwaves or radiofrequency.
        like: A tensor of the type and device to compute with.
        step_s: Step of control and damage.
        cooling_s: Simulated time after the energy is off.

    Raises:
        StudyRejectedError: If the draws cannot lie side by side, or a scene cannot be simulated.
    """
    timing = Timing(duration_s=protocol.duration_s, step_s=step_s, cooling_s=cooling_s)
    batch = _Batch.of([_parts(m, protocol, timing, like) for m in members], timing)
    total = timing.duration_s + timing.cooling_s
    for step in range(math.ceil(total / step_s - 1e-9)):
        now = step * step_s
        batch.advance(now, min(step_s, total - now))
    models = [m.name for m in members[0][1]]
    drawn = []
    for n, (scene, _) in enumerate(members):
        depth = {name: batch.depth(name)[..., n].cpu().numpy() for name in models}
        volumes = {name: measure_shape(d, scene.grid).volume_ml for name, d in depth.items()}
        drawn.append(Drawn(depth=depth, volumes_ml=volumes))
    return drawn


def _parts(
    member: Member, protocol: AblationProtocol, timing: Timing, like: Tensor
) -> HeatingParts:
    scene, models = member
    if protocol.modality not in (AblationModality.MWA, AblationModality.RFA):
        raise StudyRejectedError(
            Code.SIMULATION_REFUSED,
            f"draws lie side by side for mwa and rfa; got {protocol.modality.value}.",
            hint="Take a batch of 1.",
        )
    parts = heating_parts(scene, protocol, models, timing, like=like)
    conduction = parts.equation.conduction
    if conduction.varying is not None or conduction.law.latent_k == 0:
        raise StudyRejectedError(
            Code.SIMULATION_REFUSED,
            "draws lie side by side where conductivity is constant and tissue holds water.",
            hint="Take a batch of 1.",
        )
    return parts


@dataclass(slots=True, kw_only=True, eq=False)
class _Batch:
    """Fields of all draws, and what is theirs alone."""

    parts: list[HeatingParts]
    drives: list[Drive]
    diffusion: Diffusion
    inverse_capacity: Tensor
    perfusion_1_s: Tensor
    law: SideBySide
    models: list[Any]
    limit_s: float
    heat: Tensor
    excess: Tensor
    damage: dict[str, Tensor] = field(default_factory=dict)

    @classmethod
    def of(cls, parts: list[HeatingParts], timing: Timing) -> _Batch:
        """Lay the draws side by side."""
        equations = [p.equation for p in parts]
        faces = [e.conduction.diffusion for e in equations]
        laws: list[Any] = [e.conduction.law for e in equations]
        heat = torch.zeros_like(_stack([e.capacity_j_m3k for e in equations]))
        models = [_joined([p.damage[n] for p in parts], heat) for n in range(len(parts[0].damage))]
        numbers = {
            f.name: heat.new_tensor([getattr(law, f.name) for law in laws])
            for f in dataclasses.fields(SideBySide)
        }
        outer = None if faces[0].outer is None else _stack([f.outer for f in faces])
        return cls(
            parts=parts,
            drives=[
                Drive(
                    applicator=p.source,
                    controller=p.controller,
                    timing=timing,
                    energy=Ledger(),
                    trace={},
                )
                for p in parts
            ],
            diffusion=Diffusion(
                inner=(
                    _stack([f.inner[0] for f in faces]),
                    _stack([f.inner[1] for f in faces]),
                    _stack([f.inner[2] for f in faces]),
                ),
                outer=outer,
            ),
            inverse_capacity=_stack([e.conduction.inverse_capacity for e in equations]),
            perfusion_1_s=_stack([e.perfusion_1_s for e in equations]),
            law=SideBySide(**numbers),
            models=models,
            limit_s=min(e.conduction.explicit_limit_s() for e in equations),
            heat=heat,
            excess=heat.clone(),
            damage={m.name: m.start(heat) for m in models},
        )

    def depth(self, name: str) -> Tensor:
        """Depth of the zones of one damage model."""
        model = next(m for m in self.models if m.name == name)
        return model.depth(self.damage[name])

    def advance(self, now: float, dt: float) -> None:
        """One Strang step and the damage of it, as in the solver.

        Raises:
            StudyRejectedError: If the step is unstable or a field becomes NaN.
        """
        source = self._source(now, dt)
        first = self.models[0]
        alive = first.perfused(self.damage[first.name])
        rate = self.perfusion_1_s * alive * (1.0 - self.law.vapour(self.heat))
        factor = rate.mul_(-0.5 * dt).expm1_()
        heat = torch.addcmul(self.heat, self.excess, factor)
        heat = self._conduct(heat, source, dt)
        self.heat = torch.addcmul(heat, self.law.excess(heat), factor)
        before, self.excess = self.excess, self.law.excess(self.heat)
        if not bool(torch.isfinite(self.heat.sum())):
            raise StudyRejectedError(
                Code.SIMULATION_REFUSED,
                f"the temperature became NaN or infinite after {now + dt:.1f} s.",
                hint="Check the priors' numbers.",
            )
        base = self.heat.new_tensor([p.equation.baseline_c for p in self.parts])
        for model in self.models:
            self.damage[model.name] = model.advance(
                self.damage[model.name], before + base, self.excess + base, dt
            )

    def _source(self, now: float, dt: float) -> Tensor:
        """Each draw's own generator, coolant and thin vessels."""
        heats = self.heat.permute(3, 0, 1, 2).contiguous()
        excesses = self.excess.permute(3, 0, 1, 2).contiguous()
        sources = []
        for n, part in enumerate(self.parts):
            source = self.drives[n].heating(part.equation, heats[n], excesses[n], now, dt)
            for sink in part.equation.sinks:
                sink.draw(source, excesses[n], part.equation.cell_m3)
            sources.append(source)
        return _stack(sources)

    def _conduct(self, heat: Tensor, source: Tensor, dt: float) -> Tensor:
        """RKL2 with as many stages as the fastest draw needs."""
        hottest = self.heat.amax((0, 1, 2)).tolist()
        laws = [p.equation.conduction.law for p in self.parts]
        steepest = max(law.steepest(h) for law, h in zip(laws, hottest, strict=True))
        stages = stages_for(dt, self.limit_s / steepest)
        before, now, start = heat, heat, heat
        for stage in range(1, stages + 1):
            of_now, of_before, of_first, of_rate, of_start = stage_weights(stage, stages, dt)
            rate = self.diffusion.apply(self.law.excess(now)).add_(source)
            rate.mul_(self.inverse_capacity)
            if stage == 1:
                start = rate
                now = torch.add(heat, rate, alpha=of_rate)
                continue
            new = of_now * now
            new.add_(before, alpha=of_before).add_(heat, alpha=of_first)
            before, now = now, new.add_(rate, alpha=of_rate).add_(start, alpha=of_start)
        return now


def _stack(fields: Sequence[Tensor | None]) -> Tensor:
    """Along a last dimension."""
    return torch.stack([f for f in fields if f is not None], -1)


def _joined(models: Sequence[Any], like: Tensor) -> Any:
    """One damage model whose differing numbers are vectors along the last dimension."""
    differing = {}
    for f in dataclasses.fields(models[0]):
        values = [getattr(m, f.name) for m in models]
        if any(v != values[0] for v in values):
            differing[f.name] = like.new_tensor(values)
    return dataclasses.replace(models[0], **differing)
