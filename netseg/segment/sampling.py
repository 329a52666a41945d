"""Change of voxel size along the axes, as one small matrix per axis.

Bringing a scan to the network's voxel size and its answer back are linear maps that act on each axis
by itself. Written as matrices they need no framework, weigh neighbours by a triangle as wide as the
coarser of the two spacings (so thin slices are averaged, not skipped), and can be applied to one
slab of the output at a time with bitwise the same result as to the whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """Voxel centres along one axis, in millimetres from an origin shared with another axis.

    Attributes:
        count: Number of voxels.
        spacing_mm: Distance between their centres.
        first_mm: Where the first centre lies.
    """

    count: int
    spacing_mm: float
    first_mm: float = 0.0

    def __post_init__(self) -> None:
        """Keep the axis real."""
        if self.count < 1 or not self.spacing_mm > 0:
            raise ValueError(
                f"an axis needs voxels of positive size; got {self.count} of {self.spacing_mm} mm."
            )

    @property
    def centres_mm(self) -> Float[np.ndarray, "n"]:
        """Where the voxel centres lie."""
        return self.first_mm + self.spacing_mm * np.arange(self.count, dtype=np.float64)

    def with_spacing(self, spacing_mm: float) -> Axis:
        """The axis of another voxel size that covers the same extent, centred on it."""
        extent_mm = self.count * self.spacing_mm
        count = max(1, int(np.ceil(extent_mm / spacing_mm - 1e-6)))
        middle_mm = self.first_mm + 0.5 * (self.count - 1) * self.spacing_mm
        first_mm = middle_mm - 0.5 * (count - 1) * spacing_mm
        return Axis(count=count, spacing_mm=spacing_mm, first_mm=first_mm)

    def part(self, start: int, count: int) -> Axis:
        """The voxels from `start` on."""
        first_mm = self.first_mm + start * self.spacing_mm
        return Axis(count=count, spacing_mm=self.spacing_mm, first_mm=first_mm)


Axes = tuple[Axis, Axis, Axis]
"""The voxels of an array whose axes run along L, P, S."""


def weights(source: Axis, target: Axis) -> Float[np.ndarray, "target source"]:
    """How much each source voxel gives to each target voxel; rows sum to one.

    The kernel is a triangle of half-width max(source, target spacing): linear interpolation where
    the target is finer, an average without gaps where it is coarser. Beyond the source's ends the
    last value is held.
    """
    reach_mm = max(source.spacing_mm, target.spacing_mm)
    ends = source.centres_mm[[0, -1]]
    at_mm = np.clip(target.centres_mm, ends[0], ends[1])
    distance = np.abs(at_mm[:, None] - source.centres_mm[None, :]) / reach_mm
    kernel = np.clip(1.0 - distance, 0.0, None)
    return (kernel / kernel.sum(axis=1, keepdims=True)).astype(np.float32)


def apply(
    values: Float[np.ndarray, "i j k"],
    along: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> Float[np.ndarray, "a b c"]:
    """Apply one matrix per axis; the order of axes that keeps the intermediate arrays small."""
    out = np.asarray(values, dtype=np.float32)
    order = sorted(range(3), key=lambda axis: along[axis].shape[0] / along[axis].shape[1])
    for axis in order:
        out = np.moveaxis(np.tensordot(along[axis], out, axes=(1, axis)), 0, axis)
    return np.ascontiguousarray(out)


def bounded(source: Axis, target: Axis) -> Float[np.ndarray, "target source"]:
    """Weights that are zero for targets beyond the source's outermost voxels."""
    matrix = weights(source, target)
    half = 0.5 * source.spacing_mm
    ends = source.centres_mm[[0, -1]]
    beyond = (target.centres_mm < ends[0] - half) | (target.centres_mm > ends[1] + half)
    matrix[beyond] = 0.0
    return matrix


def resize(
    values: np.ndarray, source: tuple[Axis, Axis, Axis], target: tuple[Axis, Axis, Axis]
) -> Float[np.ndarray, "a b c"]:
    """Values on the voxels of `target`."""
    i, j, k = (weights(s, t) for s, t in zip(source, target, strict=True))
    return apply(values, (i, j, k))
