"""The part of the grid where something happens.

Most of a grid stays at body temperature for most of a run. Damage, phase, perfusion stop and changed
conductivity are therefore computed only in a box around tissue that has left baseline by more than
`HOT_K`; the box never shrinks. Outside it the laws are at their baseline branch: temperature is heat
content, no dose is counted (both thermal doses begin at 39 C, and are counted in a box of their own:
`dying`), and the three-state model differs from its baseline course by 3 % of a damage of 0.0005.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from netseg.simulate.enthalpy import HeatLaw

HOT_K = 1.0
SAMPLED = (
    2  # every second cell is looked at, at half the threshold: fields are smooth over a kernel
)
AROUND = 3  # cells added around what was found
STRIDE = 4  # the box grows by so many cells at a time


@dataclass(slots=True, kw_only=True, eq=False)
class HotBox:
    """Cells that have left baseline, as ranges along i, j, k.

    Attributes:
        shape: The grid's.
        low: First cell of the box; meaningless while it is empty.
        high: One past its last cell.
    """

    shape: tuple[int, int, int]
    low: list[int] = field(default_factory=lambda: [0, 0, 0])
    high: list[int] = field(default_factory=lambda: [0, 0, 0])

    @classmethod
    def whole(cls, shape: tuple[int, int, int]) -> HotBox:
        """A box of all cells."""
        return cls(shape=shape, high=list(shape))

    @property
    def slices(self) -> tuple[slice, slice, slice]:
        """For indexing the last three dimensions of a field."""
        i, j, k = (slice(a, b) for a, b in zip(self.low, self.high, strict=True))
        return i, j, k

    @property
    def is_empty(self) -> bool:
        """Whether everything is still at baseline."""
        return self.high[0] == self.low[0]

    @property
    def keeps_off_the_border(self) -> bool:
        """Whether no cell of the box lies on a side of the grid."""
        inside = all(
            a > 0 and b < n for a, b, n in zip(self.low, self.high, self.shape, strict=True)
        )
        return self.is_empty or inside

    def of(self, values: Float[Tensor, "*m i j k"]) -> Float[Tensor, "*m a b c"]:
        """A view of the box's part of a field."""
        return values[(..., *self.slices)]

    def cover(self, excess_k: Float[Tensor, "i j k"]) -> bool:
        """Grow to hold all cells off baseline; True if it grew."""
        seen = excess_k[::SAMPLED, ::SAMPLED, ::SAMPLED].abs() > HOT_K / SAMPLED
        before = (*self.low, *self.high)
        empty = self.is_empty
        planes = seen.flatten(1).any(1), seen.any(2).any(0), seen.any(1).any(0)
        for axis, plane in enumerate(planes):
            where = plane.nonzero()
            if len(where) == 0:
                return False
            first = max(0, (SAMPLED * int(where[0]) - AROUND) // STRIDE * STRIDE)
            last = -(-(SAMPLED * int(where[-1]) + 1 + AROUND) // STRIDE) * STRIDE
            last = min(self.shape[axis], last)
            self.low[axis] = first if empty else min(self.low[axis], first)
            self.high[axis] = last if empty else max(self.high[axis], last)
        return before != (*self.low, *self.high)

    def cover_all(self, excess_k: Float[Tensor, "i j k"], above_k: float, within: HotBox) -> None:
        """Grow to hold every cell of another box that is at least so warm; each one is looked at.

        Args:
            excess_k: Temperature above baseline.
            above_k: How warm.
            within: Where to look; beyond it no cell is so warm.
        """
        if within.is_empty:
            return
        hot = within.of(excess_k) >= above_k
        along = 1
        if hot.shape[2] % STRIDE == 0:  # boxes end with a stride: its four bytes are one number
            hot, along = hot.view(torch.int32), STRIDE
        side, top = hot.any(2), hot.any(0)
        planes = side.any(1), side.any(0), top.any(0)
        empty = self.is_empty
        for axis, (plane, cells) in enumerate(zip(planes, (1, 1, along), strict=True)):
            where = plane.nonzero()
            if len(where) == 0:
                return
            first = (within.low[axis] + cells * int(where[0])) // STRIDE * STRIDE
            last = -(-(within.low[axis] + cells * (int(where[-1]) + 1)) // STRIDE) * STRIDE
            last = min(self.shape[axis], last)
            self.low[axis] = first if empty else min(self.low[axis], first)
            self.high[axis] = last if empty else max(self.high[axis], last)


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxedLaw:
    """A heat law that is asked only where tissue has left baseline.

    Attributes:
        law: The tissue's law.
        box: Where to ask it; elsewhere temperature is heat content and nothing has changed phase.
        warm: Box of all cells that may have changed phase, if a smaller one is known.
    """

    law: HeatLaw
    box: HotBox
    warm: HotBox | None = None

    @property
    def latent_k(self) -> float:
        """As the law's."""
        return self.law.latent_k

    def excess(self, heat_k: Float[Tensor, "i j k"]) -> Float[Tensor, "i j k"]:
        """Temperature above baseline; a tensor of its own."""
        out = heat_k.clone()
        if not self.box.is_empty:
            self.box.of(out).copy_(self.law.excess(self.box.of(heat_k)))
        return out

    def vapour(self, heat_k: Float[Tensor, "i j k"]) -> Float[Tensor, "i j k"]:
        """Share of the water that has changed phase."""
        out, box = torch.zeros_like(heat_k), self.box if self.warm is None else self.warm
        if not box.is_empty:
            box.of(out).copy_(self.law.vapour(box.of(heat_k)))
        return out

    def steepest(self, highest_heat_k: float) -> float:
        """As the law's."""
        return self.law.steepest(highest_heat_k)
