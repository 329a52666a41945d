"""The networks: one stem that takes any subset of channels, a body by name, one head.

Training and prediction build a network from the same `NetworkSpec`, which stands in the model card.
torch is imported when a network is built, not when a card is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from netseg.segment.bodies import BODIES
from netseg.segment.channels import CHANNELS

if TYPE_CHECKING:
    from netseg.segment.subset import SubsetNetwork

LIVER_GIVEN = "liver"
"""The extra input of the lesion network: how much of a voxel is liver, as the first network says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSpec:
    """A network, as it stands in a model card.

    Attributes:
        inputs: Channels it knows; any subset of them may be given.
        outputs: Structures it outlines, one logit each.
        body: Word of `netseg.segment.bodies.BODIES`.
        filters: Features per level of the body; every level halves the resolution.
        stride: Edge of the cube of voxels that the stem turns into one, 1 or 2. With 2 the body works
            on an eighth of the voxels and the head returns to all of them.
        rare: Outputs that fill few voxels; their logits begin at -4.
    """

    inputs: tuple[str, ...] = CHANNELS
    outputs: tuple[str, ...] = ("liver",)
    body: str = "dynunet"
    filters: tuple[int, ...] = (32, 48, 64, 96)
    stride: int = 2
    rare: tuple[str, ...] = ("lesion",)

    def __post_init__(self) -> None:
        """Keep the names known and the sizes possible."""
        unknown = [n for n in self.inputs if n not in (*CHANNELS, LIVER_GIVEN)]
        if unknown or len(set(self.inputs)) != len(self.inputs) or not self.inputs:
            raise ValueError(
                f"inputs are distinct names of {', '.join((*CHANNELS, LIVER_GIVEN))}; got "
                f"{', '.join(self.inputs) or 'none'}."
            )
        if not self.outputs or self.stride not in (1, 2) or len(self.filters) < 2:
            raise ValueError(
                f"a network needs outputs, a stride of 1 or 2 and two levels; got {self.outputs}, "
                f"{self.stride} and {self.filters}."
            )
        if self.body not in BODIES:
            raise ValueError(f"body is one of {', '.join(sorted(BODIES))}; got {self.body!r}.")

    @property
    def multiple(self) -> int:
        """Patch edges must be multiples of this."""
        return self.stride * 2 ** (len(self.filters) - 1)

    def build(self) -> SubsetNetwork:
        """The network with random weights."""
        from netseg.segment.subset import SubsetNetwork

        return SubsetNetwork(self)
