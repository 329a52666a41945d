"""Damage in the course of a run, and the blood that it stops.

Both thermal doses count nothing below 39 C. They are advanced in the box of all cells that have been
so warm: a third of the cells of the box of changed tissue (`hot`), and the same numbers. A model that
counts at every temperature is advanced in that larger box, with every other model of the run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

import torch

from netseg.simulate.hot import HOT_K, HotBox

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jaxtyping import Float
    from torch import Tensor

    from netseg.simulate.active import Window
    from netseg.simulate.damage import DamageModel
    from netseg.simulate.enthalpy import HeatLaw


@dataclass(slots=True, kw_only=True, eq=False)
class Dying:
    """Damage by several models.

    Attributes:
        models: The models; the first stops perfusion.
        changed: Tissue that has left baseline; where to look for what is warm enough.
        baseline_c: Temperature of unheated tissue.
        inside: State by model name for the cells of the box as it was at `known`.
        outside: State of one cell that stays at baseline.
        known: The box that `inside` belongs to.
        compiled: Whether each model's step is compiled into one loop.
        box: Where damage is counted: all cells that have been warm enough.
        least_k: How warm that is, above baseline; None where all changed tissue is.
    """

    models: Sequence[DamageModel]
    changed: HotBox
    baseline_c: float
    inside: dict[str, Tensor]
    outside: dict[str, Tensor]
    known: tuple[slice, slice, slice] | None = None
    compiled: bool = False
    box: HotBox = field(init=False)
    least_k: float | None = field(init=False)

    def __post_init__(self) -> None:
        """Damage has a box of its own where every model starts well above baseline."""
        starts = [m.counts_from_c for m in self.models]
        least_c = min((-math.inf if c is None else c) for c in starts)
        self.least_k = least_c - self.baseline_c if least_c > self.baseline_c + HOT_K else None
        self.box = self.changed if self.least_k is None else HotBox(shape=self.changed.shape)

    @classmethod
    def start(
        cls,
        models: Sequence[DamageModel],
        changed: HotBox,
        baseline_c: float,
        like: Tensor,
    ) -> Dying:
        """Nothing has died."""
        cell = like.new_zeros(1, 1, 1)
        return cls(
            models=models,
            changed=changed,
            baseline_c=baseline_c,
            inside={},
            outside={m.name: m.start(cell) for m in models},
        )

    def advance(
        self,
        before_k: Float[Tensor, "i j k"],
        after_k: Float[Tensor, "i j k"],
        heat_k: Float[Tensor, "i j k"],
        law: HeatLaw,
        step_s: float,
    ) -> Float[Tensor, "a b c"] | None:
        """One step in which the excess temperature went linearly from before to after.

        Args:
            before_k: Excess temperature at its start,
            after_k: and at its end.
            heat_k: Heat content at its end.
            law: How much water has left at this content: dry tissue has no flow.
            step_s: Its length.

        Returns:
            Share of the blood flow left in the cells of the box, by the first model; None where
            the box is empty.
        """
        if self.least_k is not None:
            self.box.cover_all(after_k, self.least_k, self.changed)
        self._grow()
        if self.least_k is None:
            calm = before_k.new_full((1, 1, 1), self.baseline_c)
            for model in self.models:
                name = model.name
                self.outside[name] = model.advance(self.outside[name], calm, calm, step_s)
        if self.box.is_empty:
            return None
        function = _compiled_advance() if self.compiled else _advance
        before, after, heat = (self._laid(self.box.of(t)) for t in (before_k, after_k, heat_k))
        flowing = None
        for number, model in enumerate(self.models):
            state = self.inside[model.name]
            new, flow = function(
                model, None if number else law, self._laid(state), before, after, heat,
                self.baseline_c, step_s,
            )  # fmt: skip
            self.inside[model.name] = new.view(state.shape)
            flowing = flowing if number else flow
        return None if flowing is None else flowing.view(self.box.of(after_k).shape)

    def holds_all_changes(self, law: HeatLaw) -> bool:
        """Whether tissue outside the box is too cool to have lost water."""
        if self.least_k is None:
            return False
        coolest = next(iter(self.outside.values())).new_full((1,), self.least_k)
        return float(law.vapour(coolest).max()) == 0.0

    def whole(self, window: Window | None = None) -> dict[str, Tensor]:
        """State by model name for the whole grid.

        Args:
            window: Where in the grid these cells lie; they are all of it if not given.
        """
        grid, known = self.box.shape, self.known
        if window is not None:
            grid = window.shape
            known = known and _moved(known, window.low)
        return {m.name: self._filled(m.name, HotBox.whole(grid), known) for m in self.models}

    def resume(self, other: Dying, at: tuple[slice, slice, slice]) -> None:
        """Go on where the damage of a part of these cells has come to.

        Args:
            other: It.
            at: Where its cells lie.
        """
        start = [s.start for s in at]
        for new, old in ((self.changed, other.changed), (self.box, other.box)):
            if not old.is_empty:
                new.low = [edge + s for edge, s in zip(old.low, start, strict=True)]
                new.high = [edge + s for edge, s in zip(old.high, start, strict=True)]
        self.inside, self.outside = other.inside, other.outside
        self.known = None if other.known is None else _moved(other.known, start)

    def _grow(self) -> None:
        """Give cells new in the box the state of calm tissue."""
        if self.box.is_empty or self.known == self.box.slices:
            return
        self.inside = {m.name: self._filled(m.name, self.box, self.known) for m in self.models}
        self.known = self.box.slices

    def _laid(self, values: Tensor) -> Tensor:
        """Flat for compiled work, so that boxes of all sizes share one compilation."""
        return _laid_flat(values) if self.compiled else values

    def _filled(self, name: str, box: HotBox, known: tuple[slice, ...] | None) -> Tensor:
        calm = self.outside[name]
        sizes = [b - a for a, b in zip(box.low, box.high, strict=True)]
        state = calm.expand(*calm.shape[:-3], *sizes).clone()
        if known is not None:
            place = [slice(s.start - a, s.stop - a) for s, a in zip(known, box.low, strict=True)]
            state[(..., *place)] = self.inside[name]
        return state


def _moved(ranges: Sequence[slice], by: Sequence[int]) -> tuple[slice, slice, slice]:
    i, j, k = (slice(s.start + a, s.stop + a) for s, a in zip(ranges, by, strict=True))
    return i, j, k


def _advance(
    model: DamageModel,
    law: HeatLaw | None,
    state: Tensor,
    before_k: Tensor,
    after_k: Tensor,
    heat_k: Tensor,
    baseline_c: float,
    step_s: float,
) -> tuple[Tensor, Tensor | None]:
    """The state after a step and, of the leading model, the share of blood that flows then."""
    new = model.advance(state, before_k + baseline_c, after_k + baseline_c, step_s)
    flowing = None if law is None else model.perfused(new) * (1.0 - law.vapour(heat_k))
    return new, flowing


def _laid_flat(values: Tensor) -> Tensor:
    """A flat copy that is nobody's view: compiled code asks what a view is a view of."""
    flat = values.new_empty((*values.shape[:-3], values.shape[-3:].numel()))
    flat.view(values.shape).copy_(values)
    return flat


@cache
def _compiled_advance() -> Callable[..., tuple[Tensor, Tensor | None]]:
    """A model's step as one loop; compiled once per model, for fields of any length."""
    return torch.compile(_advance, dynamic=True)
