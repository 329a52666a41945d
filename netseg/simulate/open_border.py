"""A border that stands for tissue going on: what a box of a limited field needs.

The two electrodes of a pair give and take the same current, so that far away the potential falls
like a dipole's, 1/r^2 in space and 1/r between endless needles. A border cell is therefore tied to
zero through the resistance of the tissue beyond it: with V ~ r^-n the current density across the
border is sigma V n cos(theta) / r. Neither an insulated nor a grounded side does this; a box of
20 mm around the electrodes then gives what one of 60 mm gives.
Source: Bayliss, Gunzburger & Turkel, SIAM J Appl Math 42:430 (1982), first-order condition.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from netseg.simulate.diffusion import MM

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor


def open_border(
    sigma_s_m: Float[Tensor, "i j k"],
    spacing_mm: tuple[float, float, float],
    centre_mm: Float[Tensor, "3"],
) -> Float[Tensor, "i j k"]:
    """Conductance of each border cell to zero, as `Diffusion.outer` wants it: S/m3.

    Args:
        sigma_s_m: Conductivity per cell.
        spacing_mm: Cell sizes.
        centre_mm: Middle between the electrodes; the first cell's centre is the origin.
    """
    shape = sigma_s_m.shape
    falls = 2.0 if shape[2] > 1 else 1.0
    axes = [
        (torch.arange(n, dtype=torch.float64) * h - float(c)) * MM
        for n, h, c in zip(shape, spacing_mm, centre_mm, strict=True)
    ]
    outer = torch.zeros_like(sigma_s_m)
    for axis, spacing in enumerate(spacing_mm):
        n, h = shape[axis], spacing * MM
        if n == 1:
            continue
        for index, beyond in ((0, -0.5 * h), (n - 1, 0.5 * h)):
            ways = list(axes)
            ways[axis] = axes[axis][index : index + 1] + beyond
            i, j, k = torch.meshgrid(*ways, indexing="ij")
            square = (i * i + j * j + k * k).select(axis, 0)
            across = abs(float(ways[axis]))  # r cos(theta)
            way = 0.5 * h + square / (falls * max(across, h))
            tied = sigma_s_m.select(axis, index) / (h * way).to(sigma_s_m)
            outer.select(axis, index).add_(tied)
    return outer
