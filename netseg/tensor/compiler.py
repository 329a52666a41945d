"""Whether networks can be compiled on this machine, and how: in place, names stay as they are."""

from __future__ import annotations

import logging
import os
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

logger = logging.getLogger(__name__)

COMPILERS = ("g++", "c++", "clang++", "gcc", "cc", "clang")


def compiler_found() -> str | None:
    """The C++ compiler that torch.compile would call, None where there is none."""
    named = os.environ.get("CXX")
    return next((path for c in (named, *COMPILERS) if c and (path := shutil.which(c))), None)


def compiled(network: nn.Module) -> nn.Module:
    """Have a network compiled when it is first called; uncompiled, with a warning, without a compiler.

    Only calls of the module itself are compiled, not those of its methods. Names in its state dict
    stay as they are.

    Args:
        network: A network, or the part of it that has the same shapes at every call.

    Returns:
        The same network.
    """
    if (compiler := compiler_found()) is None:
        logger.warning(
            "no C++ compiler was found (%s, or $CXX): the network runs uncompiled.",
            ", ".join(COMPILERS),
        )
    else:
        logger.info("the network is compiled with %s at its first step", compiler)
        network.compile()
    return network
