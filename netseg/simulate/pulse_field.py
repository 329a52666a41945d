"""The field between needles, sharp close to the metal.

On the grid a needle's current is spread by its kernel, and so is the field next to it: at the metal
it is several times too small. What the spread current would do alone in uniform tissue is known,
the potential of a blurred line; so is what the thin one does. The first is taken out of the grid's
potential before differences are formed, the second is put in: close to the needle the field is
I' / (2 pi sigma r), and differences are formed of what is smooth.

The grid's own error belongs to what is taken out. The symbol of the finite-volume operator is
k^2 - sum h_i^2 k_i^4 / 12, so that its potential exceeds the true one by sum h_i^2 d_i^4 B / 12, where
B is the blurred line's biharmonic potential, -laplace B = potential. Eight cells from a needle this is
up to half a percent of the field, most of it across the field's direction.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import torch
from scipy.special import exp1

from netseg.simulate.diffusion import MM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float
    from torch import Tensor

    from netseg.simulate.electric import UnitField
    from netseg.simulate.needle import LineKernel, Needle

REACH_CELLS = 12
"""How far from the needle the potential is split; differences of ln r are right to 0.2 % there."""
PAD = 3  # cells tabulated beyond it: fourth differences, then first ones
SPLIT = 2  # each node counts as so many points, so that the row looks like a line from close by


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NearField:
    """What is missing of a needle's field in the cells around it.

    Attributes:
        box: The cells along each axis.
        missing_v_m: Thin needle's field minus the grid's, of one ampere per node in 1 S/m.
        kernel: How the needle meets the grid.
    """

    box: tuple[slice, slice, slice]
    missing_v_m: Float[Tensor, "n 3 i j k"]
    kernel: LineKernel

    @classmethod
    def of(
        cls,
        needle: Needle,
        kernel: LineKernel,
        shape: tuple[int, int, int],
        spacing_mm: tuple[float, float, float],
    ) -> Self:
        """Tabulate it for a needle.

        A grid of one cell along k is a plane through an endless needle.
        """
        nodes = needle.nodes_mm(0.5 * min(spacing_mm))
        low, high = nodes.min(0).values.tolist(), nodes.max(0).values.tolist()
        box, axes = [], []
        for n, h, a, b in zip(shape, spacing_mm, low, high, strict=True):
            if n == 1:
                box.append(slice(0, 1))
                axes.append(torch.zeros(1, dtype=torch.float64))
                continue
            first, last = math.floor(a / h) - REACH_CELLS, math.ceil(b / h) + REACH_CELLS
            first, last = max(1, first), min(n - 1, last + 1)
            box.append(slice(first, last))
            axes.append(torch.arange(first - PAD, last + PAD, dtype=torch.float64) * h)
        cells = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1) * MM
        count = len(nodes)
        parts = needle.nodes_mm(needle.active_length_mm / (count * SPLIT) * (1 + 1e-9)) * MM
        missing = torch.zeros(count, 3, *(s.stop - s.start for s in box), dtype=torch.float64)
        one = _in_plane if shape[2] == 1 else _in_space
        inner = tuple(slice(PAD, -PAD) if n > 1 else slice(None) for n in shape)
        for number, part in enumerate(parts):
            potential, second, field = one(cells - part, kernel, needle.radius_m)
            rise = gradient(potential + _excess(second, spacing_mm), spacing_mm)
            missing[number * count // len(parts)] += (rise + field)[(slice(None), *inner)] / SPLIT
        return cls(
            box=(box[0], box[1], box[2]),
            missing_v_m=missing.to(kernel.weights),
            kernel=kernel,
        )

    def add_to(
        self,
        field_v_m: Float[Tensor, "3 i j k"],
        line_a_m: Float[Tensor, "n"],
        sigma_s_m: Float[Tensor, "i j k"],
    ) -> None:
        """Put in what is missing, for the current of each node in this tissue."""
        amperes = line_a_m * self.kernel.piece_m * self.kernel.feel(1.0 / sigma_s_m)
        missing = torch.tensordot(amperes, self.missing_v_m, dims=1)
        field_v_m[(slice(None), *self.box)] += missing


def gradient(
    potential: Float[Tensor, "i j k"], spacing_mm: tuple[float, float, float]
) -> Float[Tensor, "3 i j k"]:
    """Central differences in volt per metre, one-sided in border cells."""
    out = potential.new_zeros(3, *potential.shape)
    for axis, spacing in enumerate(spacing_mm):
        n = potential.shape[axis]
        if n == 1:
            continue
        face = potential.diff(dim=axis) / (spacing * MM)
        out[axis].narrow(axis, 0, n - 1).add_(face)
        out[axis].narrow(axis, 1, n - 1).add_(face)
        out[axis].narrow(axis, 1, n - 2).mul_(0.5)
    return out


def sharp_field_v_m(
    solved: UnitField,
    near: Sequence[NearField],
    sigma_s_m: Float[Tensor, "i j k"],
    spacing_mm: tuple[float, float, float],
) -> Float[Tensor, "i j k"]:
    """|E| per cell of a solved potential, right up to the metal.

    Args:
        solved: The potential of all needles in `near`, in their order.
        near: What the grid misses of each.
        sigma_s_m: The conductivity it was solved with.
        spacing_mm: Cell sizes.
    """
    field = gradient(solved.potential, spacing_mm).neg_()
    for needle, line in zip(near, solved.line_a_m, strict=True):
        needle.add_to(field, line, sigma_s_m)
    return torch.linalg.vector_norm(field, dim=0)


def _excess(second: Tensor, spacing_mm: tuple[float, float, float]) -> Tensor:
    """What the grid adds to the potential whose biharmonic one is given; none in two border cells."""
    out = torch.zeros_like(second)
    for axis, spacing in enumerate(spacing_mm):
        n = second.shape[axis]
        if n > 1:
            fourth = second.diff(n=4, dim=axis) / (12.0 * (spacing * MM) ** 2)
            out.narrow(axis, 2, n - 4).add_(fourth)
    return out


def _in_space(way: Tensor, kernel: LineKernel, radius_m: float) -> tuple[Tensor, Tensor, Tensor]:
    """Potential, biharmonic potential and field of one ampere in a blurred point."""
    r = way.norm(dim=-1)
    width = math.sqrt(2.0) * kernel.width_m
    near = r < 1e-3 * width
    potential = torch.where(
        near, 2.0 / (math.sqrt(math.pi) * width), torch.erf(r / width) / r.clamp_min(1e-9)
    )
    variance = kernel.width_m**2
    bell = torch.exp(-(r / width).square()) * (width / math.sqrt(math.pi))
    second = -0.5 * (bell + r * r * potential + variance * potential)  # mean distance, blurred
    field = way / r.clamp_min(radius_m).pow(3)[..., None]
    around = 4 * math.pi
    return potential / around, second / around, field.movedim(-1, 0) / around


def _in_plane(way: Tensor, kernel: LineKernel, radius_m: float) -> tuple[Tensor, Tensor, Tensor]:
    """The same of one ampere over the plane's thickness, in an endless line."""
    r = way[..., :2].norm(dim=-1)
    square, variance = r * r, kernel.width_m**2
    share = square / (2.0 * variance)
    tail = torch.from_numpy(np.asarray(exp1(share.clamp_min(1e-12).numpy())))
    log = torch.log(r.clamp_min(1e-6 * kernel.width_m))
    logs = log + 0.5 * tail
    blurred = (variance + 0.5 * square) * tail - variance * torch.exp(-share)
    second = 0.25 * square * (log - 1.0) + 0.5 * (variance * log + 0.5 * blurred)
    field = way / r.clamp_min(radius_m).square()[..., None]
    field[..., 2] = 0.0
    thickness = kernel.piece_m * len(kernel.cells)
    around = 2 * math.pi * thickness
    return -logs / around, second / around, field.movedim(-1, 0) / around
