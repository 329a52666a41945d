"""What the networks are fed: each channel's numbers brought to a common scale.

Training and prediction call the same functions, or weights lose their meaning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from jaxtyping import Bool, Float

LOWEST_HU, HIGHEST_HU = -160.0, 240.0
"""The window of the LiTS crops; what lies outside is clipped for every CT alike."""


def absolute(channel: str, values: Float[torch.Tensor, "i j k"]) -> Float[torch.Tensor, "i j k"]:
    """Values for the network that does not know yet where the liver is.

    Args:
        channel: One of `netseg.segment.channels.CHANNELS`.
        values: HU, SUVbw or signal.

    Returns:
        CT: the window of -160 ... 240 HU as -1 ... 1. PET: SUV on a logarithmic scale, 3 as 0, a
        factor of 8 as 1. MR: signal against the 95th percentile of what is not background.
    """
    if channel.startswith("ct_"):
        middle, half = 0.5 * (LOWEST_HU + HIGHEST_HU), 0.5 * (HIGHEST_HU - LOWEST_HU)
        return (values.clamp(LOWEST_HU, HIGHEST_HU) - middle) / half
    if channel.startswith("pet_"):
        return (((values.clamp_min(0.0) + 0.1) / 3.0).log2() / 3.0).clamp(-1.5, 1.5)
    return (2.0 * values / bright_signal(values) - 1.0).clamp(-1.0, 2.0)


def against_liver(
    channel: str,
    values: Float[torch.Tensor, "i j k"],
    liver: Bool[torch.Tensor, "i j k"],
) -> Float[torch.Tensor, "i j k"]:
    """Values relative to the liver's median.

    Args:
        channel: One of `netseg.segment.channels.CHANNELS`.
        values: HU, SUVbw or signal.
        liver: Where the liver is; where there is none the scale of an average liver is taken.

    Returns:
        CT: 60 HU as 1. MR: 40 % of the liver's signal as 1. PET: a factor of 2 as 1. Cut at ±3.
    """
    middle = float(values[liver].median()) if bool(liver.any()) else _usual(channel, values)
    if channel.startswith("ct_"):
        scaled = (values.clamp(LOWEST_HU, HIGHEST_HU) - middle) / 60.0
    elif channel.startswith("pet_"):
        scaled = ((values.clamp_min(0.0) + 0.1) / (max(middle, 0.0) + 0.1)).log2()
    else:
        scaled = (values / max(middle, 1e-6) - 1.0) / 0.4
    return scaled.clamp(-3.0, 3.0)


def outside(channel: str) -> float:
    """What lies beyond an image: air, and no uptake."""
    return -1000.0 if channel.startswith("ct_") else 0.0


def bright_signal(values: Float[torch.Tensor, "i j k"]) -> float:
    """95th percentile of the voxels above a tenth of the mean; never zero."""
    flat = values.flatten()
    flat = flat[:: max(1, flat.numel() // 200_000)]
    body = flat[flat > 0.1 * flat.mean()]
    return max(float(body.float().quantile(0.95)), 1e-6) if body.numel() else 1.0


def _usual(channel: str, values: torch.Tensor) -> float:
    if channel.startswith("ct_"):
        return 100.0
    return 5.0 if channel.startswith("pet_") else 0.5 * bright_signal(values)
