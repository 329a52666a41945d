"""A needle thinner than a voxel, in any pose.

The needle is a row of nodes along its active part. Each node speaks to the grid through a Gaussian
kernel of one cell's width, whose weights sum to one: what a node gives is shared out by them, what
it feels is the average under them. Both are smooth in the needle's pose. What the kernel blurs
away, the near field between the metal and the kernel, has a closed form: two points drawn from the
kernel around an infinite line lie a geometric mean of `KERNEL_RADIUS` widths apart, so between
that radius and the metal the resistance per length is ln(r_k / a) / (2 pi k). This is a well index
in the sense of Peaceman (SPE J 18:183, 1978), derived for a smooth kernel.

Small corrections make it right to a fraction of a percent on a grid: the kernel's width is measured
from its weights, since it is cut at `REACH`; the cut changes its shape, too (`CUT`); and the
finite-volume operator's own error, whose symbol falls short of k^2 by k^2 h^2 (cos^4 + sin^4)/12,
lowers ln r_k by h^2 / (32 s^2).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import torch

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from torch import Tensor

EULER_GAMMA = 0.5772156649015329
REACH = 3.0  # the kernel is cut at this many standard deviations
CUT = 0.01016  # what the cut adds to E[ln r] over the measured width, by quadrature
KERNEL_RADIUS = 2.0 * math.exp(-0.5 * EULER_GAMMA + CUT)
"""Geometric mean distance of two points drawn from the kernel's shadow along a line, over the
standard deviation that is left after the cut: exp(E[ln r]). Of a whole 2-D Gaussian r^2 / (4 s^2) is
exponentially distributed, E[ln r^2] = ln(4 s^2) - gamma."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Needle:
    """The active part of one probe in the coordinates of a simulation grid.

    Attributes:
        tip_mm: Its end; the first cell's centre is the origin and axes run along the grid's.
        direction: Unit vector from the tip towards the handle.
        active_length_mm: Length of the active part, back from the tip.
        diameter_mm: Outer diameter.
    """

    tip_mm: tuple[float, float, float]
    direction: tuple[float, float, float]
    active_length_mm: float
    diameter_mm: float

    def __post_init__(self) -> None:
        """Keep the needle a needle."""
        norm = math.sqrt(sum(d * d for d in self.direction))
        if abs(norm - 1.0) > 1e-6:
            raise ValueError(f"direction must have length 1; got {norm:.6f}.")
        if not (self.active_length_mm > 0 and self.diameter_mm > 0):
            raise ValueError(
                "active_length_mm and diameter_mm must be positive; got "
                f"{self.active_length_mm} and {self.diameter_mm}."
            )

    @property
    def radius_m(self) -> float:
        """Half the diameter in metres."""
        return 0.5e-3 * self.diameter_mm

    def nodes_mm(self, apart_mm: float) -> Float[Tensor, "n 3"]:
        """Midpoints of equal pieces of the active part, at most `apart_mm` long (fp64)."""
        count = max(1, math.ceil(self.active_length_mm / apart_mm))
        along = (torch.arange(count, dtype=torch.float64) + 0.5) * (self.active_length_mm / count)
        tip = torch.tensor(self.tip_mm, dtype=torch.float64)
        return tip + along[:, None] * torch.tensor(self.direction, dtype=torch.float64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LineKernel:
    """How the nodes of a needle and the cells of a grid meet.

    Attributes:
        cells: Flat cell indices under each node's kernel, shape (nodes, m).
        weights: Their weights; each row sums to one.
        piece_m: Length of needle that one node stands for.
        width_m: Standard deviation of the kernel, measured from its weights.
        spacing_m: Root mean square of the grid's cell edges.
        radius_m: The needle's radius.
        offsets_m: Position of the nodes along the needle from the middle of the active part.
    """

    cells: Int[Tensor, "n m"]
    weights: Float[Tensor, "n m"]
    piece_m: float
    width_m: float
    spacing_m: float
    radius_m: float
    offsets_m: Float[Tensor, "n"]

    @classmethod
    def embed(
        cls,
        needle: Needle,
        shape: tuple[int, int, int],
        spacing_mm: tuple[float, float, float],
        *,
        like: Tensor,
        widths: float = 1.0,
        clip: bool = False,
    ) -> Self:
        """Place a needle into a grid.

        Args:
            needle: The needle in the grid's coordinates.
            shape: The grid's shape.
            spacing_mm: Its cell sizes.
            like: A tensor of the type and device to use.
            widths: Kernel width over the largest cell edge.
            clip: Let kernels end at the grid's border, as for a vessel that leaves it, instead of
                refusing.

        Raises:
            StudyRejectedError: If part of the needle lies within a kernel of the grid's border and
                is not to be clipped.
        """
        width = widths * max(spacing_mm)
        nodes = needle.nodes_mm(0.5 * min(spacing_mm))
        sizes = torch.tensor(spacing_mm, dtype=torch.float64)
        centre = torch.floor(nodes / sizes + 0.5).long()
        half = [math.ceil(REACH * width / s) for s in spacing_mm]
        ranges = [torch.arange(-n, n + 1) for n in half]
        offsets = torch.stack(torch.meshgrid(*ranges, indexing="ij"), -1).reshape(-1, 3)
        if shape[0] > 1 and shape[1] > 1 and shape[2] == 1:
            offsets = offsets[offsets[:, 2] == 0]
        index = centre[:, None, :] + offsets[None]
        beyond = ((index < 0) | (index >= torch.tensor(shape))).any(-1)
        if bool(beyond.any()) and not clip:
            raise StudyRejectedError(
                Code.SIMULATION_REFUSED,
                f"probe outside the grid: the active part from {_point(nodes[0])} to "
                f"{_point(nodes[-1])} mm (from the first cell's centre) must keep "
                f"{REACH * width:.1f} mm from the border of {shape} cells of {spacing_mm} mm.",
                hint="Move the probe or enlarge the grid.",
            )
        across = torch.tensor(shape) > 1  # distance from an endless line counts in its plane alone
        r2 = (((index.double() * sizes - nodes[:, None]) * across) ** 2).sum(-1)
        weights = torch.exp(-r2 / (2 * width * width))
        weights = torch.where((r2 <= (REACH * width) ** 2) & ~beyond, weights, 0.0)
        weights /= weights.sum(1, keepdim=True)
        index = index.clamp_min(0).minimum(torch.tensor(shape) - 1)
        measured = math.sqrt(float((weights * r2).sum(1).mean()) / int(across.sum()))
        flat = (index[..., 0] * shape[1] + index[..., 1]) * shape[2] + index[..., 2]
        piece = needle.active_length_mm / len(nodes)
        along = (torch.arange(len(nodes), dtype=torch.float64) + 0.5) * piece
        return cls(
            cells=flat.to(like.device),
            weights=weights.to(like),
            piece_m=piece * 1e-3,
            width_m=measured * 1e-3,
            spacing_m=math.sqrt(sum(h * h for h in spacing_mm) / 3) * 1e-3,
            radius_m=needle.radius_m,
            offsets_m=((along - 0.5 * needle.active_length_mm) * 1e-3).to(like),
        )

    def feel(self, field: Float[Tensor, "i j k"]) -> Float[Tensor, "n"]:
        """Average of a field under each node's kernel."""
        return (field.reshape(-1)[self.cells] * self.weights).sum(1)

    def spread(
        self, amounts: Float[Tensor, "n"], shape: tuple[int, int, int]
    ) -> Float[Tensor, "i j k"]:
        """Share out one amount per node over its cells; the sum is kept."""
        out = self.weights.new_zeros(shape[0] * shape[1] * shape[2])
        out.index_add_(0, self.cells.reshape(-1), (self.weights * amounts[:, None]).reshape(-1))
        return out.reshape(shape)

    def spread_squared(
        self, amounts: Float[Tensor, "n"], shape: tuple[int, int, int]
    ) -> Float[Tensor, "i j k"]:
        """The same with squared weights: the diagonal of spread-after-feel."""
        out = self.weights.new_zeros(shape[0] * shape[1] * shape[2])
        share = self.weights.square() * amounts[:, None]
        out.index_add_(0, self.cells.reshape(-1), share.reshape(-1))
        return out.reshape(shape)

    def link(
        self,
        conductivity: Float[Tensor, "i j k"],
        *,
        surface_w_m2k: float | None = None,
        radius_m: Float[Tensor, "n"] | None = None,
    ) -> Float[Tensor, "n"]:
        """Conductance from the metal of each node to what its kernel feels.

        Tissue under the kernel counts in series, as layers around the needle: a dried layer
        closes the way.

        Args:
            conductivity: k in W/(m K) or sigma in S/m, per cell.
            surface_w_m2k: Film coefficient between coolant and metal, in series; None for none.
            radius_m: Radius per node where the needle tapers; the needle's own otherwise.

        Returns:
            W/K or S per node; length of the piece times 2 pi over the summed resistances.

        Raises:
            StudyRejectedError: If the kernel is narrower than the needle: the grid is finer than
                this model of a thin needle allows.
        """
        radius = self.weights.new_tensor(self.radius_m) if radius_m is None else radius_m
        grid_error = self.spacing_m**2 / (32.0 * self.width_m**2)
        logs = torch.log(KERNEL_RADIUS * self.width_m / radius) - grid_error
        if float(logs.min()) <= 0.05:
            raise StudyRejectedError(
                Code.SIMULATION_REFUSED,
                f"a needle of {2e3 * self.radius_m:.2f} mm is not thin on a grid whose kernel has "
                f"{1e3 * self.width_m:.2f} mm.",
                hint=f"Use a spacing of at least {1.1e3 * self.radius_m / KERNEL_RADIUS:.2f} mm.",
            )
        resistance = logs * self.feel(1.0 / conductivity)
        if surface_w_m2k is not None:
            resistance = resistance + 1.0 / (radius * surface_w_m2k)
        return 2.0 * math.pi * self.piece_m / resistance


def _point(xyz: Tensor) -> str:
    return "(" + ", ".join(f"{float(v):.1f}" for v in xyz) + ")"
