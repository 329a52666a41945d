"""The voxels of the truth, and predictions laid on them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from netseg.domain import Code, Grid, GridMismatchError, LabelMap, Mask, Quantity, Volume
from netseg.domain.grid import describe
from netseg.evaluation.box import slabs
from netseg.geometry.resample import resample, resample_labels
from netseg.study.dicom_seg import read_segments
from netseg.study.files import image_suffix
from netseg.study.image_file import read_image_file
from netseg.study.masks import SAME_GRID_MM, read_labels

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from jaxtyping import Shaped


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ground:
    """The voxels a prediction must lie on.

    Attributes:
        grid: The truth's grid.
        knows_frame: Whether the truth's file states its frame of reference (DICOM).
        resample_nearest: Whether another grid is brought onto this one by nearest neighbour.
    """

    grid: Grid
    knows_frame: bool = False
    resample_nearest: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Regions:
    """A file's regions by number, on one grid. Segments of a DICOM SEG may overlap.

    Attributes:
        present: Numbers that hold a voxel.
        region: The union of some of them; empty where none is present.
        instances: All of them as labels.
        grid: Where their voxels lie.
    """

    present: frozenset[int]
    region: Callable[[tuple[int, ...]], Mask]
    instances: Callable[[], LabelMap]
    grid: Grid


def regions_of(path: Path, ground: Ground | None = None) -> Regions:
    """The regions of a label map or DICOM SEG.

    Args:
        path: The file.
        ground: The voxels they must lie on; the file's own when absent.

    Raises:
        GridMismatchError: If the grids differ and nothing may be resampled.
        FrameMismatchError: If both know a frame of reference and the frames differ.
        StudyRejectedError: What the file's reader refuses.
    """
    if image_suffix(path) is None:
        return _of_segments(path, ground)
    labels = _labels(path, "", ground)
    return Regions(
        present=frozenset(_present(labels.labels)),
        region=lambda values: _union(labels, values),
        instances=lambda: labels,
        grid=labels.grid,
    )


def shared_grid(truth: Path, predicted: Path) -> Grid:
    """The voxels of a DICOM SEG together with those of another file, in the SEG's frame.

    A SEG ends where its last outlined slice ends, the other file often reaches further.

    Args:
        truth: A DICOM SEG.
        predicted: The other file, of any kind.

    Returns:
        The smallest grid that holds both; the SEG's own where the voxels are not the same.
    """
    own = regions_of(truth).grid
    other = regions_of(predicted).grid.corners_mm()
    corners = own.to_index(other)
    if np.abs(own.to_mm(np.rint(corners)) - other).max() > SAME_GRID_MM:
        return own
    low = np.minimum(np.rint(corners).min(axis=0), 0).astype(int)
    high = np.maximum(np.rint(corners).max(axis=0) + 1, own.shape).astype(int)
    i, j, k = (int(n) for n in low)
    di, dj, dk = (int(n) for n in high - low)
    return own.crop((i, j, k), (di, dj, dk))


def _of_segments(path: Path, ground: Ground | None) -> Regions:
    if not path.is_file() or not path.stat().st_size:
        read_image_file(path)  # refuses it by name
    present = frozenset(read_segments(path).numbers)
    first = _labels(path, f":{min(present)}", ground)

    def region(values: tuple[int, ...]) -> Mask:
        wanted = ",".join(str(v) for v in values if v in present)
        if not wanted:
            return Mask(np.zeros(first.grid.shape, np.bool_), first.grid)
        return _labels(path, f":{wanted}", ground).region()

    return Regions(
        present=present,
        region=region,
        instances=lambda: _labels(path, ":instances", ground),
        grid=first.grid,
    )


def _labels(path: Path, suffix: str, ground: Ground | None) -> LabelMap:
    """Labels on the ground's voxels, in its frame."""
    spec = f"{path}{suffix}"
    if ground is None:
        return read_labels(spec)
    on, alone = ground.grid, None
    if not (ground.knows_frame or image_suffix(path)):
        alone = read_labels(spec)  # a DICOM SEG knows its frame; a bare truth shares it
        on = replace(on, frame_uid=alone.grid.frame_uid)
    try:
        return LabelMap(read_labels(spec, on).labels, ground.grid)
    except GridMismatchError as refusal:
        if not ground.resample_nearest:
            raise _with_advice(refusal) from refusal
    alone = alone or read_labels(spec)
    moved = LabelMap(alone.labels, replace(alone.grid, frame_uid=ground.grid.frame_uid))
    return resample_labels(moved, ground.grid)


def _union(labels: LabelMap, values: tuple[int, ...]) -> Mask:
    inside = np.zeros(labels.grid.shape, np.bool_)
    for value in values:
        inside |= labels.labels == value
    return Mask(inside, labels.grid)


def _present(labels: Shaped[np.ndarray, "i j k"]) -> set[int]:
    """The numbers in use without background, slab by slab."""
    found: set[int] = set()
    for part in slabs(labels.shape):
        inside = labels[part] != 0
        if inside.any():
            found.update(int(v) for v in np.unique(labels[part][inside]))
    return found


def _with_advice(refusal: GridMismatchError) -> GridMismatchError:
    notice = refusal.notice
    return GridMismatchError(
        notice.code,
        notice.message.replace("the scan", "the truth"),
        file=notice.file,
        detail=notice.detail,
        hint="Bring the prediction onto the truth's grid, or say --resample nearest.",
    )


def probability_on(path: Path, ground: Ground) -> Volume:
    """A probability map on the ground's voxels.

    Args:
        path: The file.
        ground: The voxels it must lie on; axes may be swapped or reversed.

    Raises:
        GridMismatchError: If the grids differ and nothing may be resampled.
        StudyRejectedError: What the file's reader refuses.
    """
    image = read_image_file(path)
    i, j, k = image.values.shape
    grid = Grid((i, j, k), image.affine_lps, ground.grid.frame_uid)
    if not (ground.resample_nearest or _same_voxels(grid, ground.grid)):
        raise GridMismatchError(
            Code.GRID_MISMATCH,
            f"the probability has {describe(grid)}, the truth {describe(ground.grid)}.",
            file=path.name,
            hint="Bring it onto the truth's grid, or say --resample nearest.",
        )
    volume = Volume(image.values.astype(np.float32, copy=False), grid, Quantity.PROBABILITY)
    return resample(volume, ground.grid, order=0, outside=0.0)


def _same_voxels(first: Grid, second: Grid) -> bool:
    """Whether two grids have the same voxels, in whatever order of axes."""
    if sorted(first.shape) != sorted(second.shape):
        return False
    ways = np.linalg.norm(first.corners_mm()[:, None] - second.corners_mm()[None], axis=-1)
    return bool((ways.min(axis=1) <= SAME_GRID_MM).all())
