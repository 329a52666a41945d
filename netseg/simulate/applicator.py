"""How a probe deposits heat: what every physics hands to the heat equation.

An applicator with one way of heating (a microwave antenna) is an `Applicator`. Electrodes that a
generator may connect in several ways (one after another, in pairs, all together) are a
`ManyWays`: they are brought up to date once for a state of the tissue, tell the load of every
connection, and give the heat of the one that the generator chooses. Electrodes and their generator
are made from the same protocol:

    electrodes = build_rfa(needles, ids, sigma_s_m, spacing_mm, tissue, protocol)
    outcome = run(problem, electrodes, controller_for(protocol), models, timing)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

State = tuple["Tensor", "Tensor"]
"""Temperature above baseline, and share of lost water."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Deposit:
    """Where one watt goes.

    Attributes:
        per_watt_m3: Heat per cell in W/m3 for one watt of generator power; times the cell volume
            it sums to the applicator's efficiency. Of a window, the sum is that of the window.
        impedance_ohm: Load that the generator sees; None where it has no meaning.
        beyond_w: Heat of each block of cells beyond the window, in W for one watt; None where the
            whole grid is computed cell by cell.
    """

    per_watt_m3: Float[Tensor, "i j k"]
    impedance_ohm: float | None = None
    beyond_w: Float[Tensor, "a b c"] | None = None


class Applicator(Protocol):
    """One or more probes driven by one generator."""

    def deposit(self, excess_k: Float[Tensor, "i j k"], vapour: Float[Tensor, "i j k"]) -> Deposit:
        """The pattern in tissue of this temperature above baseline and share of lost water."""
        ...


@runtime_checkable
class ManyWays(Applicator, Protocol):
    """An applicator that its generator connects in several ways."""

    def renew(
        self,
        excess_k: Float[Tensor, "i j k"],
        vapour: Float[Tensor, "i j k"],
        number: int | None = None,
    ) -> tuple[float, ...]:
        """Take in the state of the tissue; the load of every connection in ohm.

        With the number of a connection its field is exact, those of others as good as they were.
        """
        ...

    def way(self, number: int) -> Deposit:
        """The pattern of one connection, for the state that was taken in last."""
        ...

    def drift(self, before: State, after: State, heat_w_m3: Float[Tensor, "a b c"]) -> float:
        """How far the tissue has moved on, as a share: what the load changes by, to first order.

        Args:
            before: Excess temperature and vapour, here and then, in some part of the grid.
            after: The same now.
            heat_w_m3: The heat of the connection in use, in that part.
        """
        ...
