"""Three-state cell death: alive, vulnerable, dead.

dA/dt = -k (1 - A) A + k_b (1 - A - D), dD/dt = k (1 - A)(1 - A - D) with k = k_f exp(T/T_k), T in
Celsius; dead below a viability A + V = 1 - D of 0.8. Slower than the other two by orders of
magnitude at coagulating temperatures, which is why the zone is a band. Source: O'Neill et al., Ann
Biomed Eng 39:570 (2011).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

LONGEST_S = 1.0  # longest step of the midpoint rule: viability is right to 4e-5 up to 95 C
HOTTEST_C = 120.0  # rates are not extrapolated beyond


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreeState:
    """Its state stacks the alive and the dead share, shape (2, *n).

    Numbers may be tensors that broadcast over the field: one value per member of an ensemble.

    Attributes:
        forward_1_s: k_f.
        backward_1_s: k_b.
        scale_c: T_k.
        alive_at_start: A before heating.
        viable: Below this viability a cell counts as dead.
        name: Its name in plans and reports.
    """

    forward_1_s: float | Tensor = 3.33e-3
    backward_1_s: float | Tensor = 7.77e-3
    scale_c: float | Tensor = 40.5
    alive_at_start: float = 0.99
    viable: float | Tensor = 0.8
    name: str = "oneill"

    @property
    def counts_from_c(self) -> None:
        """Cells die slowly at body temperature too."""
        return None

    def start(self, like: Float[Tensor, "*n"]) -> Float[Tensor, "2 *n"]:
        """Almost everything alive, nothing dead."""
        return torch.stack((torch.full_like(like, self.alive_at_start), torch.zeros_like(like)))

    def advance(
        self,
        state: Float[Tensor, "2 *n"],
        before_c: Float[Tensor, "*n"],
        after_c: Float[Tensor, "*n"],
        step_s: float,
    ) -> Float[Tensor, "2 *n"]:
        """Midpoint rule in steps of at most `LONGEST_S`: second order."""
        pieces = max(1, math.ceil(step_s / LONGEST_S - 1e-9))
        piece_s = step_s / pieces
        for n in range(pieces):
            early = torch.lerp(before_c, after_c, n / pieces)
            middle = torch.lerp(before_c, after_c, (n + 0.5) / pieces)
            first = self._rate(state, self._speed(early))
            halfway = state + (0.5 * piece_s) * first
            state = state + piece_s * self._rate(halfway, self._speed(middle))
        return state

    def viability(self, state: Float[Tensor, "2 *n"]) -> Float[Tensor, "*n"]:
        """Share of cells that are not dead."""
        return 1.0 - state[1]

    def depth(self, state: Float[Tensor, "2 *n"]) -> Float[Tensor, "*n"]:
        """How far viability has fallen below the threshold."""
        return self.viable - self.viability(state)

    def perfused(self, state: Float[Tensor, "2 *n"]) -> Float[Tensor, "*n"]:
        """All of it until the cells are dead (the MITA model's choice)."""
        return (self.viability(state) >= self.viable).to(state.dtype)

    def _speed(self, temperature_c: Tensor) -> Tensor:
        return self.forward_1_s * torch.exp(temperature_c.clamp_max(HOTTEST_C) / self.scale_c)

    def _rate(self, state: Tensor, speed: Tensor) -> Tensor:
        alive, dead = state[0], state[1]
        forward = speed * (1.0 - alive)
        vulnerable = 1.0 - alive - dead
        return torch.stack((self.backward_1_s * vulnerable - forward * alive, forward * vulnerable))
