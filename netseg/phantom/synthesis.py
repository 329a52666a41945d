"""Training images on the fly: from a lesion-free label map to images of any channels and their truth.

Everything runs in torch on the device of the label map. One call plants lesions and look-alikes,
draws how each channel shows them, passes every channel through a scanner of its own and keeps in
the truth only what at least one of the channels shows.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from netseg.phantom.acquisition import Scanners
from netseg.phantom.anatomy import Anatomy, draw_anatomy
from netseg.phantom.appearance import CHANNELS
from netseg.phantom.chance import Chance
from netseg.phantom.looks import allowed_mimics
from netseg.phantom.studio import Studio
from netseg.phantom.synthetic import Body, Synthetic
from netseg.phantom.tumour_prior import TumourPrior, draw_mimics, draw_orders
from netseg.phantom.tumours import grow_all, survey

__all__ = ["Anatomy", "Body", "Synthesis", "Synthetic", "draw_anatomy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Synthesis:
    """How training images are made; call it with a label map.

    Attributes:
        prior: Lesions and look-alikes.
        scanners: Scanners.
        free: Share of samples whose contrasts are drawn freely.
        misfit: Share of samples of several scanners in which these do not lie on each other.
        shift_mm: Largest shift between scanners.
        turn_deg: Largest turn between scanners about each axis.
        cnr: Contrast-to-noise below which no lesion counts as visible, however large.
        detail: Contrast-to-noise times the root of the lesion's voxels that a small one needs (Rose).
        raise_at_most: Factor by which an invisible lesion's contrast may be raised; beyond, it is
            dropped.
        gap_mm: Liver between lesions that do not touch.
    """

    prior: TumourPrior = field(default_factory=TumourPrior)
    scanners: Scanners = field(default_factory=Scanners)
    free: float = 0.5
    misfit: float = 0.6
    shift_mm: float = 6.0
    turn_deg: float = 5.0
    cnr: float = 0.7
    detail: float = 3.0
    raise_at_most: float = 2.5
    gap_mm: float = 3.0

    def __post_init__(self) -> None:
        """Keep the shares shares."""
        for name in ("free", "misfit"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} must lie in [0, 1]; got {getattr(self, name)}.")
        if self.raise_at_most < 1.0:
            raise ValueError(f"raise_at_most must be 1 or more; got {self.raise_at_most}.")

    @torch.no_grad()
    def __call__(
        self,
        tissues: torch.Tensor,
        liver: torch.Tensor,
        spacing_mm: float,
        channels: tuple[str, ...],
        generator: torch.Generator,
    ) -> Synthetic:
        """Make one sample.

        Args:
            tissues: `Tissue` numbers of a patch, uint8 (i, j, k), cubic voxels, k to the head.
            liver: The liver with its vessels, bool (i, j, k).
            spacing_mm: Voxel edge.
            channels: Wanted images; the first one's scanner is the frame of the truth.
            generator: Source of chance on any device; the same state gives the same bytes.

        Raises:
            ValueError: If no channel or an unknown one is asked for, or the shapes differ.
        """
        _check(tissues, liver, channels)
        chance = Chance.on(tissues.device, generator)
        studio = Studio.draw(self, tissues, spacing_mm, channels, chance)
        ground = survey(liver, spacing_mm)
        orders, pattern = draw_orders(self.prior, ground.liver_ml, chance)
        allowed = allowed_mimics(channels, free=studio.free)
        orders = orders + draw_mimics(self.prior, allowed, ground.liver_ml, chance)
        grown, numbers = grow_all(ground, orders, self.prior, chance, gap_mm=self.gap_mm)
        return studio.sample(grown, numbers, pattern, chance)


def _check(tissues: torch.Tensor, liver: torch.Tensor, channels: tuple[str, ...]) -> None:
    unknown = [name for name in channels if name not in CHANNELS]
    if unknown or not channels:
        raise ValueError(f"channels must be some of {list(CHANNELS)}; got {list(channels)}.")
    if tissues.shape != liver.shape or tissues.ndim != 3:
        raise ValueError(
            f"tissues {tuple(tissues.shape)} and liver {tuple(liver.shape)} must be one volume."
        )
