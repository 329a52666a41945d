"""Which lesions were found, and what was called a lesion and is none.

Lesions rarely pair off one to one: a prediction runs two metastases together, or finds one in two
pieces. The rule, in words:

* At *any* overlap a true lesion is found by every prediction that shares a voxel with it, and a
  prediction is false only if it shares none. One prediction over two lesions finds both; two
  predictions in one lesion find it once, and neither is false.
* For an overlap measured as IoU, every prediction belongs to the one true lesion it shares most
  voxels with. A true lesion is held against the union of the predictions that belong to it (pieces
  are put together) and against each single prediction that touches it (one that covers two lesions
  still counts for both); the better of the two is its IoU. It is found where the IoU reaches the
  threshold, and predictions are true where they took part in that.

A missed lesion has IoU and Dice 0 and stays in every mean.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from netseg.domain import require_same_grid
from netseg.evaluation.box import shared_box
from netseg.evaluation.instances import instances, voxels_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jaxtyping import Integer

    from netseg.domain import Volume
    from netseg.evaluation.instances import Instances, Lesions


_Table: TypeAlias = list[dict[int, int]]  # per true lesion: voxels shared with a prediction
_Match: TypeAlias = tuple[float, tuple[int, ...]]


class Overlap(StrEnum):
    """How much a prediction must share with a lesion to have found it."""

    ANY = "any"
    IOU_10 = "iou_0.1"
    IOU_50 = "iou_0.5"

    @property
    def least_iou(self) -> float:
        """The IoU it asks for; 0 for any overlap."""
        return {Overlap.ANY: 0.0, Overlap.IOU_10: 0.1, Overlap.IOU_50: 0.5}[self]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundLesion:
    """One true lesion and how much of it was found.

    Attributes:
        truth_id: Its number: by descending volume, or the label map's own.
        volume_ml: Its volume.
        equivalent_diameter_mm: Diameter of the sphere of its volume.
        covered: Share of its volume that was called lesion.
        matched: Numbers of the predicted lesions that overlap it.
        iou: With the predictions that count as its own; 0 when missed.
        partners: Numbers of these predictions.
    """

    truth_id: int
    volume_ml: float
    equivalent_diameter_mm: float
    covered: float
    matched: tuple[int, ...]
    iou: float
    partners: tuple[int, ...] = ()

    @property
    def detected(self) -> bool:
        """Whether any predicted lesion overlaps it."""
        return bool(self.matched)

    @property
    def dice(self) -> float:
        """Dice with the predictions that count as its own; 0 when missed."""
        return 2.0 * self.iou / (1.0 + self.iou)

    def found_at(self, overlap: Overlap) -> bool:
        """Whether it was found by this measure."""
        return self.detected and self.iou >= overlap.least_iou


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictedLesion:
    """One predicted lesion and whether there is anything behind it.

    Attributes:
        id: Its number: by descending volume, or the label map's own.
        volume_ml: Its volume.
        equivalent_diameter_mm: Diameter of the sphere of its volume.
        matched: Numbers of the true lesions that it overlaps.
        iou: The best IoU of a true lesion that it took part in; 0 when false.
        confidence: Probability that it is a lesion; None when nobody estimated it.
    """

    id: int
    volume_ml: float
    equivalent_diameter_mm: float
    matched: tuple[int, ...]
    iou: float
    confidence: float | None = None

    def true_at(self, overlap: Overlap) -> bool:
        """Whether it counts as a finding by this measure."""
        return bool(self.matched) and (overlap is Overlap.ANY or self.iou >= overlap.least_iou)


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionScore:
    """Detection over one case.

    Attributes:
        lesions: Every true lesion in descending volume.
        predictions: Every predicted lesion in descending volume.
    """

    lesions: tuple[FoundLesion, ...]
    predictions: tuple[PredictedLesion, ...] = field(default=())

    @property
    def predicted(self) -> int:
        """Number of predicted lesions."""
        return len(self.predictions)

    @property
    def false_positives(self) -> int:
        """Predicted lesions that overlap no true one."""
        return self.false_at(Overlap.ANY)

    @property
    def recall(self) -> float | None:
        """Share of the true lesions that any prediction overlaps; None without true lesions."""
        if not self.lesions:
            return None
        return self.found_at(Overlap.ANY) / len(self.lesions)

    def found_at(self, overlap: Overlap) -> int:
        """Number of true lesions found by a measure."""
        return sum(lesion.found_at(overlap) for lesion in self.lesions)

    def false_at(self, overlap: Overlap) -> int:
        """Number of predicted lesions that are none by a measure."""
        return sum(not one.true_at(overlap) for one in self.predictions)


def score_lesions(
    predicted: Lesions,
    truth: Lesions,
    *,
    probability: Volume | None = None,
    confidence: Mapping[int, float] | None = None,
) -> LesionScore:
    """Hold predicted lesions against true ones.

    Args:
        predicted: Lesions in question: a mask (26-connected parts) or a label map of instances.
        truth: True lesions on the same grid.
        probability: Probability of lesion per voxel on that grid: its mean over a predicted lesion
            is that lesion's confidence.
        confidence: Confidence by number of the predicted lesion; wins over `probability`.

    Raises:
        GridMismatchError: If the grids differ; FrameMismatchError if the frames do.
    """
    require_same_grid("lesion detection", predicted.grid, truth.grid)
    box = shared_box(voxels_of(predicted), voxels_of(truth))
    ours, theirs = instances(predicted, box), instances(truth, box)
    sure: dict[int, float] = {}
    if probability is not None:
        require_same_grid("lesion confidence", probability.grid, truth.grid)
        sure |= ours.means(probability.values)
    sure |= {n: float(p) for n, p in (confidence or {}).items() if n in ours.numbers}
    table = _shared_voxels(theirs, ours)
    matches = _best_matches(table, theirs.sizes, ours.sizes)
    return LesionScore(
        lesions=_found(theirs, ours, table, matches),
        predictions=_predicted(theirs, ours, table, matches, sure),
    )


def equivalent_diameter_mm(volume_ml: float) -> float:
    """Diameter of the sphere of a volume.

    >>> round(equivalent_diameter_mm(0.5236), 3)
    10.0
    """
    return float((6000.0 * volume_ml / np.pi) ** (1 / 3))


def _found(
    theirs: Instances, ours: Instances, table: _Table, matches: Sequence[_Match]
) -> tuple[FoundLesion, ...]:
    return tuple(
        FoundLesion(
            truth_id=number,
            volume_ml=theirs.volume_ml(t),
            equivalent_diameter_mm=equivalent_diameter_mm(theirs.volume_ml(t)),
            covered=float(sum(table[t].values()) / theirs.sizes[t]),
            matched=tuple(sorted(ours.numbers[p] for p in table[t])),
            iou=matches[t][0],
            partners=tuple(sorted(ours.numbers[p] for p in matches[t][1])),
        )
        for t, number in enumerate(theirs.numbers)
    )


def _predicted(
    theirs: Instances,
    ours: Instances,
    table: _Table,
    matches: Sequence[_Match],
    sure: Mapping[int, float],
) -> tuple[PredictedLesion, ...]:
    touched: list[list[int]] = [[] for _ in ours.numbers]
    best = [0.0] * len(ours.numbers)
    for number, shared, (iou, partners) in zip(theirs.numbers, table, matches, strict=True):
        for p in shared:
            touched[p].append(number)
        for p in partners:
            best[p] = max(best[p], iou)
    return tuple(
        PredictedLesion(
            id=number,
            volume_ml=ours.volume_ml(p),
            equivalent_diameter_mm=equivalent_diameter_mm(ours.volume_ml(p)),
            matched=tuple(sorted(touched[p])),
            iou=best[p],
            confidence=sure.get(number),
        )
        for p, number in enumerate(ours.numbers)
    )


def _shared_voxels(theirs: Instances, ours: Instances) -> _Table:
    """For every true lesion, how many voxels it shares with which prediction (by place)."""
    _, at_theirs, at_ours = np.intersect1d(
        theirs.voxels, ours.voxels, assume_unique=True, return_indices=True
    )
    table: _Table = [{} for _ in theirs.numbers]
    if not len(at_theirs):
        return table
    pairs = theirs.owner[at_theirs] * len(ours.numbers) + ours.owner[at_ours]
    for pair, count in zip(*np.unique(pairs, return_counts=True), strict=True):
        t, p = divmod(int(pair), len(ours.numbers))
        table[t][p] = int(count)
    return table


def _best_matches(
    table: _Table,
    true_sizes: Integer[np.ndarray, " t"],
    predicted_sizes: Integer[np.ndarray, " p"],
) -> list[_Match]:
    """IoU of every true lesion, and the predictions it was reached with (by place)."""
    owner: dict[int, int] = {}
    for t, shared in enumerate(table):
        for p, count in shared.items():
            if p not in owner or count > table[owner[p]][p]:
                owner[p] = t
    matches: list[_Match] = []
    for t, shared in enumerate(table):
        choices = [tuple(p for p in shared if owner[p] == t), *((p,) for p in shared)]
        scored = [
            (_iou(int(true_sizes[t]), shared, predicted_sizes, group), group)
            for group in choices
            if group
        ]
        matches.append(max(scored, key=lambda one: (one[0], len(one[1])), default=(0.0, ())))
    return matches


def _iou(
    size: int,
    shared: dict[int, int],
    predicted_sizes: Integer[np.ndarray, " p"],
    group: tuple[int, ...],
) -> float:
    common = sum(shared[p] for p in group)
    return common / (size + sum(int(predicted_sizes[p]) for p in group) - common)
