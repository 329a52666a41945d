"""Vessels thinner than a cell: lines that draw heat.

A vessel of this kind is a needle of blood at body temperature: the kernel, the well index and the
film of laminar flow in series, 2 pi l / (ln(r_k / a)/k + 1/(h a)). It is smooth in the vessel's pose
and needs no cell of its own. Its blood is taken to stay at body temperature over its whole length,
which is right for vessels over a few tenths of a millimetre: thinner ones come into balance with the
tissue within a centimetre, and belong to perfusion (Chen & Holmes 1980, recalled, not read).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import torch

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.simulate.needle import LineKernel, Needle

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from netseg.domain.grid import Grid
    from netseg.simulate.vessel import Vessel

THINNEST_MM = 0.3
"""Thinner vessels do not keep body temperature; they are part of perfusion."""

WIDE_CELLS = 2.0
"""From this many cells on a vessel is made of cells (`vessel.film_w_m2k`); below it is a line. The
line needs a kernel wider than the vessel, which ends at 2.7 cells."""


def by_width(
    vessels: tuple[Vessel, ...], grid: Grid
) -> tuple[tuple[Vessel, ...], tuple[Vessel, ...]]:
    """Vessels wide enough to be made of cells, and those that are lines on this grid."""
    limit_mm = WIDE_CELLS * max(grid.spacing_mm)
    wide = tuple(v for v in vessels if v.diameter_mm >= limit_mm)
    return wide, tuple(v for v in vessels if v.diameter_mm < limit_mm)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BloodLine:
    """One thin vessel on a grid.

    Attributes:
        kernel: How it meets the grid.
        link_w_k: Conductance of each node from what its kernel feels to the blood.
    """

    kernel: LineKernel
    link_w_k: Float[Tensor, "n"]

    @classmethod
    def place(cls, vessel: Vessel, grid: Grid, k_w_mk: Float[Tensor, "i j k"]) -> Self:
        """Lay a vessel into a grid.

        Args:
            vessel: Thinner than a cell.
            grid: Its axes are orthogonal.
            k_w_mk: Conductivity of tissue at baseline.

        Raises:
            StudyRejectedError: If it is too thin to hold its temperature, or does not pass through
                the grid.
        """
        if vessel.diameter_mm < THINNEST_MM:
            raise StudyRejectedError(
                Code.SIMULATION_REFUSED,
                f"a vessel of {vessel.diameter_mm:.2f} mm is no heat sink of its own: blood takes "
                f"the tissue's temperature in vessels under {THINNEST_MM} mm.",
                hint="Leave it out: it is part of the tissue's perfusion.",
            )
        piece = _inside(vessel, grid)
        length = float(np.linalg.norm(piece[1] - piece[0]))
        local = (piece[1] - piece[0]) / max(length, 1e-12)
        needle = Needle(
            tip_mm=(float(piece[0][0]), float(piece[0][1]), float(piece[0][2])),
            direction=(float(local[0]), float(local[1]), float(local[2])),
            active_length_mm=length,
            diameter_mm=vessel.diameter_mm,
        )
        kernel = LineKernel.embed(needle, grid.shape, grid.spacing_mm, like=k_w_mk, clip=True)
        return cls(kernel=kernel, link_w_k=kernel.link(k_w_mk, surface_w_m2k=vessel.film_w_m2k))

    def draw(
        self, source: Float[Tensor, "i j k"], excess_k: Float[Tensor, "i j k"], cell_m3: float
    ) -> float:
        """Take from a heat source in W/m3 what the blood carries away now; returns the watts."""
        drawn = self.link_w_k * self.kernel.feel(excess_k)
        shape = (excess_k.shape[0], excess_k.shape[1], excess_k.shape[2])
        source.sub_(self.kernel.spread(drawn, shape), alpha=1.0 / cell_m3)
        return float(drawn.sum(dtype=torch.float64))


def _inside(vessel: Vessel, grid: Grid) -> Float[np.ndarray, "2 3"]:
    """Ends of the piece within the grid's box, in mm along the grid's axes from its first centre.

    Raises:
        StudyRejectedError: If there is none.
    """
    sizes = np.array(grid.spacing_mm)
    ends = grid.to_index(np.stack([vessel.from_mm.as_array(), vessel.to_mm.as_array()])) * sizes
    low, high = -0.5 * sizes, (np.array(grid.shape) - 0.5) * sizes
    way = ends[1] - ends[0]
    first, last = 0.0, 1.0
    for axis in range(3):
        if abs(way[axis]) < 1e-9:
            if not low[axis] <= ends[0][axis] <= high[axis]:
                last = -1.0
            continue
        shares = (np.array([low[axis], high[axis]]) - ends[0][axis]) / way[axis]
        a, b = float(shares.min()), float(shares.max())
        first, last = max(first, a), min(last, b)
    if last - first <= 1e-9:
        raise StudyRejectedError(
            Code.SIMULATION_REFUSED,
            f"the vessel of {vessel.diameter_mm:.1f} mm does not pass through the grid.",
            hint="Leave it out, or check that plan and image use the same LPS coordinates.",
        )
    return ends[0] + np.array([[first], [last]]) * way
