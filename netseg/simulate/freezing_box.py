"""The part of the grid where something has changed: a box around the cold lines that grows.

Cold spreads some millimetres per minute. Until it arrives, tissue rests at its baseline and need not
be computed: the box grows by some cells wherever change comes close to its side. What a side would
have passed by then is less than `MOVED_K` gives; the balance stays exact, since a side passes
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from netseg.simulate.freezing_step import IN, IceStepper, bends_of

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from torch import Tensor

    from netseg.simulate.coolant import ColdLine
    from netseg.simulate.freezing_step import IceField, Kernels

MOVED_K = 0.1  # tissue that changed by less than this is at rest
GUARD, GROWTH = 2, 8  # cells: how close change may come to a side, how far the side then moves


@dataclass(slots=True, kw_only=True, eq=False)
class Box:
    """The computed part of the grid.

    Attributes:
        whole: Coefficients of the whole grid.
        probes: Cold lines, their cells numbered in the whole grid.
        cell_m3: Volume of a cell.
        kernels: Field functions.
        low: First cell along each axis.
        high: One behind the last.
        stepper: Carries the box forward in time.
        coldest: Lowest excess temperature of its cells.
    """

    whole: IceField
    probes: tuple[ColdLine, ...]
    cell_m3: float
    kernels: Kernels
    low: list[int] = field(init=False)
    high: list[int] = field(init=False)
    stepper: IceStepper = field(init=False)
    coldest: Float[Tensor, "i j k"] = field(init=False)

    def __post_init__(self) -> None:
        """Start around the probes, at baseline."""
        shape = self.whole.inverse_capacity.shape
        places = torch.stack(unravel(torch.cat([p.cells for p in self.probes]), shape))
        first, last = places.min(1).values.tolist(), places.max(1).values.tolist()
        self.low = [max(0, v - GROWTH) for v in first]
        self.high = [min(n, v + 1 + GROWTH) for n, v in zip(shape, last, strict=True)]
        self._make()

    @property
    def cells(self) -> int:
        """How many cells are computed."""
        return self.coldest.numel()

    def conduct(self, gas_k: float | None, *, step_s: float, stages: int) -> Float[Tensor, "n"]:
        """See `IceStepper.conduct`; the box grows first where it must."""
        low = list(self.low)
        if self._widen():
            heat, coldest = self.stepper.inner, self.coldest
            self._make()
            at = tuple(
                slice(a - b, a - b + n) for a, b, n in zip(low, self.low, heat.shape, strict=True)
            )
            self.stepper.inner[at] = heat
            self.coldest[at] = coldest
        return self.stepper.conduct(gas_k, step_s=step_s, stages=stages)

    def bleed(self, limits: tuple[float, float, float]) -> float:
        """Let blood warm the box over `limits[0]` seconds; returns joules that it gave.

        Args:
            limits: See `blood_field`.
        """
        part, inner = self.stepper.coefficients, self.stepper.inner
        bends = bends_of(part.law, part.law.slopes()[0], inner)
        heat, coldest, given = self.kernels.blood(
            inner, self.coldest, part.perfusion_1_s, part.inverse_capacity, bends,
            inner.new_tensor(limits),
        )  # fmt: skip
        inner.copy_(heat)
        self.coldest = coldest
        return float(given) * self.cell_m3

    def in_whole(self, values: Float[Tensor, "i j k"]) -> Float[Tensor, "i j k"]:
        """A field of the box in the whole grid, zero elsewhere."""
        out = torch.zeros_like(self.whole.inverse_capacity)
        out[tuple(slice(a, b) for a, b in zip(self.low, self.high, strict=True))] = values
        return out

    def open_valves(self, probes: tuple[ColdLine, ...]) -> None:
        """Go on with the same probes at another duty."""
        self.probes = probes
        size = self.stepper.inner.shape
        self.stepper.lines = tuple(p.renumbered(self._inside(p.cells, size)) for p in probes)

    def _widen(self) -> bool:
        """Move the sides that change has come close to; says whether any was."""
        heat, shape = self.stepper.inner, self.whole.inverse_capacity.shape
        grown = False
        for axis in range(3):
            near = min(GUARD, heat.shape[axis])
            if self.low[axis] > 0 and _moved(heat.narrow(axis, 0, near)):
                self.low[axis] = max(0, self.low[axis] - GROWTH)
                grown = True
            end = heat.narrow(axis, heat.shape[axis] - near, near)
            if self.high[axis] < shape[axis] and _moved(end):
                self.high[axis] = min(shape[axis], self.high[axis] + GROWTH)
                grown = True
        return grown

    def _make(self) -> None:
        """The stepper of the present box, at baseline."""
        low, high = tuple(self.low), tuple(self.high)
        part = self.whole.part((low[0], low[1], low[2]), (high[0], high[1], high[2]))
        size = part.inverse_capacity.shape
        padded = part.inverse_capacity.new_full([n + 2 for n in size], part.outside_heat_k)
        padded[IN, IN, IN] = 0.0
        lines = tuple(p.renumbered(self._inside(p.cells, size)) for p in self.probes)
        self.stepper = IceStepper(
            coefficients=part, lines=lines, cell_m3=self.cell_m3, kernels=self.kernels,
            heat=padded, spare=[padded.clone() for _ in range(3)],
        )  # fmt: skip
        self.coldest = torch.zeros_like(part.inverse_capacity)

    def _inside(self, cells: Int[Tensor, "m"], size: torch.Size) -> Int[Tensor, "m"]:
        i, j, k = unravel(cells, self.whole.inverse_capacity.shape)
        i, j, k = i - self.low[0], j - self.low[1], k - self.low[2]
        return (i * size[1] + j) * size[2] + k


def unravel(
    flat: Int[Tensor, "m"], shape: torch.Size
) -> tuple[Int[Tensor, "m"], Int[Tensor, "m"], Int[Tensor, "m"]]:
    """Indices along each axis of flat cell numbers."""
    rest = flat // shape[2]
    return rest // shape[1], rest % shape[1], flat % shape[2]


def _moved(slab: Tensor) -> bool:
    return float(slab.abs().max()) > MOVED_K
