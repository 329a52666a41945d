"""Where to compute."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netseg.domain import Code, UsageError

if TYPE_CHECKING:
    import torch


def pick_device(name: str) -> torch.device:
    """The torch device of a name.

    Raises:
        UsageError: If the name is unknown or the device is not there.
    """
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(
            Code.CONFIG_RANGE,
            f"device={name!r} is no device.",
            hint="Use auto, cpu, cuda or cuda:N.",
        ) from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UsageError(
            Code.CONFIG_RANGE,
            f"device={name!r} was asked for; this machine has {torch.cuda.device_count()} CUDA "
            "devices.",
            hint="Use device=auto or device=cpu.",
        )
    return device
