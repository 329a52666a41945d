"""The way back through a microwave pattern: a closed form of temperature and distances."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch

from netseg.simulate.microwave import BLUR_CELLS
from netseg.simulate.pattern import Made, recording

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from netseg.simulate.microwave import MicrowaveAntenna
    from netseg.simulate.needle import Needle


@dataclass(slots=True, kw_only=True, eq=False)
class MicrowavePattern:
    """The solver's antenna: alpha G exp(-2 A), normalised.

    Attributes:
        antenna: It, placed.
        needles: Where it lies, grid coordinates.
        spacing_mm: Cell sizes.
    """

    antenna: MicrowaveAntenna
    needles: Sequence[Needle]
    spacing_mm: tuple[float, float, float]
    _spread_bar: Tensor = field(init=False)
    _share_bar: Tensor = field(init=False)
    _count_bar: Tensor = field(init=False)

    def __post_init__(self) -> None:
        """Nothing taken in yet."""
        self._spread_bar = torch.zeros_like(self.antenna.spread_1_m2)
        self._share_bar = torch.zeros_like(self.antenna.share)
        self._count_bar = torch.zeros_like(self.antenna.shell_cells)

    def make(self, excess: Tensor, vapour: Tensor) -> Made:
        """The solver's pattern per watt."""
        return Made(unit_w_m3=self.antenna.deposit(excess, vapour).per_watt_m3)

    def pull(
        self,
        bar: Tensor,
        made: Made,  # noqa: ARG002  a closed form needs no solution kept
        excess: Tensor,
        vapour: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Differentiate the closed form; the normalisation, a number to the solver, by hand."""
        antenna = self.antenna
        leaves = [
            t.detach().clone().requires_grad_()
            for t in (excess, vapour, antenna.spread_1_m2, antenna.share, antenna.shell_cells)
        ]
        with recording():
            varied = replace(antenna, spread_1_m2=leaves[2], share=leaves[3], shell_cells=leaves[4])
            unit = varied.deposit(leaves[0], leaves[1]).per_watt_m3
        lost = float((bar * unit.detach()).sum(dtype=torch.float64))
        lost *= antenna.cell_m3 / antenna.efficiency
        bars = torch.autograd.grad(unit, leaves, bar - lost)
        self._spread_bar += bars[2]
        self._share_bar += bars[3]
        self._count_bar += bars[4]
        return bars[0], bars[1]

    def pose_bars(self) -> list[tuple[Tensor, Tensor]]:
        """Through the distances of every cell from every node."""
        shape = self.antenna.spread_1_m2.shape
        axes = [
            torch.arange(n, dtype=torch.float64, device=self._spread_bar.device) * s
            for n, s in zip(shape, self.spacing_mm, strict=True)
        ]
        nodes = [n.nodes_mm(0.5 * min(self.spacing_mm)).to(axes[0].device) for n in self.needles]
        bars = [torch.zeros_like(n) for n in nodes]
        every = torch.cat(nodes)
        nearest = torch.full(shape, math.inf, dtype=torch.float64, device=every.device)
        owner = torch.zeros(shape, dtype=torch.long, device=every.device)
        number = 0
        for needle, own, own_bar in zip(self.needles, nodes, bars, strict=True):
            blur = math.hypot(0.5 * needle.diameter_mm, BLUR_CELLS * max(self.spacing_mm))
            for n, node in enumerate(own):
                r2 = _square_distance(axes, node)
                owner = torch.where(r2 < nearest, number, owner)
                nearest = torch.minimum(nearest, r2)
                pulled = self._spread_bar * (2e6 / len(own)) / (r2 + blur * blur).square()
                for axis in range(3):
                    others = [a for a in range(3) if a != axis]
                    own_bar[n, axis] = pulled.sum(others) @ (axes[axis] - node[axis])
                number += 1
        self._pull_distance(axes, every, owner, nearest.sqrt_(), torch.cat(bars), bars)
        return [
            (bar.sum(0), (self._along(needle, len(own))[:, None].to(bar) * bar).sum(0))
            for needle, own, bar in zip(self.needles, nodes, bars, strict=True)
        ]

    def _pull_distance(
        self,
        axes: list[Tensor],
        every: Tensor,
        owner: Tensor,
        distance: Tensor,
        total: Tensor,
        bars: list[Tensor],
    ) -> None:
        """The attenuation's share: shells are counted from the nearest node."""
        shell = self.antenna.shell.long()
        share_bar = self._share_bar + self._count_bar[shell + 1] - self._count_bar[shell]
        slope = share_bar.double() / (self.antenna.shell_m * 1e3) / distance.clamp_min(1e-9)
        slope = torch.where(distance > 1e-9, slope, 0.0)
        total = torch.zeros_like(total)
        flat = owner.reshape(-1)
        for axis in range(3):
            size = [1, 1, 1]
            size[axis] = -1
            away = axes[axis].reshape(size) - every[:, axis][owner]
            total[:, axis].index_add_(0, flat, (-slope * away).reshape(-1))
        first = 0
        for own in bars:
            own.add_(total[first : first + len(own)])
            first += len(own)

    def _along(self, needle: Needle, count: int) -> Tensor:
        return (torch.arange(count, dtype=torch.float64) + 0.5) * (needle.active_length_mm / count)


def _square_distance(axes: list[Tensor], point: Tensor) -> Tensor:
    x, y, z = (a - p for a, p in zip(axes, point, strict=True))
    return (x * x)[:, None, None] + (y * y)[None, :, None] + (z * z)[None, None, :]
