"""Masks from any tool: which of a file's values are meant, and on which grid they lie.

A file is NIfTI, NRRD, MetaImage, DICOM SEG or DICOM RTSTRUCT. A mask argument is FILE (one value in the file), FILE:2, FILE:1,2 (values, united) or
FILE:instances (each value one lesion). A file with several values and no suffix is refused: value
1 is the liver in one tool and a lesion in the next. The values of a SEG are its segments' numbers, those
of an RTSTRUCT its regions', which may be named as well: FILE:left lesion,right lesion.

The frame of a mask: given a scan's grid (`on`), the mask must lie on it, and carries that grid with
its frame. Given none, the mask's frame is named by its grid: two masks whose corner voxels lie at
the same places (to 0.1 mm) share a frame, two that do not never meet.
"""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import permutations, product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from netseg.domain.codes import Code
from netseg.domain.errors import GridMismatchError, StudyRejectedError
from netseg.domain.grid import Grid, describe, require_same_frame
from netseg.domain.volume import LabelMap, Mask
from netseg.study.files import image_suffix, is_dicom
from netseg.study.image_file import read_image_file, uid_from

if TYPE_CHECKING:
    from jaxtyping import Integer

    from netseg.study.image_file import ImageFile

SAME_GRID_MM = 0.05
"""A mask's header was rounded to float32 by the tool that wrote it; its voxels are the scan's."""
_SUFFIX = re.compile(r":(instances|\d+(?:,\d+)*)$")
_STEP_MM, _OFFSET_MM = 0.1, 0.0371  # the offset keeps round coordinates off the rounding's edges


def read_mask(spec: str, on: Grid | None = None) -> Mask:
    """The region a mask argument names.

    Args:
        spec: FILE, FILE:2, FILE:1,2 or FILE:instances (all values united).
        on: The scan's grid it must lie on.

    Raises:
        StudyRejectedError: LABEL_AMBIGUOUS, LABEL_UNKNOWN, LABEL_NOT_INTEGER, MASK_EMPTY, and what
            the file's reader refuses.
        GridMismatchError: If the mask lies elsewhere than `on`.
    """
    path, wanted = _parsed(spec)
    labels = _labels_of(path, on, wanted)
    values = _chosen(_present(labels.labels), wanted, path.name)
    return labels.region(*values)


def read_instances(spec: str, on: Grid | None = None) -> LabelMap:
    """The lesions a mask argument names, numbered 1 … n in descending volume.

    FILE:instances keeps each value as one lesion; every other form unites its values and numbers
    their 26-connected parts.

    Args:
        spec: As for `read_mask`.
        on: The scan's grid it must lie on.

    Raises:
        StudyRejectedError: As `read_mask`.
        GridMismatchError: If the mask lies elsewhere than `on`.
    """
    path, wanted = _parsed(spec)
    if wanted != "instances":
        from netseg.geometry.components import components

        return components(read_mask(spec, on))
    labels = _labels_of(path, on, wanted)
    _chosen(_present(labels.labels), wanted, path.name)
    return _by_volume(labels)


def read_lesions(spec: str, on: Grid | None = None) -> LabelMap:
    """The lesions of a study, as `read_instances`; an empty file says "looked, none found".

    Only a file without a suffix may be empty: a label that is asked for and not there may as well
    be the wrong label.

    Raises:
        StudyRejectedError: As `read_instances`, but not MASK_EMPTY.
        GridMismatchError: If the mask lies elsewhere than `on`.
    """
    labels = read_labels(spec, on) if not _parsed(spec)[1] else None
    if labels is not None and not labels.values:
        return LabelMap.empty(labels.grid)
    return read_instances(spec, on)


def read_labels(spec: str, on: Grid | None = None) -> LabelMap:
    """Every value of a label map with its own number: tissues, organs, obstacles.

    Args:
        spec: FILE (all values), or FILE:1,2 (these alone). An empty file is an empty map.
        on: The scan's grid it must lie on.

    Raises:
        StudyRejectedError: LABEL_UNKNOWN, LABEL_NOT_INTEGER, and what the file's reader refuses.
        GridMismatchError: If the map lies elsewhere than `on`.
    """
    path, wanted = _parsed(spec)
    labels = _labels_of(path, on, wanted)
    if wanted in ("", "instances"):
        return labels
    values = _chosen(_present(labels.labels), wanted, path.name)
    kept = np.where(np.isin(labels.labels, values), labels.labels, 0)
    return LabelMap(kept.astype(labels.labels.dtype), labels.grid)


def mask_file(spec: str) -> Path:
    """The file that a mask argument names, whether or not it is there; what its suffix means aside."""
    whole = Path(spec)
    return whole if whole.exists() else Path(spec.rsplit(":", 1)[0])


def _parsed(spec: str) -> tuple[Path, str]:
    """The file and the suffix of a mask argument; a file whose whole name exists has no suffix."""
    found = _SUFFIX.search(spec)
    if found is None or Path(spec).is_file():
        head, _, tail = spec.rpartition(":")
        if not Path(spec).is_file() and head and Path(head).is_file():
            numbers = _named_regions(Path(head), tail)
            if numbers is not None:
                return Path(head), numbers
            raise StudyRejectedError(
                Code.LABEL_UNKNOWN,
                f"The suffix {tail!r} is no label; whole numbers or instances are expected.",
                file=Path(head).name,
                hint="For example FILE:2, FILE:1,2 or FILE:instances.",
            )
        return Path(spec), ""
    return Path(spec[: found.start()]), found.group(1)


def _named_regions(path: Path, names: str) -> str | None:
    """The numbers of an RTSTRUCT's regions by name, as a suffix; None for another kind of file."""
    from netseg.study.rtstruct import is_structure_set, read_structure_set

    if image_suffix(path) is not None or not is_structure_set(path):
        return None
    return ",".join(map(str, read_structure_set(path).numbers_of(names)))


def _labels_of(path: Path, on: Grid | None, wanted: str) -> LabelMap:
    if path.is_file() and path.stat().st_size and image_suffix(path) is None:
        from netseg.study.rtstruct import is_structure_set

        if is_structure_set(path):
            return _read_regions(path, on, wanted)
        return _read_seg(path, on, wanted)
    image = read_image_file(path)
    labels = _whole_numbers(image)
    grid = Grid(shape=labels.shape, affine_lps=image.affine_lps, frame_uid="unnamed")
    if on is None:
        return LabelMap(labels, replace(grid, frame_uid=_frame_of(grid)))
    return LabelMap(_laid_on(labels, grid, on, path.name), on)


def _read_seg(path: Path, on: Grid | None, wanted: str) -> LabelMap:
    """The segments as labels; a SEG knows its frame and may outline a part of the scan only."""
    from netseg.study.dicom_seg import read_segments

    if not is_dicom(path, path.name):
        read_image_file(path)  # refuses it by name
    segments = read_segments(path)
    values = [int(v) for v in wanted.split(",")] if wanted[:1].isdigit() else []
    _chosen(segments.numbers, wanted, path.name)
    labels = segments.labels(values)
    grid = Grid(shape=labels.shape, affine_lps=segments.affine_lps, frame_uid=segments.frame_uid)
    if on is None:
        return LabelMap(labels, grid)
    require_same_frame("mask and scan", grid, on)
    return LabelMap(_laid_on(labels, grid, on, path.name, part=True), on)


def _read_regions(path: Path, on: Grid | None, wanted: str) -> LabelMap:
    """The regions of an RTSTRUCT as labels; it holds no voxels and needs the scan's."""
    from netseg.study.rtstruct import read_structure_set

    if on is None:
        raise StudyRejectedError(
            Code.GEOMETRY_MISSING,
            "An RTSTRUCT holds contours and no voxels; the scan it was drawn on must be given too.",
            file=path.name,
            hint="Use it with a study: netseg run or segment -i STUDY --lesions FILE.",
        )
    regions = read_structure_set(path)
    values = [int(v) for v in wanted.split(",")] if wanted[:1].isdigit() else []
    _chosen(regions.numbers, wanted, path.name)
    return LabelMap(regions.labels(values, on), on)


def _whole_numbers(image: ImageFile) -> Integer[np.ndarray, "i j k"]:
    values = image.values
    if np.issubdtype(values.dtype, np.floating):
        rounded = np.rint(values)
        if not np.array_equal(rounded, values):
            raise StudyRejectedError(
                Code.LABEL_NOT_INTEGER,
                "The mask holds values that are no whole numbers; a probability map is no mask.",
                file=image.name,
                hint="Threshold it first, and say at which probability.",
            )
        values = rounded
    lowest, highest = int(values.min()), int(values.max())
    if lowest < 0 or highest > np.iinfo(np.uint32).max:
        raise StudyRejectedError(
            Code.LABEL_NOT_INTEGER,
            f"Labels run from 0 up; the mask holds {lowest} to {highest}.",
            file=image.name,
        )
    return values.astype(np.min_scalar_type(highest), copy=False)


def _chosen(present: tuple[int, ...], wanted: str, name: str) -> tuple[int, ...]:
    """The values the suffix means.

    Raises:
        StudyRejectedError: MASK_EMPTY, LABEL_AMBIGUOUS, LABEL_UNKNOWN.
    """
    if wanted in ("", "instances"):
        if not present:
            raise StudyRejectedError(Code.MASK_EMPTY, "The mask holds no voxel.", file=name)
        if wanted == "" and len(present) > 1:
            raise StudyRejectedError(
                Code.LABEL_AMBIGUOUS,
                f"The mask holds the values {_listed(present)} and no suffix says which is meant.",
                file=name,
                detail={"values": list(present[:20])},
                hint=f"Name them: {name}:{present[-1]}, or {name}:instances for numbered lesions.",
            )
        return present
    values = tuple(int(v) for v in wanted.split(","))
    missing = [v for v in values if v not in present]
    if missing:
        raise StudyRejectedError(
            Code.LABEL_UNKNOWN,
            f"The mask holds {_listed(present) or 'no value'}, not {_listed(tuple(missing))}.",
            file=name,
            detail={"values": list(present[:20]), "asked": list(values)},
        )
    return values


def _by_volume(labels: LabelMap) -> LabelMap:
    """The same regions numbered 1 … n in descending volume, equal ones in their old order."""
    values = _present(labels.labels)
    sizes = {v: int(np.count_nonzero(labels.labels == v)) for v in values}
    order = sorted(values, key=lambda v: -sizes[v])
    renumbered = np.zeros(labels.labels.shape, np.min_scalar_type(len(order)))
    for number, value in enumerate(order, start=1):
        renumbered[labels.labels == value] = number
    return LabelMap(renumbered, labels.grid)


def _present(labels: Integer[np.ndarray, "i j k"]) -> tuple[int, ...]:
    """The numbers in use without background; sorting 30 million voxels would take seconds."""
    found: set[int] = set()
    for k in range(labels.shape[2]):
        plane = labels[:, :, k]
        if plane.any():
            found.update(np.unique(plane).tolist())
    return tuple(sorted(int(v) for v in found - {0}))


def _laid_on(
    labels: Integer[np.ndarray, "i j k"], grid: Grid, on: Grid, name: str, *, part: bool = False
) -> Integer[np.ndarray, "i j k"]:
    """The labels in the order of `on`'s voxels; axes may be swapped or reversed, nothing more.

    Args:
        labels: The mask's voxels.
        grid: Where they lie.
        on: The scan's grid.
        name: The mask's file, for the message.
        part: Whether the mask may cover a part of the scan.

    Raises:
        GridMismatchError: If the voxels are not the same.
    """
    for order in permutations(range(3)):
        for steps in product((1, -1), repeat=3):
            turned = _turned(grid, order, steps)
            start = _start_in(turned, on)
            if start is None or not (part or turned.shape == on.shape):
                continue
            laid = labels.transpose(order)[tuple(slice(None, None, s) for s in steps)]
            if laid.shape == on.shape:
                return np.ascontiguousarray(laid)
            whole = np.zeros(on.shape, labels.dtype)
            whole[tuple(slice(s, s + n) for s, n in zip(start, laid.shape, strict=True))] = laid
            return whole
    raise GridMismatchError(
        Code.GRID_MISMATCH,
        f"The mask has {describe(grid)}, the scan {describe(on)}; they must share their voxels.",
        file=name,
        detail={
            "first_shape": list(grid.shape),
            "second_shape": list(on.shape),
            "first_affine_lps": grid.affine_lps[:3].round(4).tolist(),
            "second_affine_lps": on.affine_lps[:3].round(4).tolist(),
        },
        hint="Bring the mask onto the scan's grid with the tool that made it.",
    )


def _turned(grid: Grid, order: tuple[int, ...], steps: tuple[int, ...]) -> Grid:
    """The same voxels with axes in another order (first) and direction (then)."""
    affine = grid.affine_lps.copy()
    affine[:3, :3] = grid.affine_lps[:3, list(order)]
    shape = tuple(grid.shape[a] for a in order)
    for axis, step in enumerate(steps):
        if step < 0:
            affine[:3, 3] += affine[:3, axis] * (shape[axis] - 1)
            affine[:3, axis] *= -1
    return Grid(shape=(shape[0], shape[1], shape[2]), affine_lps=affine, frame_uid=grid.frame_uid)


def _start_in(part: Grid, whole: Grid) -> tuple[int, int, int] | None:
    """The voxel of `whole` at which `part` begins; None where their voxels are not the same."""
    i, j, k = (int(n) for n in np.rint(whole.to_index(part.affine_lps[:3, 3])))
    fits = all(
        s >= 0 and s + n <= m for s, n, m in zip((i, j, k), part.shape, whole.shape, strict=True)
    )
    if not fits:
        return None
    there = whole.crop((i, j, k), part.shape).corners_mm()
    return (i, j, k) if np.abs(there - part.corners_mm()).max() <= SAME_GRID_MM else None


def _frame_of(grid: Grid) -> str:
    corners = np.floor((grid.corners_mm() + _OFFSET_MM) / _STEP_MM).astype(np.int64)
    ordered = sorted(map(tuple, corners.tolist()))
    return uid_from(f"grid {sorted(grid.shape)} {ordered}")


def _listed(values: tuple[int, ...]) -> str:
    shown = ", ".join(str(v) for v in values[:10])
    return f"{shown}, …" if len(values) > 10 else shown
