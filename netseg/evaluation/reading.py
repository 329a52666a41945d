"""From files to outlines: labels get their meaning, the prediction lies on the truth's voxels."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from netseg.domain import Code, LabelMap, Mask, StudyRejectedError
from netseg.evaluation.box import shared_box
from netseg.evaluation.case import Outlines
from netseg.evaluation.ground import Ground, probability_on, regions_of
from netseg.evaluation.instances import voxels_of
from netseg.evaluation.label_words import LESION, LIVER

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from netseg.domain import Grid
    from netseg.evaluation.files import CaseFiles
    from netseg.evaluation.ground import Regions
    from netseg.evaluation.label_words import LabelWords


def read_truth(
    files: CaseFiles, words: LabelWords | None, ground: Ground | None = None
) -> Outlines:
    """The true outlines of one case.

    Args:
        files: Where they are.
        words: What the numbers mean; None where nothing was said.
        ground: The voxels they shall lie on; the file's own when absent.

    Raises:
        StudyRejectedError: LABEL_AMBIGUOUS for several numbers without meaning, LABEL_UNKNOWN,
            and what the file's reader refuses.
    """
    found = regions_of(files.labels, ground)
    return _outlines(files, found, words, ground or Ground(grid=found.grid))


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
    found = _outlines(files, regions_of(files.labels, ground), words, ground)
    probability = None if files.probability is None else probability_on(files.probability, ground)
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
    files: CaseFiles, found: Regions, words: LabelWords | None, ground: Ground
) -> Outlines:
    if files.is_result:
        return _of_result(files, found.instances(), ground)
    name = files.labels.name
    if words is None:
        _require_one(found.present, name)
        return Outlines(lesions=found.region(tuple(found.present)))
    words.require_known(found.present, name)
    if words.instances:
        return Outlines(lesions=found.instances())
    lesions = found.region(words.values[LESION])
    regions = {region: found.region(words.values[region]) for region in words.regions}
    if LIVER in regions:  # the liver includes its lesions, in whatever way they were labelled
        regions[LIVER] = Mask(regions[LIVER].inside | lesions.inside, found.grid)
    return Outlines(lesions=lesions, regions=regions)


def _of_result(files: CaseFiles, lesions: LabelMap, ground: Ground) -> Outlines:
    """What netseg wrote: lesion instances, with the liver beside them."""
    if files.liver is None:
        return Outlines(lesions=lesions)
    around = regions_of(files.liver, ground)
    liver = around.region(tuple(around.present)).inside | (lesions.labels != 0)
    return Outlines(lesions=lesions, regions={LIVER: Mask(liver, lesions.grid)})


def _require_one(present: frozenset[int], name: str) -> None:
    if len(present) > 1:
        met = ", ".join(str(v) for v in sorted(present)[:10])
        raise StudyRejectedError(
            Code.LABEL_AMBIGUOUS,
            f"the map holds the values {met}, and nobody said which are lesions.",
            file=name,
            detail={"values": sorted(present)[:20]},
            hint="Say --label lesion=2 --label liver=1, or --label lesion=instances.",
        )


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
