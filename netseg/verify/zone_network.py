"""The network that outlines an ablation zone, and what it is fed.

A small U-Net in plain torch. Its first step gathers 2 x 2 x 2 voxels into channels, so that nearly
all the work is done on an eighth of the places; its last one lays the voxels out again and looks
once more at the image itself, so that the border is put where the image has it. Training and
prediction use the same functions, or the weights lose their meaning.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from netseg.verify.zone_levels import bulk

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from torch import Tensor

INPUTS = ("image", "seed", "liver")
UNIT_HU = 40.0  # a difference to liver of this many HU counts 1
UNIT_SPREADS = 2.5  # the same in spreads of the liver, where values are no HU
CLIP = 4.0
PLANNED = 0.5  # how much a planned zone counts as seed; the lesion counts 1
GROUPS = 4
FEW = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneNetworkSpec:
    """A network for zones, as it stands in its card.

    Attributes:
        filters: Features per level; the first level works on cubes of 2 x 2 x 2 voxels.
        fine: Features of the last look at single voxels.
        spacing_mm: Voxel edge.
    """

    filters: tuple[int, ...] = (32, 48, 48)
    fine: int = 8
    spacing_mm: float = 1.5

    def __post_init__(self) -> None:
        """Keep the features divisible and the voxels real."""
        if not self.filters or any(n < GROUPS or n % GROUPS for n in (*self.filters, self.fine)):
            raise ValueError(
                f"features per level must be multiples of {GROUPS}; got {self.filters} and "
                f"{self.fine}."
            )
        if not self.spacing_mm > 0:
            raise ValueError(f"spacing_mm must be positive; got {self.spacing_mm}.")

    @property
    def multiple(self) -> int:
        """Edges of what it is shown must be multiples of this many voxels."""
        return 2 ** len(self.filters)

    def build(self) -> nn.Module:
        """The network with random weights: (b, 3, i, j, k) to (b, 1, i, j, k) logits."""
        return _ZoneNetwork(self)


class _ZoneNetwork(nn.Module):
    """A U-Net on gathered voxels, and two fine convolutions."""

    def __init__(self, spec: ZoneNetworkSpec) -> None:
        super().__init__()
        widths = spec.filters
        entering = (len(INPUTS) * 8, *widths[:-1])
        self.down = nn.ModuleList(_block(a, b) for a, b in zip(entering, widths, strict=True))
        pairs = list(itertools.pairwise(widths))[::-1]
        self.up = nn.ModuleList(_block(high + low, high) for high, low in pairs)
        self.spread = nn.Conv3d(widths[0], 8 * 4, 1)
        self.fine = nn.Sequential(
            nn.Conv3d(4 + len(INPUTS), spec.fine, 3, padding=1),
            nn.LeakyReLU(0.1),
            nn.Conv3d(spec.fine, 1, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        kept: list[Tensor] = []
        y = _gathered(x)
        for level, block in enumerate(self.down):
            y = block(nn.functional.avg_pool3d(y, 2) if level else y)
            kept.append(y)
        kept.pop()
        for block in self.up:
            y = nn.functional.interpolate(y, scale_factor=2.0, mode="nearest")
            y = block(torch.cat((kept.pop(), y), dim=1))
        return self.fine(torch.cat((x, _laid_out(self.spread(y))), dim=1))


def network_input(
    values: Float[np.ndarray, "i j k"],
    liver: Bool[np.ndarray, "i j k"],
    lesion: Bool[np.ndarray, "i j k"],
    planned: Bool[np.ndarray, "i j k"] | None,
    *,
    is_hu: bool,
) -> Float[Tensor, "3 i j k"]:
    """What the network reads around one lesion.

    Brightness counts from the liver's most frequent value: in steps of 40 HU, or of 2.5 spreads of
    the liver where values are no HU; it is cut at four steps, where gas and metal lie.

    Args:
        values: The control scan.
        liver: Where a zone may be.
        lesion: The lesion as it was carried.
        planned: The zone that was planned, where there was a plan.
        is_hu: Whether the values are HU.

    Raises:
        ValueError: If the liver holds fewer than 50 voxels.
    """
    where = liver & ~lesion
    if np.count_nonzero(where) < FEW:
        raise ValueError(f"the liver must hold {FEW} voxels; got {np.count_nonzero(where)}.")
    own = bulk(values[where].ravel())
    unit = UNIT_HU if is_hu else UNIT_SPREADS * max(own.spread, 1e-6)
    bright = np.clip((values - own.value) / unit, -CLIP, CLIP)
    seed = lesion.astype(np.float32)
    if planned is not None:
        seed = np.maximum(seed, np.float32(PLANNED) * planned)
    stacked = np.stack((bright, seed, liver)).astype(np.float32)
    return torch.as_tensor(np.ascontiguousarray(stacked))


def _block(entering: int, leaving: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width in (entering, leaving):
        layers += [
            nn.Conv3d(width, leaving, 3, padding=1),
            nn.GroupNorm(GROUPS, leaving),
            nn.LeakyReLU(0.1),
        ]
    return nn.Sequential(*layers)


def _gathered(x: Tensor) -> Tensor:
    """Cubes of 2 x 2 x 2 voxels as channels of one place."""
    b, c, i, j, k = x.shape
    x = x.reshape(b, c, i // 2, 2, j // 2, 2, k // 2, 2).permute(0, 1, 3, 5, 7, 2, 4, 6)
    return x.reshape(b, 8 * c, i // 2, j // 2, k // 2)


def _laid_out(y: Tensor) -> Tensor:
    """Channels of one place back as the cube of voxels that they are."""
    b, c, i, j, k = y.shape
    y = y.reshape(b, c // 8, 2, 2, 2, i, j, k).permute(0, 1, 5, 2, 6, 3, 7, 4)
    return y.reshape(b, c // 8, 2 * i, 2 * j, 2 * k)
