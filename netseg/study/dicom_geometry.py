"""Where the slices of one series lie: order, step and axes from positions and cosines alone.

File names and instance numbers play no part. A series is accepted if its slices lie within 0.1 mm
of a regular grid perpendicular to them; nothing is averaged, filled in or assumed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jaxtyping import Float

    from netseg.study.dicom_header import Header

LEAST_SLICES = 5
REGULAR_MM = 0.1
_ROUNDING_MM = 1e-4  # positions are written with a few decimals
_SAME_POSITION_MM = 0.01
_SAME_COSINE = 1e-3
_TILT_DEGREES = 0.06
_SPACING_RANGE_MM = (0.05, 50.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stack:
    """Slices in order along their normal, and the grid they fill.

    Attributes:
        slices: One header per slice.
        shape: Columns, rows, slices: i runs along a row, j down a column.
        affine_lps: Voxel index to LPS millimetres.
        copies: Identical copies that were left out.
    """

    slices: tuple[Header, ...]
    shape: tuple[int, int, int]
    affine_lps: Float[np.ndarray, "4 4"]
    copies: tuple[Header, ...]


def stack(headers: Sequence[Header], same_image: Callable[[Header, Header], bool]) -> Stack:
    """Sort the images of one series into a regular grid.

    Args:
        headers: All images of the series in any order.
        same_image: Tells whether two files at one position hold the same image.

    Raises:
        StudyRejectedError: TOO_FEW_SLICES, MIXED_SERIES, GEOMETRY_MISSING, GEOMETRY_INVALID,
            GANTRY_TILT, MISSING_SLICES, NONUNIFORM_SPACING, AMBIGUOUS_SLICES.
    """
    if len(headers) < LEAST_SLICES:
        raise _too_few(len(headers), headers[0].name)
    rows, columns = _common_size(headers)
    row_spacing, column_spacing = _common_spacing(headers)
    along_row, along_column = _common_axes(headers)
    normal = np.cross(along_row, along_column)
    positions = np.array([h.numbers("ImagePositionPatient", 3) for h in headers])
    order = np.argsort(positions @ normal, kind="stable")
    slices, copies, positions = _without_copies(
        [headers[n] for n in order], positions[order], normal, same_image
    )
    if len(slices) < LEAST_SLICES:
        raise _too_few(len(slices), slices[0].name)
    depth = positions @ normal
    _require_no_gap(depth, slices)
    _require_perpendicular(positions, normal, slices)
    first, step = _regular_grid(depth, slices)
    affine = np.eye(4)
    affine[:3, 0] = along_row * column_spacing
    affine[:3, 1] = along_column * row_spacing
    affine[:3, 2] = normal * step
    sideways = positions - depth[:, None] * normal
    affine[:3, 3] = sideways.mean(axis=0) + normal * first
    return Stack(
        slices=tuple(slices),
        shape=(columns, rows, len(slices)),
        affine_lps=affine,
        copies=tuple(copies),
    )


def _common_size(headers: Sequence[Header]) -> tuple[int, int]:
    sizes = {(h.whole("Rows"), h.whole("Columns")) for h in headers}
    if len(sizes) > 1:
        raise _mixed("sizes", sorted(str(s) for s in sizes), headers[0].name)
    rows, columns = sizes.pop()
    if not rows or not columns or rows < 0 or columns < 0:
        raise StudyRejectedError(
            Code.GEOMETRY_MISSING, "Rows and Columns must be positive.", file=headers[0].name
        )
    return rows, columns


def _common_spacing(headers: Sequence[Header]) -> tuple[float, float]:
    """Distance between rows and between columns, in DICOM's order."""
    spacings = np.array([h.numbers("PixelSpacing", 2) for h in headers])
    low, high = _SPACING_RANGE_MM
    wrong = ((spacings < low) | (spacings > high)).any(axis=1)
    if wrong.any():
        worst = int(np.flatnonzero(wrong)[0])
        raise StudyRejectedError(
            Code.GEOMETRY_INVALID,
            f"PixelSpacing is {spacings[worst].tolist()} mm; {low} to {high} mm is expected.",
            file=headers[worst].name,
            detail={"found_mm": spacings[worst].tolist()},
        )
    if np.ptp(spacings, axis=0).max() > 1e-3:
        raise _mixed("pixel spacings", np.unique(spacings, axis=0).tolist(), headers[0].name)
    return float(spacings[0, 0]), float(spacings[0, 1])


def _common_axes(headers: Sequence[Header]) -> tuple[Float[np.ndarray, 3], Float[np.ndarray, 3]]:
    """Unit vectors along a row and down a column, made exactly perpendicular."""
    cosines = np.array([h.numbers("ImageOrientationPatient", 6) for h in headers])
    for header, six in zip(headers, cosines, strict=True):
        row, column = six[:3], six[3:]
        off = max(abs(np.linalg.norm(row) - 1), abs(np.linalg.norm(column) - 1), abs(row @ column))
        if off > _SAME_COSINE:
            raise StudyRejectedError(
                Code.GEOMETRY_INVALID,
                "ImageOrientationPatient must hold two perpendicular unit vectors; lengths "
                f"{np.linalg.norm(row):.4f} and {np.linalg.norm(column):.4f}, cosine "
                f"{row @ column:.4f}.",
                file=header.name,
            )
    if np.ptp(cosines, axis=0).max() > _SAME_COSINE:
        raise _mixed("orientations", np.unique(cosines.round(3), axis=0).tolist(), headers[0].name)
    row, column = cosines[0, :3], cosines[0, 3:]
    row = row / np.linalg.norm(row)
    column = column - (column @ row) * row
    return row, column / np.linalg.norm(column)


def _without_copies(
    slices: list[Header],
    positions: Float[np.ndarray, "n 3"],
    normal: Float[np.ndarray, 3],
    same_image: Callable[[Header, Header], bool],
) -> tuple[list[Header], list[Header], Float[np.ndarray, "m 3"]]:
    kept: list[int] = [0]
    copies: list[Header] = []
    for n in range(1, len(slices)):
        before = kept[-1]
        if float((positions[n] - positions[before]) @ normal) > _SAME_POSITION_MM:
            kept.append(n)
        elif same_image(slices[before], slices[n]):
            copies.append(slices[n])
        else:
            raise StudyRejectedError(
                Code.AMBIGUOUS_SLICES,
                f"Two different images claim one position ({slices[before].name}, "
                f"{slices[n].name}).",
                file=slices[n].name,
                detail={"position_mm": positions[n].round(3).tolist()},
                hint="Several phases, b-values or reconstructions may share one series: export "
                "each as its own series.",
            )
    return [slices[n] for n in kept], copies, positions[kept]


def _require_no_gap(depth: Float[np.ndarray, "*n"], slices: Sequence[Header]) -> None:
    steps = np.diff(depth)
    usual = float(np.median(steps))
    ratio = steps / usual
    gaps = np.flatnonzero((ratio > 1.5) & (np.abs(ratio - np.rint(ratio)) < 0.1))
    if len(gaps) == 0 or len(gaps) > 0.3 * len(steps):
        return
    n = int(gaps[0])
    missing = int(np.rint(ratio[gaps]).sum() - len(gaps))
    raise StudyRejectedError(
        Code.MISSING_SLICES,
        f"{missing} slice(s) are missing: {steps[n]:.2f} mm between {slices[n].name} and "
        f"{slices[n + 1].name}, {usual:.2f} mm elsewhere.",
        file=slices[n].name,
        detail={
            "expected_mm": round(usual, 3),
            "found_mm": round(float(steps[n]), 3),
            "between": [slices[n].name, slices[n + 1].name],
            "missing": missing,
        },
        hint="Export the series again, completely.",
    )


def _require_perpendicular(
    positions: Float[np.ndarray, "n 3"], normal: Float[np.ndarray, 3], slices: Sequence[Header]
) -> None:
    depth = positions @ normal
    sideways = positions - depth[:, None] * normal
    drift = sideways - sideways.mean(axis=0)
    if np.linalg.norm(drift, axis=1).max() <= REGULAR_MM:
        return
    way = positions[-1] - positions[0]
    across = way - (way @ normal) * normal
    degrees = float(np.degrees(np.arctan2(np.linalg.norm(across), abs(way @ normal))))
    centred = depth - depth.mean()
    straight = np.outer(centred, centred @ drift / (centred @ centred))
    worst = float(np.linalg.norm(drift - straight, axis=1).max())
    if worst > REGULAR_MM:
        raise StudyRejectedError(
            Code.GEOMETRY_INVALID,
            f"The slices jump sideways by up to {worst:.2f} mm.",
            file=slices[int(np.argmax(np.linalg.norm(drift - straight, axis=1)))].name,
            detail={"expected_mm": REGULAR_MM, "found_mm": round(worst, 3)},
        )
    if degrees > _TILT_DEGREES:
        raise StudyRejectedError(
            Code.GANTRY_TILT,
            f"The slices are stacked {degrees:.2f} degrees off their normal; at most "
            f"{_TILT_DEGREES} is accepted.",
            file=slices[0].name,
            detail={"expected_degrees": _TILT_DEGREES, "found_degrees": round(degrees, 3)},
            hint="Reconstruct the series without tilt at the scanner or workstation.",
        )


def _regular_grid(depth: Float[np.ndarray, "*n"], slices: Sequence[Header]) -> tuple[float, float]:
    """First position and step of the regular grid that the slices are least far off.

    Least squares serves where it stays within the limit; else the grid with the smallest largest
    distance is looked for before the series is refused.
    """
    index = np.arange(len(depth))
    step, first = (float(c) for c in np.polyfit(index, depth, 1))
    if np.abs(depth - first - step * index).max() > REGULAR_MM:
        first, step = _minimax_line(depth)
    off = np.abs(depth - first - step * index)
    worst = int(np.argmax(off))
    if off[worst] <= REGULAR_MM + _ROUNDING_MM:
        return first, step
    steps = np.diff(depth)
    raise StudyRejectedError(
        Code.NONUNIFORM_SPACING,
        f"A slice lies {off[worst]:.2f} mm off the best regular grid; at most {REGULAR_MM} mm is "
        f"accepted. The steps run from {steps.min():.2f} to {steps.max():.2f} mm.",
        file=slices[worst].name,
        detail={
            "expected_mm": REGULAR_MM,
            "found_mm": round(float(off[worst]), 3),
            "steps_mm": [round(float(steps.min()), 3), round(float(steps.max()), 3)],
        },
        hint="Export the series again, or one reconstruction of it with equal steps.",
    )


def _minimax_line(depth: Float[np.ndarray, "*n"]) -> tuple[float, float]:
    """First and step that minimise the largest |depth - first - step·n|, as a linear program."""
    from scipy.optimize import linprog

    index = np.arange(len(depth), dtype=np.float64)
    ones = np.ones_like(index)
    above = np.stack([ones, index, -ones], axis=1)  # first + step·n - depth <= t
    below = np.stack([-ones, -index, -ones], axis=1)
    found = linprog(
        [0.0, 0.0, 1.0],
        A_ub=np.concatenate([above, below]),
        b_ub=np.concatenate([depth, -depth]),
        bounds=[(None, None), (None, None), (0, None)],
    )
    first, step, _ = (float(v) for v in found.x)
    return first, step


def _too_few(count: int, name: str) -> StudyRejectedError:
    return StudyRejectedError(
        Code.TOO_FEW_SLICES,
        f"A volume needs at least {LEAST_SLICES} slices; the series has {count}.",
        file=name,
        detail={"expected": LEAST_SLICES, "found": count},
    )


def _mixed(what: str, found: Sequence[object], name: str) -> StudyRejectedError:
    shown = list(found[:4])
    return StudyRejectedError(
        Code.MIXED_SERIES,
        f"The images of one series have {len(found)} different {what}: {shown}.",
        file=name,
        detail={"found": shown},
        hint="Export each reconstruction as its own series.",
    )
