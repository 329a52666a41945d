"""Needles that carry heat away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from netseg.simulate.needle import LineKernel


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Coolant:
    """A needle that carries heat away (or brings cold).

    Attributes:
        kernel: How it meets the grid.
        link_w_k: Conductance of each node to its surroundings.
        excess_k: The coolant's temperature above tissue baseline.
    """

    kernel: LineKernel
    link_w_k: Float[Tensor, "n"]
    excess_k: float
