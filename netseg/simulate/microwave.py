"""Microwave antenna as a regularised line source.

SAR(x) ~ alpha(T) G(x) exp(-2 A(d)), with G the mean over the antenna of 1/(r^2 + e^2) and A(d) the
attenuation between the antenna and distance d, the integral of the shell average of alpha. alpha
follows temperature by the sigmoids of Ji & Brace (Phys Med Biol 56:5249, 2011), so that heated and
dried tissue lets power through to the depth. The pattern is normalised to exactly the power that
reaches the tissue. It is a model of the field's envelope, not a solution of Maxwell's equations:
the antenna's own pattern (reflections, choke, tail along the shaft) is not in it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import torch

from netseg.simulate.applicator import Deposit
from netseg.simulate.fused import Ripening, total

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float
    from torch import Tensor

    from netseg.simulate.active import Window
    from netseg.simulate.applicator import Applicator
    from netseg.simulate.needle import Needle

LIGHT_M_S = 299_792_458.0
VACUUM_F_M = 8.8541878128e-12
BLUR_CELLS = 0.65
"""Cells by which the line is blurred; added to its radius in squares, so that the source changes
smoothly as cells shrink (a maximum of the two would spoil the order of convergence)."""


def relative_permittivity(temperature_c: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """Liver at 2.45 GHz (Ji & Brace 2011)."""
    return 48.391 * torch.sigmoid(0.0764 * (82.271 - temperature_c)) + 1.0


def conductivity_s_m(temperature_c: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """Liver at 2.45 GHz (Ji & Brace 2011)."""
    return 2.173 * torch.sigmoid(0.0697 * (85.375 - temperature_c))


def attenuation_np_m(
    permittivity: Float[Tensor, "*n"], sigma_s_m: Float[Tensor, "*n"], frequency_hz: float
) -> Float[Tensor, "*n"]:
    """Decay of a plane wave's amplitude: omega/c Im sqrt(eps_r - j sigma/(omega eps_0))."""
    omega = 2.0 * math.pi * frequency_hz
    loss = sigma_s_m / (omega * VACUUM_F_M)
    size = torch.sqrt(permittivity.square() + loss.square())
    return (omega / LIGHT_M_S) * torch.sqrt((0.5 * (size - permittivity)).clamp_min(0))


def dried_attenuation_np_m(
    temperature_c: Float[Tensor, "*n"], vapour: Float[Tensor, "*n"], frequency_hz: float
) -> Float[Tensor, "*n"]:
    """The same of liver whose water has left to some share: steam absorbs nothing."""
    alpha = attenuation_np_m(
        relative_permittivity(temperature_c), conductivity_s_m(temperature_c), frequency_hz
    )
    return alpha * (1.0 - 0.9 * vapour)


def way_np(mean_np_m: Float[Tensor, "m"], shell_m: float) -> Float[Tensor, "m"]:
    """Nepers from the antenna to each shell, by the shells' mean attenuation."""
    steps = 0.5 * (mean_np_m[1:] + mean_np_m[:-1]) * shell_m
    return torch.cat((mean_np_m.new_zeros(1), steps.cumsum(0)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MicrowaveAntenna:
    """One antenna on a grid.

    Attributes:
        spread_1_m2: G per cell.
        shell: Index of the distance shell below each cell.
        share: How far each cell lies towards the next shell, 0 to 1.
        shell_cells: Number of cells by shell, weighted like `share`.
        shell_m: Thickness of a shell.
        baseline_c: Temperature of unheated tissue.
        frequency_hz: Frequency.
        efficiency: Share of the generator's power that is absorbed in tissue.
        cell_m3: Volume of a cell.
        pattern: How the pattern is computed: compiled once it has been asked for often enough.
    """

    spread_1_m2: Float[Tensor, "i j k"]
    shell: Float[Tensor, "i j k"]
    share: Float[Tensor, "i j k"]
    shell_cells: Float[Tensor, "m"]
    shell_m: float
    baseline_c: float
    frequency_hz: float
    efficiency: float
    cell_m3: float
    pattern: Ripening = field(default_factory=lambda: Ripening(function=_pattern))

    @classmethod
    def place(
        cls,
        needles: Sequence[Needle],
        shape: tuple[int, int, int],
        spacing_mm: tuple[float, float, float],
        *,
        like: Tensor,
        baseline_c: float,
        frequency_hz: float = 2.45e9,
        efficiency: float = 1.0,
    ) -> Self:
        """Place antennas that share the generator's power equally."""
        axes = [
            torch.arange(n, dtype=torch.float64) * s for n, s in zip(shape, spacing_mm, strict=True)
        ]
        spread = torch.zeros(shape, dtype=like.dtype)
        nearest = torch.full(shape, math.inf, dtype=like.dtype)
        r2 = torch.empty_like(nearest)
        for needle in needles:
            blur = math.hypot(0.5 * needle.diameter_mm, BLUR_CELLS * max(spacing_mm))
            nodes = needle.nodes_mm(0.5 * min(spacing_mm))
            for node in nodes:
                x, y, z = ((a - p).square_().to(r2) for a, p in zip(axes, node, strict=True))
                torch.add((x[:, None] + y)[:, :, None], z, out=r2)
                torch.minimum(nearest, r2, out=nearest)
                spread.add_(r2.add_(blur * blur).reciprocal_(), alpha=1e6 / len(nodes))
        thickness = min(spacing_mm)
        steps = nearest.sqrt_().div_(thickness)
        shell = steps.long()
        share = steps.sub_(shell)
        count = torch.zeros(int(shell.max()) + 2, dtype=torch.float64)
        upper = torch.bincount(shell.reshape(-1), share.reshape(-1).double(), len(count))
        count += torch.bincount(shell.reshape(-1), minlength=len(count)) - upper
        count[1:] += upper[:-1]
        return cls(
            spread_1_m2=spread.to(like.device),
            shell=shell.to(like.device),
            share=share.to(like.device),
            shell_cells=count.clamp_min(1e-6).to(like),
            shell_m=thickness * 1e-3,
            baseline_c=baseline_c,
            frequency_hz=frequency_hz,
            efficiency=efficiency,
            cell_m3=math.prod(spacing_mm) * 1e-9,
        )

    def within(self, window: Window | None) -> Applicator:
        """This antenna, seen through a window of its grid."""
        from netseg.simulate.microwave_window import WindowAntenna  # which is made of this

        return self if window is None else WindowAntenna.of(self, window)

    def deposit(self, excess_k: Float[Tensor, "i j k"], vapour: Float[Tensor, "i j k"]) -> Deposit:
        """The pattern at this temperature; water that has left absorbs nothing."""
        fields = (t.reshape(-1) for t in (self.spread_1_m2, self.shell, self.share))
        flat = self.pattern(
            excess_k.reshape(-1), vapour.reshape(-1), *fields, self.shell_cells,
            shell_m=self.shell_m, baseline_c=self.baseline_c, frequency_hz=self.frequency_hz,
        )  # fmt: skip
        pattern = flat.view(excess_k.shape)
        absorbed = total(pattern) * self.cell_m3
        return Deposit(per_watt_m3=pattern.mul_(self.efficiency / absorbed))


def _pattern(
    excess_k: Tensor,
    vapour: Tensor,
    spread_1_m2: Tensor,
    shell: Tensor,
    share: Tensor,
    shell_cells: Tensor,
    *,
    shell_m: float,
    baseline_c: float,
    frequency_hz: float,
) -> Tensor:
    """Alpha G exp(-2 A) of every cell, before it is scaled to the power."""
    alpha = dried_attenuation_np_m(excess_k + baseline_c, vapour, frequency_hz)
    mean = torch.zeros_like(shell_cells)
    mean = mean.index_add(0, shell, alpha * (1 - share)).index_add(0, shell + 1, alpha * share)
    mean = mean / shell_cells
    way = way_np(mean, shell_m)
    return alpha * spread_1_m2 * torch.exp(-2.0 * torch.lerp(way[shell], way[shell + 1], share))
