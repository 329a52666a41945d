"""FROC: how many lesions are found at how many false alarms per case, as the confidence falls.

The outlines stay as they are; only the confidence asked of a predicted lesion changes. The average
sensitivity over 1/8 … 8 false positives per case is the challenge figure of LUNA16 (Setio et al., Med
Image Anal 2017;42:1-13).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netseg.evaluation.lesions import Overlap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netseg.evaluation.case import CaseScore

RATES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class FrocPoint:
    """What is found at one confidence.

    Attributes:
        confidence: Asked of a predicted lesion.
        sensitivity: Share of true lesions found.
        false_positives_per_case: False predictions over cases.
    """

    confidence: float
    sensitivity: float
    false_positives_per_case: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Froc:
    """The whole curve.

    Attributes:
        overlap: What counts as found.
        points: In order of falling confidence.
        lesions: Number of true lesions.
        cases: Number of cases.
    """

    overlap: Overlap
    points: tuple[FrocPoint, ...]
    lesions: int
    cases: int

    def sensitivity_at(self, false_positives_per_case: float) -> float:
        """The largest sensitivity with at most that many false positives per case."""
        return max(
            (
                p.sensitivity
                for p in self.points
                if p.false_positives_per_case <= false_positives_per_case
            ),
            default=0.0,
        )

    @property
    def mean_sensitivity(self) -> float:
        """Over 1/8, 1/4, 1/2, 1, 2, 4 and 8 false positives per case."""
        return sum(self.sensitivity_at(rate) for rate in RATES) / len(RATES)


def froc(cases: Sequence[CaseScore], overlap: Overlap = Overlap.ANY) -> Froc | None:
    """The curve of several cases.

    Args:
        cases: Scores whose predicted lesions carry a confidence.
        overlap: What counts as found.

    Returns:
        None where no curve can be drawn: there is no true lesion, no prediction, or a predicted
        lesion without confidence.
    """
    lesions = sum(len(case.detection.lesions) for case in cases)
    predictions = [one for case in cases for one in case.detection.predictions]
    sure = [(p.confidence, p.true_at(overlap)) for p in predictions if p.confidence is not None]
    if not lesions or not sure or len(sure) < len(predictions):
        return None
    hits = np.sort([score for case in cases for score in _found_from(case, overlap)])
    alarms = np.sort([score for score, is_true in sure if not is_true])
    asked = np.unique([score for score, _ in sure])[::-1]
    found = len(hits) - np.searchsorted(hits, asked)
    false = len(alarms) - np.searchsorted(alarms, asked)
    points = [
        FrocPoint(
            confidence=float(c),
            sensitivity=float(f) / lesions,
            false_positives_per_case=float(n) / len(cases),
        )
        for c, f, n in zip(asked, found, false, strict=True)
    ]
    return Froc(overlap=overlap, points=tuple(points), lesions=lesions, cases=len(cases))


def _found_from(case: CaseScore, overlap: Overlap) -> list[float]:
    """For every lesion found at the lowest threshold, the confidence down from which it is.

    Any overlap: that of its surest prediction. An IoU: that at which all who took part are there.
    """
    sure = {p.id: p.confidence for p in case.detection.predictions if p.confidence is not None}
    found: list[float] = []
    for lesion in case.detection.lesions:
        if lesion.found_at(overlap):
            is_any = overlap is Overlap.ANY
            scores = [sure[n] for n in (lesion.matched if is_any else lesion.partners)]
            found.append(max(scores) if is_any else min(scores))
    return found
