"""Two dates of one patient: which lesion is which, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float

    from netseg.domain.clinical import DiseaseCourse
    from netseg.domain.errors import Notice
    from netseg.domain.findings import Findings


class Fate(StrEnum):
    """What became of a lesion, or of a few that belong together."""

    MATCHED = "matched"
    SPLIT = "split"
    MERGED = "merged"
    REGROUPED = "regrouped"  # several became several others
    NEW = "new"
    GONE = "gone"
    NOT_IMAGED = "not_imaged"  # its place lies outside the other date's scan


class Change(StrEnum):
    """A change of size that is larger than the measurement can err."""

    GROWN = "grown"
    SHRUNK = "shrunk"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Alignment:
    """How places of the first date were found on the second.

    Attributes:
        method: "same_frame" (the scans share a frame of reference) or "livers" (rigid, by the two
            liver outlines).
        matrix: LPS millimetres of the first date to those of the second, rigid.
        residual_mm: Mean distance between the liver surfaces afterwards, None without livers.
        residual_p95_mm: 95th percentile of the same.
        overlap: Dice of the livers afterwards.
    """

    method: str
    matrix: Float[np.ndarray, "4 4"]
    residual_mm: float | None = None
    residual_p95_mm: float | None = None
    overlap: float | None = None

    def __post_init__(self) -> None:
        """Keep the matrix rigid and unchangeable."""
        matrix = np.array(self.matrix, dtype=np.float64)
        turn = matrix[:3, :3]
        if matrix.shape != (4, 4) or not np.allclose(turn @ turn.T, np.eye(3), atol=1e-6):
            raise ValueError(f"an alignment is rigid; got\n{self.matrix}.")
        if np.linalg.det(turn) < 0:
            raise ValueError("an alignment must not mirror the patient.")
        matrix.flags.writeable = False
        object.__setattr__(self, "matrix", matrix)

    @property
    def turned_degrees(self) -> float:
        """Angle of its rotation."""
        cosine = (np.trace(self.matrix[:3, :3]) - 1) / 2
        return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))

    def to_second(self, points_mm: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 3"]:
        """Places of the first date on the second."""
        return np.asarray(points_mm) @ self.matrix[:3, :3].T + self.matrix[:3, 3]

    def to_first(self, points_mm: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 3"]:
        """Places of the second date on the first."""
        return (np.asarray(points_mm) - self.matrix[:3, 3]) @ self.matrix[:3, :3]


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionGroup:
    """Lesions of two dates that are the same tumour: one and one, as a rule.

    Attributes:
        fate: What became of them.
        first: Their numbers at the first date; empty for a new one.
        second: Their numbers at the second date; empty for one that is gone.
        distance_mm: Between their centroids after alignment, None where one date has none.
        overlap: Shared volume over the smaller one's after alignment, None likewise.
    """

    fate: Fate
    first: tuple[int, ...]
    second: tuple[int, ...]
    distance_mm: float | None = None
    overlap: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionCourse:
    """A tumour at two dates.

    Attributes:
        group: Which lesions.
        volume_ml: At both dates, summed over the group; 0 where none is there, None where its
            place was not imaged.
        diameter_mm: Longest axial diameter at both dates; parts of one lesion are added (RECIST
            1.1), 0 and None as for the volume.
        change: Whether it grew or shrank, None for new, gone or not imaged ones and where that
            cannot be told.
        target: Whether it counts in the sum of diameters.
        why: What the reader should know.
    """

    group: LesionGroup
    volume_ml: tuple[float | None, float | None]
    diameter_mm: tuple[float | None, float | None]
    change: Change | None
    target: bool
    why: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What happened between two dates.

    Attributes:
        lesions: Every tumour, by its size at the first date; new ones last.
        alignment: How places were brought together.
        first: Everything measured at the first date.
        second: Everything measured at the second date.
        gate_mm: Farther apart than this, two lesions of one size are not the same.
        tolerance_mm: A diameter must change by more than this to have changed.
        sum_of_diameters_mm: Of the targets at both dates, None without targets or where one of
            them cannot be measured.
        disease_course: For the treatment rules; None where it cannot be told.
        why: The sentences that lead to it.
        warnings: What the reader must know.
    """

    lesions: tuple[LesionCourse, ...]
    alignment: Alignment
    first: Findings
    second: Findings
    gate_mm: float
    tolerance_mm: float
    sum_of_diameters_mm: tuple[float, float] | None
    disease_course: DiseaseCourse | None
    why: tuple[str, ...]
    warnings: tuple[Notice, ...] = ()

    def of(self, *fates: Fate) -> tuple[LesionCourse, ...]:
        """The tumours with one of these fates."""
        return tuple(one for one in self.lesions if one.group.fate in fates)
