"""MONAI's networks that a description may name, built from plain arguments."""

from __future__ import annotations

import inspect
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Any

from netseg.domain import Code, UsageError
from netseg.segment.lean import lean_import

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

NETWORKS: Mapping[str, str] = {
    "AttentionUnet": "monai.networks.nets.attentionunet",
    "BasicUNet": "monai.networks.nets.basic_unet",
    "DynUNet": "monai.networks.nets.dynunet",
    "MedNeXt": "monai.networks.nets.mednext",
    "SegResNet": "monai.networks.nets.segresnet",
    "SegResNetDS": "monai.networks.nets.segresnet_ds",
    "UNet": "monai.networks.nets.unet",
    "VNet": "monai.networks.nets.vnet",
}
"""All that is built, and where; a name from a file is looked up here and nowhere else.

Transformers are not among them: MONAI builds theirs with einops, which netseg does not bring.
"""
CODE = ("preprocess",)  # arguments that are functions, which no description can hold


def make_network(name: str, arguments: Mapping[str, Any]) -> torch.nn.Module:
    """Build a network of the table with random weights.

    Args:
        name: A word of `NETWORKS`.
        arguments: Its arguments; numbers, words and lists.

    Raises:
        UsageError: NETWORK_UNKNOWN, CONFIG_UNKNOWN_KEY for an argument it does not have, or
            CONFIG_RANGE for a value it refuses.
    """
    if name not in NETWORKS:
        close = get_close_matches(name, NETWORKS, n=1)
        raise UsageError(
            Code.NETWORK_UNKNOWN,
            f"there is no network {name!r}; there are {', '.join(NETWORKS)}.",
            hint=f"Did you mean {close[0]}?" if close else "",
        )
    with lean_import():
        kind = getattr(import_module(NETWORKS[name]), name)
    known = [p for p in inspect.signature(kind).parameters if p not in CODE]
    strange = [key for key in arguments if key not in known]
    if strange:
        close = get_close_matches(strange[0], known, n=1)
        raise UsageError(
            Code.CONFIG_UNKNOWN_KEY,
            f"{name} has no argument {strange[0]!r}; it has {', '.join(known)}.",
            hint=f"Did you mean {close[0]}?" if close else "",
        )
    try:
        return kind(**arguments)
    except (TypeError, ValueError, AttributeError, KeyError, RuntimeError, AssertionError) as error:
        raise UsageError(
            Code.CONFIG_RANGE,
            f"{name} cannot be built from these arguments: {error}",
            hint="They are those of the class in MONAI's documentation.",
        ) from error
