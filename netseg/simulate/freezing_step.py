"""One step of freezing: conduction in ice and water by RKL2 stages, then blood.

The state lies in an array one cell wider on every side. Those ghost cells hold the outside; the
faces to them conduct where a side is held at a temperature, and not at all where it is insulated.
Heat flows along the conduction potential of `FreezingLaw`, cold lines draw from it in every stage.
Only a box around what has changed is computed; its sides lie in tissue at rest and pass nothing.

The two field functions are plain torch: they run as they are, or compiled.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from netseg.simulate.diffusion import Diffusion
from netseg.simulate.stage_weights import stage_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from jaxtyping import Float
    from torch import Tensor

    from netseg.simulate.coolant import ColdLine
    from netseg.simulate.phase import FreezingLaw

IN = slice(1, -1)
BLOOD = 1e6
"""Flowing blood is a cell of so many times its own heat capacity: it takes heat and stays warm."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class IceField:
    """The coefficients of a box of cells.

    Attributes:
        faces: Conduction coefficient of all faces along each axis, those to the outside included,
            over the square of the spacing, W/(m3 K).
        inverse_capacity: m3 K/J per cell.
        perfusion_1_s: Rate at which blood equalises temperature.
        law: Temperature and conduction potential over heat content.
        outside_heat_k: Heat content of the outside of a fixed side.
    """

    faces: tuple[Float[Tensor, "..."], Float[Tensor, "..."], Float[Tensor, "..."]]
    inverse_capacity: Float[Tensor, "i j k"]
    perfusion_1_s: Float[Tensor, "i j k"]
    law: FreezingLaw
    outside_heat_k: float = 0.0

    @classmethod
    def assemble(
        cls,
        k_w_mk: Float[Tensor, "i j k"],
        inverse_capacity: Float[Tensor, "i j k"],
        perfusion_1_s: Float[Tensor, "i j k"],
        law: FreezingLaw,
        *,
        spacing_mm: tuple[float, float, float],
        fixed: Collection[str],
        film: Float[Tensor, "i j k"] | None = None,
        outside_heat_k: float = 0.0,
    ) -> IceField:
        """Make it of one conductivity per cell; see `Diffusion.assemble` for `fixed` and `film`."""
        inner = Diffusion.assemble(k_w_mk, spacing_mm, fixed=(), film=film).inner
        faces = []
        for axis, between in enumerate(inner):
            shape = list(k_w_mk.shape)
            shape[axis] += 1
            full = k_w_mk.new_zeros(shape)
            full.narrow(axis, 1, shape[axis] - 2).copy_(between)
            for side, index, face in (("-", 0, 0), ("+", shape[axis] - 2, shape[axis] - 1)):
                name = "ijk"[axis] + side
                if name in fixed:
                    slab = k_w_mk.narrow(axis, index, 1)
                    wet = None if film is None else film.narrow(axis, index, 1)
                    outer = Diffusion.assemble(slab, spacing_mm, fixed=(name,), film=wet).outer
                    if outer is not None:
                        full.narrow(axis, face, 1).copy_(outer)
            faces.append(full)
        return cls(
            faces=(faces[0], faces[1], faces[2]),
            inverse_capacity=inverse_capacity,
            perfusion_1_s=perfusion_1_s,
            law=law,
            outside_heat_k=outside_heat_k,
        )

    def part(self, low: tuple[int, int, int], high: tuple[int, int, int]) -> IceField:
        """The cells from `low` up to `high`; cut sides pass nothing."""
        shape = self.inverse_capacity.shape
        box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        faces = []
        for axis, face in enumerate(self.faces):
            cut = list(box)
            cut[axis] = slice(low[axis], high[axis] + 1)
            piece = face[tuple(cut)].clone()
            if low[axis] > 0:
                piece.select(axis, 0).zero_()
            if high[axis] < shape[axis]:
                piece.select(axis, -1).zero_()
            faces.append(piece)
        return IceField(
            faces=(faces[0], faces[1], faces[2]),
            inverse_capacity=self.inverse_capacity[box].contiguous(),
            perfusion_1_s=self.perfusion_1_s[box].contiguous(),
            law=self.law,
            outside_heat_k=self.outside_heat_k,
        )

    def fastest_1_s(self, lines: Collection[ColdLine], cell_m3: float) -> float:
        """Largest rate of the linear operator with unfrozen conductivity (Gershgorin)."""
        shape = self.inverse_capacity.shape
        rows = torch.zeros_like(self.inverse_capacity)
        for axis, face in enumerate(self.faces):
            for first in (0, 1):
                rows.add_(face.narrow(axis, first, shape[axis]), alpha=2.0)
            for side in (0, -1):  # the outside is no unknown
                rows.select(axis, side).sub_(face.select(axis, side))
        flat = rows.view(-1)
        for line in lines:
            flat.index_add_(0, line.cells, (line.weights.T @ line.near_w_k) / cell_m3)
        return float((rows * self.inverse_capacity).max())

    @property
    def open_sides(self) -> tuple[tuple[int, int], ...]:
        """Axis and side (0 or -1) wherever heat can pass to the outside."""
        return tuple(
            (axis, side)
            for axis, face in enumerate(self.faces)
            for side in (0, -1)
            if bool(face.select(axis, side).any())
        )

    def outflow(
        self, heat: Float[Tensor, "i+2 j+2 k+2"], sides: Collection[tuple[int, int]]
    ) -> Tensor:
        """What leaves through these sides, W/m3 summed over cells (fp64)."""
        total = torch.zeros((), dtype=torch.float64, device=heat.device)
        for axis, side in sides:
            slab = heat.select(axis, 1 if side == 0 else -2)[IN, IN]
            ghost = heat.select(axis, side)[IN, IN]
            drop = self.law.potential(slab) - self.law.potential(ghost)
            total = total + (self.faces[axis].select(axis, side) * drop).sum(dtype=torch.float64)
        return total


def first_stage_field(
    out: Tensor,
    first: Tensor,
    faces: tuple[Tensor, Tensor, Tensor],
    inverse_capacity: Tensor,
    bends: Tensor,
    share: Tensor,
) -> Tensor:
    """The first RKL2 stage, or an explicit step, without the cold lines.

    Args:
        out: Where the new heat content goes; its ghost cells stay.
        first: Heat content with ghost cells at the start of the step.
        faces: See `IceField`.
        inverse_capacity: See `IceField`.
        bends: The law: start, plateau's length, slope on it, slope in ice.
        share: How much of the rate goes into the result.

    Returns:
        The rate, without ghost cells.
    """
    rate = _rate(first, faces, inverse_capacity, bends)
    out[IN, IN, IN] = first[IN, IN, IN] + share[2] * rate
    return rate


def stage_field(
    out: Tensor,
    now: Tensor,
    before: Tensor,
    first: Tensor,
    first_rate: Tensor,
    faces: tuple[Tensor, Tensor, Tensor],
    inverse_capacity: Tensor,
    bends: Tensor,
    share: Tensor,
) -> None:
    """One further RKL2 stage without the cold lines.

    Args:
        out: Where the new heat content goes; its ghost cells stay.
        now: Heat content with ghost cells.
        before: Of the stage before.
        first: At the start of the step.
        first_rate: Its rate, without ghost cells.
        faces: See `IceField`.
        inverse_capacity: See `IceField`.
        bends: See `first_stage_field`.
        share: How much of now, before, the rate and the first rate goes into the result; what is
            left of one goes to first.
    """
    rate = _rate(now, faces, inverse_capacity, bends)
    base = first[IN, IN, IN]  # as changes since the start: weights of one sum exactly to one
    new = share[0] * (now[IN, IN, IN] - base) + share[1] * (before[IN, IN, IN] - base)
    out[IN, IN, IN] = base + (new + share[2] * rate + share[3] * first_rate)


def _rate(
    heat: Tensor, faces: tuple[Tensor, Tensor, Tensor], inverse_capacity: Tensor, bends: Tensor
) -> Tensor:
    """What conduction makes of a field, K/s, without ghost cells."""
    below = (bends[0] - heat).clamp_min(0)
    deep = (below - bends[1]).clamp_min(0)
    p = torch.maximum(heat, bends[0]) - bends[2] * below - (bends[3] - bends[2]) * deep
    m = p[IN, IN, IN]
    fi, fj, fk = faces
    rate = fi[1:] * (p[2:, IN, IN] - m) - fi[:-1] * (m - p[:-2, IN, IN])
    rate = rate + fj[:, 1:] * (p[IN, 2:, IN] - m) - fj[:, :-1] * (m - p[IN, :-2, IN])
    rate = rate + fk[:, :, 1:] * (p[IN, IN, 2:] - m) - fk[:, :, :-1] * (m - p[IN, IN, :-2])
    return rate * inverse_capacity


def blood_field(
    heat: Tensor,
    coldest: Tensor,
    perfusion_1_s: Tensor,
    inverse_capacity: Tensor,
    bends: Tensor,
    limits: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Blood warms what it reaches; the coldest temperature is kept.

    Args:
        heat: Heat content without ghost cells.
        coldest: Lowest excess temperature so far.
        perfusion_1_s: See `IceField`.
        inverse_capacity: See `IceField`.
        bends: The law of temperature, as in `first_stage_field`.
        limits: Step length, excess temperature below which no blood flows, and below which
            tissue dies.

    Returns:
        Heat content, coldest temperature, and the heat given by blood in J/m3 summed over cells.
    """
    below = (bends[0] - heat).clamp_min(0)
    deep = (below - bends[1]).clamp_min(0)
    excess = torch.maximum(heat, bends[0]) - bends[2] * below - (bends[3] - bends[2]) * deep
    coldest = torch.minimum(coldest, excess)
    flows = (excess > limits[1]) & (coldest > limits[2])
    gain = torch.where(flows, torch.expm1(-perfusion_1_s * limits[0]) * excess, 0.0)
    given = (gain.double() / inverse_capacity.double()).sum()
    return heat + gain, coldest, given


def bends_of(law: FreezingLaw, slopes: tuple[float, float], like: Tensor) -> Tensor:
    """The four numbers of a piecewise linear law for the field functions."""
    return like.new_tensor([law.starts_k, law.plateau_k, *slopes])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Kernels:
    """The field functions, plain or compiled."""

    first: Callable[..., Tensor] = first_stage_field
    stage: Callable[..., None] = stage_field
    blood: Callable[..., tuple[Tensor, Tensor, Tensor]] = blood_field


@dataclass(slots=True, kw_only=True, eq=False)
class IceStepper:
    """A box of tissue that can be carried forward in time.

    Attributes:
        coefficients: Of its cells.
        lines: Cold lines, their cells numbered in the box.
        cell_m3: Volume of a cell.
        kernels: Field functions.
        heat: Heat content with ghost cells.
        spare: Room for three more such fields, their ghost cells set.
        sides: Where heat can pass to the outside.
        ghosted: Cells of each line in the array with ghost cells.
    """

    coefficients: IceField
    lines: tuple[ColdLine, ...]
    cell_m3: float
    kernels: Kernels
    heat: Float[Tensor, "i+2 j+2 k+2"]
    spare: list[Tensor]
    sides: tuple[tuple[int, int], ...] = field(init=False)
    ghosted: tuple[Tensor, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Find what every stage needs."""
        self.sides = self.coefficients.open_sides
        _, j, k = self.coefficients.inverse_capacity.shape
        self.ghosted = tuple(
            ((c // (j * k) + 1) * (j + 2) + c // k % j + 1) * (k + 2) + c % k + 1
            for c in (line.cells for line in self.lines)
        )

    @property
    def inner(self) -> Float[Tensor, "i j k"]:
        """Heat content of the cells, a view."""
        return self.heat[IN, IN, IN]

    def conduct(self, gas_k: float | None, *, step_s: float, stages: int) -> Float[Tensor, "n"]:
        """Carry the field over one step.

        Args:
            gas_k: Excess temperature of the gas; None where none flows.
            step_s: Step length.
            stages: 1 for explicit Euler, else an odd number from 3 for RKL2.

        Returns:
            In joules what each line drew and, last, what left through the sides.
        """
        whole = self.coefficients
        inverse = whole.inverse_capacity
        bends = bends_of(whole.law, whole.law.slopes()[1], inverse)
        first = before = now = self.heat
        first_rate = torch.zeros_like(inverse)
        first_watt = self.heat.new_zeros(len(self.lines) + 1, dtype=torch.float64)
        passed_before = passed = first_watt
        for stage in range(1, stages + 1):
            now_share, before_share, _, *rates = stage_weights(stage, stages, step_s)
            shares = (now_share, before_share, *rates)
            out, share = self.spare.pop(), inverse.new_tensor(shares)
            known = (whole.faces, inverse, bends, share)
            if stage == 1:
                first_rate = self.kernels.first(out, first, *known)
                watt = first_watt = self._draw(now, gas_k, first_rate, out, shares[2])
            else:
                self.kernels.stage(out, now, before, first, first_rate, *known)
                watt = self._draw(now, gas_k, None, out, shares[2])
            sums = shares[0] * passed + shares[1] * passed_before + shares[2] * watt
            passed_before, passed = passed, sums + shares[3] * first_watt
            if before is not first:
                self.spare.append(before)
            before, now = now, out
        self.spare.append(first)
        if before is not first:
            self.spare.append(before)
        self.heat = now
        return passed

    def _draw(
        self, now: Tensor, gas_k: float | None, rate: Tensor | None, out: Tensor, share: float
    ) -> Tensor:
        """Let the cold lines draw; adds to the new field and to the first stage's rate."""
        watt = now.new_zeros(len(self.lines) + 1, dtype=torch.float64)
        if self.sides:
            watt[-1] = self.coefficients.outflow(now, self.sides) * self.cell_m3
        if gas_k is None:
            return watt
        law, inverse = self.coefficients.law, self.coefficients.inverse_capacity.view(-1)
        for number, (line, ghosted) in enumerate(zip(self.lines, self.ghosted, strict=True)):
            drawn = line.drawn_w(law.potential(now.view(-1)[ghosted]), law, gas_k)
            watt[number] = drawn.sum(dtype=torch.float64)
            change = (line.weights.T @ drawn).mul_(-1.0 / self.cell_m3)
            change *= inverse[line.cells]
            out.view(-1).index_add_(0, ghosted, change, alpha=share)
            if rate is not None:
                rate.view(-1).index_add_(0, line.cells, change)
        return watt
