"""Several electrodes in one tissue: one field per electrode, and everything else by superposition.

The field of each electrode at one volt, all others held at zero, is solved once for a state of the
tissue. Any connection to a generator is then a sum of these fields: its currents are G V with the
conductance matrix G, its power V^T G V, its heat the sum of V_i V_j Q_ij. Generators therefore work
on a matrix of a few numbers. G is taken from the energy of the fields, not from their fluxes: it is
symmetric and its power equals the heat by construction, at any tolerance, and its error is the
square of that of the fields.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.simulate.conjugate import conjugate_gradients
from netseg.simulate.multigrid import Multigrid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float
    from torch import Tensor

    from netseg.simulate.diffusion import Diffusion
    from netseg.simulate.needle import LineKernel

Electrode = tuple[tuple["LineKernel", "Tensor"], ...]
"""The needles of one electrode, all at one potential: kernel and near-field conductance in S."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """How a generator is connected: from electrodes to others, or to the grounding pad.

    Electrodes that are named on neither side float: they carry no net current.

    Attributes:
        plus: Names of the electrodes at the generator's one pole.
        minus: At the other; empty for the pad.
    """

    plus: tuple[str, ...]
    minus: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Keep the poles apart."""
        if not self.plus or set(self.plus) & set(self.minus):
            raise StudyRejectedError(
                Code.SIMULATION_REFUSED,
                "a connection needs an electrode, and none at both poles; got "
                f"{', '.join(self.plus) or 'none'} against {', '.join(self.minus) or 'the pad'}.",
            )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Circuit:
    """Electrodes and tissue as a generator sees them.

    Attributes:
        ids: Names of the electrodes.
        potentials: Of each electrode at one volt with the others at zero.
        heat_w_m3: Q_ij for i <= j, row by row; mixed terms may be negative, their sums may not.
        conductance_s: G, symmetric, in fp64.
        iterations: Of the solves, summed.
    """

    ids: tuple[str, ...]
    potentials: tuple[Float[Tensor, "i j k"], ...]
    heat_w_m3: tuple[Float[Tensor, "i j k"], ...]
    conductance_s: Float[np.ndarray, "n n"]
    iterations: int

    def volts(self, connection: Connection) -> Float[np.ndarray, "n"]:
        """Potentials of all electrodes at one volt of the generator.

        A generator between electrodes is isolated from the pad: what leaves one pole returns to
        the other.
        """
        pole = [
            0 if name in connection.plus else 1 if name in connection.minus else 2 + n
            for n, name in enumerate(self.ids)
        ]
        groups = sorted(set(pole))
        member = np.array([[p == g for g in groups] for p in pole], dtype=float)
        grouped = member.T @ self.conductance_s @ member
        rows, right = [], []
        for row, group in enumerate(groups):
            if group >= 2:  # floating: no net current
                rows.append(grouped[row])
                right.append(0.0)
        scale = float(np.abs(grouped).max())
        across = np.zeros(len(groups))
        across[0] = scale
        if connection.minus:
            across[1] = -scale
            rows.append(grouped[0] + grouped[1])
            right.append(0.0)
        rows.append(across)
        right.append(scale)
        return member @ np.linalg.lstsq(np.array(rows), np.array(right), rcond=None)[0]

    def power_w(self, volts: Sequence[float] | Float[np.ndarray, "n"]) -> float:
        """V^T G V."""
        v = np.asarray(volts, dtype=float)
        return float(v @ self.conductance_s @ v)

    def joule_w_m3(self, volts: Sequence[float] | Float[np.ndarray, "n"]) -> Float[Tensor, "i j k"]:
        """Heat per cell; times the cell volume it sums to `power_w`."""
        heat = torch.zeros_like(self.potentials[0])
        for (i, j), part in zip(_pairs(len(self.ids)), self.heat_w_m3, strict=True):
            weight = float(volts[i]) * float(volts[j]) * (1.0 if i == j else 2.0)
            if weight:
                heat.add_(part, alpha=weight)
        return heat.clamp_min_(0.0)

    def load_ohm(self, connection: Connection) -> float:
        """Resistance between the generator's poles."""
        return 1.0 / self.power_w(self.volts(connection))


def solve_circuit(
    conduction: Diffusion,
    electrodes: Sequence[Electrode],
    ids: Sequence[str],
    *,
    cell_m3: float,
    start: Sequence[Float[Tensor, "i j k"]] = (),
    tolerance: float = 1e-3,
) -> Circuit:
    """One field per electrode.

    Args:
        conduction: div(sigma grad ·) with its grounded sides, or none.
        electrodes: Needles by electrode.
        ids: Their names.
        cell_m3: Volume of a cell.
        start: First guesses, the potentials of the last circuit; zeros if there are none.
        tolerance: Residual norm over that of the source.

    Raises:
        StudyRejectedError: If a solve does not converge or meets NaN.
    """
    like = conduction.diagonal()
    shape = (like.shape[0], like.shape[1], like.shape[2])
    needles = [needle for electrode in electrodes for needle in electrode]

    def source(needles: Sequence[tuple[LineKernel, Tensor]]) -> Tensor:
        out = torch.zeros_like(like)
        for kernel, link in needles:
            out.add_(kernel.spread(link, shape), alpha=1.0 / cell_m3)
        return out

    def apply(v: Tensor) -> Tensor:
        out = conduction.apply(v).neg_()
        for kernel, link in needles:
            out.add_(kernel.spread(link * kernel.feel(v), shape), alpha=1.0 / cell_m3)
        return out

    cycle = Multigrid.of(conduction, ties=source(needles))
    potentials, iterations = [], 0
    for number, electrode in enumerate(electrodes):
        first = start[number] if start else torch.zeros_like(like)
        potential, took = conjugate_gradients(
            apply, source(electrode), start=first, tolerance=tolerance, precondition=cycle
        )
        potentials.append(potential)
        iterations += took
    heats = _heats(conduction, electrodes, potentials, cell_m3)
    matrix = np.zeros((len(ids), len(ids)))
    for (i, j), heat in zip(_pairs(len(ids)), heats, strict=True):
        matrix[i, j] = matrix[j, i] = float(heat.sum(dtype=torch.float64)) * cell_m3
    return Circuit(
        ids=tuple(ids),
        potentials=tuple(potentials),
        heat_w_m3=heats,
        conductance_s=matrix,
        iterations=iterations,
    )


def _pairs(count: int) -> list[tuple[int, int]]:
    return [(i, j) for i in range(count) for j in range(i, count)]


def _heats(
    conduction: Diffusion,
    electrodes: Sequence[Electrode],
    potentials: Sequence[Tensor],
    cell_m3: float,
) -> tuple[Tensor, ...]:
    """Q_ij: what two fields dissipate together, in the tissue and in the needles' near field."""
    shape = potentials[0].shape
    jumps = [[v.diff(dim=axis) for axis in range(3)] for v in potentials]
    drops = [
        [
            (1.0 if owner == number else 0.0) - kernel.feel(v)
            for owner, electrode in enumerate(electrodes)
            for kernel, _ in electrode
        ]
        for number, v in enumerate(potentials)
    ]
    needles = [needle for electrode in electrodes for needle in electrode]
    heats = []
    for i, j in _pairs(len(potentials)):
        out = torch.zeros_like(potentials[0])
        if conduction.outer is not None:
            out.addcmul_(conduction.outer * potentials[i], potentials[j])
        for axis, face in enumerate(conduction.inner):
            share = (face * jumps[i][axis]).mul_(jumps[j][axis]).mul_(0.5)
            out.narrow(axis, 0, share.shape[axis]).add_(share)
            out.narrow(axis, 1, share.shape[axis]).add_(share)
        for (kernel, link), one, other in zip(needles, drops[i], drops[j], strict=True):
            near = kernel.spread(link * one * other, (shape[0], shape[1], shape[2]))
            out.add_(near, alpha=1.0 / cell_m3)
        heats.append(out)
    return tuple(heats)
