"""The microwave antenna of a window: cells near it, blocks of cells further away.

The pattern is that of `MicrowaveAntenna`. Tissue beyond the window has its baseline's attenuation
(it is warmer by a fraction of a kelvin), so that its share in the mean of a shell is a count of
cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import torch

from netseg.simulate.active import block_sums, repeated
from netseg.simulate.applicator import Deposit
from netseg.simulate.fused import Ripening, total
from netseg.simulate.microwave import dried_attenuation_np_m, way_np

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from torch import Tensor

    from netseg.simulate.active import Window
    from netseg.simulate.microwave import MicrowaveAntenna


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Blocks:
    """An antenna's whole grid in blocks, for tissue at baseline.

    Attributes:
        calm_np_m: Attenuation at baseline.
        cells: How many cells each block has.
        shells: Their mean distance from the antenna, in shells.
        spread_1_m2: Mean over them of G exp(-2 alpha (d - d_b)), d_b that distance: times
            exp(-2 A(d_b)) it is exactly their mean pattern.
    """

    calm_np_m: float
    cells: Float[Tensor, "a b c"]
    shells: Float[Tensor, "a b c"]
    spread_1_m2: Float[Tensor, "a b c"]

    @classmethod
    def of(cls, whole: MicrowaveAntenna) -> Self:
        """Join the cells of an antenna's grid."""
        like = whole.spread_1_m2
        nothing = like.new_zeros(1)
        calm_np_m = float(
            dried_attenuation_np_m(nothing + whole.baseline_c, nothing, whole.frequency_hz)
        )
        cells, steps = block_sums(torch.ones_like(like)), whole.shell + whole.share
        shells = block_sums(steps) / cells
        away = steps.sub_(repeated(shells, (like.shape[0], like.shape[1], like.shape[2])))
        near = away.mul_(-2.0 * calm_np_m * whole.shell_m).exp_().mul_(like)
        return cls(
            calm_np_m=calm_np_m, cells=cells, shells=shells, spread_1_m2=block_sums(near) / cells
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WindowAntenna:
    """One antenna, seen through a window.

    Attributes:
        whole: The antenna on the grid.
        shape: The window's.
        spread_1_m2: G of the window's cells, flat.
        shell: Index of the distance shell below each cell.
        share: How far each lies towards the next.
        joined: The whole grid in blocks.
        calm: The sum of it over the shells' cells beyond the window.
        blocks: Flat numbers of the blocks beyond the window,
        block_cells: how many cells they have,
        block_spread_1_m2: their spread,
        block_shell: shell,
        block_share: and share.
        counts: Shape of the field of blocks.
    """

    whole: MicrowaveAntenna
    shape: tuple[int, int, int]
    spread_1_m2: Float[Tensor, "n"]
    shell: Int[Tensor, "n"]
    share: Float[Tensor, "n"]
    joined: Blocks
    calm: Float[Tensor, "s"]
    blocks: Int[Tensor, "m"]
    block_cells: Float[Tensor, "m"]
    block_spread_1_m2: Float[Tensor, "m"]
    block_shell: Int[Tensor, "m"]
    block_share: Float[Tensor, "m"]
    counts: tuple[int, int, int]

    @classmethod
    def of(cls, whole: MicrowaveAntenna, window: Window, blocks: Blocks | None = None) -> Self:
        """Cut a window out of an antenna's grid.

        Args:
            whole: The antenna.
            window: The window.
            blocks: The grid in blocks, where it is known.
        """
        blocks = Blocks.of(whole) if blocks is None else blocks
        spread, shell, share = (
            window.of(t).reshape(-1) for t in (whole.spread_1_m2, whole.shell, whole.share)
        )
        inside = shell_sums(shell, share, torch.ones_like(share), len(whole.shell_cells))
        outside = torch.ones_like(blocks.cells, dtype=torch.bool)
        outside[window.blocks] = False
        steps = blocks.shells[outside]
        block_shell = steps.floor().long()
        return cls(
            whole=whole,
            shape=window.size,
            spread_1_m2=spread,
            shell=shell,
            share=share,
            joined=blocks,
            calm=(whole.shell_cells - inside).clamp_min(0) * blocks.calm_np_m,
            blocks=outside.reshape(-1).nonzero()[:, 0],
            block_cells=blocks.cells[outside],
            block_spread_1_m2=blocks.spread_1_m2[outside],
            block_shell=block_shell,
            block_share=steps - block_shell,
            counts=(outside.shape[0], outside.shape[1], outside.shape[2]),
        )

    def within(self, window: Window | None) -> WindowAntenna | MicrowaveAntenna:
        """See `Windowed`."""
        return self.whole if window is None else WindowAntenna.of(self.whole, window, self.joined)

    def deposit(self, excess_k: Float[Tensor, "i j k"], vapour: Float[Tensor, "i j k"]) -> Deposit:
        """The pattern at this temperature, in the window's cells and in the blocks beyond."""
        whole = self.whole
        alpha = _ALPHA(
            excess_k.reshape(-1), vapour.reshape(-1), baseline_c=whole.baseline_c,
            frequency_hz=whole.frequency_hz,
        )  # fmt: skip
        mean = shell_sums(self.shell, self.share, alpha, len(self.calm)).add_(self.calm)
        mean.div_(whole.shell_cells)
        way = way_np(mean, whole.shell_m)
        pattern = _cells(alpha, self.spread_1_m2, self.shell, self.share, way)
        beyond = _cells(
            torch.full_like(self.block_share, self.joined.calm_np_m), self.block_spread_1_m2,
            self.block_shell, self.block_share, way,
        ).mul_(self.block_cells)  # fmt: skip
        near = pattern.view(self.shape)
        absorbed = (total(near) + float(beyond.sum(dtype=torch.float64))) * whole.cell_m3
        scale = whole.efficiency / absorbed
        heat = beyond.new_zeros(self.counts)
        heat.view(-1)[self.blocks] = beyond.mul_(scale * whole.cell_m3)
        return Deposit(per_watt_m3=near.mul_(scale), beyond_w=heat)


def shell_sums(
    shell: Int[Tensor, "n"], share: Float[Tensor, "n"], values: Float[Tensor, "n"], shells: int
) -> Float[Tensor, "s"]:
    """Each value shared out between its cell's two shells, summed."""
    upper = values * share
    out = torch.bincount(shell, values - upper, shells)
    out[1:] += torch.bincount(shell, upper, shells)[:-1]
    return out.to(values)


def _alpha(excess_k: Tensor, vapour: Tensor, *, baseline_c: float, frequency_hz: float) -> Tensor:
    return dried_attenuation_np_m(excess_k + baseline_c, vapour, frequency_hz)


def _cells(alpha: Tensor, spread: Tensor, shell: Tensor, share: Tensor, way: Tensor) -> Tensor:
    here, there = way.index_select(0, shell), way[1:].index_select(0, shell)
    return here.lerp_(there, share).mul_(-2.0).exp_().mul_(alpha).mul_(spread)


_ALPHA = Ripening(function=_alpha)
