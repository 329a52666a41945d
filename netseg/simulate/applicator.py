"""How a probe deposits heat: what every physics hands to the heat equation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Deposit:
    """Where one watt goes.

    Attributes:
        per_watt_m3: Heat per cell in W/m3 for one watt of generator power; times the cell volume
            it sums to the applicator's efficiency.
        impedance_ohm: Load that the generator sees; None where it has no meaning.
    """

    per_watt_m3: Float[Tensor, "i j k"]
    impedance_ohm: float | None = None


class Applicator(Protocol):
    """One or more probes driven by one generator."""

    def deposit(self, excess_k: Float[Tensor, "i j k"], vapour: Float[Tensor, "i j k"]) -> Deposit:
        """The pattern in tissue of this temperature above baseline and share of lost water."""
        ...
