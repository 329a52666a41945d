"""The part of the grid that is computed cell by cell: a window around the heat.

It is made of whole blocks of cells, so that the coarse field beyond (`far`) meets it along block
sides, and grows where heat comes close to one of its sides.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import torch

from netseg.simulate.multigrid import joined, summed

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
    from torch import Tensor

    from netseg.simulate.applicator import Applicator
    from netseg.simulate.diffusion import Diffusion

    Faces = tuple[Tensor, Tensor, Tensor]

BLOCK = 4
"""Cells per block along each axis. 4 mm blocks at 1 mm: what decays over a centimetre is known there
to 1.3 % of itself, (h/l)^2 / 12, and it is a fraction of a kelvin."""
PAIRINGS = 2  # how often pairs of cells are joined to get one block
GROWTH = 2  # blocks by which a side moves


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A range of cells along each axis that begins and ends with a block, or with the grid.

    Attributes:
        shape: The grid's.
        low: First cell along each axis.
        high: One past the last.
    """

    shape: tuple[int, int, int]
    low: tuple[int, int, int]
    high: tuple[int, int, int]

    @classmethod
    def around(cls, wanted: Bool[Tensor, "i j k"], *, margin: int = 8) -> Window:
        """The least window of the cells that are wanted and some around them."""
        shape = (wanted.shape[0], wanted.shape[1], wanted.shape[2])
        planes = wanted.any(2).any(1), wanted.any(2).any(0), wanted.any(1).any(0)
        low, high = [], []
        for cells, plane in zip(shape, planes, strict=True):
            where = plane.nonzero()
            low.append(max(0, int(where[0]) - margin) // BLOCK * BLOCK)
            high.append(min(cells, -(-(int(where[-1]) + 1 + margin) // BLOCK) * BLOCK))
        return cls(shape=shape, low=_three(low), high=_three(high))

    @property
    def size(self) -> tuple[int, int, int]:
        """Cells along each axis."""
        return _three([b - a for a, b in zip(self.low, self.high, strict=True)])

    @property
    def slices(self) -> tuple[slice, slice, slice]:
        """For indexing a field of the grid."""
        i, j, k = (slice(a, b) for a, b in zip(self.low, self.high, strict=True))
        return i, j, k

    @property
    def blocks(self) -> tuple[slice, slice, slice]:
        """For indexing a field of blocks."""
        i, j, k = (
            slice(a // BLOCK, -(-b // BLOCK)) for a, b in zip(self.low, self.high, strict=True)
        )
        return i, j, k

    def of(self, values: Float[Tensor, "i j k"]) -> Float[Tensor, "a b c"]:
        """The window's part of a field, in memory of its own."""
        return values[self.slices].clone(memory_format=torch.contiguous_format)

    def within(self, outer: Window) -> tuple[slice, slice, slice]:
        """Where this window lies in the field of a larger one."""
        i, j, k = (
            slice(a - c, b - c) for a, b, c in zip(self.low, self.high, outer.low, strict=True)
        )
        return i, j, k

    def renumbered(self, cells: Int[Tensor, "*n"]) -> Int[Tensor, "*n"]:
        """Flat cell numbers of the grid as those of the window."""
        _, j, k = self.shape
        _, b, c = self.size
        x, y, z = cells // (j * k), cells // k % j, cells % k
        return ((x - self.low[0]) * b + y - self.low[1]) * c + z - self.low[2]

    def grown(self, sides: set[tuple[int, int]]) -> Window:
        """With these sides, (axis, 0 or 1), moved outwards."""
        low, high = list(self.low), list(self.high)
        for axis, end in sides:
            if end:
                high[axis] = min(self.shape[axis], high[axis] + GROWTH * BLOCK)
            else:
                low[axis] = max(0, low[axis] - GROWTH * BLOCK)
        return replace(self, low=_three(low), high=_three(high))


@runtime_checkable
class Windowed(Protocol):
    """An applicator that can heat a window and the blocks around it."""

    def within(self, window: Window | None) -> Applicator | None:
        """The same, taking and giving fields of the window; of the whole grid without one.

        Its deposits then say as well what blocks beyond the window get (`Deposit.beyond_w`).
        None where that cannot be.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sides:
    """Where a window meets what is around it, one entry per cell side.

    Attributes:
        cells: Flat numbers of the window's cells; a cell on an edge comes twice.
        link: Conduction coefficient to the outside, W/(m3 K).
        block: Flat number of the block beyond; -1 for the border of the grid, held at zero.
        near: Flat numbers of the eight blocks around the centre of the cell beyond,
        share: and their weights in its value; zero at the border of the grid.
        inner: How many have a block beyond: the first ones.
    """

    cells: Int[Tensor, "m"]
    link: Float[Tensor, "m"]
    block: Int[Tensor, "m"]
    near: Int[Tensor, "m 8"]
    share: Float[Tensor, "m 8"]
    inner: int

    @classmethod
    def of(cls, window: Window, operator: Diffusion) -> Sides:
        """The sides of a window in a grid with this operator."""
        like = operator.inner[0]
        numbers = torch.arange(window.size[0] * window.size[1] * window.size[2], device=like.device)
        numbers = numbers.reshape(window.size)
        cells, links, places = [], [], []
        for axis in range(3):
            for end in (0, 1):
                edge = window.high[axis] if end else window.low[axis]
                if edge in (0, window.shape[axis]):
                    continue
                at = list(window.slices)
                at[axis] = slice(edge - 1, edge)
                links.append(operator.inner[axis][tuple(at)].reshape(-1))
                cells.append(numbers.narrow(axis, (window.size[axis] - 1) * end, 1).reshape(-1))
                beyond = [torch.arange(s.start, s.stop, device=like.device) for s in window.slices]
                beyond[axis] = beyond[axis].new_tensor([edge if end else edge - 1])
                grid = torch.meshgrid(*beyond, indexing="ij")
                places.append(torch.stack([g.reshape(-1) for g in grid]))
        place = torch.cat(places, 1) if places else numbers.new_zeros((3, 0))
        block, near, share = _blocks_at(place, window.shape, like)
        inner = len(block)
        if operator.outer is not None:
            border = operator.outer[window.slices].reshape(-1)
            held = border.nonzero()[:, 0]
            cells.append(held)
            links.append(border[held])
            block = torch.cat((block, torch.full_like(held, -1)))
            near = torch.cat((near, near.new_zeros((len(held), 8))))
            share = torch.cat((share, share.new_zeros((len(held), 8))))
        return cls(
            cells=torch.cat(cells) if cells else numbers.new_zeros(0),
            link=torch.cat(links) if links else like.new_zeros(0),
            block=block,
            near=near,
            share=share,
            inner=inner,
        )

    def values(self, blocks: Float[Tensor, "a b c"]) -> Float[Tensor, "m"]:
        """A field of blocks at the centre of the cell beyond each side, by linear interpolation."""
        around = blocks.reshape(-1).index_select(0, self.near.view(-1))
        return around.view(self.near.shape).mul_(self.share).sum(1)


def _blocks_at(
    place: Int[Tensor, "3 m"], shape: tuple[int, int, int], like: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The block of each cell, and the eight whose values make its own."""
    counts = [-(-n // BLOCK) for n in shape]
    lows, shares = [], []
    for axis, count in enumerate(counts):
        where = (place[axis].to(torch.float64) + 0.5) / BLOCK - 0.5
        low = where.floor().clamp(0, max(0, count - 2))
        lows.append(low.long())
        shares.append((where - low).clamp(0.0, 1.0))
    near, share = [], []
    for corner in range(8):
        index, weight = place.new_zeros(place.shape[1]), torch.ones_like(shares[0])
        for axis, count in enumerate(counts):
            up = corner >> axis & 1
            index = index * count + (lows[axis] + up).clamp_max(count - 1)
            weight = weight * (shares[axis] if up else 1.0 - shares[axis])
        near.append(index)
        share.append(weight)
    b = place // BLOCK
    own = (b[0] * counts[1] + b[1]) * counts[2] + b[2]
    return own, torch.stack(near, 1), torch.stack(share, 1).to(like)


def block_sums(field: Float[Tensor, "i j k"]) -> Float[Tensor, "a b c"]:
    """Sum over the cells of each block; blocks cut by the end of the grid have fewer."""
    for axis in range(3):
        for _ in range(PAIRINGS):
            field = summed(field, axis)
    return field


def block_operator(operator: Diffusion) -> tuple[Faces, Tensor]:
    """Conductances between blocks, and to the outside, summed over cells."""
    inner, outer = operator.inner, operator.outer
    ground = torch.zeros_like(operator.diagonal()) if outer is None else outer
    for axis in range(3):
        for _ in range(PAIRINGS):
            if ground.shape[axis] > 1:
                inner, ground = joined(inner, ground, axis)
    return inner, ground


def repeated(blocks: Float[Tensor, "a b c"], size: tuple[int, int, int]) -> Float[Tensor, "i j k"]:
    """The value of each cell's block, for the first cells of the blocks."""
    for axis in range(3):
        blocks = blocks.repeat_interleave(BLOCK, dim=axis)
    return blocks[: size[0], : size[1], : size[2]]


def _three(values: list[int]) -> tuple[int, int, int]:
    i, j, k = values
    return i, j, k
