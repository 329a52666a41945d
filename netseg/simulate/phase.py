"""Temperature from heat content: boiling and freezing as plateaus.

The state of a cell is `heat_k`: its enthalpy above body temperature divided by the heat capacity
of wet tissue, in kelvin. Below the plateau it *is* the excess temperature; on the plateau energy
goes into evaporation. No latent heat can be skipped by a long step, which is the weakness of the
effective-heat-capacity form. Source: Voller & Cross, Int J Heat Mass Transfer 24:545 (1981);
numbers in the tissue files.

Where conductivity changes with the state as well, as in ice, the law also gives the conduction
potential, the integral of k dT over k of wet tissue (Kirchhoff's transform): heat flows along its
gradient with a constant conductivity, so that no face between ice and water needs a mean of both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseLaw:
    """Piecewise linear temperature over heat content; T = heat below the first knot.

    Attributes:
        starts_k: Excess temperature at which boiling begins (100 C is 63 above 37 C).
        latent_k: Latent heat of the tissue's water over its heat capacity, in kelvin; 0 switches
            the plateau off.
        width_k: Temperature span over which the water leaves (1 to 10 K in the literature).
        dry_slope: Heat capacity of wet tissue over that of dried tissue, per volume.
    """

    starts_k: float = 63.0
    latent_k: float = 0.0
    width_k: float = 2.0
    dry_slope: float = 1.0

    def __post_init__(self) -> None:
        """Keep temperature rising with heat."""
        if self.latent_k < 0 or self.width_k < 0 or self.dry_slope <= 0:
            raise ValueError(
                "latent_k and width_k must not be negative and dry_slope must be positive; got "
                f"{self.latent_k}, {self.width_k}, {self.dry_slope}."
            )

    def excess(self, heat_k: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Temperature above baseline for each heat content."""
        if self.latent_k == 0:
            return heat_k
        above = (heat_k - self.starts_k).clamp_min(0)
        wet = heat_k.clamp_max(self.starts_k)
        slope = self.width_k / self.latent_k
        dry = (above - self.latent_k).clamp_min(0)
        return wet.add_(above, alpha=slope).add_(dry, alpha=self.dry_slope - slope)

    def vapour(self, heat_k: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Share of the tissue's water that has left, 0 to 1."""
        if self.latent_k == 0:
            return heat_k.new_zeros(heat_k.shape)
        return ((heat_k - self.starts_k) / self.latent_k).clamp(0, 1)

    def steepest(self, highest_heat_k: float) -> float:
        """Largest dT/dheat that a field up to this heat content meets; sets the stable step."""
        if self.latent_k and highest_heat_k > self.starts_k + self.latent_k:
            return max(1.0, self.dry_slope)
        return 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezingLaw:
    """Piecewise linear temperature over heat content, with ice below; T = heat above the plateau.

    Attributes:
        starts_k: Excess temperature at which freezing begins (272 K is -38.15 at 37 C).
        plateau_k: Enthalpy given off on the plateau over the heat capacity of wet tissue, in kelvin.
        width_k: Temperature span of the plateau; 0 freezes at one temperature, like pure water.
        ice_slope: Heat capacity of wet tissue over that of frozen tissue.
        mushy_conduction: k on the plateau over k of wet tissue.
        ice_conduction: k of frozen tissue over k of wet tissue.
    """

    starts_k: float = -38.15
    plateau_k: float = 69.4
    width_k: float = 7.0
    ice_slope: float = 1.935
    mushy_conduction: float = 2.5
    ice_conduction: float = 4.0

    def __post_init__(self) -> None:
        """Keep temperature and conduction rising with heat."""
        positive = (self.plateau_k, self.ice_slope, self.mushy_conduction, self.ice_conduction)
        if self.starts_k >= 0 or self.width_k < 0 or min(positive) <= 0:
            raise ValueError(
                "starts_k must lie below 0 (tissue is not frozen at its baseline), width_k must "
                "not be negative, plateau_k and the ratios must be positive; got "
                f"{self.starts_k}, {self.width_k} and {positive}."
            )

    @property
    def latent_k(self) -> float:
        """Heat of freezing, signed like heat content: negative."""
        return -self.plateau_k

    @property
    def ends_k(self) -> float:
        """Excess temperature at which all water has frozen."""
        return self.starts_k - self.width_k

    def slopes(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Of temperature and of conduction potential over heat: on the plateau, in ice."""
        plateau = self.width_k / self.plateau_k
        return (plateau, self.ice_slope), (
            plateau * self.mushy_conduction,
            self.ice_slope * self.ice_conduction,
        )

    def excess(self, heat_k: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Temperature above baseline for each heat content."""
        return self._bent(heat_k, *self.slopes()[0])

    def potential(self, heat_k: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Conduction potential, in kelvin of wet tissue, zero at baseline."""
        return self._bent(heat_k, *self.slopes()[1])

    def vapour(self, heat_k: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Share of the tissue's water that is ice, 0 to 1."""
        return ((self.starts_k - heat_k) / self.plateau_k).clamp(0, 1)

    def potential_of(self, excess_k: float) -> float:
        """Conduction potential of a temperature above baseline."""
        plateau = min(max(excess_k, self.ends_k), self.starts_k) - self.starts_k
        ice = min(excess_k - self.ends_k, 0.0)
        wet = max(excess_k, self.starts_k)
        return wet + self.mushy_conduction * plateau + self.ice_conduction * ice

    def steepest(self, lowest_heat_k: float) -> float:
        """Largest d potential/d heat that a field down to this content meets; for the step."""
        (_, _), (plateau, ice) = self.slopes()
        if lowest_heat_k >= self.starts_k:
            return 1.0
        frozen_through = lowest_heat_k <= self.starts_k - self.plateau_k
        return max(1.0, plateau, ice if frozen_through else 0.0)

    def _bent(self, heat_k: Tensor, plateau: float, ice: float) -> Tensor:
        """Slope 1 down to the plateau, `plateau` over it, `ice` below."""
        below = (self.starts_k - heat_k).clamp_min(0)
        deep = (below - self.plateau_k).clamp_min(0)
        wet = heat_k.clamp_min(self.starts_k)
        return wet.sub(below, alpha=plateau).sub(deep, alpha=ice - plateau)
