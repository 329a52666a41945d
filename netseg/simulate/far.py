"""Tissue beyond the window: blocks of cells that warm by a fraction of a kelvin.

Their heat is conducted, perfused and heated like that of cells, in blocks of 4 x 4 x 4. The window
feels its neighbours through `Sides`; what passes its sides is booked on both of them, so that no
energy is lost between the two. Where a window grows, its new cells take the blocks' values,
interpolated, with every block's heat kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from netseg.simulate.active import BLOCK, Sides, block_operator, block_sums, repeated
from netseg.simulate.diffusion import Diffusion
from netseg.simulate.phase import PhaseLaw
from netseg.simulate.stepping import Conduction, conduct, stages_for

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from torch import Tensor

    from netseg.simulate.active import Window
    from netseg.simulate.ledger import Ledger
    from netseg.simulate.solver import Problem

RENEW_S = 4.0
"""The blocks are carried forward at least this often: their neighbours' temperature, a fraction of a
kelvin, is extrapolated over it."""


@dataclass(slots=True, kw_only=True, eq=False)
class FarField:
    """Blocks around a window.

    Attributes:
        problem: Tissue of the whole grid.
        window: The part that is computed cell by cell.
        sides: How they meet.
        outside: Blocks that are not of the window.
        faces: Conductances between blocks of the whole grid, summed over cells, W/(m3 K),
        ground: and to the outside.
        capacity: Heat capacity summed over the cells of each block, J/(m3 K).
        perfusion_1_s: Mean rate at which blood equalises temperature.
        excess_k: Temperature above baseline; in the window the mean of its cells.
        hottest_k: The highest so far.
        gained_j: What each block has been given since `known_s`.
        known_s: When they were carried forward last.
        felt_k: What the sides feel, now and before then.
    """

    problem: Problem
    window: Window
    sides: Sides
    outside: Bool[Tensor, "a b c"]
    faces: tuple[Tensor, Tensor, Tensor]
    ground: Float[Tensor, "a b c"]
    capacity: Float[Tensor, "a b c"]
    perfusion_1_s: Float[Tensor, "a b c"]
    excess_k: Float[Tensor, "a b c"]
    hottest_k: Float[Tensor, "a b c"]
    gained_j: Float[Tensor, "a b c"]
    known_s: float = 0.0
    felt_k: tuple[Tensor, Tensor] | None = None
    _conduction: Conduction = field(init=False)
    _pushed: Tensor | None = None

    def __post_init__(self) -> None:
        """Cut the blocks off from the window: what passes its sides is given to them."""
        self.reach(self.window)

    @classmethod
    def around(cls, window: Window, problem: Problem) -> FarField:
        """Everything at baseline."""
        operator, capacity = problem.conduction.diffusion, problem.capacity_j_m3k
        faces, ground = block_operator(operator)
        summed = block_sums(capacity)
        zeros = torch.zeros_like(summed)
        return cls(
            problem=problem,
            window=window,
            sides=Sides.of(window, operator),
            outside=torch.ones_like(summed, dtype=torch.bool),
            faces=faces,
            ground=ground,
            capacity=summed,
            perfusion_1_s=block_sums(problem.perfusion_1_s * capacity) / summed,
            excess_k=zeros,
            hottest_k=zeros.clone(),
            gained_j=zeros.clone(),
        )

    def reach(self, window: Window) -> None:
        """Take the sides of another window."""
        operator = self.problem.conduction.diffusion
        self.window, self.sides = window, Sides.of(window, operator)
        self.outside = torch.ones_like(self.outside)
        self.outside[window.blocks] = False
        out, open_faces = self.outside, []
        for axis, face in enumerate(self.faces):
            n = face.shape[axis]
            both = out.narrow(axis, 0, n) & out.narrow(axis, 1, n)
            open_faces.append(torch.where(both, face, 0.0))
        i, j, k = open_faces
        ground = torch.where(out, self.ground, 0.0)
        self._conduction = Conduction(
            diffusion=Diffusion(inner=(i, j, k), outer=ground),
            inverse_capacity=torch.where(out, 1.0 / self.capacity, 0.0),
            law=PhaseLaw(),
        )
        self.felt_k = self._pushed = None

    def felt(self) -> Float[Tensor, "m"]:
        """Temperature beyond each side, as it will be halfway to the next renewal."""
        if self.felt_k is None:
            now = self.sides.values(self.excess_k)
            self.felt_k = now, now
        now, before = self.felt_k
        return torch.lerp(before, now, 1.5)

    def pushed(self) -> Float[Tensor, "m"]:
        """What the sides bring at that temperature, W/m3 per side; the same until the renewal."""
        if self._pushed is None:
            self._pushed = self.sides.link * self.felt()
        return self._pushed

    def take(
        self, before_k: Tensor, after_k: Tensor, pushed: Tensor, lost: float, dt: float
    ) -> float:
        """Share out what left the window in a step; returns what left the grid, in joules.

        Args:
            before_k: Excess temperature of the window at the start,
            after_k: and at the end.
            pushed: What the sides were told to bring, link times temperature beyond, W/m3.
            lost: What the step says has left through all of them, J/m3 over cells, `pushed` aside.
            dt: Length of the step.
        """
        sides, cell_m3 = self.sides, self.problem.cell_m3
        if len(sides.cells) == 0:
            return lost * cell_m3
        through = before_k.reshape(-1).index_select(0, sides.cells)
        through.add_(after_k.reshape(-1).index_select(0, sides.cells)).mul_(sides.link).mul_(0.5)
        missing = lost - dt * float(through.sum(dtype=torch.float64))  # of the mean over the step
        through.sub_(pushed).add_(missing / (dt * len(through))).mul_(dt * cell_m3)
        inner = sides.inner
        self.gained_j.view(-1).index_add_(0, sides.block[:inner], through[:inner])
        return float(through[inner:].sum(dtype=torch.float64))

    def advance(self, now_s: float, window_k: Float[Tensor, "i j k"], energy: Ledger) -> None:
        """Carry the blocks to the present, and look at what the window's cells are by now.

        Args:
            now_s: Simulated time.
            window_k: Excess temperature of the window.
            energy: Where perfusion and loss to the outside are booked.
        """
        dt, cell_m3 = now_s - self.known_s, self.problem.cell_m3
        if dt > 0:
            source = self.gained_j / (cell_m3 * dt)
            half = torch.expm1(self.perfusion_1_s * (-0.5 * dt)).mul_(self.outside)
            first = half * self.excess_k
            stages = stages_for(dt, self._conduction.explicit_limit_s())
            new, lost = conduct(
                self.excess_k + first, self._conduction, source, step_s=dt, stages=stages
            )
            second = half * new
            self.excess_k = new + second
            drawn = ((first + second) * self.capacity).sum(dtype=torch.float64)
            energy.perfusion -= float(drawn) * cell_m3
            energy.boundary += lost * cell_m3
            self.gained_j.zero_()
            self.known_s = now_s
        weight = self.problem.capacity_j_m3k[self.window.slices]
        means = block_sums(window_k * weight) / self.capacity[self.window.blocks]
        self.excess_k[self.window.blocks] = means
        torch.maximum(self.hottest_k, self.excess_k, out=self.hottest_k)
        before = self.felt_k[0] if self.felt_k is not None else None
        now = self.sides.values(self.excess_k)
        self.felt_k, self._pushed = (now, now if before is None else before), None

    def stored_j(self) -> float:
        """Heat of the blocks beyond the window."""
        heat = (self.excess_k * self.capacity)[self.outside]
        return float(heat.sum(dtype=torch.float64)) * self.problem.cell_m3

    def in_cells(
        self, blocks: Float[Tensor, "a b c"], window: Window | None = None
    ) -> Float[Tensor, "i j k"]:
        """A field of blocks, linear between their centres, in the cells of the grid or a window."""
        shape = self.problem.capacity_j_m3k.shape
        around = functional.pad(blocks[None, None], (1,) * 6, mode="replicate")
        if self.problem.conduction.diffusion.outer is not None:  # zero at the border of the grid
            for axis in (2, 3, 4):
                around.select(axis, 0).neg_()
                around.select(axis, -1).neg_()
        cells = [slice(0, n) for n in shape] if window is None else window.slices
        near = [slice(s.start // BLOCK, -(-s.stop // BLOCK) + 2) for s in cells]
        part = around[(..., *near)]  # the blocks of these cells and one more on each side
        size = [n * BLOCK for n in part.shape[2:]]
        fine = functional.interpolate(part, size=size, mode="trilinear")[0, 0]
        i, j, k = (slice(BLOCK, BLOCK + s.stop - s.start) for s in cells)
        return fine[i, j, k].clone(memory_format=torch.contiguous_format)

    def into(self, window: Window) -> Float[Tensor, "i j k"]:
        """Excess temperature of a new window's cells, with the heat of every block kept."""
        fine = self.in_cells(self.excess_k, window)
        weight = self.problem.capacity_j_m3k[window.slices]
        summed = self.capacity[window.blocks]
        off = self.excess_k[window.blocks] - block_sums(fine * weight) / summed
        return fine.add_(repeated(off, window.size))
