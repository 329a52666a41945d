"""One step of heat in one sweep over memory, compiled by torch.

The same numbers as `stepping` to round-off, in another order of work. Fields lie flat, one after the
other along k, j, i, with one plane of zeros before and after: neighbours are then fixed offsets, every
loop runs over contiguous memory, and the compiler makes one loop of a whole step. Where the flat
neighbour is not a neighbour in space (beyond the last cell of a row) the face is zero. Heat laws are
traced into the loop. A step moves some 40 bytes per cell instead of 360.

Compilation takes 5 to 20 s, so it must be worth it: `worth_compiling`.
"""

from __future__ import annotations

import os
import shutil
import warnings
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import torch

from netseg.simulate.diffusion import Diffusion
from netseg.simulate.stepping import rkl2_coefficients

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Float
    from torch import Tensor

    from netseg.simulate.enthalpy import HeatLaw
    from netseg.simulate.hot import HotBox
    from netseg.simulate.stepping import Conduction

    Faces = tuple[Tensor, Tensor, Tensor, Tensor]

WORTH_UPDATES = 1.0e9
"""Cell updates (cells times control steps) from which compilation pays: a cold compilation costs as
much as about a thousand million eager updates on one core."""
AFTER_UPDATES = 5.0e7
"""Cells of eager work after which `Ripening` compiles: 24 antenna patterns of 128^3 cells."""
COMPILERS = ("g++", "clang++", "c++")


@cache
def has_compiler() -> bool:
    """Whether a C++ compiler is there for torch to use."""
    named = os.environ.get("CXX")
    return any(shutil.which(name) for name in ((named,) if named else COMPILERS))


def worth_compiling(cells: int, steps: int, device: torch.device) -> bool:
    """The rule of `engine="auto"`: on the CPU, with a compiler, from `WORTH_UPDATES` on."""
    return device.type == "cpu" and cells * steps >= WORTH_UPDATES and has_compiler()


@dataclass(slots=True, kw_only=True, eq=False)
class Ripening:
    """A function that is compiled once it has earned it.

    For work whose number of calls nobody knows beforehand: after `AFTER_UPDATES` of eager work, about
    what a compilation costs, the rest is compiled.

    Attributes:
        function: Takes flat fields first.
        worked: Cells it has been called with so far, summed over calls.
    """

    function: Callable[..., Tensor]
    worked: int = 0

    def __call__(self, first: Tensor, *others: object, **named: object) -> Tensor:
        """Call it, eagerly or compiled."""
        self.worked += first.numel()
        ripe = self.worked > AFTER_UPDATES and first.device.type == "cpu" and has_compiler()
        function = _compiled(self.function) if ripe and not first.requires_grad else self.function
        return function(first, *others, **named)


@dataclass(slots=True, kw_only=True, eq=False)
class FusedStep:
    """A conduction step with perfusion on either side, on flat fields.

    Attributes:
        shape: The grid's.
        box: Cells that have left baseline.
        law: Temperature over heat content, asked for every cell.
        faces: The operator's coefficients between a cell and the one before it along i, j and k,
            zero where there is none, and to the outside; flat.
        diffusion: The same as an operator on the grid: what is written there is used here.
        edge: Flat numbers of the cells that conduct to the outside.
        buffers: Flat fields with their planes of zeros.
        name: What `run` says about it.
    """

    shape: tuple[int, int, int]
    box: HotBox
    law: HeatLaw
    faces: Faces
    diffusion: Diffusion
    edge: Tensor
    buffers: list[Tensor]
    name: str = "torch compiled"

    @classmethod
    def of(cls, conduction: Conduction, law: HeatLaw, box: HotBox) -> FusedStep:
        """Lay an equation out flat."""
        given, shape = conduction.diffusion, box.shape
        i, j, k = shape
        cells, plane = i * j * k, j * k
        like = given.inner[0]
        first, second, third, outer = (like.new_zeros(cells + extra) for extra in (plane, k, 1, 0))
        views = (
            first[plane:cells].view(i - 1, j, k),
            second[:cells].view(shape)[:, 1:, :],
            third[:cells].view(shape)[:, :, 1:],
        )
        for view, face in zip(views, given.inner, strict=True):
            view.copy_(face)
        border = None
        if given.outer is not None:
            border = outer.view(shape)
            border.copy_(given.outer)
        return cls(
            shape=shape,
            box=box,
            law=law,
            faces=(first, second, third, outer),
            diffusion=Diffusion(inner=views, outer=border),
            edge=outer.nonzero()[:, 0],
            buffers=[like.new_zeros(cells + 2 * plane) for _ in range(5)],
        )

    def step(
        self,
        heat_k: Float[Tensor, "i j k"],
        factor: Float[Tensor, "i j k"],
        conduction: Conduction,
        source: Float[Tensor, "i j k"],
        *,
        step_s: float,
        stages: int,
    ) -> tuple[Tensor, Tensor, float, float]:
        """Half a step of perfusion, one of conduction, half a step of perfusion.

        Args:
            heat_k: Heat content.
            factor: Relative change of excess temperature by blood over half a step, 0 to -1.
            conduction: The equation; its operator is this one's.
            source: Heating in W/m3.
            step_s: Length of the step.
            stages: Evaluations of conduction.

        Returns:
            Heat content (valid until the step after next) and excess temperature afterwards; what
            blood took, and what left through fixed sides and into held cells, in J/m3 over cells.
        """
        inverse, pushed, blood = (
            t.reshape(-1) for t in (conduction.inverse_capacity, source, factor)
        )
        given = self._flat(heat_k)
        first = self._free(given)
        drawn = _compiled(_perfused)(given, blood, inverse, first, self.law)
        if stages == 1:
            lost = step_s * self._outflow(first, conduction, pushed)
            new, dt = self._free(given, first), first.new_tensor(step_s)
            excess, drawn = _compiled(_whole)(
                first, self.faces, inverse, pushed, dt, blood, drawn, new, self.law, self.shape[2]
            )
        else:
            now, lost = self._conducted(given, first, conduction, inverse, pushed, step_s, stages)
            new = self._free(given, first, now)
            excess, drawn = _compiled(_perfused_after)(now, blood, inverse, drawn, new, self.law)
        taken = -total(drawn.view(self.shape))
        return self._inside(new).view(self.shape), excess.view(self.shape), taken, lost

    def _conducted(
        self,
        given: Tensor,
        first: Tensor,
        conduction: Conduction,
        inverse: Tensor,
        pushed: Tensor,
        step_s: float,
        stages: int,
    ) -> tuple[Tensor, float]:
        """The field after conduction, in a buffer, and what left."""
        row = self.shape[2]
        start = torch.empty_like(inverse)
        before = now = first
        lost = lost_before = lost_start = 0.0
        for stage in range(1, stages + 1):
            mu, nu, mu_rate, gamma_rate = rkl2_coefficients(stage, stages)
            weights = first.new_tensor(
                (mu, nu, 1.0 - mu - nu, mu_rate * step_s, gamma_rate * step_s)
            )
            out = self._outflow(now, conduction, pushed)
            new = self._free(given, first, before, now)
            kernel = _compiled(_first_stage if stage == 1 else _stage)
            kernel(
                now, before, first, start, self.faces, inverse, pushed, weights, new, self.law, row
            )
            if stage == 1:
                lost_start, lost_new = out, mu_rate * step_s * out
            else:
                lost_new = mu * lost + nu * lost_before
                lost_new += step_s * (mu_rate * out + gamma_rate * lost_start)
            before, now, lost_before, lost = now, new, lost, lost_new
        return now, lost

    def _outflow(self, flat: Tensor, conduction: Conduction, pushed: Tensor) -> float:
        """What leaves now, in W/m3 over cells: from the border, and into cells that are held."""
        out = 0.0
        if len(self.edge):
            here = self._inside(flat).index_select(0, self.edge)
            if not self.box.keeps_off_the_border:
                here = self.law.excess(here)
            out = float(here.mul_(self.faces[3].index_select(0, self.edge)).sum())
        if conduction.held is not None:
            out += self._into_held(flat, conduction.held, pushed)
        return out

    def _into_held(self, flat: Tensor, held: Tensor, pushed: Tensor) -> float:
        plane, row = self.shape[1] * self.shape[2], self.shape[2]
        first, second, third, outer = self.faces
        here = self.law.excess(flat[held + plane])
        flow = pushed[held] - outer[held] * here
        for face, far in ((first, plane), (second, row), (third, 1)):
            behind = self.law.excess(flat[held + plane - far])
            ahead = self.law.excess(flat[held + plane + far])
            flow = flow + face[held + far] * (ahead - here) - face[held] * (here - behind)
        return float(flow.sum(dtype=torch.float64))

    def _flat(self, heat_k: Tensor) -> Tensor:
        """The buffer that holds this field; a copy where it comes from elsewhere."""
        for buffer in self.buffers:
            if self._inside(buffer).data_ptr() == heat_k.data_ptr():
                return buffer
        buffer = self.buffers[0]
        self._inside(buffer).copy_(heat_k.reshape(-1))
        return buffer

    def _free(self, *used: Tensor) -> Tensor:
        """A buffer that is not in use."""
        return next(b for b in self.buffers if not any(b is u for u in used))

    def _inside(self, flat: Tensor) -> Tensor:
        plane = self.shape[1] * self.shape[2]
        return flat[plane : flat.shape[0] - plane]


def _perfused(given: Tensor, blood: Tensor, inverse: Tensor, out: Tensor, law: HeatLaw) -> Tensor:
    """Half a step of perfusion; returns what it brings per cell, J/m3."""
    plane = (given.shape[0] - blood.shape[0]) // 2
    heat = given[plane : plane + blood.shape[0]]
    change = law.excess(heat) * blood
    out[plane : plane + blood.shape[0]].copy_(heat + change)
    return torch.where(inverse > 0, change / inverse, 0.0)


def _whole(
    first: Tensor,
    faces: Faces,
    inverse: Tensor,
    pushed: Tensor,
    dt: Tensor,
    blood: Tensor,
    drawn: Tensor,
    out: Tensor,
    law: HeatLaw,
    row: int,
) -> tuple[Tensor, Tensor]:
    """An explicit step of conduction and half a step of perfusion after it."""
    plane, rate = _rate(first, faces, inverse, pushed, law, row)
    inside = slice(plane, plane + inverse.shape[0])
    heat = first[inside] + dt * rate
    change = law.excess(heat) * blood
    last = heat + change
    out[inside].copy_(last)
    return law.excess(last), drawn + torch.where(inverse > 0, change / inverse, 0.0)


def _perfused_after(
    given: Tensor, blood: Tensor, inverse: Tensor, drawn: Tensor, out: Tensor, law: HeatLaw
) -> tuple[Tensor, Tensor]:
    """Half a step of perfusion, with the excess temperature afterwards."""
    plane = (given.shape[0] - blood.shape[0]) // 2
    heat = given[plane : plane + blood.shape[0]]
    change = law.excess(heat) * blood
    last = heat + change
    out[plane : plane + blood.shape[0]].copy_(last)
    return law.excess(last), drawn + torch.where(inverse > 0, change / inverse, 0.0)


def _first_stage(
    now: Tensor,
    before: Tensor,  # noqa: ARG001  one signature for all stages
    first: Tensor,  # noqa: ARG001
    start: Tensor,
    faces: Faces,
    inverse: Tensor,
    pushed: Tensor,
    weights: Tensor,
    out: Tensor,
    law: HeatLaw,
    row: int,
) -> None:
    """The stage that starts from the field itself, and keeps its rate."""
    plane, rate = _rate(now, faces, inverse, pushed, law, row)
    cells = inverse.shape[0]
    start.copy_(rate)
    out[plane : plane + cells].copy_(now[plane : plane + cells] + weights[3] * rate)


def _stage(
    now: Tensor,
    before: Tensor,
    first: Tensor,
    start: Tensor,
    faces: Faces,
    inverse: Tensor,
    pushed: Tensor,
    weights: Tensor,
    out: Tensor,
    law: HeatLaw,
    row: int,
) -> None:
    """One stage of RKL2; weights are mu, nu, 1 - mu - nu, mu~ dt and gamma~ dt."""
    plane, rate = _rate(now, faces, inverse, pushed, law, row)
    inside = slice(plane, plane + inverse.shape[0])
    new = weights[0] * now[inside] + weights[1] * before[inside] + weights[2] * first[inside]
    out[inside].copy_(new + weights[3] * rate + weights[4] * start)


def _rate(
    flat: Tensor, faces: Faces, inverse: Tensor, pushed: Tensor, law: HeatLaw, row: int
) -> tuple[int, Tensor]:
    """dheat/dt of every cell, and the length of a plane."""
    cells = inverse.shape[0]
    plane = (flat.shape[0] - cells) // 2
    excess = law.excess(flat)
    here = excess[plane : plane + cells]
    flow = pushed - faces[3] * here
    for face, far in ((faces[0], plane), (faces[1], row), (faces[2], 1)):
        ahead = excess[plane + far : plane + far + cells]
        behind = excess[plane - far : plane - far + cells]
        flow = flow + face[far : far + cells] * (ahead - here) - face[:cells] * (here - behind)
    return plane, flow * inverse


def total(values: Float[Tensor, "*n m"]) -> float:
    """Sum over all cells: rows in the field's precision, their sums in fp64."""
    return float(values.sum(-1).sum(dtype=torch.float64))


@cache
def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function as one loop; compiled at its first call, for fields of any length."""
    with warnings.catch_warnings():  # torch's own compiler imports what torch deprecates
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        return torch.compile(function, dynamic=True)
