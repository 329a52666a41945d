"""Where images cannot tell how tissue moved, it moves as one piece.

Inside an ablation zone, and inside a tumour that is there in one scan only, no registration by
intensities knows anything: it stretches the dark tumour onto the dark zone and so decides the
margin. There the field is replaced by one motion, and the tumour keeps its volume.

Which motion depends on what the field is worth inside. A field that matched painted images is worth
nothing there: a rigid motion is fitted in a shell of liver around zone and tumour (`AROUND_MM`). A
field that never looked there and continues smoothly from the surroundings is the best guess there
is: the motion is fitted to it in the tumour and its rim (`WITHIN_MM`), and the zone stays as it is.
That motion may stretch the tumour one way and squeeze it another (`fit_keeping_volume`), as liver
does around it: a rigid tumour in a liver that was stretched by a tenth is half a millimetre to a
millimetre short of where it reaches, and its margin too long by that. How the continued field changes the
tumour's volume is not believed; it is too large by 8 % on average (experiments/registration).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import scipy.ndimage

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

    from netseg.domain.grid import Grid

ndi: Any = scipy.ndimage  # its stubs promise unions that these calls never return

AROUND_MM = (1.0, 14.0)  # from the surface of zone and tumour
WITHIN_MM = (0.0, 3.0)
BLEND_MM = 4.0  # from all rigid at the surface to all bent
FEWEST = 200  # voxels of shell: fewer do not carry a motion
MOST_STRETCH = 1.4  # of any length; a motion that says more is not believed, and made rigid
_CUBE = np.ones((3, 3, 3), np.bool_)


class MotionFit(Protocol):
    """Matrix and vector of the motion that brings points nearest to others."""

    def __call__(
        self, before: Float[np.ndarray, "n 3"], after: Float[np.ndarray, "n 3"]
    ) -> tuple[Float[np.ndarray, "3 3"], Float[np.ndarray, "3"]]:
        """`before @ matrix.T + vector` lies near `after`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LocallyRigid:
    """A field that moves a region in one piece.

    Attributes:
        bend_mm: The field.
        swelling_mm: How far the field moves a region's surface by changing its volume where the
            motion was fitted: that of a ball as large. The worst region's; None without any.
        scatter_mm: Root mean square of what the motions leave of the field where they were
            fitted: how much it bends. None where there was no region.
    """

    bend_mm: Float[np.ndarray, "i j k 3"]
    scatter_mm: float | None
    swelling_mm: float | None


def locally_rigid(
    bend_mm: Float[np.ndarray, "i j k 3"],
    grid: Grid,
    stiff: Bool[np.ndarray, "i j k"],
    liver: Bool[np.ndarray, "i j k"],
    shell_mm: tuple[float, float] = AROUND_MM,
    fit: MotionFit | None = None,
) -> LocallyRigid:
    """Make a field one motion in each connected part of a region.

    Args:
        bend_mm: u, LPS millimetres, on `grid`.
        grid: Cubic voxels.
        stiff: Zone and tumours in the control scan.
        liver: The liver in the control scan; shells outside it follow other organs.
        shell_mm: From where to where around the region the motion is fitted; from 0 the region
            itself is fitted too.
        fit: Which motions there are; None for rigid ones.

    Returns:
        The field, unchanged farther than 4 mm from the region. A part whose shell holds fewer than
        200 voxels of liver moves by the mean of what there is, or stays as it is.
    """
    labels, count = ndi.label(stiff, _CUBE)
    if not count:
        return LocallyRigid(bend_mm=bend_mm, scatter_mm=None, swelling_mm=None)
    result = bend_mm.copy()
    left: list[np.ndarray] = []
    swelling: list[float] = []
    for number, box in enumerate(_boxes(labels, grid, shell_mm[1]), start=1):
        away = ndi.distance_transform_edt(labels[box] != number, sampling=grid.spacing_mm)
        shell = (away > shell_mm[0]) & (away <= shell_mm[1]) & liver[box] & (labels[box] == 0)
        if shell_mm[0] == 0:
            shell |= away == 0
        places = _places_mm(grid, box)
        fitted = _fitted(places, bend_mm[box], shell, fit or fit_rigid)
        if fitted is None:
            continue
        left.append(np.linalg.norm(fitted[shell] - bend_mm[box][shell], axis=-1))
        radius_mm = _radius_mm(int(np.count_nonzero(labels[box] == number)), grid)
        swelling.append(radius_mm * abs(_swelling(places[shell], bend_mm[box][shell])) / 3)
        share = np.clip(1 - away / BLEND_MM, 0, 1)
        share = (share * share * (3 - 2 * share))[..., None]
        result[box] += (share * (fitted - bend_mm[box])).astype(result.dtype)
    scatter = float(np.sqrt(np.mean(np.concatenate(left) ** 2))) if left else None
    return LocallyRigid(
        bend_mm=result, scatter_mm=scatter, swelling_mm=max(swelling) if left else None
    )


def fit_rigid(
    before: Float[np.ndarray, "n 3"], after: Float[np.ndarray, "n 3"]
) -> tuple[Float[np.ndarray, "3 3"], Float[np.ndarray, "3"]]:
    """The rotation and shift that bring points nearest to others (Kabsch 1976).

    Returns:
        Matrix and vector with `before @ matrix.T + vector` nearest to `after`.
    """
    middle, there = before.mean(axis=0), after.mean(axis=0)
    u, _, v = np.linalg.svd((before - middle).T @ (after - there))
    mirror = np.diag([1.0, 1.0, np.sign(np.linalg.det(v.T @ u.T))])
    turn = v.T @ mirror @ u.T
    return turn, there - turn @ middle


def fit_keeping_volume(
    before: Float[np.ndarray, "n 3"], after: Float[np.ndarray, "n 3"]
) -> tuple[Float[np.ndarray, "3 3"], Float[np.ndarray, "3"]]:
    """The affine motion nearest to points' own, scaled back to the volume it began with.

    Returns:
        As `fit_rigid`, with a matrix of determinant 1; the rigid motion where the points do not
        span space, or say that some length changes by more than `MOST_STRETCH`.
    """
    middle, there = before.mean(axis=0), after.mean(axis=0)
    matrix = _affine(before, after)
    stretch = np.linalg.svd(matrix, compute_uv=False)
    volume = float(np.linalg.det(matrix))
    if volume <= 0:
        return fit_rigid(before, after)
    side = volume ** (1 / 3)
    if stretch.max() > MOST_STRETCH * side or stretch.min() < side / MOST_STRETCH:
        return fit_rigid(before, after)
    matrix = matrix / side
    return matrix, there - matrix @ middle


def _affine(
    before: Float[np.ndarray, "n 3"], after: Float[np.ndarray, "n 3"]
) -> Float[np.ndarray, "3 3"]:
    """The matrix of the affine motion nearest to points' own."""
    return np.linalg.lstsq(before - before.mean(axis=0), after - after.mean(axis=0), rcond=None)[
        0
    ].T


def _swelling(places: Float[np.ndarray, "n 3"], moved: Float[np.ndarray, "n 3"]) -> float:
    """Share by which a field changes the volume around some places."""
    return float(np.linalg.det(_affine(places, places + moved))) - 1


def _radius_mm(voxels: int, grid: Grid) -> float:
    """Of the ball that is as large as so many voxels."""
    return (3 * voxels * grid.voxel_volume_ml * 1000 / (4 * np.pi)) ** (1 / 3)


def _fitted(
    places: Float[np.ndarray, "i j k 3"],
    bend_mm: Float[np.ndarray, "i j k 3"],
    shell: Bool[np.ndarray, "i j k"],
    fit: MotionFit,
) -> Float[np.ndarray, "i j k 3"] | None:
    """The motion of the shell as a displacement of every place."""
    if not shell.any():
        return None
    moved = bend_mm[shell].astype(np.float64)
    if len(moved) < FEWEST:
        return np.broadcast_to(moved.mean(axis=0), places.shape)
    matrix, shift = fit(places[shell], places[shell] + moved)
    return places @ matrix.T + shift - places


def _boxes(labels: np.ndarray, grid: Grid, room_mm: float) -> list[tuple[slice, slice, slice]]:
    """Around each part, with room for its shell and for the blend."""
    more = [int(np.ceil(max(room_mm, BLEND_MM) / s)) + 1 for s in grid.spacing_mm]
    found: list[tuple[slice, slice, slice]] = []
    for box in ndi.find_objects(labels):
        i, j, k = (
            slice(max(0, part.start - m), min(n, part.stop + m))
            for part, m, n in zip(box, more, labels.shape, strict=True)
        )
        found.append((i, j, k))
    return found


def _places_mm(grid: Grid, box: tuple[slice, slice, slice]) -> Float[np.ndarray, "i j k 3"]:
    index = np.meshgrid(*(np.arange(s.start, s.stop) for s in box), indexing="ij")
    return grid.to_mm(np.stack(index, axis=-1))
