"""The networks by name, and what they are fed.

Kept beside each other on purpose: training and prediction must build the same network and scale
Hounsfield units the same way, or weights lose their meaning.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from jaxtyping import Float

LOWEST_HU, HIGHEST_HU = -160.0, 240.0
"""The window of the LiTS crops; what lies outside is clipped for every scan alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSpec:
    """A residual U-Net, as it stands in a model card.

    Attributes:
        in_channels: Images per voxel it reads.
        channels: Features per level; every level halves the resolution.
        res_units: Convolutions per residual block.
        head: Features that a last 1x1x1 convolution turns into the logit. 0 leaves the logit to
            the U-Net's own last block, which normalises it over the patch: right for an organ that
            fills a fixed share of every patch, fatal for lesions, which may be absent.
    """

    in_channels: int
    channels: tuple[int, ...]
    res_units: int = 2
    head: int = 0

    @property
    def multiple(self) -> int:
        """Patch edges must be multiples of this."""
        return 2 ** (len(self.channels) - 1)

    def build(self) -> torch.nn.Module:
        """The network with random weights; one logit per voxel."""
        from monai.networks.nets.unet import UNet
        from torch import nn

        unet = UNet(
            spatial_dims=3,
            in_channels=self.in_channels,
            out_channels=self.head or 1,
            channels=self.channels,
            strides=(2,) * (len(self.channels) - 1),
            num_res_units=self.res_units,
        )
        if not self.head:
            return unet
        last = nn.Conv3d(self.head, 1, kernel_size=1)
        if last.bias is not None:
            nn.init.constant_(last.bias, -4.0)  # lesions are rare: two voxels in a hundred
        return nn.Sequential(unet, nn.PReLU(), last)


def liver_input(hu: Float[torch.Tensor, "*b i j k"]) -> Float[torch.Tensor, "*b 1 i j k"]:
    """Hounsfield units as the liver network reads them: one channel in [-1, 1]."""
    middle, half = 0.5 * (LOWEST_HU + HIGHEST_HU), 0.5 * (HIGHEST_HU - LOWEST_HU)
    return ((hu.clamp(LOWEST_HU, HIGHEST_HU) - middle) / half).unsqueeze(-4)


def lesion_input(
    hu: Float[torch.Tensor, "i j k"], liver: Float[torch.Tensor, "i j k"], liver_hu: float
) -> Float[torch.Tensor, "3 i j k"]:
    """Channels of the lesion network.

    Args:
        hu: The scan in Hounsfield units.
        liver: Probability or mask of liver on the same voxels.
        liver_hu: Median of the scan inside the liver.

    Returns:
        The scan in its window; the scan against the liver's median, 60 HU to one, cut at ±2;
        the liver.
    """
    import torch

    window = liver_input(hu)[0]
    against_liver = ((hu.clamp(LOWEST_HU, HIGHEST_HU) - liver_hu) / 60.0).clamp(-2.0, 2.0)
    return torch.stack((window, against_liver, liver.to(window.dtype)))
