"""The way back through a radiofrequency pattern, which hides a field solve.

With A V = s its derivative costs one more solve with the same symmetric operator:
A l = d score/dV, and d score/dp gains -<l, dA/dp V - ds/dp>.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from netseg.simulate.conjugate import conjugate_gradients
from netseg.simulate.diffusion import Diffusion
from netseg.simulate.electric import sum_over, unit_field
from netseg.simulate.multigrid import Multigrid
from netseg.simulate.pattern import Made, recording
from netseg.simulate.radiofrequency import heated_conductivity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float
    from torch import Tensor

    from netseg.simulate.pose import PosedKernel

FINE = 1e-4  # residual of the field solves; the derivative inherits their error


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
        with recording():
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
