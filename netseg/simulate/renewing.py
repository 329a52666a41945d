"""What changes slowly while tissue heats: its conductivity, and the blood that still flows."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Float
    from torch import Tensor

    from netseg.simulate.hot import HotBox
    from netseg.simulate.stepping import Conduction


@dataclass(slots=True, kw_only=True, eq=False)
class Renewing:
    """The conduction equation of the moment, made anew as conductivity follows temperature.

    Only faces within the box of changed tissue are made anew, in place.

    Attributes:
        conduction: The equation; its operator belongs to the run and is written to.
        box: Where tissue has left baseline.
        made_for: The excess temperature it was made for; None before the first time.
        limit_s: Longest stable explicit step where dT/dheat is one.
    """

    conduction: Conduction
    box: HotBox
    made_for: Tensor | None = None
    limit_s: float = field(init=False)
    calm_limit_s: float = field(init=False)

    def __post_init__(self) -> None:
        """Know the stable step from the start."""
        self.limit_s = self.calm_limit_s = self.conduction.explicit_limit_s()

    def at(self, heat: Tensor, excess: Tensor) -> Conduction:
        """The equation for tissue of this heat content and temperature."""
        varying = self.conduction.varying
        if varying is None or self.box.is_empty:
            return self.conduction
        if self.made_for is not None and self._moved_k(excess) <= varying.refresh_k:
            return self.conduction
        self._renew(heat, excess)
        self.made_for = excess
        return self.conduction

    def resume(
        self,
        other: Renewing,
        at: tuple[slice, slice, slice],
        laid_out: Callable[[Tensor], Tensor],
    ) -> None:
        """Go on where the equation of a part of these cells has come to.

        Args:
            other: It.
            at: Where its cells lie.
            laid_out: Lays its fields out in these cells.
        """
        if other.made_for is None:
            return
        faces = self.conduction.diffusion.inner, other.conduction.diffusion.inner
        for axis, (new, old) in enumerate(zip(*faces, strict=True)):
            ranges = list(at)
            ranges[axis] = slice(at[axis].start, at[axis].stop - 1)
            new[tuple(ranges)] = old
        self.made_for = laid_out(other.made_for)
        self.limit_s = min(self.calm_limit_s, other.limit_s)

    def _moved_k(self, excess: Tensor) -> float:
        if self.made_for is None:
            return math.inf
        return float((self.box.of(excess) - self.box.of(self.made_for)).abs().max())

    def _renew(self, heat: Tensor, excess: Tensor) -> None:
        now, varying, box = self.conduction, self.conduction.varying, self.box
        if varying is None:
            return
        law = now.law
        changed = law.vapour(heat)
        part = varying.part(box).at(box.of(excess), box.of(changed))
        for axis, (whole, new) in enumerate(zip(now.diffusion.inner, part.inner, strict=True)):
            ranges = list(box.slices)
            ranges[axis] = slice(box.low[axis], box.high[axis] - 1)
            whole[tuple(ranges)] = new
        if now.diffusion.outer is not None and part.outer is not None:
            box.of(now.diffusion.outer).copy_(part.outer)
        inverse = box.of(now.inverse_capacity)
        inside = replace(now, diffusion=part, inverse_capacity=inverse, varying=None)
        self.limit_s = min(self.calm_limit_s, inside.explicit_limit_s())


@dataclass(slots=True, kw_only=True, eq=False)
class Blood:
    """Perfusion over half a step, as the factor that excess temperature loses.

    Attributes:
        rate_1_s: How fast flowing blood equalises temperature, per cell.
        box: Where it may have stopped; elsewhere it flows.
        half_step_s: What `factors` were made for.
        factors: exp(-rate dt) - 1 per cell.
    """

    rate_1_s: Float[Tensor, "i j k"]
    box: HotBox
    half_step_s: float = 0.0
    factors: Tensor | None = None
    flowing: Tensor | None = None

    def factor(self, half_step_s: float) -> Float[Tensor, "i j k"]:
        """Relative change of excess temperature over this time, 0 to -1."""
        if self.factors is None or half_step_s != self.half_step_s:
            self.factors, self.half_step_s = torch.expm1(-half_step_s * self.rate_1_s), half_step_s
            self._stop()
        return self.factors

    def stop(self, flowing: Float[Tensor, "a b c"]) -> None:
        """Say which share still flows in the cells of the box."""
        self.flowing = flowing
        self._stop()

    def _stop(self) -> None:
        if self.factors is not None and self.flowing is not None:
            rate = self.box.of(self.rate_1_s) * self.flowing
            self.box.of(self.factors).copy_(torch.expm1(-self.half_step_s * rate))
