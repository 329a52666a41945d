"""What one training step sees: a function of the step's number and nothing else.

Every draw of chance comes from (seed, step), so a run that is interrupted and resumed sees exactly
what an uninterrupted one would have seen. Which channels a step has comes from (seed,
step // batch): all patches of a batch have the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import avg_pool3d, interpolate

from netseg.segment.intensity import absolute, against_liver
from netseg.segment.networks import LIVER_GIVEN
from netseg.training.contrast import bend_greys, blur, chance, smooth_noise, uniform
from netseg.training.sample import LEAST_VOXELS, MOST_WEIGHT, Sample, lesion_weight
from netseg.training.scenes import PORTAL
from netseg.training.subsets import MR, draw_subset

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float

    from netseg.training.patches import Middle, Patch, RealPatches, SyntheticPatches


def generator_of(seed: int, step: int) -> torch.Generator:
    """The source of chance of one step."""
    generator = torch.Generator()
    generator.manual_seed((seed * 1_000_003 + step) * 2_654_435_761 % (2**63 - 1))
    return generator


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mixture:
    """Real patches and synthetic ones.

    Attributes:
        real: Patches of real scans; None where there are none.
        synthetic: Patches of procedural abdomens; None where there are none.
        synthetic_share: Share of the steps that see the latter, where there are both.
        disguised: Share of real CT patches that pass for MR: their grey values are bent at random.
    """

    real: RealPatches | None = None
    synthetic: SyntheticPatches | None = None
    synthetic_share: float = 0.5
    disguised: float = 0.0

    def __post_init__(self) -> None:
        """Keep at least one of both."""
        if self.real is None and self.synthetic is None:
            raise ValueError("training needs real scenes, anatomies, or both; got neither.")

    def draw(self, middle: Middle, seed: int, step: int, batch: int) -> Patch:
        """The patch of a step."""
        shared, own = generator_of(seed, step // batch), generator_of(seed + 1, step)
        synthetic = self.real is None or (
            self.synthetic is not None and chance(self.synthetic_share, shared)
        )
        if synthetic and self.synthetic is not None:
            return self.synthetic(middle, own, draw_subset(shared))
        assert self.real is not None
        patch = self.real(middle, own)
        if PORTAL in patch.images and chance(self.disguised, shared):
            name = MR[int(torch.randint(len(MR), (), generator=shared))]
            return replace(patch, images={name: bend_greys(patch.images[PORTAL], own)})
        return patch


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LiverTask:
    """Find the liver, lesions included, at a coarse spacing.

    Attributes:
        inputs: The network's channels.
        patches: Where patches come from.
        seed: First half of every step's seed.
        batch: Patches per step.
        jitter: How far the patch's middle may lie from the liver's, as a share of the liver's size.
    """

    inputs: tuple[str, ...]
    patches: Mixture
    seed: int
    batch: int = 1
    jitter: float = 0.35

    def __call__(self, step: int) -> Sample:
        """Input and truth of one step; the output is the liver."""
        patch = self.patches.draw(self._near_the_middle, self.seed, step, self.batch)
        names = [c for c in self.inputs if c in patch.images]
        image = torch.stack([absolute(c, patch.images[c]) for c in names])
        truth = patch.liver[None].float()
        return Sample(image, _places(self.inputs, names), truth, (~patch.unknown)[None].float())

    def _near_the_middle(
        self, liver: torch.Tensor, lesions: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        del lesions
        low, high = extent(liver)
        reach = self.jitter * (high - low)
        return 0.5 * (low + high) + reach * (2.0 * torch.rand(3, generator=generator) - 1.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LesionTask:
    """Find lesions, and the liver itself once more, at a fine spacing inside and around the liver.

    Attributes:
        inputs: The network's channels, `LIVER_GIVEN` among them.
        patches: Where patches come from.
        seed: First half of every step's seed.
        patch: Voxels of a patch.
        batch: Patches per step.
        missed: Share of steps in which the given liver leaves lesions out, as a first network does.
        leaks: Share of steps in which the given liver also takes in pieces of its surroundings and
            leaves out pieces of itself, as a first network does at kidneys, muscle and lung.
        least_voxels: A lesion of fewer voxels weighs as much as one of that size,
        most_weight: but none of its voxels more than this.
    """

    inputs: tuple[str, ...]
    patches: Mixture
    seed: int
    patch: tuple[int, int, int]
    batch: int = 1
    missed: float = 0.3
    leaks: float = 0.0
    least_voxels: float = LEAST_VOXELS
    most_weight: float = MOST_WEIGHT

    def __call__(self, step: int) -> Sample:
        """Input and truth of one step; the outputs are lesion and liver."""
        patch = self.patches.draw(self._on_liver, self.seed, step, self.batch)
        generator = generator_of(self.seed + 2, step)
        given = self._given_liver(patch, generator)
        names = [c for c in self.inputs if c in patch.images]
        inside = given > 0.5
        image = [against_liver(c, patch.images[c], inside) for c in names]
        image = torch.stack([*image, given])
        truth = torch.stack((patch.lesions, patch.liver)).float()
        small = lesion_weight(patch.lesions, patch.unseen, self.least_voxels, self.most_weight)
        weight = torch.stack((small, (~patch.unknown).float()))
        return Sample(image, _places(self.inputs, [*names, LIVER_GIVEN]), truth, weight)

    def _on_liver(
        self, liver: torch.Tensor, lesions: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        spots = lesions.nonzero() if chance(0.5, generator) else lesions.new_zeros((0, 3))
        where = spots if len(spots) else liver.nonzero()
        middle = where[int(torch.randint(len(where), (), generator=generator))].float()
        shift = 2.0 * torch.rand(3, generator=generator) - 1.0
        return middle + shift * 0.3 * torch.tensor(self.patch)

    def _given_liver(self, patch: Patch, generator: torch.Generator) -> torch.Tensor:
        """The liver as the first network would give it: blurred, a bit too small or too large."""
        liver = patch.liver
        if chance(self.missed, generator):
            liver = liver & ~patch.lesions  # it misses lesions that look unlike liver
        sigma = uniform(0.8, 3.0, generator)
        soft = blur(liver.float(), (sigma, sigma, sigma))
        if self.leaks and chance(self.leaks, generator):
            soft = leak(soft, generator)
        cut = uniform(0.25, 0.75, generator)
        return torch.sigmoid(12.0 * (soft - cut))


def leak(
    soft: Float[torch.Tensor, "i j k"], generator: torch.Generator
) -> Float[torch.Tensor, "i j k"]:
    """A mask with pieces of its surroundings and without pieces of itself.

    Pieces are 8 to 16 voxels wide; those outside reach about 10 voxels from the mask.

    Args:
        soft: Mask with soft edges, 0 ... 1.
        generator: Source of chance.
    """
    coarseness = int(torch.randint(8, 17, (), generator=generator))
    noise = smooth_noise(tuple(soft.shape), coarseness, generator)
    coarse = avg_pool3d(soft[None, None], 8, ceil_mode=True)
    near = interpolate(coarse, size=soft.shape, mode="trilinear")[0, 0]
    outside = torch.sigmoid(8.0 * (noise - uniform(0.4, 1.2, generator))) * (near > 0.02)
    inside = torch.sigmoid(8.0 * (-noise - uniform(0.9, 1.6, generator)))
    return torch.maximum(soft, outside) * (1.0 - inside)


def extent(mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """First and last voxel of a region along each axis, without listing its voxels."""
    ends = []
    for axis in range(3):
        others = [a for a in range(3) if a != axis]
        hit = mask.any(dim=others[1]).any(dim=others[0]).nonzero().flatten()
        ends.append((float(hit[0]), float(hit[-1])))
    low, high = zip(*ends, strict=True)
    return torch.tensor(low), torch.tensor(high)


def _places(inputs: Sequence[str], names: Sequence[str]) -> torch.Tensor:
    return torch.tensor([inputs.index(n) for n in names])
