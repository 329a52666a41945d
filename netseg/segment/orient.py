"""Arrays turned to the patient's axes, and back.

The networks learned livers whose arrays run to the left, the back and the head. A scan stored in
another order is turned by swapping and flipping axes only: nothing is interpolated, and turning
back is exact. What remains of an oblique scan is less than 45 degrees.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from scipy.optimize import linear_sum_assignment

from netseg.domain import Grid
from netseg.segment.sampling import Axis

if TYPE_CHECKING:
    from netseg.segment.sampling import Axes


@dataclass(frozen=True, slots=True, kw_only=True)
class Orientation:
    """How a scan's array axes lie to the patient's.

    Attributes:
        order: For L, P, S: which array axis runs along it.
        flipped: For L, P, S: whether that axis runs the other way.
    """

    order: tuple[int, int, int]
    flipped: tuple[bool, bool, bool]

    @classmethod
    def of(cls, grid: Grid) -> Self:
        """The orientation nearest to a grid's axes."""
        _, order = linear_sum_assignment(-np.abs(grid.directions))
        i, j, k = (int(n) for n in order)
        a, b, c = (bool(grid.directions[row, n] < 0) for row, n in enumerate((i, j, k)))
        return cls(order=(i, j, k), flipped=(a, b, c))

    def turn(self, values: np.ndarray) -> np.ndarray:
        """A view of the scan's array whose axes run along L, P, S."""
        steps = tuple(slice(None, None, -1 if flip else 1) for flip in self.flipped)
        return values.transpose(self.order)[steps]

    def turn_back(self, values: np.ndarray) -> np.ndarray:
        """A view of an L, P, S array whose axes run as the scan's do."""
        steps = tuple(slice(None, None, -1 if flip else 1) for flip in self.flipped)
        return values[steps].transpose(tuple(int(n) for n in np.argsort(self.order)))

    def axes(self, grid: Grid) -> tuple[Axis, Axis, Axis]:
        """The turned array's axes in millimetres from its first voxel."""
        left, back, head = (
            Axis(count=grid.shape[n], spacing_mm=grid.spacing_mm[n]) for n in self.order
        )
        return left, back, head

    def grid(self, scan: Grid, axes: Axes) -> Grid:
        """The grid of an array turned to L, P, S whose voxels lie at `axes`.

        Args:
            scan: The grid the orientation was made of; its first turned voxel is the origin of
                `axes`.
            axes: Any voxels along the same axes.
        """
        signs = np.where(self.flipped, -1.0, 1.0)
        directions = scan.directions[:, list(self.order)] * signs
        corner = np.zeros(3)
        for array_axis, flip in zip(self.order, self.flipped, strict=True):
            corner[array_axis] = scan.shape[array_axis] - 1 if flip else 0
        affine = np.eye(4)
        affine[:3, :3] = directions * [axis.spacing_mm for axis in axes]
        affine[:3, 3] = scan.to_mm(corner) + directions @ [axis.first_mm for axis in axes]
        i, j, k = (axis.count for axis in axes)
        return Grid(shape=(i, j, k), affine_lps=affine, frame_uid=scan.frame_uid)
