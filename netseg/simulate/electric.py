"""Quasi-static electric potential: div(sigma grad V) = 0 with thin needle electrodes.

At 500 kHz, and for the pulses of electroporation, liver conducts more than it displaces, so
Laplace's equation holds. A needle is held at its voltage through its near-field conductance (see
`needle`); everything else follows by scaling and superposition. Solved by conjugate gradients,
multigrid-preconditioned and warm-started; dot products in fp64. Total power is variational: right to the square of the residual.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.simulate.conjugate import conjugate_gradients
from netseg.simulate.diffusion import MM
from netseg.simulate.multigrid import Multigrid

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jaxtyping import Float
    from torch import Tensor

    from netseg.simulate.diffusion import Diffusion
    from netseg.simulate.needle import LineKernel

__all__ = ["UnitField", "conjugate_gradients", "field_strength", "sum_over", "unit_field"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UnitField:
    """The potential of needles at given voltages; ground, where there is one, at zero.

    Attributes:
        potential: Volt per cell.
        joule_w_m3: Heat per cell.
        conductance_s: Power over the square of the largest voltage between two electrodes, or an
            electrode and ground: the current at one volt.
        iterations: Conjugate-gradient iterations that it took.
        line_a_m: Current per length that leaves the metal, per needle and node, in A/m. Close to a
            thin needle the field is line_a_m / (2 pi sigma r) at distance r from its axis, which
            the grid's kernel blurs.
    """

    potential: Float[Tensor, "i j k"]
    joule_w_m3: Float[Tensor, "i j k"]
    conductance_s: float
    iterations: int
    line_a_m: tuple[Float[Tensor, "n"], ...] = ()

    @property
    def impedance_ohm(self) -> float:
        """Resistance between electrodes and ground, or between the electrodes of a pair."""
        return 1.0 / self.conductance_s


def unit_field(
    conduction: Diffusion,
    electrodes: Sequence[tuple[LineKernel, Float[Tensor, "n"]]],
    *,
    cell_m3: float,
    start: Float[Tensor, "i j k"],
    tolerance: float = 1e-3,
    volts: Sequence[float] | None = None,
) -> UnitField:
    """Solve for the potential of needles held at given voltages.

    A pair is `volts=(0.5, -0.5)`; it may lie in a grid whose sides are all insulated, since the
    electrodes' links fix the potential.

    Args:
        conduction: div(sigma grad ·) with its grounded sides, or none.
        electrodes: Each needle's kernel and the near-field conductance of its nodes in S.
        cell_m3: Volume of a cell.
        start: First guess, zeros or the last solution.
        tolerance: Residual norm over that of the source.
        volts: One per needle; every needle at one volt if not given.

    Raises:
        StudyRejectedError: If no current can flow, or the iteration does not converge or meets NaN.
        ValueError: If there is no needle, or not one voltage per needle.
    """
    held = [1.0] * len(electrodes) if volts is None else [float(v) for v in volts]
    span = _largest_voltage(held, len(electrodes), grounded=conduction.outer is not None)
    shape = (start.shape[0], start.shape[1], start.shape[2])

    def apply(v: Tensor) -> Tensor:
        out = conduction.apply(v).neg_()
        for kernel, link in electrodes:
            out.add_(kernel.spread(link * kernel.feel(v), shape), alpha=1.0 / cell_m3)
        return out

    source = torch.zeros_like(start)
    for (kernel, link), volt in zip(electrodes, held, strict=True):
        source.add_(kernel.spread(link, shape), alpha=volt / cell_m3)
    ties = sum_over(electrodes, lambda kernel, link: kernel.spread(link, shape)) / cell_m3
    potential, iterations = conjugate_gradients(
        apply,
        source,
        start=start,
        tolerance=tolerance,
        precondition=Multigrid.of(conduction, ties=ties),
    )
    joule, power, lines = conduction.dissipation(potential), 0.0, []
    for (kernel, link), volt in zip(electrodes, held, strict=True):
        drop = volt - kernel.feel(potential)
        power += volt * float((link * drop).sum(dtype=torch.float64))
        joule = joule + kernel.spread(link * drop.square(), shape) / cell_m3
        lines.append(link * drop / kernel.piece_m)
    return UnitField(
        potential=potential,
        joule_w_m3=joule,
        conductance_s=power / span**2,
        iterations=iterations,
        line_a_m=tuple(lines),
    )


def field_strength(
    potential: Float[Tensor, "i j k"], spacing_mm: tuple[float, float, float]
) -> Float[Tensor, "i j k"]:
    """|E| per cell in V/m: along each axis the mean of what its two faces carry.

    Second order in the spacing inside, one-sided in border cells. Within about two cells of a thin
    needle the kernel blurs the field; there take `UnitField.line_a_m`.
    """
    total = torch.zeros_like(potential)
    for axis, spacing in enumerate(spacing_mm):
        n = potential.shape[axis]
        if n == 1:
            continue
        face = potential.diff(dim=axis) / (spacing * MM)
        along = torch.zeros_like(potential)
        along.narrow(axis, 0, n - 1).add_(face)
        along.narrow(axis, 1, n - 1).add_(face)
        along.narrow(axis, 1, n - 2).mul_(0.5)
        total.addcmul_(along, along)
    return total.sqrt_()


def sum_over(
    electrodes: Sequence[tuple[LineKernel, Tensor]],
    part: Callable[[LineKernel, Tensor], Tensor],
) -> Tensor:
    """Add one contribution per needle.

    Raises:
        ValueError: If there is no needle.
    """
    if not electrodes:
        raise ValueError("an electric field needs at least one electrode; got none.")
    total = part(*electrodes[0])
    for electrode in electrodes[1:]:
        total = total + part(*electrode)
    return total


def _largest_voltage(volts: Sequence[float], needles: int, *, grounded: bool) -> float:
    """Between any two electrodes, or an electrode and ground."""
    if needles == 0:
        raise ValueError("an electric field needs at least one electrode; got none.")
    if len(volts) != needles:
        raise ValueError(f"one voltage per needle is needed; got {len(volts)} for {needles}.")
    ends = [*volts, 0.0] if grounded else volts
    span = max(ends) - min(ends)
    if span == 0:
        where = "and the ground " if grounded else "and every side of the grid is insulated "
        raise StudyRejectedError(
            Code.SIMULATION_REFUSED,
            f"no current can flow: every electrode is at {volts[0]:g} V {where}lets none return.",
            hint="Give a pair opposite voltages, or ground the sides of the grid.",
        )
    return span
