"""Do the vessels beside the lesions meet? By how far one scan's must be shifted to lie on the other's.

Centrelines cannot be compared where one scan has less noise, or a narrower window: it shows twigs
that the other one hides, and they meet nothing there however well the scans lie on each other. So
the liver beside the lesions is cut into eight parts, by direction; in each, what stands out from
its surroundings is correlated with the other scan at all shifts up to 12 mm, and the best shift is
how far the vessels are apart there. What only one scan shows lowers the peak and does not move it.
A part whose peak is not clear, because no vessel runs there, says nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.fft
import scipy.ndimage

from netseg.register.sampling import bent

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

    from netseg.register.comparable import Comparable

ndi: Any = scipy.ndimage  # its stubs promise unions that these calls never return
fft: Any = scipy.fft  # scipy carries no types

SHELL_MM = (5.0, 40.0)
FINE_VOXELS, COARSE_MM = 0.7, 10.0  # of the two blurs whose difference shows vessels
STANDS_OUT = 3.0  # robust standard deviations
LOUDEST = 6.0  # times that: brighter things (clips, calcium) count no more
FEWEST_VOXELS = 1000  # of a part: fewer say nothing
FARTHEST_MM = 12.0  # shift that is tried
BESIDE_PEAK_MM = 6.0  # shifts farther from the best one show what chance correlates
CLEAR = 5.0  # standard deviations of that chance by which the peak must stand out
VESSEL_VOXELS = 50  # of one piece: larger than noise makes
FEWEST_PARTS = 2
NOWHERE_MM = 10.0  # told where both scans show vessels and no shift brings any two together
_CUBE = np.ones((3, 3, 3), np.bool_)


def vessel_distance_mm(
    pair: Comparable,
    bend_mm: Float[np.ndarray, "i j k 3"],
    around: Bool[np.ndarray, "i j k"],
) -> float | None:
    """How far apart both scans' vessels lie in the shell around lesions.

    Args:
        pair: The scans on one grid.
        bend_mm: u on that grid.
        around: Zone and lesions in the control scan.

    Returns:
        The mean over the parts of the shell that say something; 10 mm where both scans show vessels
        and nowhere do they match; None where too little of a vessel tree is seen in either.
    """
    if not around.any():
        return None
    away_mm = ndi.distance_transform_edt(~around, sampling=pair.grid.spacing_mm)
    hidden = bent(pair.moving_avoided.astype(np.float32), pair.grid, bend_mm) > 0.1
    inner = ndi.binary_erosion(pair.fixed_liver, _CUBE, iterations=2)
    inner &= ~hidden & ~pair.fixed_avoided
    shell = inner & (away_mm > SHELL_MM[0]) & (away_mm <= SHELL_MM[1])
    if np.count_nonzero(shell) < FEWEST_VOXELS:
        return None
    step_mm = pair.grid.spacing_mm[0]
    ours, theirs = (
        _standing_out(values, inner, step_mm)
        for values in (pair.fixed, bent(pair.moving, pair.grid, bend_mm))
    )
    apart = [_apart_mm(ours, theirs, part, step_mm) for part in _parts(shell, around)]
    found = [mm for mm in apart if mm is not None]
    if len(found) >= FEWEST_PARTS:
        return float(np.mean(found))
    return NOWHERE_MM if all(_shows_vessels(v, shell) for v in (ours, theirs)) else None


def _standing_out(values: np.ndarray, inner: np.ndarray, step_mm: float) -> np.ndarray:
    """By how much each place is brighter than its surroundings, in robust standard deviations."""
    weight = inner.astype(np.float32)
    rise = _mean(values, weight, FINE_VOXELS) - _mean(values, weight, COARSE_MM / step_mm)
    rise -= np.median(rise[inner])
    spread = max(1.4826 * float(np.median(np.abs(rise[inner]))), 1e-6)
    most = LOUDEST * STANDS_OUT
    return np.where(inner, np.clip(rise / spread, -most, most), 0).astype(np.float32)


def _parts(shell: np.ndarray, around: np.ndarray) -> list[np.ndarray]:
    """The shell's eight parts by direction from the middle of the lesions."""
    middle = np.argwhere(around).mean(axis=0)
    beyond = np.indices(shell.shape) > middle[:, None, None, None]
    number = beyond[0] * 4 + beyond[1] * 2 + beyond[2]
    parts = [shell & (number == n) for n in range(8)]
    return [part for part in parts if np.count_nonzero(part) >= FEWEST_VOXELS]


def _apart_mm(
    ours: np.ndarray, theirs: np.ndarray, part: np.ndarray, step_mm: float
) -> float | None:
    """The best shift of one part; None where it is not clear."""
    most = int(FARTHEST_MM / step_mm)
    box = tuple(
        slice(max(0, s.start - most), s.stop + most)
        for s in ndi.find_objects(part.astype(np.uint8))[0]
    )
    alike = _correlation(ours[box], theirs[box], part[box].astype(np.float32), most)
    best = np.unravel_index(int(alike.argmax()), alike.shape)
    way = np.moveaxis(np.indices(alike.shape), 0, -1) - np.array(best)
    far = np.linalg.norm(way, axis=-1) * step_mm > BESIDE_PEAK_MM
    chance = alike[far]
    if alike[best] - chance.mean() < CLEAR * chance.std():
        return None
    shift = np.array(best) - most + [_between(alike, best, axis) for axis in range(3)]
    return float(np.linalg.norm(shift)) * step_mm


def _correlation(
    ours: np.ndarray, theirs: np.ndarray, part: np.ndarray, most: int
) -> Float[np.ndarray, "s s s"]:
    """Correlation coefficient over a part at every shift up to `most` voxels along each axis."""
    shape = [fft.next_fast_len(n + most, real=True) for n in part.shape]
    count = float(part.sum())
    ours = np.where(part > 0, ours - ours[part > 0].mean(), 0)

    def against(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        product = np.conj(fft.rfftn(one, shape)) * fft.rfftn(other, shape)
        whole = np.roll(fft.irfftn(product, shape), (most, most, most), (0, 1, 2))
        return whole[: 2 * most + 1, : 2 * most + 1, : 2 * most + 1]

    total = against(part, theirs)
    spread = np.maximum(against(part, theirs * theirs) - total * total / count, 1e-6)
    size = max(float((ours * ours).sum()), 1e-6)
    return against(ours, theirs) / np.sqrt(size * spread)


def _between(alike: np.ndarray, best: tuple[Any, ...], axis: int) -> float:
    """Where between voxels a peak lies: the top of a parabola through three values."""
    at = int(best[axis])
    if not 0 < at < alike.shape[axis] - 1:
        return 0.0
    low, top, high = (
        float(v) for v in np.take(alike, (at - 1, at, at + 1), axis)[_line(best, axis)]
    )
    bow = low - 2 * top + high
    return 0.0 if bow >= 0 else float(np.clip(0.5 * (low - high) / bow, -0.5, 0.5))


def _line(best: tuple[Any, ...], axis: int) -> tuple[Any, ...]:
    return tuple(slice(None) if a == axis else best[a] for a in range(3))


def _shows_vessels(standing_out: np.ndarray, shell: np.ndarray) -> bool:
    """Whether more stands out than noise does: one large piece."""
    labels, count = ndi.label(shell & (standing_out > STANDS_OUT), _CUBE)
    return bool(
        np.bincount(labels.ravel(), minlength=count + 1)[1:].max(initial=0) >= VESSEL_VOXELS
    )


def _mean(values: np.ndarray, weight: np.ndarray, sigma: float) -> np.ndarray:
    total = ndi.gaussian_filter(values * weight, sigma, truncate=3.0)
    share = ndi.gaussian_filter(weight, sigma, truncate=3.0)
    return total / np.maximum(share, 1e-3)
