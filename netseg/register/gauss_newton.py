"""The bending part as the most probable field: few steps of Gauss and Newton, nothing painted over.

The control scan is the planning scan looked up at x + u(x), plus noise; u is smooth (a Gaussian
process, `smoothness`). Where nothing can be compared, near zone and tumour, the images say nothing
and the field continues smoothly from the surroundings. Every step linearises the images about
the present field, sums what they say in cells of a few voxels, and solves

    (K⁻¹ + A) u = b + A u₀

for the whole field by conjugate gradients that need K only (Derber & Rosati 1989,
doi:10.1175/1520-0485(1989)019<1333:AGODAS>2.0.CO;2). Voxels that fit badly count less (Geman &
McClure's weights): sliding neighbours, vessels that fill differently.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.ndimage

from netseg.register.comparable import TO_SIGMA
from netseg.register.smoothness import Smoothness

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from netseg.register.comparable import Comparable

ndi: Any = scipy.ndimage  # its stubs promise unions that these calls never return

BLOCK = 3  # voxels along the edge of a cell
SD_MM = 3.0  # of each component of the bend, before any image is seen
LENGTH_MM = 16.0  # of its smoothness
BLURS = (2.0, 2.0, 2.0, 2.0, 1.0, 1.0, 1.0, 1.0)  # voxels, step by step
OUTLIER = 5.0  # standard deviations beyond which a voxel counts little
REDUNDANT = 3.0  # a linearised image knows less than its noise says
ROUNDS = 100  # of conjugate gradients per step: with 30 the smooth waves were still on their way
ENOUGH = 3e-3  # or when the residual has fallen to this share
PAIRS = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Said:
    """What the images say about the field, cell by cell.

    Attributes:
        weight: The six different entries of a symmetric 3x3 matrix per cell, 1/mm².
        pull: Its right side at the present field, 1/mm.
    """

    weight: Float[np.ndarray, "6 i j k"]
    pull: Float[np.ndarray, "3 i j k"]

    def times(self, field: Float[np.ndarray, "3 i j k"]) -> Float[np.ndarray, "3 i j k"]:
        """The matrices applied to a field."""
        xx, xy, xz, yy, yz, zz = self.weight
        x, y, z = field
        return np.stack(
            (xx * x + xy * y + xz * z, xy * x + yy * y + yz * z, xz * x + yz * y + zz * z)
        )


def bend_by_gauss_newton(pair: Comparable) -> Float[np.ndarray, "i j k 3"]:
    """The most probable bend of a pair.

    Args:
        pair: Two scans on one grid.

    Returns:
        u in LPS millimetres on the pair's grid, float32; zero where nothing can be compared at all.
    """
    shape = pair.grid.shape
    at = np.argwhere(pair.compared)
    if not len(at):
        return np.zeros((*shape, 3), np.float32)
    prior = prior_of(pair)
    field = np.zeros((3, *prior.spectrum.shape), np.float32)
    unlikely = np.zeros_like(field)  # K⁻¹ field, carried along: K itself is never inverted
    images: _Images | None = None
    for blur in BLURS:
        if images is None or images.blur != blur:
            images = _Images.of(pair, blur)
        said = _listen(images, at, field)
        target = said.pull + said.times(field)
        field, unlikely = solve(said, target, prior, (field, unlikely))
    return _on_voxels(field, shape) @ pair.grid.directions.T.astype(np.float32)


def prior_of(pair: Comparable) -> Smoothness:
    """What is known of the pair's bend before its images are looked at."""
    i, j, k = (-(-n // BLOCK) for n in pair.grid.shape)
    step_mm = BLOCK * pair.grid.spacing_mm[0]
    return Smoothness.of((i, j, k), step_mm, sd_mm=SD_MM, length_mm=LENGTH_MM)


def said_at(pair: Comparable, bend_mm: Float[np.ndarray, "i j k 3"]) -> Said | None:
    """What the images say about a bend that somebody found; None where nothing can be compared."""
    at = np.argwhere(pair.compared)
    if not len(at):
        return None
    along = np.moveaxis(bend_mm @ pair.grid.directions.astype(bend_mm.dtype), -1, 0)
    cells = prior_of(pair).spectrum.shape
    field = np.stack(
        [
            ndi.affine_transform(
                c,
                np.full(3, BLOCK),
                offset=(BLOCK - 1) / 2,
                output_shape=cells,
                order=1,
                mode="nearest",
            )
            for c in along
        ]
    )
    return _listen(_Images.of(pair, BLURS[-1]), at, field)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Images:
    """Both images at one blur, with their slopes along the grid's axes per millimetre."""

    blur: float
    step_mm: float
    fixed: np.ndarray
    moving: np.ndarray
    fixed_slope: list[np.ndarray]
    moving_slope: list[np.ndarray]
    avoided: np.ndarray

    @classmethod
    def of(cls, pair: Comparable, blur: float) -> _Images:
        step_mm = pair.grid.spacing_mm[0]
        fixed = _calm(pair.fixed, pair.fixed_avoided, blur)
        moving = _calm(pair.moving, pair.moving_avoided, blur)
        return cls(
            blur=blur,
            step_mm=step_mm,
            fixed=fixed,
            moving=moving,
            fixed_slope=[np.asarray(s, np.float32) for s in np.gradient(fixed, step_mm)],
            moving_slope=[np.asarray(s, np.float32) for s in np.gradient(moving, step_mm)],
            avoided=pair.moving_avoided.astype(np.float32),
        )


def _calm(values: np.ndarray, avoided: np.ndarray, blur: float) -> Float[np.ndarray, "i j k"]:
    """Blurred without what is avoided: a dark zone would reach into its surroundings, and pull."""
    weight = (~avoided).astype(np.float32)
    total = ndi.gaussian_filter(values * weight, blur, truncate=3.0)
    share = ndi.gaussian_filter(weight, blur, truncate=3.0)
    return np.where(share > 0.02, total / np.maximum(share, 0.02), values)


def _listen(images: _Images, at: Int[np.ndarray, "n 3"], field: np.ndarray) -> Said:
    """Linearise the images about the present field and sum up what they say."""
    cells = field.shape[1:]
    inner = ((at - (BLOCK - 1) / 2) / BLOCK).T
    shift = np.stack([ndi.map_coordinates(c, inner, order=1, mode="nearest") for c in field])
    there = at.T + shift / images.step_mm
    here = tuple(at.T)
    rest = images.fixed[here] - _at(images.moving, there)
    slope = [
        0.5 * (_at(m, there) + f[here])
        for m, f in zip(images.moving_slope, images.fixed_slope, strict=True)
    ]
    trusted = _at(images.avoided, there) < 0.1
    rest -= np.median(rest[trusted]) if trusted.any() else 0.0
    sigma = TO_SIGMA * float(np.median(np.abs(rest[trusted]))) if trusted.any() else 0.0
    sigma = max(sigma, 1e-6)
    weight = trusted / (1 + (rest / (OUTLIER * sigma)) ** 2) ** 2
    alike = max(
        1.0, (2 * images.blur) ** 3 * np.pi**1.5
    )  # voxels that share their noise after the blur
    weight = weight / (sigma**2 * REDUNDANT * alike)
    cell = np.ravel_multi_index(tuple((at // BLOCK).T), cells)

    def summed(values: np.ndarray) -> np.ndarray:
        total = np.bincount(cell, values, int(np.prod(cells)))
        return total.reshape(cells).astype(np.float32)

    return Said(
        weight=np.stack([summed(weight * slope[a] * slope[b]) for a, b in PAIRS]),
        pull=np.stack([summed(weight * rest * s) for s in slope]),
    )


def solve(
    said: Said,
    target: np.ndarray,
    prior: Smoothness,
    start: tuple[np.ndarray, np.ndarray],
    *,
    rounds: int = ROUNDS,
    enough: float = ENOUGH,
) -> tuple[np.ndarray, np.ndarray]:
    """Conjugate gradients for (K⁻¹ + A) u = target, begun at u and K⁻¹ u; the same two.

    They end after so many rounds, or when the residual has fallen to `enough` of the first.
    """
    field, unlikely = start[0].copy(), start[1].copy()
    rest = target - unlikely - said.times(field)
    way = prior.covary(rest)
    inverse_way = rest.copy()
    size = first = float(np.vdot(rest, way))
    for _ in range(rounds):
        if size <= enough**2 * first or size <= 0:
            break
        answer = inverse_way + said.times(way)
        far = np.float32(size / float(np.vdot(way, answer)))
        field += far * way
        unlikely += far * inverse_way
        rest -= far * answer
        smooth = prior.covary(rest)
        new = float(np.vdot(rest, smooth))
        way = smooth + np.float32(new / size) * way
        inverse_way = rest + np.float32(new / size) * inverse_way
        size = new
    return field, unlikely


def _at(values: np.ndarray, index: np.ndarray) -> np.ndarray:
    return ndi.map_coordinates(values, index, order=1, mode="nearest")


def _on_voxels(field: np.ndarray, shape: tuple[int, int, int]) -> Float[np.ndarray, "i j k 3"]:
    """Linear between the cells' centres."""
    inner = -(BLOCK - 1) / 2 / BLOCK
    parts = [
        ndi.affine_transform(
            c, np.full(3, 1 / BLOCK), offset=inner, output_shape=shape, order=1, mode="nearest"
        )
        for c in field
    ]
    return np.stack(parts, axis=-1)
