"""A network that is given any subset of its channels.

The stem is one convolution per channel, summed over those that are there, each with a bias of its
own. What is absent takes part in nothing: it is neither an image of zeros nor a flag beside one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from netseg.segment.bodies import BODIES
from netseg.segment.norms import keep_layout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float

    from netseg.segment.networks import NetworkSpec


class SubsetStem(nn.Module):
    """Sum over the given channels of one convolution and one bias each.

    Attributes:
        weight: (features, channels, kernel, kernel, kernel).
        bias: (channels, features).
    """

    def __init__(self, channels: int, features: int, stride: int) -> None:
        super().__init__()
        kernel = 2 * stride + (stride == 1)  # 3 at stride 1, 4 at stride 2
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(features, channels, *[kernel] * 3))
        self.bias = nn.Parameter(torch.empty(channels, features))
        nn.init.normal_(self.weight, std=kernel**-1.5)
        nn.init.normal_(self.bias, std=0.3)

    def forward(
        self, x: Float[torch.Tensor, "b p i j k"], given: Float[torch.Tensor, "p"]
    ) -> Float[torch.Tensor, "b f a b c"]:
        """Features of the `p` channels whose numbers are `given`, in the order of `x`."""
        share = len(given) ** -0.5
        weight = self.weight[:, given] * share
        bias = self.bias[given].sum(0) * share
        return functional.conv3d(x, weight, bias, stride=self.stride, padding=1)


class SubsetNetwork(nn.Module):
    """Stem, body, head; logits of every output at every voxel.

    Attributes:
        spec: What it was built from.
    """

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.spec = spec
        width = spec.filters[0]
        self.stem = SubsetStem(len(spec.inputs), width, spec.stride)
        self.act = nn.LeakyReLU(0.1)
        self.body = keep_layout(BODIES[spec.body](spec.filters))
        outputs = len(spec.outputs)
        if spec.stride == 2:
            self.head: nn.Module = nn.ConvTranspose3d(width, outputs, 4, stride=2, padding=1)
        else:
            self.head = nn.Conv3d(width, outputs, 1)
        self.coarse = nn.Conv3d(width, outputs, 1) if spec.stride == 2 else self.head
        for last in (self.head, self.coarse):
            assert isinstance(last.bias, torch.Tensor)
            for number, name in enumerate(spec.outputs):
                nn.init.constant_(last.bias[number], -4.0 if name in spec.rare else 0.0)

    def numbers(self, names: Sequence[str]) -> torch.Tensor:
        """The channels' places in the stem.

        Raises:
            ValueError: If a name is not one of the network's inputs, or none is given.
        """
        unknown = [n for n in names if n not in self.spec.inputs]
        if unknown or not names:
            raise ValueError(
                f"the network reads {', '.join(self.spec.inputs)}; got {', '.join(names) or 'none'}."
            )
        return torch.tensor([self.spec.inputs.index(n) for n in names])

    def features(self, x: torch.Tensor, given: torch.Tensor) -> torch.Tensor:
        """What the body makes of the channels, at the stem's resolution."""
        found = self.body(self.act(self.stem(x, given)))
        return found[0] if isinstance(found, (list, tuple)) else found

    def forward(
        self, x: Float[torch.Tensor, "b p i j k"], given: torch.Tensor
    ) -> Float[torch.Tensor, "b o i j k"]:
        """Logits, one per output of the spec."""
        return self.head(self.features(x, given))

    def both(self, x: torch.Tensor, given: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits at every voxel, and at the stem's resolution for deep supervision."""
        features = self.features(x, given)
        return self.head(features), self.coarse(features)

    def on(self, names: Sequence[str]) -> OnChannels:
        """The network for one fixed subset, as a plain function of one tensor."""
        return OnChannels(self, names)


class OnChannels(nn.Module):
    """A network whose subset of channels is settled: what is exported and what predicts."""

    given: torch.Tensor

    def __init__(self, network: SubsetNetwork, names: Sequence[str]) -> None:
        super().__init__()
        self.network = network
        self.names = tuple(names)
        numbers = network.numbers(names).to(network.stem.weight.device)
        self.register_buffer("given", numbers, persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of (b, channels in the order of `names`, i, j, k)."""
        return self.network(x, self.given)
