"""The network that tells Couinaud's segments apart, and what it is fed.

Training and prediction build the network from the same spec and prepare its input with the same
function, or the weights lose their meaning.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netseg.segment.bodies import BODIES

if TYPE_CHECKING:
    import torch
    from jaxtyping import Bool, Float

SEGMENTS = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII")
INPUTS = ("image", "liver", "left", "back", "up")
CLIP = 6.0  # brightness is cut at this many robust standard deviations of the liver
AROUND = 4  # voxels around the liver whose brightness the network sees: cava, gallbladder, hilum


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentsSpec:
    """A network for segments, as it stands in its card.

    Attributes:
        body: Word of `netseg.segment.bodies.BODIES`.
        filters: Features per level; the first level works on cubes of 2 x 2 x 2 voxels.
        patch: Most voxels that it is shown along L, P, S; less around a smaller liver.
        spacing_mm: Voxel edge; a liver that does not fit gets a larger one.
    """

    body: str = "dynunet"
    filters: tuple[int, ...] = (24, 48, 80)
    patch: tuple[int, int, int] = (88, 72, 72)
    spacing_mm: float = 3.0

    def __post_init__(self) -> None:
        """Keep the body known and the patch divisible."""
        if self.body not in BODIES:
            raise ValueError(f"body is one of {', '.join(sorted(BODIES))}; got {self.body!r}.")
        if not self.spacing_mm > 0 or any(n % self.multiple for n in self.patch):
            raise ValueError(
                f"a network for segments needs a spacing above 0 mm and patch edges that are "
                f"multiples of {self.multiple}; got {self.spacing_mm} and {self.patch}."
            )

    @property
    def multiple(self) -> int:
        """Patch edges must be multiples of this."""
        return 2 ** len(self.filters)

    def count(self, axis: int, liver_mm: float, spacing_mm: float) -> int:
        """Voxels of the field of view along one axis for a liver of that extent."""
        wanted = liver_mm / spacing_mm + 1 + 2 * AROUND
        return min(self.patch[axis], self.multiple * math.ceil(wanted / self.multiple))

    def build(self) -> torch.nn.Module:
        """The network with random weights: (b, 5, i, j, k) to eight logits per voxel."""
        from torch import nn

        width = self.filters[0]
        return nn.Sequential(
            nn.Conv3d(len(INPUTS), width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.1),
            BODIES[self.body](self.filters),
            nn.LeakyReLU(0.1),
            nn.ConvTranspose3d(width, len(SEGMENTS), 4, stride=2, padding=1),
        )


def network_input(
    image: Float[torch.Tensor, "i j k"], liver: Bool[torch.Tensor, "i j k"]
) -> Float[torch.Tensor, "5 i j k"]:
    """What the network reads of one image and one liver; axes along L, P, S.

    Brightness counts in robust standard deviations (1.4826 times the median absolute deviation)
    from the liver's median, so that neither the modality nor its unit matters; beyond four voxels
    around the liver it is zero. The three positions count in standard deviations of the liver's
    voxels from its centre of mass.

    Raises:
        ValueError: If the liver is empty.
    """
    import torch

    if not bool(liver.any()):
        raise ValueError("an empty liver has no segments.")
    inside = image[liver]
    middle = inside.median()
    spread = 1.4826 * (inside - middle).abs().median()
    bright = ((image - middle) / spread.clamp_min(1e-6)).clamp(-CLIP, CLIP) / 3.0
    near = liver[None, None].float()
    for axis in range(
        3
    ):  # one axis after the other: a pool over the whole cube takes half a second
        edge, pad = [1, 1, 1], [0, 0, 0]
        edge[axis], pad[axis] = 2 * AROUND + 1, AROUND
        near = torch.nn.functional.max_pool3d(near, edge, stride=1, padding=pad)
    where = liver.nonzero().float()
    centre, size = where.mean(0), where.std(0).clamp_min(1.0)
    channels = [bright * near[0, 0], liver.float()]
    for axis, count in enumerate(liver.shape):
        shape = [1, 1, 1]
        shape[axis] = count
        at = (torch.arange(count, dtype=torch.float32) - centre[axis]) / size[axis]
        channels.append((0.5 * at.clamp(-4.0, 4.0)).reshape(shape).expand(liver.shape))
    return torch.stack(channels)
