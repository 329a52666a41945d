"""What the heat equation asks of a tissue: temperature from heat content.

The state of a cell is its enthalpy above body temperature over the heat capacity that
`inverse_capacity` stands for, in kelvin. A law turns it into temperature. Boiling
(`phase.PhaseLaw`) and freezing are plateaus of such a law; a heat capacity that changes with
temperature is its slope: dT/dheat = c at body temperature over c(T). No heat can be lost or made
by a change of the slope, which a factor in front of dT/dt cannot promise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor


class HeatLaw(Protocol):
    """Temperature over heat content."""

    @property
    def latent_k(self) -> float:
        """Heat of the change of phase over the heat capacity, in kelvin, signed like heat content.

        Positive where water leaves as steam; negative where it freezes.
        """
        ...

    def excess(self, heat_k: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Temperature above baseline; rises with heat content everywhere."""
        ...

    def vapour(self, heat_k: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Share of the tissue's water that has changed phase (steam or ice), 0 to 1."""
        ...

    def steepest(self, highest_heat_k: float) -> float:
        """Largest dT/dheat that a field up to this heat content can meet; sets the stable step."""
        ...
