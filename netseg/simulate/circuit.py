"""Several electrodes in one tissue: one field per electrode, and everything else by superposition.

The field of each electrode at one volt, all others held at zero, is solved once for a state of the
tissue. Any connection to a generator is then a sum of these fields: its currents are G V with the
conductance matrix G, its power V^T G V, its heat that of the summed field. Generators therefore work
on a matrix of a few numbers. G is taken from the energy of the fields, not from their fluxes: it is
symmetric and its power equals the heat at any tolerance, and its error is the square of that of
the fields.
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
    from collections.abc import Collection, Sequence

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
        conductance_s: G, symmetric, in fp64.
        tissue: The operator and the needles that the potentials belong to.
        iterations: Of the solves, summed.
    """

    ids: tuple[str, ...]
    potentials: tuple[Float[Tensor, "i j k"], ...]
    conductance_s: Float[np.ndarray, "n n"]
    tissue: Wired
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
        potential = float(volts[0]) * self.potentials[0]
        for volt, unit in zip(volts[1:], self.potentials[1:], strict=True):
            potential.add_(unit, alpha=float(volt))
        return self.tissue.joule_w_m3(potential, [float(v) for v in volts])

    def load_ohm(self, connection: Connection) -> float:
        """Resistance between the generator's poles."""
        return 1.0 / self.power_w(self.volts(connection))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Wired:
    """Tissue with electrodes in it: minus div(sigma grad ·) plus the needles' links.

    Attributes:
        conduction: div(sigma grad ·) with its grounded sides, or none.
        electrodes: Needles by electrode.
        cell_m3: Volume of a cell.
    """

    conduction: Diffusion
    electrodes: tuple[Electrode, ...]
    cell_m3: float

    def apply(self, potential: Float[Tensor, "i j k"]) -> Float[Tensor, "i j k"]:
        """Current out of each cell with all electrodes at zero volts, per volume."""
        out = self.conduction.apply(potential).neg_()
        shape = (out.shape[0], out.shape[1], out.shape[2])
        for kernel, link in (needle for electrode in self.electrodes for needle in electrode):
            fed = kernel.spread(link * kernel.feel(potential), shape)
            out.add_(fed, alpha=1.0 / self.cell_m3)
        return out

    def source(self, electrodes: Sequence[Electrode]) -> Float[Tensor, "i j k"]:
        """Current into each cell at zero volts with these electrodes at one, per volume."""
        out = torch.zeros_like(self.conduction.diagonal())
        shape = (out.shape[0], out.shape[1], out.shape[2])
        for kernel, link in (needle for electrode in electrodes for needle in electrode):
            out.add_(kernel.spread(link, shape), alpha=1.0 / self.cell_m3)
        return out

    def joule_w_m3(
        self, potential: Float[Tensor, "i j k"], volts: Sequence[float]
    ) -> Float[Tensor, "i j k"]:
        """Heat in the tissue and in the needles' near field."""
        heat = self.conduction.dissipation(potential)
        shape = (heat.shape[0], heat.shape[1], heat.shape[2])
        for electrode, volt in zip(self.electrodes, volts, strict=True):
            for kernel, link in electrode:
                near = kernel.spread(link * (volt - kernel.feel(potential)).square(), shape)
                heat.add_(near, alpha=1.0 / self.cell_m3)
        return heat


def solve_circuit(
    tissue: Wired,
    ids: Sequence[str],
    *,
    start: Sequence[Float[Tensor, "i j k"]] = (),
    solved: Collection[str] | None = None,
    tolerance: float = 1e-3,
) -> Circuit:
    """One field per electrode.

    Args:
        tissue: The operator and the electrodes.
        ids: Their names.
        start: First guesses, the potentials of the last circuit; zeros if there are none.
        solved: The electrodes whose field is solved; those of the others stay as they start, which
            leaves an error in G that is the square of theirs. All if not given, or at first.
        tolerance: Residual norm over that of the source.

    Raises:
        StudyRejectedError: If a solve does not converge or meets NaN.
    """
    sources = [tissue.source([e]) for e in tissue.electrodes]
    ties = sources[0].clone()
    for source in sources[1:]:
        ties.add_(source)
    cycle = Multigrid.of(tissue.conduction, ties=ties)
    potentials, iterations = [], 0
    for number, source in enumerate(sources):
        if start and solved is not None and ids[number] not in solved:
            potentials.append(start[number])
            continue
        potential, took = conjugate_gradients(
            tissue.apply,
            source,
            start=start[number] if start else torch.zeros_like(source),
            tolerance=tolerance,
            precondition=cycle,
        )
        potentials.append(potential)
        iterations += took
    return Circuit(
        ids=tuple(ids),
        potentials=tuple(potentials),
        conductance_s=_conductances(tissue, sources, potentials),
        tissue=tissue,
        iterations=iterations,
    )


def _conductances(
    tissue: Wired, sources: Sequence[Tensor], potentials: Sequence[Tensor]
) -> Float[np.ndarray, "n n"]:
    """What two fields dissipate together, for each pair: <u, A v> - <u, b> - <a, v> + links."""
    count = len(potentials)
    matrix = np.zeros((count, count))
    for j in range(count):
        left = tissue.apply(potentials[j]).sub_(sources[j])
        for i in range(j + 1):
            together = (potentials[i] * left).sub_(sources[i] * potentials[j])
            matrix[i, j] = float(together.sum(dtype=torch.float64)) * tissue.cell_m3
        links = sum(float(link.sum(dtype=torch.float64)) for _, link in tissue.electrodes[j])
        matrix[j, j] += links
    return np.triu(matrix) + np.triu(matrix, 1).T
