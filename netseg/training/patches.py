"""Patches of patients: cut from real scans and painted, or made from a label map."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch

from netseg.segment.intensity import outside
from netseg.training.contrast import Contrast, chance
from netseg.training.paint import LesionPrior, paint
from netseg.training.scenes import LESION, LIVER, PORTAL, UNSEEN
from netseg.training.warp import cut, cut_labels

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from netseg.phantom.synthesis import Anatomy, Synthesis
    from netseg.training.scenes import Scene
    from netseg.training.warp import Warp

    Middle = Callable[[torch.Tensor, torch.Tensor, torch.Generator], torch.Tensor]
    """Where a patch is cut: of liver, lesions (both masks) and chance to a voxel."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Patch:
    """A cut-out with its truth.

    Attributes:
        images: HU, SUVbw or signal by channel.
        liver: The liver, lesions included.
        lesions: The lesions.
        unseen: Voxels of which nobody knows whether they are lesion.
        unknown: Voxels of which nobody knows whether they are liver.
    """

    images: Mapping[str, torch.Tensor]
    liver: torch.Tensor
    lesions: torch.Tensor
    unseen: torch.Tensor
    unknown: torch.Tensor


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RealPatches:
    """Patches of real scans; lesions are painted into portal venous CT where it is clean.

    Attributes:
        scenes: What to cut from.
        weights: Chance of each scene, in proportion.
        warp: Patch size and bending.
        contrast: Change of Hounsfield units.
        priors: What painted lesions look like, with the most of each kind in a patch.
        painted: Chance of each kind.
        untouched: Share of patches that nothing is painted into.
    """

    scenes: Sequence[Scene]
    weights: Sequence[float]
    warp: Warp
    contrast: Contrast = field(default_factory=Contrast)
    priors: tuple[tuple[LesionPrior, int], ...] = ((LesionPrior(), 3),)
    painted: float = 0.7
    untouched: float = 0.25

    def __call__(self, middle: Middle, generator: torch.Generator) -> Patch:
        """One patch, cut where `middle` says."""
        chosen = torch.multinomial(torch.tensor(self.weights), 1, generator=generator)
        scene = self.scenes[int(chosen)]
        centre = middle(scene.liver, scene.labels == LESION, generator)
        where = self.warp.places(centre, generator)
        images = {c: cut(image, where, outside(c)) for c, image in scene.images.items()}
        labels = cut_labels(scene.labels, where)
        patch = Patch(
            images=images,
            liver=(labels == LIVER) | (labels == LESION),
            lesions=labels == LESION,
            unseen=(labels == UNSEEN) | ((labels == LIVER) & (not scene.clean)),
            unknown=labels == UNSEEN,
        )
        if PORTAL in images and scene.clean and not chance(self.untouched, generator):
            patch = self._paint(patch, scene.spacing_mm, generator)
        return self._other_scanner(patch, generator)

    def _paint(self, patch: Patch, spacing_mm: float, generator: torch.Generator) -> Patch:
        hu, lesions, unseen = patch.images[PORTAL], patch.lesions, patch.unseen
        for prior, most in self.priors:
            if chance(self.painted, generator):
                count = int(torch.randint(1, most + 1, (), generator=generator))
                free = patch.liver & ~lesions
                hu, new = paint(
                    hu, free, count, spacing_mm=spacing_mm, prior=prior, generator=generator
                )
                lesions, unseen = lesions | new, unseen & ~new
        images = {**patch.images, PORTAL: hu}
        return replace(patch, images=images, lesions=lesions, unseen=unseen)

    def _other_scanner(self, patch: Patch, generator: torch.Generator) -> Patch:
        images = {
            channel: self.contrast(channel, image, patch.liver, generator)
            for channel, image in patch.images.items()
        }
        return replace(patch, images=images)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SyntheticPatches:
    """Patches made from the label maps of procedural abdomens.

    Attributes:
        anatomies: What to cut from.
        warp: Patch size and bending.
        synthesis: Makes images and lesions of a label map.
    """

    anatomies: Sequence[Anatomy]
    warp: Warp
    synthesis: Synthesis

    def __call__(
        self, middle: Middle, generator: torch.Generator, channels: tuple[str, ...]
    ) -> Patch:
        """One patch with these channels."""
        number = int(torch.randint(len(self.anatomies), (), generator=generator))
        anatomy = self.anatomies[number]
        centre = middle(anatomy.liver, torch.zeros_like(anatomy.liver), generator)
        where = self.warp.places(centre, generator)
        tissues = cut_labels(anatomy.tissues, where)
        liver = cut_labels(anatomy.liver.to(torch.uint8), where) > 0
        made = self.synthesis(tissues, liver, anatomy.spacing_mm, channels, generator)
        return Patch(
            images=made.images,
            liver=liver,
            lesions=made.lesions & liver,
            unseen=torch.zeros_like(liver),
            unknown=torch.zeros_like(liver),
        )
