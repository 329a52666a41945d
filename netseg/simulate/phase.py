"""Temperature from heat content: boiling (and freezing) as plateaus.

The state of a cell is `heat_k`: its enthalpy above body temperature divided by the heat capacity
of wet tissue, in kelvin. Below the plateau it *is* the excess temperature; on the plateau energy
goes into evaporation. No latent heat can be skipped by a long step, which is the weakness of the
effective-heat-capacity form. Source: Voller & Cross, Int J Heat Mass Transfer 24:545 (1981);
numbers in the tissue files.
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
