"""What one training step sees: a function of the step's number and nothing else.

Every draw of chance comes from (seed, step), so a run that is interrupted and resumed sees exactly
what an uninterrupted one would have seen.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from netseg.segment.networks import lesion_input, liver_input
from netseg.training.contrast import Contrast, blur, chance, uniform
from netseg.training.paint import LesionPrior, paint
from netseg.training.scenes import LESION

if TYPE_CHECKING:
    from netseg.training.scenes import Scene
    from netseg.training.warp import Warp


def generator_of(seed: int, step: int) -> torch.Generator:
    """The source of chance of one step."""
    generator = torch.Generator()
    generator.manual_seed((seed * 1_000_003 + step) * 2_654_435_761 % (2**63 - 1))
    return generator


def pick(scenes: list[Scene], weights: list[float], generator: torch.Generator) -> Scene:
    """One scene, with a chance in proportion to its weight."""
    chosen = torch.multinomial(torch.tensor(weights), 1, generator=generator)
    return scenes[int(chosen)]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LiverTask:
    """Find the liver, lesions included, at a coarse spacing.

    Attributes:
        scenes: What to cut from.
        weights: Chance of each scene, in proportion.
        seed: First half of every step's seed.
        warp: Patch size and bending.
        contrast: Change of Hounsfield units.
        prior: Lesions painted into real livers.
        painted: Share of the steps in which they are.
        jitter_mm: How far the patch's middle may lie from the liver's.
    """

    scenes: list[Scene]
    weights: list[float]
    seed: int
    warp: Warp
    contrast: Contrast = field(default_factory=Contrast)
    prior: LesionPrior = field(default_factory=lambda: LesionPrior(radius_mm=(6.0, 45.0)))
    painted: float = 0.5
    jitter_mm: float = 70.0

    def __call__(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Network input (1, i, j, k) and truth (1, i, j, k) of one step."""
        generator = generator_of(self.seed, step)
        scene = pick(self.scenes, self.weights, generator)
        where = (scene.labels > 0).nonzero().float()
        middle = 0.5 * (where.amin(0) + where.amax(0))
        reach = self.jitter_mm / scene.spacing_mm
        centre = middle + reach * (2.0 * torch.rand(3, generator=generator) - 1.0)
        hu, labels = self.warp(scene.hu, scene.labels, centre, generator)
        liver = labels > 0
        if scene.real and chance(self.painted, generator):
            count = int(torch.randint(1, 4, (), generator=generator))
            hu, _ = paint(
                hu, liver, count, spacing_mm=scene.spacing_mm, prior=self.prior, generator=generator
            )
        hu = self.contrast(hu, liver, generator)
        return liver_input(hu), liver[None].float()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LesionTask:
    """Find lesions inside the liver at a fine spacing.

    Attributes:
        scenes: What to cut from.
        weights: Chance of each scene, in proportion.
        seed: First half of every step's seed.
        warp: Patch size and bending.
        contrast: Change of Hounsfield units.
        prior: What painted lesions look like.
        small: A second prior, of small lesions; painted in half of the cases.
        empty: Share of steps on clean livers without any painted lesion.
    """

    scenes: list[Scene]
    weights: list[float]
    seed: int
    warp: Warp
    contrast: Contrast = field(default_factory=Contrast)
    prior: LesionPrior = field(default_factory=LesionPrior)
    small: LesionPrior = field(default_factory=lambda: LesionPrior(radius_mm=(2.5, 8.0)))
    empty: float = 0.2

    def __call__(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Network input (3, i, j, k) and truth (1, i, j, k) of one step."""
        generator = generator_of(self.seed, step)
        scene = pick(self.scenes, self.weights, generator)
        hu, labels = self.warp(scene.hu, scene.labels, self._centre(scene, generator), generator)
        liver, lesions = labels > 0, labels == LESION
        if scene.clean and not chance(self.empty, generator):
            hu, lesions = self._paint(hu, liver, lesions, scene, generator)
        hu = self.contrast(hu, liver, generator)
        given = self._given_liver(liver, lesions, generator)
        inside = hu[given > 0.5]
        liver_hu = float(inside.median()) if inside.numel() else 100.0
        return lesion_input(hu, given, liver_hu), lesions[None].float()

    def _centre(self, scene: Scene, generator: torch.Generator) -> torch.Tensor:
        lesions = (scene.labels == LESION).nonzero()
        on_lesion = len(lesions) > 0 and chance(0.5, generator)
        where = lesions if on_lesion else (scene.labels > 0).nonzero()
        middle = where[int(torch.randint(len(where), (), generator=generator))].float()
        shift = 2.0 * torch.rand(3, generator=generator) - 1.0
        return middle + shift * 0.3 * torch.tensor(self.warp.patch)

    def _paint(
        self,
        hu: torch.Tensor,
        liver: torch.Tensor,
        lesions: torch.Tensor,
        scene: Scene,
        generator: torch.Generator,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Large and small lesions, kept off those that are already there."""
        for prior, most in ((self.prior, 3), (self.small, 6)):
            if chance(0.7, generator):
                count = int(torch.randint(1, most + 1, (), generator=generator))
                free = liver & ~lesions
                hu, painted = paint(
                    hu, free, count, spacing_mm=scene.spacing_mm, prior=prior, generator=generator
                )
                lesions = lesions | painted
        return hu, lesions

    def _given_liver(
        self, liver: torch.Tensor, lesions: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        """The liver as the first network would give it: blurred, a bit too small or too large."""
        if chance(0.25, generator):
            liver = liver & ~lesions  # it misses lesions that look unlike liver
        sigma = uniform(0.8, 2.5, generator)
        soft = blur(liver.float(), (sigma, sigma, sigma))
        cut = uniform(0.25, 0.75, generator)
        return torch.sigmoid(12.0 * (soft - cut))
