"""Radiofrequency electrodes: Joule heat of the current to the pad or between needles.

sigma rises 1-2 % per kelvin and collapses where water has boiled off; the generator feels that as
rising impedance. sigma(T) = sigma_37 (1 + b dT) (1 - F), never below one hundredth of sigma_37; F
is the vapour share and dT counts from 37 C. The grounding pad is the far border of the grid; where
every connection is between electrodes, the border is insulated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from netseg.simulate.active import BLOCK
from netseg.simulate.applicator import Deposit
from netseg.simulate.circuit import Circuit, Connection, Wired, solve_circuit
from netseg.simulate.coarse import Coarsening, WindowView, coarsening
from netseg.simulate.control import connections_for
from netseg.simulate.control.wanted import electrode_name
from netseg.simulate.diffusion import FACES, Diffusion
from netseg.simulate.needle import LineKernel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float
    from torch import Tensor

    from netseg.domain.ablation import AblationProtocol
    from netseg.simulate.active import Window
    from netseg.simulate.applicator import State
    from netseg.simulate.needle import Needle
    from netseg.simulate.tissue import Tissue

DRY = 0.01  # sigma of dried tissue over sigma at 37 C; 1e-2 to 1e-4 in the literature
SIGMA_AT_C = 37.0
BOILING_C = 100.0


def heated_conductivity(
    sigma_s_m: Float[Tensor, "*n"],
    excess_k: Float[Tensor, "*n"],
    vapour: Float[Tensor, "*n"],
    *,
    rise_1_k: float = 0.015,
    baseline_c: float = SIGMA_AT_C,
) -> Float[Tensor, "*n"]:
    """Electrical conductivity of tissue at about 500 kHz.

    Args:
        sigma_s_m: At 37 C.
        excess_k: Temperature above the baseline.
        vapour: Share of the water that has left.
        rise_1_k: Relative rise per kelvin, counted from 37 C up to 100 C.
        baseline_c: Temperature of the unheated tissue: 37 C in the body, the room's in a dish.
    """
    above = (excess_k + (baseline_c - SIGMA_AT_C)).clamp_max(BOILING_C - SIGMA_AT_C)
    if baseline_c >= SIGMA_AT_C:
        above = above.clamp_min(0.0)
    wet = above.mul_(rise_1_k).add_(1.0)
    return sigma_s_m * wet.mul_(1.0 - vapour).clamp_min_(DRY)


@dataclass(slots=True, kw_only=True, eq=False)
class RadiofrequencyElectrodes:
    """Electrodes of one or more needles each, and the ways a generator may connect them.

    Remembers its last fields, to start from them.

    Attributes:
        ids: Names of the electrodes.
        kernels: Needles of each electrode on the electric grid.
        sigma_s_m: Conductivity at 37 C per cell of the electric grid.
        grid: How the electric grid lies on that of the heat.
        connections: What the generator may choose among, in its numbering.
        rise_1_k: Relative rise of conductivity per kelvin.
        baseline_c: Temperature of unheated tissue.
        tolerance: Residual of the field solve; powers are right to its square.
        circuit: The last solution.
        iterations: Of all solves so far.
    """

    ids: tuple[str, ...]
    kernels: tuple[tuple[LineKernel, ...], ...]
    sigma_s_m: Float[Tensor, "a b c"]
    grid: Coarsening | WindowView
    connections: tuple[Connection, ...]
    rise_1_k: float = 0.015
    baseline_c: float = SIGMA_AT_C
    tolerance: float = 5e-3
    circuit: Circuit | None = field(default=None)
    iterations: int = 0

    def renew(
        self,
        excess_k: Float[Tensor, "i j k"],
        vapour: Float[Tensor, "i j k"],
        number: int | None = None,
    ) -> tuple[float, ...]:
        """Solve one field per electrode; the load of every connection in ohm.

        Args:
            excess_k: Temperature above baseline.
            vapour: Share of lost water.
            number: Solve for the electrodes of this connection alone; all if not given.
        """
        sigma = heated_conductivity(
            self.sigma_s_m,
            self.grid.mean(excess_k),
            self.grid.mean(vapour),
            rise_1_k=self.rise_1_k,
            baseline_c=self.baseline_c,
        )
        grounded = any(not c.minus for c in self.connections)
        spacing_mm = self._whole.coarse_mm
        tissue = Wired(
            conduction=Diffusion.assemble(sigma, spacing_mm, fixed=FACES if grounded else ()),
            electrodes=tuple(
                tuple((k, k.link(sigma)) for k in kernels) for kernels in self.kernels
            ),
            cell_m3=math.prod(spacing_mm) * 1e-9,
        )
        self.circuit = solve_circuit(
            tissue,
            self.ids,
            start=self.circuit.potentials if self.circuit else (),
            solved=None if number is None else self._driven(number),
            tolerance=self.tolerance,
        )
        self.iterations += self.circuit.iterations
        return tuple(self.circuit.load_ohm(c) for c in self.connections)

    def way(self, number: int) -> Deposit:
        """Heat per watt of one connection, for the tissue taken in last.

        Raises:
            ValueError: If no tissue was taken in yet.
        """
        if self.circuit is None:
            raise ValueError("renew() must be called before way().")
        volts = self.circuit.volts(self.connections[number])
        power = self.circuit.power_w(volts)
        joule = self.circuit.joule_w_m3(volts).div_(power)
        beyond = None
        if isinstance(self.grid, WindowView):
            cell_m3 = math.prod(self.grid.grid.spacing_mm) * 1e-9
            beyond = self.grid.beyond(joule) * cell_m3
        return Deposit(
            per_watt_m3=self.grid.spread(joule), impedance_ohm=1.0 / power, beyond_w=beyond
        )

    def within(self, window: Window | None) -> RadiofrequencyElectrodes | None:
        """These electrodes, seen through a window of the heat grid; the fields stay whole.

        None where the electric grid does not lie evenly in the window's blocks.
        """
        if any(BLOCK % b for b in self._whole.blocks):
            return None
        self.grid = self._whole if window is None else WindowView(grid=self._whole, window=window)
        return self

    @property
    def _whole(self) -> Coarsening:
        return self.grid.grid if isinstance(self.grid, WindowView) else self.grid

    def _driven(self, number: int) -> tuple[str, ...]:
        connection = self.connections[number]
        return (*connection.plus, *connection.minus)

    def drift(self, before: State, after: State, heat_w_m3: Float[Tensor, "a b c"]) -> float:
        """Mean relative change of sigma, weighted by heat.

        The conductance between fixed potentials is stationary in the field, so this is what it
        changes by, to first order; changes of both signs count alike.
        """
        total = float(heat_w_m3.sum())
        if total <= 0:
            return math.inf
        one = heat_w_m3.new_ones(())
        old, new = (
            heated_conductivity(one, *state, rise_1_k=self.rise_1_k, baseline_c=self.baseline_c)
            for state in (before, after)
        )
        return float(new.sub_(old).abs_().div_(old).mul_(heat_w_m3).sum()) / total

    def deposit(self, excess_k: Float[Tensor, "i j k"], vapour: Float[Tensor, "i j k"]) -> Deposit:
        """The pattern of the first connection."""
        self.renew(excess_k, vapour)
        return self.way(0)


def build_rfa(
    needles: Sequence[Needle],
    ids: Sequence[str],
    sigma_s_m: Float[Tensor, "i j k"],
    spacing_mm: tuple[float, float, float],
    tissue: Tissue,
    protocol: AblationProtocol,
    *,
    electric_mm: float = 2.0,
) -> RadiofrequencyElectrodes:
    """Electrodes for the needles of a plan, ready for `controller_for(protocol)`.

    Probes whose names share the part before a dot ("A.1", "A.2", "A.3") are one electrode: a
    cluster. Electrodes that the protocol never drives apart are solved as one.

    Args:
        needles: In the coordinates of the heat grid.
        ids: The probes' names, one per needle.
        sigma_s_m: Conductivity at 37 C per cell of the heat grid.
        spacing_mm: Sizes of its cells.
        tissue: The tissue around, for the rise of sigma and the baseline.
        protocol: It says which connections there are.
        electric_mm: Largest cell of the electric grid, whose cells join those of the heat grid.

    Raises:
        StudyRejectedError: If the protocol names a probe that does not exist, or a needle leaves
            the grid.
    """
    shape = (sigma_s_m.shape[0], sigma_s_m.shape[1], sigma_s_m.shape[2])
    grid = coarsening(shape, spacing_mm, electric_mm)
    connections = connections_for(protocol, ids)
    owner = [electrode_name(i) for i in ids]
    names = tuple(dict.fromkeys(owner))
    if all(set(c.plus) == set(names) for c in connections):
        owner, names = ["all"] * len(ids), ("all",)
        connections = (Connection(plus=names),) * len(connections)
    sigma = grid.mean(sigma_s_m)
    placed = [
        LineKernel.embed(grid.needle(n), grid.shape, grid.coarse_mm, like=sigma) for n in needles
    ]
    return RadiofrequencyElectrodes(
        ids=names,
        kernels=tuple(
            tuple(k for k, o in zip(placed, owner, strict=True) if o == name) for name in names
        ),
        sigma_s_m=sigma,
        grid=grid,
        connections=connections,
        rise_1_k=tissue.sigma_rise_1_k,
        baseline_c=tissue.baseline_c,
    )
