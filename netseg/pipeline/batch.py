"""Many studies: one that fails does not stop the others, and nothing half-written stays."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from netseg.domain import Code, NetsegError, Notice
from netseg.export import write_batch
from netseg.pipeline.output import write_rejection

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from netseg.export import State
    from netseg.study import FoundStudy

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyOutcome:
    """How one study ended.

    Attributes:
        case_id: Its name.
        state: "ok", "warn" or "rejected".
        errors: Why it was rejected.
        warnings: What its reader must know.
        is_bug: Whether it was rejected for a fault of netseg's own.
        row: Its row of the batch's table.
    """

    case_id: str
    state: State
    errors: tuple[Notice, ...] = ()
    warnings: tuple[Notice, ...] = ()
    is_bug: bool = False
    row: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOutcome:
    """How all studies ended."""

    studies: tuple[StudyOutcome, ...]

    @property
    def exit_code(self) -> int:
        """0 all written, 1 a bug, 3 some rejected, 4 all rejected."""
        if any(s.is_bug for s in self.studies):
            return 1
        rejected = sum(s.state == "rejected" for s in self.studies)
        if rejected == 0:
            return 0
        return 4 if rejected == len(self.studies) else 3


class StudyJob(Protocol):
    """What is done with each study of a batch."""

    def __call__(self, found: FoundStudy, folder: Path) -> StudyOutcome:
        """Process one study and write `folder`, all of it or none of it."""
        ...


def run_batch(found: Sequence[FoundStudy], out: Path, job: StudyJob) -> BatchOutcome:
    """Do one job for every study, in order.

    Args:
        found: The studies, one case id each.
        out: Results go to `out/<case id>/`, the batch's own files to `out`.
        job: What is done with each study; its weights are loaded once.

    Returns:
        One outcome per study.

    Raises:
        EnvironmentFaultError: If the disk is full or the output cannot be written.
        UsageError: If the command contradicts itself.
    """
    outcomes: list[StudyOutcome] = []
    for number, one in enumerate(found, start=1):
        log.info("study %d of %d", number, len(found))  # its name may be the patient's
        outcome = _guarded(one, number, out, job)
        outcomes.append(outcome)
        for error in outcome.errors:
            log.error(
                "%s rejected: %s %s %s", outcome.case_id, error.code, error.message, error.hint
            )
        write_batch(
            out,
            {o.case_id: o.state for o in outcomes},
            [o.row for o in outcomes],
            {o.case_id: o.errors for o in outcomes if o.errors},
        )
    return BatchOutcome(studies=tuple(outcomes))


def _guarded(found: FoundStudy, number: int, out: Path, job: StudyJob) -> StudyOutcome:
    """Do the job for one study; a refusal becomes its status, never the end of the batch."""
    case_id = found.case_id
    try:
        return job(found, out / case_id)
    except NetsegError as error:
        if error.exit_code in (2, 5):  # the next study would fare the same
            raise
        if error.notice.code is Code.CASE_ID_IDENTIFIES:
            case_id = f"study-{number}"
        return _rejected(case_id, out, error.notice)
    except MemoryError:
        notice = Notice(
            code=Code.OUT_OF_MEMORY,
            message="the study does not fit into the memory of this machine.",
            hint="Crop the scan to the abdomen or use a machine with more memory.",
        )
        return _rejected(case_id, out, notice)
    except Exception:  # the one place where a bug must not take the other studies along
        log.exception("%s: internal error", case_id)
        notice = Notice(
            code=Code.INTERNAL,
            message="netseg failed on this study through a fault of its own.",
            hint="Please report it with the log; the other studies are not affected.",
        )
        return _rejected(case_id, out, notice, is_bug=True)


def _rejected(case_id: str, out: Path, notice: Notice, *, is_bug: bool = False) -> StudyOutcome:
    write_rejection(out / case_id, notice)
    row = {"case": case_id, "state": "rejected"}
    return StudyOutcome(case_id=case_id, state="rejected", errors=(notice,), is_bug=is_bug, row=row)
