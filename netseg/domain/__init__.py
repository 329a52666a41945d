"""What the stations hand over: frozen values and protocols; numpy only, no files."""

from netseg.domain.ablation import (
    Ablation,
    AblationModality,
    AblationModel,
    AblationPlan,
    AblationProtocol,
    AblationZone,
    DifferentiableAblationModel,
    Evidence,
    Probe,
    ProbeGradient,
    Unplanned,
    ZoneGradient,
    ZoneSegmenter,
)
from netseg.domain.codes import Code
from netseg.domain.errors import (
    EnvironmentFaultError,
    FrameMismatchError,
    GridMismatchError,
    NetsegError,
    Notice,
    StudyRejectedError,
    UsageError,
)
from netseg.domain.findings import Findings, Lesion, Lobe, MeasuredIn, SegmentSource
from netseg.domain.grid import Grid, require_same_frame, require_same_grid
from netseg.domain.margin import (
    CapsuleFilm,
    CohortFinding,
    LesionMargin,
    MarginErrors,
    MarginReport,
    Spot,
    SurfaceMap,
    Verdict,
)
from netseg.domain.point import PointMm
from netseg.domain.provenance import Provenance
from netseg.domain.registration import Gate, Registration
from netseg.domain.segmentation import ModelProvenance, Segmentation
from netseg.domain.study import Modality, MrSequence, Phase, Series, Study
from netseg.domain.volume import LabelMap, Mask, Quantity, Volume

__all__ = [
    "Ablation",
    "AblationModality",
    "AblationModel",
    "AblationPlan",
    "AblationProtocol",
    "AblationZone",
    "CapsuleFilm",
    "Code",
    "CohortFinding",
    "DifferentiableAblationModel",
    "EnvironmentFaultError",
    "Evidence",
    "Findings",
    "FrameMismatchError",
    "Gate",
    "Grid",
    "GridMismatchError",
    "LabelMap",
    "Lesion",
    "LesionMargin",
    "Lobe",
    "MarginErrors",
    "MarginReport",
    "Mask",
    "MeasuredIn",
    "Modality",
    "ModelProvenance",
    "MrSequence",
    "NetsegError",
    "Notice",
    "Phase",
    "PointMm",
    "Probe",
    "ProbeGradient",
    "Provenance",
    "Quantity",
    "Registration",
    "SegmentSource",
    "Segmentation",
    "Series",
    "Spot",
    "Study",
    "StudyRejectedError",
    "SurfaceMap",
    "Unplanned",
    "UsageError",
    "Verdict",
    "Volume",
    "ZoneGradient",
    "ZoneSegmenter",
    "require_same_frame",
    "require_same_grid",
]
