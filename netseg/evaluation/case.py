"""One case: predicted outlines held against true ones."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

import numpy as np

from netseg.domain import LabelMap, Mask, require_same_grid
from netseg.evaluation.band import within_mm
from netseg.evaluation.box import shared_box
from netseg.evaluation.calibration import calibration
from netseg.evaluation.instances import voxels_of
from netseg.evaluation.lesions import score_lesions
from netseg.evaluation.surface import surface_distances

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netseg.domain import Volume
    from netseg.evaluation.calibration import Calibration
    from netseg.evaluation.instances import Lesions
    from netseg.evaluation.lesions import LesionScore

TOLERANCE_MM = 2.0
"""Of the surface Dice; about what two readers differ by on a liver lesion."""
BAND_MM = 10.0
"""How far the surroundings of liver and lesions reach in which calibration is also told."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outlines:
    """What somebody drew, or a model gave, for one case.

    Attributes:
        lesions: Lesions: a mask's 26-connected parts, or a label map's numbers.
        regions: Other regions by name, such as "liver"; scored voxel by voxel.
        probability: Probability of lesion per voxel, where a model gave it.
        confidence: Probability that it is a lesion, per lesion number.
    """

    lesions: Lesions
    regions: Mapping[str, Mask] = field(default_factory=dict[str, Mask])
    probability: Volume | None = None
    confidence: Mapping[int, float] = field(default_factory=dict[int, float])

    def __post_init__(self) -> None:
        """Keep everything on one grid."""
        for image in (*self.regions.values(), self.probability):
            if image is not None:
                require_same_grid("outlines of one case", self.lesions.grid, image.grid)

    @classmethod
    def of(cls, outlines: Self | Lesions) -> Self:
        """Bare lesions as outlines; outlines as they are."""
        return cls(lesions=outlines) if isinstance(outlines, (Mask, LabelMap)) else outlines


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionScore:
    """Agreement of two regions.

    Attributes:
        truth_ml: Volume of the true region.
        predicted_ml: Volume of the predicted one.
        common_ml: Volume of what they share.
        nsd: Surface Dice by tolerance in mm; empty where surfaces were not measured.
        hd95_from_truth_mm: What 95 % of the true surface keeps from the predicted one; None where
            either is empty or surfaces were not measured.
        hd95_from_predicted_mm: The other way round.
    """

    truth_ml: float
    predicted_ml: float
    common_ml: float
    nsd: Mapping[float, float] = field(default_factory=dict[float, float])
    hd95_from_truth_mm: float | None = None
    hd95_from_predicted_mm: float | None = None

    @property
    def dice(self) -> float:
        """Twice the common volume over the sum of both. Two empty regions agree: 1."""
        both = self.truth_ml + self.predicted_ml
        return 2.0 * self.common_ml / both if both else 1.0

    @property
    def hd95_mm(self) -> float | None:
        """The larger of both directions; None where there is nothing to measure."""
        if self.hd95_from_truth_mm is None or self.hd95_from_predicted_mm is None:
            return None
        return max(self.hd95_from_truth_mm, self.hd95_from_predicted_mm)

    @property
    def volume_error_ml(self) -> float:
        """Predicted less true volume."""
        return self.predicted_ml - self.truth_ml


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseScore:
    """Everything measured on one case.

    Attributes:
        id: The case's name.
        patient: Whose it is; intervals are drawn over patients, not cases.
        lesion: Agreement of all lesions together, voxel by voxel.
        regions: The same for other regions, "liver" for instance.
        detection: Lesion by lesion.
        calibration: Of the lesion probability: "whole" image, within 10 mm of the "liver", within
            10 mm of a true or predicted "lesion"; empty without a probability.
        is_missing: Whether there was no prediction at all and an empty one was taken.
    """

    id: str
    patient: str
    lesion: RegionScore
    regions: Mapping[str, RegionScore]
    detection: LesionScore
    calibration: Mapping[str, Calibration] = field(default_factory=dict["str", "Calibration"])
    is_missing: bool = False

    @property
    def is_clean(self) -> bool:
        """Whether there is no true lesion."""
        return not self.detection.lesions

    @property
    def is_false_alarm(self) -> bool:
        """Whether a lesion was predicted where there is none at all."""
        return self.is_clean and bool(self.detection.predictions)


def score_case(
    predicted: Outlines | Lesions,
    truth: Outlines | Lesions,
    *,
    id: str = "case",  # noqa: A002  (the contract's word)
    patient: str | None = None,
    tolerances_mm: Sequence[float] = (TOLERANCE_MM,),
) -> CaseScore:
    """Hold one case's predicted outlines against the true ones.

    Args:
        predicted: Lesions alone, or with other regions, probability and confidence.
        truth: Lesions alone, or with other regions, on the same grid. A region is scored when both
            sides have it.
        id: The case's name.
        patient: Whose it is; its own name when absent.
        tolerances_mm: Of the surface Dice; none leaves all surface measures out, which saves most
            of the time when a threshold is tuned.

    Raises:
        GridMismatchError: If the grids differ; FrameMismatchError if the frames do.
        StudyRejectedError: If surfaces are asked for on sheared axes (GANTRY_TILT), or the
            probability holds values that are none (NON_FINITE_VALUES, PROBABILITY_RANGE).
    """
    ours, theirs = Outlines.of(predicted), Outlines.of(truth)
    require_same_grid("evaluation", ours.lesions.grid, theirs.lesions.grid)
    both = [name for name in theirs.regions if name in ours.regions]
    return CaseScore(
        id=id,
        patient=id if patient is None else patient,
        lesion=score_region(_region(ours.lesions), _region(theirs.lesions), tolerances_mm),
        regions={n: score_region(ours.regions[n], theirs.regions[n], tolerances_mm) for n in both},
        detection=score_lesions(
            ours.lesions,
            theirs.lesions,
            probability=ours.probability,
            confidence=ours.confidence,
        ),
        calibration=_calibrations(ours, theirs),
    )


def score_region(
    predicted: Mask, truth: Mask, tolerances_mm: Sequence[float] = (TOLERANCE_MM,)
) -> RegionScore:
    """Agreement of two regions, voxel by voxel and surface to surface.

    Args:
        predicted: The region in question.
        truth: The region it is held against, on the same grid.
        tolerances_mm: Of the surface Dice; none leaves all surface measures out.

    Raises:
        GridMismatchError: If the grids differ; FrameMismatchError if the frames do.
        StudyRejectedError: If surfaces are asked for on sheared axes (GANTRY_TILT).
    """
    require_same_grid("evaluation", predicted.grid, truth.grid)
    box = shared_box(predicted.inside, truth.inside) or (slice(0, 0),) * 3
    common = np.count_nonzero(predicted.inside[box] & truth.inside[box])
    score = RegionScore(
        truth_ml=truth.volume_ml,
        predicted_ml=predicted.volume_ml,
        common_ml=float(common) * truth.grid.voxel_volume_ml,
    )
    if not tolerances_mm:
        return score
    surfaces = surface_distances(predicted, truth)
    return replace(
        score,
        nsd={float(mm): surfaces.nsd(mm) for mm in tolerances_mm},
        hd95_from_truth_mm=surfaces.from_truth_mm(),
        hd95_from_predicted_mm=surfaces.from_predicted_mm(),
    )


def _region(lesions: Lesions) -> Mask:
    return lesions if isinstance(lesions, Mask) else lesions.region()


def _calibrations(ours: Outlines, theirs: Outlines) -> dict[str, Calibration]:
    """Calibration over the whole image, around the liver and around lesions."""
    probability, grid = ours.probability, theirs.lesions.grid
    if probability is None:
        return {}
    inside = voxels_of(theirs.lesions) != 0
    told = {"whole": calibration(probability.values, inside)}
    liver = theirs.regions.get("liver", ours.regions.get("liver"))
    lesions = Mask(inside | (voxels_of(ours.lesions) != 0), grid)
    for name, region in (("liver", liver), ("lesion", lesions)):
        if region is not None and not region.is_empty and grid.is_orthogonal:
            near = within_mm(region, BAND_MM).inside
            told[name] = calibration(probability.values, inside, near)
    return told
