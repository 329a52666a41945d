"""Radiofrequency needles: Joule heat of the current from electrode to ground.

sigma rises 1-2 % per kelvin and collapses where water has boiled off; the generator feels that as
rising impedance. sigma(T) = sigma_37 (1 + b dT) (1 - F), never below one hundredth of sigma_37; F
is the vapour share. The grounding pad is the far border of the grid.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from netseg.simulate.applicator import Deposit
from netseg.simulate.diffusion import Diffusion
from netseg.simulate.electric import UnitField, unit_field

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from netseg.simulate.needle import LineKernel

DRY = 0.01  # sigma of dried tissue over sigma at 37 C; 1e-2 to 1e-4 in the literature


def heated_conductivity(
    sigma_s_m: Float[Tensor, "*n"],
    excess_k: Float[Tensor, "*n"],
    vapour: Float[Tensor, "*n"],
    *,
    rise_1_k: float = 0.015,
) -> Float[Tensor, "*n"]:
    """Electrical conductivity of heated liver at about 500 kHz."""
    wet = 1.0 + rise_1_k * excess_k.clamp(0.0, 63.0)
    return sigma_s_m * torch.maximum(wet * (1.0 - vapour), torch.full_like(wet, DRY))


@dataclass(slots=True, kw_only=True, eq=False)
class RadiofrequencyNeedles:
    """Needles at one common potential. Remembers its last potential, to start from it.

    Attributes:
        kernels: One per needle.
        sigma_s_m: Conductivity at 37 C per cell.
        spacing_mm: Cell sizes.
        rise_1_k: Relative rise of conductivity per kelvin.
        tolerance: Residual of the field solve; zones agree with 1e-3 to half a percent.
        last: The last solution.
    """

    kernels: tuple[LineKernel, ...]
    sigma_s_m: Float[Tensor, "i j k"]
    spacing_mm: tuple[float, float, float]
    rise_1_k: float = 0.015
    tolerance: float = 5e-3
    last: UnitField | None = field(default=None)

    def deposit(self, excess_k: Float[Tensor, "i j k"], vapour: Float[Tensor, "i j k"]) -> Deposit:
        """Joule heat per watt, and the impedance, in tissue of this state."""
        sigma = heated_conductivity(self.sigma_s_m, excess_k, vapour, rise_1_k=self.rise_1_k)
        start = torch.zeros_like(sigma) if self.last is None else self.last.potential
        self.last = unit_field(
            Diffusion.assemble(sigma, self.spacing_mm),
            [(kernel, kernel.link(sigma)) for kernel in self.kernels],
            cell_m3=self.spacing_mm[0] * self.spacing_mm[1] * self.spacing_mm[2] * 1e-9,
            start=start,
            tolerance=self.tolerance,
        )
        return Deposit(
            per_watt_m3=self.last.joule_w_m3 / self.last.conductance_s,
            impedance_ohm=self.last.impedance_ohm,
        )
