"""Thermal conductivity that follows temperature and phase.

A law gives k per cell from the state of the tissue; the faces of the operator are made anew from it
(lagged: with the temperature at the start of a step). Liver conducts about 0.25 % better per kelvin
until its water boils; ice conducts four times better than tissue.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.simulate.diffusion import FACES, Diffusion

if TYPE_CHECKING:
    from collections.abc import Collection

    from jaxtyping import Float
    from torch import Tensor

    from netseg.simulate.hot import HotBox

MOST_RISE_1_K = 0.05
"""A relative rise beyond this per kelvin is a slip of units: the literature goes to 0.7 %."""


class ConductivityLaw(Protocol):
    """k of one cell in its present state."""

    def k_w_mk(
        self,
        base_w_mk: Float[Tensor, "*n"],
        excess_k: Float[Tensor, "*n"],
        changed: Float[Tensor, "*n"],
    ) -> Float[Tensor, "*n"]:
        """Conductivity, positive everywhere.

        Args:
            base_w_mk: Conductivity of each cell's tissue at baseline temperature, W/(m K).
            excess_k: Temperature above baseline, kelvin.
            changed: Share of the water that is steam or ice, 0 to 1 (`HeatLaw.vapour`).
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RisingConductivity:
    """k0 (1 + b dT), constant beyond boiling.

    b is 0.0025 1/K in the MEVIS parameter set (k 0.437 W/(m K), Kroger et al.), 0 to 0.0033 W/(m K2)
    over 0.46 to 0.57 W/(m K) in Hall et al. (2015), who cap k at 100 C as well. Dried tissue keeps
    the value at the cap: its conductivity is not in these sources.

    Attributes:
        rise_1_k: b, relative to k at baseline.
        highest_excess_k: Temperature above baseline from which k rises no more (63 K from 37 C).
        lowest_excess_k: And below which it falls no more.
    """

    rise_1_k: float
    highest_excess_k: float = 63.0
    lowest_excess_k: float = -40.0

    def __post_init__(self) -> None:
        """Keep k positive and the slope in kelvin, not in percent."""
        if not (math.isfinite(self.rise_1_k) and abs(self.rise_1_k) <= MOST_RISE_1_K):
            raise StudyRejectedError(
                Code.SIMULATION_REFUSED,
                f"k may change by at most {MOST_RISE_1_K} of its value per kelvin; got "
                f"{self.rise_1_k}.",
                hint="k_rise_1_k is relative: 0.0025 is a quarter of a percent per kelvin.",
            )
        ends = (self.lowest_excess_k, self.highest_excess_k)
        if not ends[0] <= 0 <= ends[1] or min(1 + self.rise_1_k * e for e in ends) <= 0:
            raise StudyRejectedError(
                Code.SIMULATION_REFUSED,
                f"k (1 + {self.rise_1_k} dT) must stay positive between {ends[0]} and {ends[1]} K, "
                "an interval around zero.",
            )

    def k_w_mk(
        self,
        base_w_mk: Float[Tensor, "*n"],
        excess_k: Float[Tensor, "*n"],
        changed: Float[Tensor, "*n"],  # noqa: ARG002  dried liver: no source says
    ) -> Float[Tensor, "*n"]:
        """Conductivity at this temperature."""
        bounded = excess_k.clamp(self.lowest_excess_k, self.highest_excess_k)
        return base_w_mk * (1.0 + self.rise_1_k * bounded)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VaryingConductivity:
    """What is needed to make the operator anew.

    Attributes:
        base_w_mk: Conductivity at baseline per cell.
        law: How it changes.
        spacing_mm: Cell sizes.
        fixed: Sides whose outside is held at baseline temperature.
        film: Film coefficient of cells that are flowing blood, zero elsewhere, W/(m2 K).
        refresh_k: The operator is made anew once a cell's temperature has changed by this much
            since it was made; zero does so at every step. At 1 K liver's k is late by 0.25 %.
    """

    base_w_mk: Float[Tensor, "i j k"]
    law: ConductivityLaw
    spacing_mm: tuple[float, float, float]
    fixed: Collection[str] = FACES
    film: Float[Tensor, "i j k"] | None = None
    refresh_k: float = 1.0

    def at(self, excess_k: Float[Tensor, "i j k"], changed: Float[Tensor, "i j k"]) -> Diffusion:
        """The operator for tissue in this state.

        Raises:
            ValueError: If the law gives a conductivity that is not positive and finite.
        """
        k = self.law.k_w_mk(self.base_w_mk, excess_k, changed)
        return Diffusion.assemble(k, self.spacing_mm, fixed=self.fixed, film=self.film)

    def part(self, box: HotBox) -> VaryingConductivity:
        """The same for the cells of a box; sides that are not the grid's become insulated."""
        touched = [
            side
            for axis, name in enumerate("ijk")
            for side, meets in (
                (name + "-", box.low[axis] == 0),
                (name + "+", box.high[axis] == box.shape[axis]),
            )
            if meets and side in self.fixed
        ]
        film = None if self.film is None else box.of(self.film)
        return replace(self, base_w_mk=box.of(self.base_w_mk), film=film, fixed=touched)


def varying_conductivity(
    base_w_mk: Float[Tensor, "i j k"],
    law: ConductivityLaw | None,
    *,
    spacing_mm: tuple[float, float, float],
    film: Float[Tensor, "i j k"] | None = None,
) -> VaryingConductivity | None:
    """A law on a grid, or nothing where conductivity is constant."""
    if law is None:
        return None
    return VaryingConductivity(base_w_mk=base_w_mk, law=law, spacing_mm=spacing_mm, film=film)
