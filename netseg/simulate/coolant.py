"""Needles that carry heat away: internally cooled electrodes, and cryo probes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import torch

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from torch import Tensor

    from netseg.simulate.needle import LineKernel
    from netseg.simulate.phase import FreezingLaw


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Coolant:
    """A needle that carries heat away (or brings cold).

    Attributes:
        kernel: How it meets the grid.
        link_w_k: Conductance of each node to its surroundings.
        excess_k: The coolant's temperature above tissue baseline.
    """

    kernel: LineKernel
    link_w_k: Float[Tensor, "n"]
    excess_k: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ColdLine:
    """A cryo probe: metal tied to gas of a given temperature, in tissue that turns to ice.

    Near the metal heat flows radially, so that what passes is the same through ice, slush and
    water: 2 pi k (potential felt - potential at the metal) / ln(r_k / a) with the conduction
    potential of `FreezingLaw`. The link needs no renewing as ice grows.

    Attributes:
        cells: Flat indices of all cells under the needle's kernels.
        weights: Share of each of them in each node.
        near_w_k: Conductance from each node's kernel to the metal in unfrozen tissue.
        film_w_k: Conductance from metal to gas per node; None holds the metal at gas temperature.
        duty: Share of the time that gas flows, as the mean over the valve's period; scales what
            passes.
    """

    cells: Int[Tensor, "m"]
    weights: Float[Tensor, "n m"]
    near_w_k: Float[Tensor, "n"]
    film_w_k: Float[Tensor, "n"] | None = None
    duty: float = 1.0

    @classmethod
    def place(
        cls,
        kernel: LineKernel,
        k_w_mk: Float[Tensor, "i j k"],
        *,
        film_w_m2k: float | None = None,
        duty: float = 1.0,
    ) -> Self:
        """A probe in tissue.

        Args:
            kernel: How it meets the grid.
            k_w_mk: Conductivity of unfrozen tissue per cell.
            film_w_m2k: Heat transfer coefficient between metal and gas.
            duty: Share of the time that gas flows, over 0 to 1.

        Raises:
            StudyRejectedError: If film or duty is impossible, or the grid finer than the needle.
        """
        if not 0 < duty <= 1:
            raise StudyRejectedError(
                Code.CONFIG_RANGE,
                f"duty is the share of time that gas flows, over 0 and up to 1; got {duty}.",
                hint="70 % is 0.7.",
            )
        if film_w_m2k is not None and not film_w_m2k > 0:
            raise StudyRejectedError(
                Code.CONFIG_RANGE, f"film_w_m2k must be positive; got {film_w_m2k}."
            )
        cells, inverse = kernel.cells.unique(return_inverse=True)
        weights = kernel.weights.new_zeros(len(kernel.cells), len(cells))
        weights.scatter_add_(1, inverse, kernel.weights)
        near = kernel.link(k_w_mk)
        film = None
        if film_w_m2k is not None:
            around = 2.0 * torch.pi * kernel.radius_m * kernel.piece_m
            film = torch.full_like(near, film_w_m2k * around)
        return cls(cells=cells, weights=weights, near_w_k=near, film_w_k=film, duty=duty)

    def renumbered(self, cells: Int[Tensor, "m"]) -> Self:
        """The same probe in another numbering of the cells."""
        return replace(self, cells=cells)

    def drawn_w(
        self, potential_k: Float[Tensor, "m"], law: FreezingLaw, excess_k: float
    ) -> Float[Tensor, "n"]:
        """Heat that each node takes from the tissue, negative where it warms.

        Args:
            potential_k: Conduction potential of the needle's `cells`.
            law: Of the tissue.
            excess_k: The gas's temperature above baseline.
        """
        felt = self.weights @ potential_k
        if self.film_w_k is None:
            return (felt - law.potential_of(excess_k)) * (self.near_w_k * self.duty)
        return self._through_film(felt, self.film_w_k, law, excess_k) * self.duty

    def _through_film(self, felt: Tensor, film: Tensor, law: FreezingLaw, gas: float) -> Tensor:
        """Solve near (felt - potential(T)) = film (T - gas) for the metal's temperature T.

        Potential is linear in T in each state of the tissue at the metal, so that each state has
        its closed form; which one holds shows at the temperatures between them.
        """
        near, start, end = self.near_w_k, law.starts_k, law.ends_k

        def through(k: float, at: float) -> Tensor:
            reach = felt - law.potential_of(at) + k * (at - gas)
            return near * film * reach / (near * k + film)

        def warmer(at: float) -> Tensor:
            return near * (felt - law.potential_of(at)) >= film * (at - gas)

        slush = through(law.mushy_conduction, start)
        frozen = torch.where(warmer(end), slush, through(law.ice_conduction, end))
        return torch.where(warmer(start), through(1.0, start), frozen)
