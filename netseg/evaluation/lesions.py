"""Which lesions were found, and what was called a lesion and is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netseg.domain import require_same_grid
from netseg.geometry.components import components

if TYPE_CHECKING:
    from netseg.domain import Mask


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundLesion:
    """One true lesion and how much of it was found.

    Attributes:
        truth_id: Its number, by descending volume.
        volume_ml: Its volume.
        equivalent_diameter_mm: Diameter of the sphere of its volume.
        covered: Share of its volume that was called lesion.
        matched: Numbers of the predicted lesions that overlap it.
    """

    truth_id: int
    volume_ml: float
    equivalent_diameter_mm: float
    covered: float
    matched: tuple[int, ...]

    @property
    def detected(self) -> bool:
        """Whether any predicted lesion overlaps it."""
        return bool(self.matched)


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionScore:
    """Detection over one case. Components are 26-connected; any overlap counts as found.

    Attributes:
        lesions: Every true lesion in descending volume.
        false_positives: Predicted lesions that overlap no true one.
        predicted: Number of predicted lesions.
    """

    lesions: tuple[FoundLesion, ...]
    false_positives: int
    predicted: int

    @property
    def recall(self) -> float | None:
        """Share of the true lesions that were found; None where there is none to find."""
        if not self.lesions:
            return None
        return sum(lesion.detected for lesion in self.lesions) / len(self.lesions)


def score_lesions(predicted: Mask, truth: Mask) -> LesionScore:
    """Hold predicted lesions against true ones.

    Args:
        predicted: Lesion voxels in question.
        truth: True lesion voxels on the same grid.

    Raises:
        GridMismatchError: If the grids differ; FrameMismatchError if the frames do.
    """
    require_same_grid("lesion detection", predicted.grid, truth.grid)
    ours, theirs = components(predicted), components(truth)
    sizes = np.bincount(theirs.labels.ravel())
    covered = np.bincount(theirs.labels[predicted.inside].ravel(), minlength=len(sizes))
    both = predicted.inside & truth.inside
    pairs = np.unique(np.stack((theirs.labels[both], ours.labels[both])), axis=1).T
    lesions = []
    for number in theirs.values:
        volume_ml = float(sizes[number]) * truth.grid.voxel_volume_ml
        lesions.append(
            FoundLesion(
                truth_id=number,
                volume_ml=volume_ml,
                equivalent_diameter_mm=float((6000.0 * volume_ml / np.pi) ** (1 / 3)),
                covered=float(covered[number] / sizes[number]),
                matched=tuple(int(b) for a, b in pairs if a == number),
            )
        )
    hit = {int(b) for _, b in pairs}
    return LesionScore(
        lesions=tuple(lesions),
        false_positives=len(set(ours.values) - hit),
        predicted=len(ours.values),
    )
