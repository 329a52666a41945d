"""Straight ways from a lesion to the skin, and what they meet: the geometry of access."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.ndimage

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Shaped

    from netseg.plan.anatomy import Anatomy


ndimage: Any = scipy.ndimage  # scipy carries no types, and the guessed ones are wrong


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ways:
    """Rays from one target outwards, looked at in equal steps.

    Attributes:
        target_mm: Where all ways begin (LPS): the place of the probe's active centre.
        directions: Unit vectors from the target towards the skin.
        at_mm: Positions along the ways; negative ones lie beyond the target, towards the tip.
        exit_mm: Distance from target to skin; infinite where a way does not leave the body.
        unseen: Whether a way leaves the scanned field before the skin.
    """

    target_mm: Float[np.ndarray, 3]
    directions: Float[np.ndarray, "n 3"]
    at_mm: Float[np.ndarray, " t"]
    exit_mm: Float[np.ndarray, " n"]
    unseen: Bool[np.ndarray, " n"]

    def select(self, chosen: Shaped[np.ndarray, " m"]) -> Ways:
        """Some of the ways."""
        return Ways(
            target_mm=self.target_mm,
            directions=self.directions[chosen],
            at_mm=self.at_mm,
            exit_mm=self.exit_mm[chosen],
            unseen=self.unseen[chosen],
        )

    def index(self, anatomy: Anatomy) -> Float[np.ndarray, "3 n t"]:
        """Fractional voxel indices of all points of all ways."""
        start = anatomy.grid.to_index(self.target_mm)
        steps = self.directions @ np.linalg.inv(anatomy.grid.affine_lps[:3, :3]).T
        points = steps[:, None, :] * self.at_mm[None, :, None] + start
        return np.moveaxis(points.astype(np.float32), 2, 0)

    def in_needle(self) -> Bool[np.ndarray, "n t"]:
        """Which points lie between tip and skin."""
        return self.at_mm[None, :] <= self.exit_mm[:, None]

    def lookup(
        self, anatomy: Anatomy, array: Shaped[np.ndarray, "i j k"], outside: float
    ) -> Shaped[np.ndarray, "n t"]:
        """Value of the nearest voxel at every point; `outside` beyond the grid."""
        index = self.index(anatomy)
        flat = ndimage.map_coordinates(
            array.view(np.uint8) if array.dtype == np.bool_ else array,
            index.reshape(3, -1),
            order=0,
            mode="constant",
            cval=outside,
        )
        return flat.reshape(index.shape[1:])

    def smallest(
        self,
        anatomy: Anatomy,
        distance_mm: Float[np.ndarray, "i j k"],
        apart_from: Bool[np.ndarray, "i j k"] | None = None,
    ) -> Float[np.ndarray, " n"]:
        """Smallest value of a distance map between tip and skin, interpolated linearly.

        Points whose nearest voxel lies in `apart_from` do not count.
        """
        index = self.index(anatomy)
        flat = ndimage.map_coordinates(
            distance_mm, index.reshape(3, -1), order=1, mode="nearest", output=np.float32
        )
        counts = self.in_needle()
        if apart_from is not None:
            counts &= self.lookup(anatomy, apart_from, 0) == 0
        along = np.where(counts, flat.reshape(index.shape[1:]), np.inf)
        return along.min(axis=1, initial=np.inf)


def sphere_directions(count: int) -> Float[np.ndarray, "n 3"]:
    """Unit vectors spread evenly over the sphere along a Fibonacci spiral.

    Neighbours are about sqrt(4 π / count) apart: 3.2 degrees for 4000.
    """
    k = np.arange(count) + 0.5
    z = 1 - 2 * k / count
    angle = np.pi * (1 + np.sqrt(5)) * k
    radius = np.sqrt(1 - z**2)
    return np.stack((radius * np.cos(angle), radius * np.sin(angle), z), axis=1)


def ways_from(
    anatomy: Anatomy,
    target_mm: Float[np.ndarray, 3],
    *,
    directions: Float[np.ndarray, "n 3"],
    tip_mm: float,
    reach_mm: float,
    step_mm: float,
) -> Ways:
    """Follow straight lines from a target until they leave the body.

    Args:
        anatomy: The body.
        target_mm: Inside the body (LPS).
        directions: Unit vectors, towards the skin.
        tip_mm: How far the needle reaches beyond the target, backwards.
        reach_mm: How far to look for the skin.
        step_mm: Distance of the points.

    Returns:
        The ways; the skin lies half-way between the last point inside and the first outside.
    """
    at = np.arange(-tip_mm, reach_mm + step_mm, step_mm)
    blank = np.zeros(len(directions))
    ways = Ways(
        target_mm=np.asarray(target_mm, dtype=np.float64),
        directions=directions,
        at_mm=at,
        exit_mm=blank,
        unseen=blank > 0,
    )
    outwards = at >= 0
    inside = ways.lookup(anatomy, anatomy.body, 0)[:, outwards] > 0
    seen = ways.lookup(anatomy, anatomy.seen, 0)[:, outwards] > 0
    left = ~(inside & seen)
    first = np.argmax(left, axis=1)
    leaves = left.any(axis=1)
    rows = np.arange(len(directions))
    exit_mm = np.where(leaves, at[outwards][first] - step_mm / 2, np.inf)
    return Ways(
        target_mm=ways.target_mm,
        directions=directions,
        at_mm=at,
        exit_mm=exit_mm,
        unseen=leaves & ~seen[rows, first],
    )
