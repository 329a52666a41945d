"""The files of a control scan: images, masks drawn on them, landmarks."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from netseg.domain import Code, GridMismatchError, PointMm, UsageError
from netseg.pipeline.control import ControlScan
from netseg.study import read_study
from netseg.study.masks import mask_file, read_mask

if TYPE_CHECKING:
    from pathlib import Path

    from netseg.domain import Mask, Study
    from netseg.study import ReadHints

LANDMARK_COLUMNS = ("pre_x_mm", "pre_y_mm", "pre_z_mm", "post_x_mm", "post_y_mm", "post_z_mm")


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlFiles:
    """A control scan before it is read.

    Attributes:
        scan: A DICOM tree, an image file or a folder with study.yaml.
        zone: Mask argument of the ablation zone on one of its series; None to find it.
        liver: Mask argument of the liver on one of its series; None for the network's.
        landmarks: CSV of places that are the same in both scans; None without.
        same_patient: Whether headers that disagree are of one patient all the same.
    """

    scan: Path
    zone: str | None = None
    liver: str | None = None
    landmarks: Path | None = None
    same_patient: bool = False

    def read(self, hints: ReadHints) -> ControlScan:
        """Read scan, masks and landmarks.

        Args:
            hints: What the user says about modality, phase and tracer of planning and control scan.

        Raises:
            UsageError: If the landmarks cannot be read.
            StudyRejectedError: If the scan or a mask is refused.
            GridMismatchError: If the zone lies on no series of the control scan.
        """
        own = replace(hints, liver=self.liver, lesions=None, spleen=None, case_id="control")
        study = read_study(self.scan, own)
        return ControlScan(
            study=study,
            zone=None if self.zone is None else _on_some_series(self.zone, study),
            landmarks=() if self.landmarks is None else read_landmarks(self.landmarks),
            same_patient=self.same_patient,
        )

    @property
    def paths(self) -> tuple[Path, ...]:
        """Every file and folder that is read."""
        files = [mask_file(str(spec)) for spec in (self.zone, self.liver) if spec]
        return (self.scan, *files, *([self.landmarks] if self.landmarks else []))


def read_landmarks(path: Path) -> tuple[tuple[PointMm, PointMm], ...]:
    """Places that are the same in both scans, control scan first (LPS millimetres).

    Args:
        path: CSV with a head and one pair per row; further columns are not read.

    Raises:
        UsageError: If the file or a column is missing, or a coordinate is no finite number.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file)
            missing = [c for c in LANDMARK_COLUMNS if c not in (table.fieldnames or ())]
            if missing:
                raise UsageError(
                    Code.CONFIG_UNKNOWN_KEY,
                    f"the landmarks lack the columns {', '.join(missing)}.",
                    file=path.name,
                    hint=f"The head must name {','.join(LANDMARK_COLUMNS)}.",
                )
            rows = [[_coordinate(row[c], path) for c in LANDMARK_COLUMNS] for row in table]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            Code.NO_INPUT, f"the landmarks cannot be read: {error}.", file=path.name
        ) from error
    if not rows:
        raise UsageError(Code.NO_INPUT, "the landmarks hold no pair.", file=path.name)
    return tuple((PointMm.of(row[3:]), PointMm.of(row[:3])) for row in rows)


def _coordinate(text: str | None, path: Path) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UsageError(
            Code.CONFIG_TYPE,
            f"a landmark's coordinate must be a number of millimetres; got {text!r}.",
            file=path.name,
        )
    return value


def _on_some_series(spec: str, study: Study) -> Mask:
    """The mask on the first series of the study whose voxels it shares."""
    mismatch: GridMismatchError | None = None
    for series in study.series:
        try:
            return read_mask(spec, on=series.volume.grid)
        except GridMismatchError as error:
            mismatch = mismatch or error
    assert mismatch is not None  # a study has at least one series
    raise mismatch
