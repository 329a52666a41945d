"""How good masks are, whoever made them: per voxel, per lesion, per patient.

Example:
    >>> import numpy as np
    >>> from netseg.domain import Grid, Mask
    >>> from netseg.evaluation import score_case, summarise
    >>> grid = Grid(shape=(20, 20, 20), affine_lps=np.eye(4), frame_uid="1.2")
    >>> truth, found = np.zeros((2, 20, 20, 20), bool)
    >>> truth[2:10, 2:10, 2:10] = found[2:10, 2:10, 6:14] = True
    >>> case = score_case(Mask(found, grid), Mask(truth, grid))
    >>> case.lesion.dice, case.detection.recall, case.detection.false_positives
    (0.5, 1.0, 0)
    >>> summarise([case]).figures["dice"].mean
    0.5
"""

from netseg.evaluation.bootstrap import (
    Difference,
    Draws,
    Estimate,
    Statistic,
    draw_patients,
    paired_bootstrap,
)
from netseg.evaluation.calibration import Calibration, calibration
from netseg.evaluation.case import CaseScore, Outlines, RegionScore, score_case, score_region
from netseg.evaluation.figures import SIZE_BINS_MM
from netseg.evaluation.froc import Froc, FrocPoint, froc
from netseg.evaluation.lesions import (
    FoundLesion,
    LesionScore,
    Overlap,
    PredictedLesion,
    equivalent_diameter_mm,
    score_lesions,
)
from netseg.evaluation.overlap import dice
from netseg.evaluation.summary import (
    Detection,
    SizeBin,
    Summary,
    compare_models,
    detection_figures,
    figures_of,
    summarise,
)
from netseg.evaluation.surface import SurfaceDistances, surface_distances
from netseg.evaluation.volume_agreement import VolumeAgreement, volume_agreement

__all__ = [
    "SIZE_BINS_MM",
    "Calibration",
    "CaseScore",
    "Detection",
    "Difference",
    "Draws",
    "Estimate",
    "FoundLesion",
    "Froc",
    "FrocPoint",
    "LesionScore",
    "Outlines",
    "Overlap",
    "PredictedLesion",
    "RegionScore",
    "SizeBin",
    "Statistic",
    "Summary",
    "SurfaceDistances",
    "VolumeAgreement",
    "calibration",
    "compare_models",
    "detection_figures",
    "dice",
    "draw_patients",
    "equivalent_diameter_mm",
    "figures_of",
    "froc",
    "paired_bootstrap",
    "score_case",
    "score_lesions",
    "score_region",
    "summarise",
    "surface_distances",
    "volume_agreement",
]
