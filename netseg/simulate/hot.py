"""The part of the grid where something happens.

Most of a grid stays at body temperature for most of a run. Damage, phase, perfusion stop and changed
conductivity are therefore computed only in a box around tissue that has left baseline by more than
`HOT_K`; the box never shrinks. Outside it the laws are at their baseline branch: temperature is heat
content, no dose is counted (both thermal doses begin at 39 C), and the three-state model differs from
its baseline course by 3 % of a damage of 0.0005.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jaxtyping import Float
    from torch import Tensor

    from netseg.simulate.active import Window
    from netseg.simulate.damage import DamageModel
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


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxedLaw:
    """A heat law that is asked only where tissue has left baseline.

    Attributes:
        law: The tissue's law.
        box: Where to ask it; elsewhere temperature is heat content and nothing has changed phase.
    """

    law: HeatLaw
    box: HotBox

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
        out = torch.zeros_like(heat_k)
        if not self.box.is_empty:
            self.box.of(out).copy_(self.law.vapour(self.box.of(heat_k)))
        return out

    def steepest(self, highest_heat_k: float) -> float:
        """As the law's."""
        return self.law.steepest(highest_heat_k)


@dataclass(slots=True, kw_only=True, eq=False)
class Dying:
    """Damage by several models, computed within the box.

    Attributes:
        models: The models; the first stops perfusion.
        box: Where they are computed.
        baseline_c: Temperature of unheated tissue.
        inside: State by model name for the cells of the box as it was at `known`.
        outside: State of one cell that stays at baseline.
        known: The box that `inside` belongs to.
        compiled: Whether each model's step is compiled into one loop.
    """

    models: Sequence[DamageModel]
    box: HotBox
    baseline_c: float
    inside: dict[str, Tensor]
    outside: dict[str, Tensor]
    known: tuple[slice, slice, slice] | None = None
    compiled: bool = False

    @classmethod
    def start(
        cls,
        models: Sequence[DamageModel],
        box: HotBox,
        baseline_c: float,
        like: Tensor,
        *,
        compiled: bool = False,
    ) -> Dying:
        """Nothing has died."""
        cell = like.new_zeros(1, 1, 1)
        return cls(
            models=models,
            box=box,
            baseline_c=baseline_c,
            inside={},
            outside={m.name: m.start(cell) for m in models},
            compiled=compiled,
        )

    def advance(self, before_k: Tensor, after_k: Tensor, step_s: float) -> None:
        """One step in which the excess temperature went linearly from before to after."""
        self._grow()
        calm = before_k.new_full((1, 1, 1), self.baseline_c)
        before_c = self.box.of(before_k) + self.baseline_c
        after_c = self.box.of(after_k) + self.baseline_c
        for model in self.models:
            name = model.name
            self.outside[name] = model.advance(self.outside[name], calm, calm, step_s)
            if self.box.is_empty:
                continue
            state = self.inside[name]
            if self.compiled:  # flat, so that boxes of all sizes share one compilation
                flat = (_laid_flat(t) for t in (state, before_c, after_c))
                self.inside[name] = _compiled_advance()(model, *flat, step_s).view(state.shape)
            else:
                self.inside[name] = model.advance(state, before_c, after_c, step_s)

    def perfused(self) -> Tensor:
        """Share of the blood flow left in the box, by the first model."""
        model = self.models[0]
        return model.perfused(self.inside[model.name])

    def whole(self, window: Window | None = None) -> dict[str, Tensor]:
        """State by model name for the whole grid.

        Args:
            window: Where in the grid these cells lie; they are all of it if not given.
        """
        grid, known = self.box.shape, self.known
        if window is not None:
            grid = window.shape
            known = known and tuple(
                slice(s.start + a, s.stop + a) for s, a in zip(known, window.low, strict=True)
            )
        return {m.name: self._filled(m.name, HotBox.whole(grid), known) for m in self.models}

    def _grow(self) -> None:
        """Give cells new in the box the state of calm tissue."""
        if self.box.is_empty or self.known == self.box.slices:
            return
        self.inside = {m.name: self._filled(m.name, self.box, self.known) for m in self.models}
        self.known = self.box.slices

    def _filled(self, name: str, box: HotBox, known: tuple[slice, ...] | None) -> Tensor:
        calm = self.outside[name]
        sizes = [b - a for a, b in zip(box.low, box.high, strict=True)]
        state = calm.expand(*calm.shape[:-3], *sizes).clone()
        if known is not None:
            place = [slice(s.start - a, s.stop - a) for s, a in zip(known, box.low, strict=True)]
            state[(..., *place)] = self.inside[name]
        return state


def _advance(
    model: DamageModel, state: Tensor, before_c: Tensor, after_c: Tensor, step_s: float
) -> Tensor:
    return model.advance(state, before_c, after_c, step_s)


def _laid_flat(values: Tensor) -> Tensor:
    """A flat copy that is nobody's view: compiled code asks what a view is a view of."""
    flat = values.new_empty((*values.shape[:-3], values.shape[-3:].numel()))
    flat.view(values.shape).copy_(values)
    return flat


@cache
def _compiled_advance() -> Callable[..., Tensor]:
    """A model's step as one loop; compiled once per model, for fields of any length."""
    return torch.compile(_advance, dynamic=True)
