"""Heating patterns and how a score's derivative passes back through them.

Forward, a pattern is what the solver's own applicator gives. Backward, the derivative of a score
with respect to the pattern becomes one with respect to the tissue's temperature and vapour, when
the pattern was made, and to the needles' poses. A microwave pattern is a closed form. A
radiofrequency pattern hides a field solve; with A V = s its derivative costs one more solve with
the same symmetric operator: A l = d score/dV, and d score/d p gains -<l, dA/dp V - ds/dp>.
"""

from __future__ import annotations

import math
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

import torch

from netseg.simulate.conjugate import conjugate_gradients
from netseg.simulate.diffusion import Diffusion
from netseg.simulate.electric import sum_over, unit_field
from netseg.simulate.microwave import BLUR_CELLS
from netseg.simulate.multigrid import Multigrid
from netseg.simulate.radiofrequency import heated_conductivity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jaxtyping import Float
    from torch import Tensor

    from netseg.simulate.microwave import MicrowaveAntenna
    from netseg.simulate.needle import Needle
    from netseg.simulate.pose import PosedKernel

FINE = 1e-4  # residual of the field solves; the derivative inherits their error


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Made:
    """A pattern and what its derivative needs.

    Attributes:
        unit_w_m3: Heat per cell for one unit of drive (a watt, or a squared volt).
        potential: The electric potential at one volt; None for microwaves.
        impedance_ohm: The load; None for microwaves.
    """

    unit_w_m3: Float[Tensor, "i j k"]
    potential: Tensor | None = None
    impedance_ohm: float | None = None


class Pattern(Protocol):
    """One generator's needles."""

    def make(self, excess: Tensor, vapour: Tensor) -> Made:
        """The pattern in tissue of this temperature above baseline and share of lost water."""
        ...

    def pull(
        self, bar: Tensor, made: Made, excess: Tensor, vapour: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Take in d score/d pattern; give d score/d excess and d score/d vapour."""
        ...

    def pose_bars(self) -> list[tuple[Tensor, Tensor]]:
        """What was taken in so far, by needle: per mm of the tip and per unit of direction."""
        ...


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
        with _recording():
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


@dataclass(slots=True, kw_only=True, eq=False)
class RadiofrequencyPattern:
    """Needles at one common voltage, ground at the sides.

    Solved on the grid of the heat; the solver may take a coarser one for large fields
    (`coarse.Coarsening`), which moves powers by a percent or so.

    Attributes:
        posed: The needles' kernels.
        sigma_s_m: Conductivity at 37 C per cell.
        spacing_mm: Cell sizes.
        rise_1_k: Relative rise of conductivity per kelvin.
        baseline_c: Temperature of unheated tissue.
        by_voltage: Whether the drive is a squared voltage; watts otherwise.
        tolerance: Residual of the field solves.
    """

    posed: Sequence[PosedKernel]
    sigma_s_m: Float[Tensor, "i j k"]
    spacing_mm: tuple[float, float, float]
    rise_1_k: float = 0.015
    baseline_c: float = 37.0
    by_voltage: bool = False
    tolerance: float = FINE
    _last: Tensor | None = None
    _last_adjoint: Tensor | None = None
    _weights_bar: list[Tensor] = field(init=False)
    _width_bar: list[float] = field(init=False)

    def __post_init__(self) -> None:
        """Nothing taken in yet."""
        self._weights_bar = [torch.zeros_like(p.weights) for p in self.posed]
        self._width_bar = [0.0 for _ in self.posed]

    @property
    def cell_m3(self) -> float:
        """Volume of a cell."""
        return math.prod(self.spacing_mm) * 1e-9

    def make(self, excess: Tensor, vapour: Tensor) -> Made:
        """Solve for the field and take its Joule heat."""
        sigma = self._sigma(excess, vapour)
        solved = unit_field(
            Diffusion.assemble(sigma, self.spacing_mm),
            [(p.kernel, p.kernel.link(sigma)) for p in self.posed],
            cell_m3=self.cell_m3,
            start=torch.zeros_like(sigma) if self._last is None else self._last,
            tolerance=self.tolerance,
        )
        self._last = solved.potential
        unit = solved.joule_w_m3 if self.by_voltage else solved.joule_w_m3 / solved.conductance_s
        return Made(unit_w_m3=unit, potential=solved.potential, impedance_ohm=solved.impedance_ohm)

    def pull(
        self, bar: Tensor, made: Made, excess: Tensor, vapour: Tensor
    ) -> tuple[Tensor, Tensor]:
        """One solve with the transposed, that is the same, operator."""
        if made.potential is None:
            raise ValueError("a radiofrequency pattern keeps its potential; this one has none.")
        shape = (excess.shape[0], excess.shape[1], excess.shape[2])
        t, f, v = (x.detach().clone().requires_grad_() for x in (excess, vapour, made.potential))
        weights = [p.kernel.weights.detach().clone().requires_grad_() for p in self.posed]
        widths = [p.width_m.detach().clone().requires_grad_() for p in self.posed]
        with _recording():
            sigma = self._sigma(t, f)
            conduction = Diffusion.assemble(sigma, self.spacing_mm)
            kernels = [
                p.with_leaves(w, s) for p, w, s in zip(self.posed, weights, widths, strict=True)
            ]
            links = [k.link(sigma) for k in kernels]
            joule, into = conduction.dissipation(v), conduction.apply(v)
            current = v.new_zeros((), dtype=torch.float64)
            for kernel, link in zip(kernels, links, strict=True):
                drop = 1.0 - kernel.feel(v)
                joule = joule + kernel.spread(link * drop.square(), shape) / self.cell_m3
                into = into + kernel.spread(link * drop, shape) / self.cell_m3  # s - A V
                current = current + (link * drop).sum(dtype=torch.float64)
            unit = joule if self.by_voltage else joule / current.to(joule.dtype)
            score = (unit * bar).sum()
        (v_bar,) = torch.autograd.grad(score, v, retain_graph=True)
        adjoint = self._solve(
            conduction, [(k, g) for k, g in zip(kernels, links, strict=True)], v_bar
        )
        bars = torch.autograd.grad(
            [score, into], [t, f, *weights, *widths], [torch.ones_like(score), adjoint]
        )
        for n in range(len(self.posed)):
            self._weights_bar[n] += bars[2 + n]
            self._width_bar[n] += float(bars[2 + len(self.posed) + n])
        return bars[0], bars[1]

    def pose_bars(self) -> list[tuple[Tensor, Tensor]]:
        """Through weights and widths of the kernels."""
        return [
            p.pull(w, s)
            for p, w, s in zip(self.posed, self._weights_bar, self._width_bar, strict=True)
        ]

    def _sigma(self, excess: Tensor, vapour: Tensor) -> Tensor:
        return heated_conductivity(
            self.sigma_s_m,
            excess,
            vapour,
            rise_1_k=self.rise_1_k,
            baseline_c=self.baseline_c,
        )

    @torch.no_grad()
    def _solve(self, conduction: Diffusion, electrodes: list, right: Tensor) -> Tensor:  # pyright: ignore[reportMissingTypeArgument]
        shape = (right.shape[0], right.shape[1], right.shape[2])
        inner = conduction.inner
        plain = Diffusion(
            inner=(inner[0].detach(), inner[1].detach(), inner[2].detach()),
            outer=None if conduction.outer is None else conduction.outer.detach(),
        )
        ties = sum_over(electrodes, lambda k, g: k.spread(g, shape)) / self.cell_m3

        def apply(x: Tensor) -> Tensor:
            out = plain.apply(x).neg_()
            for kernel, link in electrodes:
                out.add_(kernel.spread(link * kernel.feel(x), shape), alpha=1.0 / self.cell_m3)
            return out

        self._last_adjoint, _ = conjugate_gradients(
            apply,
            right,
            start=torch.zeros_like(right) if self._last_adjoint is None else self._last_adjoint,
            tolerance=self.tolerance,
            precondition=Multigrid.of(plain, ties=ties.detach()),
        )
        return self._last_adjoint


@contextmanager
def _recording() -> Iterator[None]:
    """Derivatives are recorded; the solver's checks and norms take numbers out of them on purpose."""
    with torch.enable_grad(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Converting a tensor with requires_grad", UserWarning)
        yield


def _square_distance(axes: list[Tensor], point: Tensor) -> Tensor:
    x, y, z = (a - p for a, p in zip(axes, point, strict=True))
    return (x * x)[:, None, None] + (y * y)[None, :, None] + (z * z)[None, None, :]
