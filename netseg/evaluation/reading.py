"""From files to outlines: labels get their meaning, the prediction lies on the truth's voxels."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from netseg.domain import (
    Code,
    Grid,
    GridMismatchError,
    LabelMap,
    Mask,
    Quantity,
    StudyRejectedError,
    Volume,
)
from netseg.domain.grid import describe
from netseg.evaluation.box import shared_box, slabs
from netseg.evaluation.case import Outlines
from netseg.evaluation.instances import voxels_of
from netseg.evaluation.label_words import LESION, LIVER
from netseg.geometry.resample import resample, resample_labels
from netseg.study.files import image_suffix
from netseg.study.image_file import read_image_file
from netseg.study.masks import SAME_GRID_MM, read_labels

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from jaxtyping import Bool, Shaped

    from netseg.evaluation.files import CaseFiles
    from netseg.evaluation.label_words import LabelWords


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


def read_truth(files: CaseFiles, words: LabelWords | None) -> Outlines:
    """The true outlines of one case.

    Args:
        files: Where they are.
        words: What the numbers mean; None where nothing was said.

    Raises:
        StudyRejectedError: LABEL_AMBIGUOUS for several numbers without meaning, LABEL_UNKNOWN,
            and what the file's reader refuses.
    """
    labels = read_labels(str(files.labels))
    return _outlines(files, labels, words, Ground(grid=labels.grid))


def read_prediction(files: CaseFiles, words: LabelWords | None, ground: Ground) -> Outlines:
    """The predicted outlines of one case, on the truth's voxels.

    A file that knows no frame of reference is taken to lie in the other's: the case's name says so.

    Args:
        files: Where they are.
        words: What the numbers mean; None where nothing was said.
        ground: The voxels they must lie on.

    Raises:
        GridMismatchError: If the grids differ and nothing may be resampled.
        FrameMismatchError: If both know a frame of reference and the frames differ.
        StudyRejectedError: As `read_truth`, and NON_FINITE_VALUES.
    """
    found = _outlines(files, _on_ground(files.labels, ground), words, ground)
    probability = None if files.probability is None else _probability(files.probability, ground)
    return replace(found, probability=probability, confidence=_confidences(files.table))


def cut_to_content(predicted: Outlines, truth: Outlines) -> tuple[Outlines, Outlines]:
    """Both sides without the empty rest of the image, which no score needs; memory is given back.

    Only where there is no probability: that one is judged on the empty rest, too.
    """
    if predicted.probability is not None:
        return predicted, truth
    images = [
        voxels_of(image)
        for side in (predicted, truth)
        for image in (side.lesions, *side.regions.values())
    ]
    box = shared_box(*images)
    if box is None:
        return predicted, truth
    i, j, k = box
    grid = truth.lesions.grid.crop(
        (i.start, j.start, k.start), (i.stop - i.start, j.stop - j.start, k.stop - k.start)
    )
    return _cut(predicted, box, grid), _cut(truth, box, grid)


def without_prediction(truth: Outlines) -> Outlines:
    """What a model that gave nothing has found: no lesion, and none of the regions."""
    grid = truth.lesions.grid
    empty = np.zeros(grid.shape, np.bool_)
    return Outlines(
        lesions=Mask(empty, grid), regions={name: Mask(empty, grid) for name in truth.regions}
    )


def _cut(side: Outlines, box: tuple[slice, slice, slice], grid: Grid) -> Outlines:
    lesions = side.lesions
    return Outlines(
        lesions=LabelMap(lesions.labels[box].copy(), grid)
        if isinstance(lesions, LabelMap)
        else Mask(lesions.inside[box].copy(), grid),
        regions={name: Mask(m.inside[box].copy(), grid) for name, m in side.regions.items()},
        confidence=side.confidence,
    )


def _outlines(
    files: CaseFiles, labels: LabelMap, words: LabelWords | None, ground: Ground
) -> Outlines:
    if files.is_result:
        regions: dict[str, Mask] = {}
        if files.liver is not None:
            liver = _on_ground(files.liver, ground)
            regions[LIVER] = Mask((liver.labels != 0) | (labels.labels != 0), labels.grid)
        return Outlines(lesions=labels, regions=regions)
    present = _present(labels.labels)
    if words is None:
        if len(present) > 1:
            met = ", ".join(str(v) for v in sorted(present)[:10])
            raise StudyRejectedError(
                Code.LABEL_AMBIGUOUS,
                f"the map holds the values {met}, and nobody said which are lesions.",
                file=files.labels.name,
                detail={"values": sorted(present)[:20]},
                hint="Say --label lesion=2 --label liver=1, or --label lesion=instances.",
            )
        return Outlines(lesions=labels.region())
    words.require_known(present, files.labels.name)
    if words.instances:
        return Outlines(lesions=labels)
    lesions = _union(labels, words.values[LESION])
    regions = {name: _union(labels, words.values[name]) for name in words.regions}
    if LIVER in regions:  # the liver includes its lesions, in whatever way they were labelled
        regions[LIVER] = Mask(regions[LIVER].inside | lesions.inside, labels.grid)
    return Outlines(lesions=lesions, regions=regions)


def _on_ground(path: Path, ground: Ground) -> LabelMap:
    """Labels on the ground's voxels, in its frame."""
    on, alone = ground.grid, None
    if image_suffix(path) is None and not ground.knows_frame:
        alone = read_labels(str(path))  # a DICOM SEG knows its frame; a bare truth shares it
        on = replace(on, frame_uid=alone.grid.frame_uid)
    try:
        return LabelMap(read_labels(str(path), on).labels, ground.grid)
    except GridMismatchError as refusal:
        if not ground.resample_nearest:
            raise _with_advice(refusal) from refusal
    alone = alone or read_labels(str(path))
    moved = LabelMap(alone.labels, replace(alone.grid, frame_uid=ground.grid.frame_uid))
    return resample_labels(moved, ground.grid)


def _with_advice(refusal: GridMismatchError) -> GridMismatchError:
    notice = refusal.notice
    return GridMismatchError(
        notice.code,
        notice.message.replace("the scan", "the truth"),
        file=notice.file,
        detail=notice.detail,
        hint="Bring the prediction onto the truth's grid, or say --resample nearest.",
    )


def _probability(path: Path, ground: Ground) -> Volume:
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


def _confidences(table: Path | None) -> Mapping[int, float]:
    """Confidence per lesion from netseg's lesion table; lesions without one are left out."""
    if table is None:
        return {}
    found: dict[int, float] = {}
    with table.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            try:
                number, sure = int(row["id"]), float(row["confidence"])
            except (KeyError, TypeError, ValueError):
                continue
            if math.isfinite(sure):
                found[number] = sure
    return found


def _union(labels: LabelMap, values: tuple[int, ...]) -> Mask:
    inside = np.zeros(labels.grid.shape, np.bool_)
    for value in values:
        inside |= labels.labels == value
    return Mask(inside, labels.grid)


def _present(labels: Shaped[np.ndarray, "i j k"]) -> set[int]:
    """The numbers in use without background, slab by slab."""
    found: set[int] = set()
    for part in slabs(labels.shape):
        inside: Bool[np.ndarray, "i j k"] = labels[part] != 0
        if inside.any():
            found.update(int(v) for v in np.unique(labels[part][inside]))
    return found
