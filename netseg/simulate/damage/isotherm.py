"""Death by cold: the coldest temperature that tissue has seen.

Cells in the ball survive near its edge; which temperature kills them depends on how fast they froze
and thawed and for how long. -40 C is the conservative choice: it lies about a centimetre inside
the edge of the ball (PMC4850244). -30 C (Littrup et al., PMC2762356) and -20 C are tabulated
beside it. The ball itself, what an image shows, is not the zone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

SCALE_K = 10.0  # one unit of depth; keeps gradients of 4 to 15 K/mm within the depth's range
LEAST = -5.0  # depth far outside


@dataclass(frozen=True, slots=True, kw_only=True)
class Isotherm:
    """Dead below a temperature; the state is the lowest temperature so far, in C.

    Attributes:
        lethal_c: Temperature that kills.
        name: Its name in plans and reports.
        source: Where the temperature is from.
    """

    lethal_c: float = -40.0
    name: str = "isotherm_40"
    source: str = "PMC4850244 (abstract): conservative, about 1 cm inside the edge of the ball"

    def start(self, like: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Never cold."""
        return torch.full_like(like, torch.inf)

    def advance(
        self,
        state: Float[Tensor, "*n"],
        before_c: Float[Tensor, "*n"],
        after_c: Float[Tensor, "*n"],
        step_s: float,  # noqa: ARG002  time does not count, only depth of cold
    ) -> Float[Tensor, "*n"]:
        """The coldest of what was and what the step went through."""
        return torch.minimum(state, torch.minimum(before_c, after_c))

    def depth(self, state: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Kelvin below the lethal temperature over `SCALE_K`; linear through the surface."""
        return ((self.lethal_c - state) / SCALE_K).clamp_min(LEAST)

    def perfused(self, state: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """No blood flows again where tissue has died."""
        return (state > self.lethal_c).to(state.dtype)


ISOTHERMS = {
    m.name: m
    for m in (
        Isotherm(),
        Isotherm(
            lethal_c=-30.0, name="isotherm_30", source="Littrup et al. 2009, PMC2762356 (abstract)"
        ),
        Isotherm(
            lethal_c=-20.0, name="isotherm_20", source="tabulated in device tests beside -40 C"
        ),
        Isotherm(
            lethal_c=0.0, name="ice_ball", source="edge of the ball as images show it: no zone"
        ),
    )
}
"""By name; the first is the default zone, the ball is reported beside."""
