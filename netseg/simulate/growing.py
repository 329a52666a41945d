"""A run in a window that grows with the heat, amid blocks of tissue that hardly warms.

Most of a grid stays within a fraction of a kelvin of body temperature for most of a treatment, but
not exactly there: microwaves reach far. Such tissue is computed in blocks (`far`), the rest cell by
cell. A side of the window moves outwards when heat comes near it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from netseg.simulate.active import Window, Windowed
from netseg.simulate.applicator import ManyWays
from netseg.simulate.diffusion import Diffusion
from netseg.simulate.far import RENEW_S, FarField
from netseg.simulate.hot import HotBox

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from netseg.simulate.applicator import Applicator, State
    from netseg.simulate.ledger import Ledger
    from netseg.simulate.solver import Problem

EDGE_K = 0.3
"""A side moves outwards when cells near it have changed by so much: well below the 1 K at which
tissue counts as hot, and 4 mm blocks know such a field to 0.01 K."""
NEAR = 2  # cells: how close heat may come to a side
SEEN = 0.01  # the first window holds all cells with this share of the strongest heat
WORTH_CELLS = 500_000
"""From this size of a grid on a window pays."""


@dataclass(slots=True, kw_only=True, eq=False)
class GrowingWindow:
    """The window of a run and what lies around it.

    Attributes:
        problem: Tissue of the whole grid.
        far: What lies around.
        applicator: What heats them, seen through the window.
        seen: The whole grid's excess temperature as it was shown last.
    """

    problem: Problem
    far: FarField
    applicator: Applicator
    seen: Tensor | None = None

    @classmethod
    def open(cls, problem: Problem, applicator: Applicator) -> GrowingWindow | None:
        """A window around the heat of an applicator at baseline; None where none can be.

        Vessels take heat wherever they are, and have no part in blocks: tissue with vessels is
        computed cell by cell.
        """
        if problem.conduction.held is not None or problem.sinks:
            return None
        if not isinstance(applicator, Windowed):
            return None
        calm = torch.zeros_like(problem.capacity_j_m3k)
        wanted = torch.zeros_like(calm, dtype=torch.bool)
        if isinstance(applicator, ManyWays):
            ways = range(len(applicator.renew(calm, calm)))
            heats = [applicator.way(n).per_watt_m3 for n in ways]
        else:
            heats = [applicator.deposit(calm, calm).per_watt_m3]
        for heat in heats:
            wanted |= heat > SEEN * float(heat.max())
        for coolant in problem.coolants:
            wanted.view(-1)[coolant.kernel.cells.reshape(-1)] = True
        window = Window.around(wanted)
        part = applicator.within(window)
        if part is None:
            return None
        return cls(problem=problem, far=FarField.around(window, problem), applicator=part)

    @property
    def window(self) -> Window:
        """The part that is computed cell by cell."""
        return self.far.window

    def part(self) -> Problem:
        """The window's tissue; its sides conduct to what lies beyond, held at zero."""
        whole, window, sides = self.problem, self.window, self.far.sides
        given = whole.conduction
        faces = []
        for axis, face in enumerate(given.diffusion.inner):
            at = list(window.slices)
            at[axis] = slice(window.low[axis], window.high[axis] - 1)
            faces.append(face[tuple(at)].clone(memory_format=torch.contiguous_format))
        outer = given.inverse_capacity.new_zeros(window.size)
        outer.view(-1).index_add_(0, sides.cells, sides.link)
        varying = given.varying
        box = HotBox(shape=window.shape, low=list(window.low), high=list(window.high))
        return replace(
            whole,
            conduction=replace(
                given,
                diffusion=Diffusion(inner=(faces[0], faces[1], faces[2]), outer=outer),
                inverse_capacity=window.of(given.inverse_capacity),
                varying=None if varying is None else varying.part(box),
            ),
            capacity_j_m3k=window.of(whole.capacity_j_m3k),
            perfusion_1_s=window.of(whole.perfusion_1_s),
            coolants=tuple(
                replace(c, kernel=replace(c.kernel, cells=window.renumbered(c.kernel.cells)))
                for c in whole.coolants
            ),
        )

    def push(self, source: Float[Tensor, "i j k"]) -> Float[Tensor, "m"]:
        """Add what the sides bring to a step's heat; returns it, W/m3 per side."""
        pushed = self.far.pushed()
        source.view(-1).index_add_(0, self.far.sides.cells, pushed)
        return pushed

    def sides_to_move(self, excess_k: Float[Tensor, "i j k"], box: HotBox) -> set[tuple[int, int]]:
        """Sides, (axis, 0 or 1), that heat has come close to."""
        window, moved = self.window, set()
        for axis in range(3):
            cells = window.size[axis]
            for end in (0, 1):
                edge = window.high[axis] if end else window.low[axis]
                if edge == (window.shape[axis] if end else 0):
                    continue
                slab = excess_k.narrow(axis, (cells - NEAR) * end, min(NEAR, cells))
                low, high = slab.aminmax()
                hot = box.high[axis] == cells if end else box.low[axis] == 0
                if max(-float(low), float(high)) > EDGE_K or (hot and not box.is_empty):
                    moved.add((axis, end))
        return moved

    def carry(self, now_s: float, excess_k: Tensor, energy: Ledger, *, at_once: bool) -> None:
        """Bring the blocks up to date if it is time."""
        if at_once or now_s - self.far.known_s >= RENEW_S - 1e-9:
            self.far.advance(now_s, excess_k, energy)
            self.seen = None

    def widen(self, sides: set[tuple[int, int]]) -> Window:
        """Move sides outwards; returns the window as it was."""
        before = self.window
        self.far.reach(before.grown(sides))
        if isinstance(self.applicator, Windowed):
            self.applicator = self.applicator.within(self.window) or self.applicator
        return before

    def laid_out(
        self, part: Float[Tensor, "a b c"], before: Window, blocks: Tensor | None = None
    ) -> Float[Tensor, "i j k"]:
        """A field of the former window in the present one.

        Args:
            part: The field.
            before: The former window.
            blocks: What new cells take it from; the blocks' heat, kept exactly, if not given.
        """
        out = (
            self.far.into(self.window) if blocks is None else self.far.in_cells(blocks, self.window)
        )
        out[before.within(self.window)] = part
        return out

    def state_laid_out(self, state: State, before: Window) -> State:
        """Temperature and vapour of the former window in the present one; no vapour beyond it."""
        none = torch.zeros_like(self.far.excess_k)
        return self.laid_out(state[0], before), self.laid_out(state[1], before, none)

    def whole(self, part: Tensor, blocks: Tensor) -> Float[Tensor, "i j k"]:
        """A field of the whole grid: the window's cells, blocks beyond."""
        out = self.far.in_cells(blocks)
        out[self.window.slices] = part
        return out

    def shown(self, excess_k: Tensor) -> Float[Tensor, "i j k"]:
        """The whole grid's excess temperature; the same memory each time."""
        if self.seen is None:
            self.seen = self.far.in_cells(self.far.excess_k)
        self.seen[self.window.slices] = excess_k
        return self.seen
