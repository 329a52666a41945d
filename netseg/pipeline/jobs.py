"""What can be done with a study: the whole way, or only as far as one station."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from netseg.domain import Code, Notice
from netseg.export import state_of, summary_row
from netseg.findings import measure
from netseg.pipeline.batch import StudyOutcome
from netseg.pipeline.fingerprint import fingerprint
from netseg.pipeline.output import kept_row, write_plan, write_segmentation, write_study
from netseg.pipeline.stopwatch import Stopwatch
from netseg.pipeline.study import process_study
from netseg.study import read_study
from netseg.study.masks import mask_file, read_instances

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netseg.domain import Grid, LabelMap, Study
    from netseg.domain.clinical import ClinicalFindings
    from netseg.pipeline.control_files import ControlFiles
    from netseg.pipeline.stations import Stations
    from netseg.study import FoundStudy, ReadHints

log = logging.getLogger(__name__)


NO_ROW = Notice(
    code=Code.TABLE_MISSING,
    message="the clinical table has no row for this case; every clinical fact is unknown.",
    hint="Add a row with the case's name.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeWay:
    """Carry a study through all stations to its report.

    Attributes:
        stations: What does the work.
        hints: What the user says about the images.
        cases: Clinical facts by case id; None where none were given. A study without facts among
            others that have some is warned about.
        control: Files of a scan made after the ablation; for one study only.
        resume: Keep results of the same input, configuration, facts and version.
    """

    stations: Stations
    hints: ReadHints
    cases: Mapping[str, ClinicalFindings] | None = None
    control: ControlFiles | None = None
    resume: bool = False

    def __call__(self, found: FoundStudy, folder: Path) -> StudyOutcome:
        """Read, process and write one study."""
        started_at = datetime.now(UTC).isoformat(timespec="seconds")
        case = (self.cases or {}).get(found.case_id)
        made_from = self._fingerprint(found, case)
        if self.resume and (row := kept_row(folder, made_from)):
            log.info("%s: kept the results of an earlier run", found.case_id)
            return StudyOutcome(case_id=found.case_id, state=row["state"], row=row)
        watch = Stopwatch()
        with watch.station("study"):
            study = _read(found, self.hints)
            control = None if self.control is None else self.control.read(self.hints)
        if self.cases is not None and case is None:
            study = replace(study, warnings=(*study.warnings, NO_ROW))
        result = process_study(study, self.stations, case, watch, control=control)
        state = state_of((), result.warnings)
        row = summary_row(result, state)
        write_study(
            result,
            folder,
            started_at=started_at,
            station_wall_s=watch.seconds,
            settings={
                "device": self.stations.device,
                "fingerprint": made_from,
                "summary": row,
            },
        )
        return StudyOutcome(case_id=found.case_id, state=state, warnings=result.warnings, row=row)

    def _fingerprint(self, found: FoundStudy, case: ClinicalFindings | None) -> str:
        masks = (self.hints.liver, self.hints.lesions, self.hints.spleen)
        files = [mask_file(spec) for spec in masks if spec]
        made_with = (self.stations.config_sha256, repr(case), repr(self.hints), repr(self.control))
        seen = () if self.control is None else self.control.paths
        return fingerprint([found.path, *files, *seen], *made_with)


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentOnly:
    """Outline liver and lesions, measure them, and stop there."""

    stations: Stations
    hints: ReadHints

    def __call__(self, found: FoundStudy, folder: Path) -> StudyOutcome:
        """Read, segment, measure and write one study."""
        study = _read(found, self.hints)
        segmentation = self.stations.outline(study)
        findings = measure(study, segmentation)
        warnings = (*study.warnings, *segmentation.warnings, *findings.warnings)
        write_segmentation(study, segmentation, findings, folder)
        return _outcome(study, warnings)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOnly:
    """Propose needles for the lesions of a study.

    Attributes:
        stations: What does the work; its planner is set.
        hints: What the user says about the images, and whose lesions these are.
        obstacles: Label map of what a needle must not cross, "FILE" (all its values) or "FILE:1,2".
    """

    stations: Stations
    hints: ReadHints
    obstacles: str | None = None

    def __call__(self, found: FoundStudy, folder: Path) -> StudyOutcome:
        """Read, segment, plan and write one study."""
        study = _read(found, self.hints)
        obstacles = None if self.obstacles is None else partial(_read_obstacles, self.obstacles)
        result = process_study(study, self.stations, obstacles=obstacles)
        write_plan(result, folder)
        return _outcome(study, result.warnings)


def _read_obstacles(spec: str, grid: Grid) -> LabelMap:
    """Every value of a label map as an obstacle, unless a suffix names some."""
    return read_instances(f"{spec}:instances" if Path(spec).is_file() else spec, on=grid)


def _read(found: FoundStudy, hints: ReadHints) -> Study:
    return read_study(found.path, replace(hints, case_id=found.case_id))


def _outcome(study: Study, warnings: tuple[Notice, ...]) -> StudyOutcome:
    state = state_of((), warnings)
    row = {"case": study.case_id, "state": state}
    return StudyOutcome(case_id=study.case_id, state=state, warnings=warnings, row=row)
