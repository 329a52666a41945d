"""Checks of a registration that need no ground truth.

A wrong registration gives a wrong margin with a good face. Each gate measures one thing that goes
wrong with it: livers that do not cover each other, vessels beside the lesion that do not meet,
tissue folded or stretched beyond belief, a tumour that changed its size, a way back that ends
elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.ndimage

from netseg.domain.registration import Gate
from netseg.register.sampling import bent

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

    from netseg.domain.grid import Grid
    from netseg.register.comparable import Comparable

ndi: Any = scipy.ndimage  # its stubs promise unions that these calls never return

LEAST_DICE = 0.95
MOST_SURFACE_MM = 2.0
# First and 99th percentile over the liver. The true motion of synthetic pairs (7 mm, scale 22 mm)
# spans 0.70 to 1.26; good registrations scatter about that, a wrong one leaves 0.6 to 1.45.
LEAST_JACOBIAN, MOST_JACOBIAN = 0.6, 1.45
MOST_VOLUME_CHANGE = 0.10
MOST_WAY_BACK_MM = 3.0
MOST_DISAGREEMENT_MM = 8.0
MOST_LANDMARK_MM = 5.0


def liver_gates(
    pair: Comparable, bend_mm: Float[np.ndarray, "i j k 3"], shown: Bool[np.ndarray, "i j k"]
) -> dict[str, Gate]:
    """How well the livers cover each other, where both scans show them.

    Args:
        pair: The scans on one grid.
        bend_mm: u on that grid.
        shown: Where the planning scan shows anything.
    """
    there = bent(pair.moving_liver.astype(np.float32), pair.grid, bend_mm) >= 0.5
    here = pair.fixed_liver & shown
    there &= shown
    both = int(np.count_nonzero(here & there))
    size = int(np.count_nonzero(here)) + int(np.count_nonzero(there))
    dice = 2.0 * both / size if size else 0.0
    gap_mm = _surface_gap_mm(here, there, shown, pair.grid)
    return {
        "liver_dice": Gate(
            value=round(dice, 4), limit=f"at least {LEAST_DICE}", passed=dice >= LEAST_DICE
        ),
        "liver_surface_mm": _at_most(gap_mm, MOST_SURFACE_MM, "mm on average"),
    }


def jacobian_gates(
    bend_mm: Float[np.ndarray, "i j k 3"], grid: Grid, liver: Bool[np.ndarray, "i j k"]
) -> dict[str, Gate]:
    """Whether tissue folds, and how far it is squeezed or stretched within the liver."""
    found = jacobian(bend_mm, grid)[liver]
    if not found.size:
        return {}
    low, high = (float(q) for q in np.percentile(found, (1, 99)))
    folded = float(np.mean(found <= 0))
    return {
        "folded_share": Gate(value=round(folded, 6), limit="none", passed=folded == 0),
        "jacobian_low": Gate(
            value=round(low, 3),
            limit=f"first percentile at least {LEAST_JACOBIAN}",
            passed=low >= LEAST_JACOBIAN,
        ),
        "jacobian_high": Gate(
            value=round(high, 3),
            limit=f"99th percentile at most {MOST_JACOBIAN}",
            passed=high <= MOST_JACOBIAN,
        ),
    }


def jacobian(bend_mm: Float[np.ndarray, "i j k 3"], grid: Grid) -> Float[np.ndarray, "i j k"]:
    """Volume of the planning scan's tissue per volume of the control scan's; 1 where nothing bends.

    Central differences on a grid with perpendicular axes.
    """
    along = bend_mm @ grid.directions.astype(bend_mm.dtype)  # LPS to the grid's own axes
    slopes = [np.gradient(along[..., c], *grid.spacing_mm) for c in range(3)]
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = slopes
    xx, yy, zz = xx + 1, yy + 1, zz + 1
    return xx * (yy * zz - yz * zy) - xy * (yx * zz - yz * zx) + xz * (yx * zy - yy * zx)


def volume_gate(rigid_ml: float, bent_ml: float) -> Gate:
    """Whether the tumours kept their volume on the way to the control scan."""
    change = round(bent_ml / rigid_ml - 1, 4) if rigid_ml > 0 else None
    return Gate(
        value=change,
        limit=f"within {MOST_VOLUME_CHANGE:.0%} of the planning scan's",
        passed=None if change is None else abs(change) <= MOST_VOLUME_CHANGE,
    )


def way_back_gate(away_mm: float | None) -> Gate:
    """Whether the reverse registration leads back, near the lesions."""
    return _at_most(away_mm, MOST_WAY_BACK_MM, "mm root mean square, reverse registration run")


def disagreement_gate(away_mm: float | None) -> Gate:
    """How much the bending part moves the lesions beyond what the rigid part said; tells only."""
    return _at_most(away_mm, MOST_DISAGREEMENT_MM, "mm on average", decides=False)


def vessel_gate(away_mm: float | None, most_mm: float) -> Gate:
    """Whether vessels beside the lesions meet."""
    return _at_most(away_mm, most_mm, "mm on average, vessels 5 to 40 mm from the lesions")


def landmark_gate(away_mm: float | None) -> Gate:
    """Whether given landmarks meet; the person who set them judges, so that it tells only."""
    return _at_most(away_mm, MOST_LANDMARK_MM, "mm root mean square", decides=False)


def _at_most(value: float | None, most: float, unit: str, *, decides: bool = True) -> Gate:
    return Gate(
        value=None if value is None else round(value, 3),
        limit=f"at most {most:g} {unit}",
        passed=None if value is None else value <= most,
        decides=decides,
    )


def _surface_gap_mm(
    one: np.ndarray, other: np.ndarray, shown: np.ndarray, grid: Grid
) -> float | None:
    """Mean distance between two surfaces, both ways, away from where an image ends."""
    if not one.any() or not other.any():
        return None
    inner = ndi.binary_erosion(shown, border_value=0)
    found: list[np.ndarray] = []
    for a, b in ((one, other), (other, one)):
        edge = a & ~ndi.binary_erosion(a) & inner
        rim = b & ~ndi.binary_erosion(b)
        away: Any = ndi.distance_transform_edt(~rim, sampling=grid.spacing_mm)
        found.append(away[edge])
    gaps = np.concatenate(found)
    return float(gaps.mean()) if gaps.size else None
