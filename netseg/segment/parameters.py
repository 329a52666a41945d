"""Weights of a network by name, each once.

Some of MONAI's networks list the same layer under several names; a state dict would hold its
weights that many times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netseg.domain import Code, EnvironmentFaultError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import torch


def parameters_of(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Every weight and every kept statistic of a network, under the first of its names."""
    named: dict[str, torch.Tensor] = dict(network.named_parameters())
    named.update(network.named_buffers())
    return {name: value.detach() for name, value in named.items()}


def set_parameters(network: torch.nn.Module, values: Mapping[str, np.ndarray], role: str) -> None:
    """Give a network its weights.

    Args:
        network: Built as it was when the weights were trained.
        values: As `parameters_of` named them.
        role: Which network of a card this is, for the message.

    Raises:
        EnvironmentFaultError: ARCHITECTURE_MISMATCH if names or shapes are not those of the network.
    """
    import numpy as np
    import torch

    own = parameters_of(network)
    wrong = sorted(set(own) ^ set(values))
    wrong += [n for n in own if n in values and tuple(own[n].shape) != tuple(values[n].shape)]
    if wrong:
        raise EnvironmentFaultError(
            Code.ARCHITECTURE_MISMATCH,
            f"the weights do not fit the {role} network of their card; {wrong[0]} first.",
            hint="Use the weights together with the card they were exported with.",
        )
    with torch.no_grad():
        for name, value in own.items():
            value.copy_(torch.from_numpy(np.array(values[name], dtype=np.float32)))
