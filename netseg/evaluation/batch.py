"""Many cases in files: pairs are found, read, scored; a bad one does not stop the others."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from netseg.domain import Code, Notice, StudyRejectedError
from netseg.evaluation.case import TOLERANCE_MM, score_case
from netseg.evaluation.ground import Ground, shared_grid
from netseg.evaluation.reading import (
    cut_to_content,
    read_prediction,
    read_truth,
    without_prediction,
)
from netseg.study.dicom_header import read_header
from netseg.study.privacy import identifiers, require_neutral_case_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from netseg.evaluation.case import CaseScore, Outlines
    from netseg.evaluation.files import CaseFiles, Side
    from netseg.evaluation.label_words import LabelWords

log = logging.getLogger(__name__)


class Unpaired(StrEnum):
    """What becomes of a case that stands on one side only."""

    REFUSE = "refuse"
    EMPTY = "empty"
    SKIP = "skip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """How cases are read and scored.

    Attributes:
        truth_labels: What the truth's numbers mean; None where nothing was said.
        predicted_labels: What the prediction's numbers mean.
        tolerances_mm: Of the surface Dice.
        resample_nearest: Whether a prediction on another grid is brought onto the truth's.
        unpaired: A truth without prediction is refused, counted as an empty prediction, or left
            out; a prediction without truth is refused, else left out.
        patients: Whose a case is; its own name where it does not stand here.
    """

    truth_labels: LabelWords | None = None
    predicted_labels: LabelWords | None = None
    tolerances_mm: tuple[float, ...] = (TOLERANCE_MM,)
    resample_nearest: bool = False
    unpaired: Unpaired = Unpaired.REFUSE
    patients: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What became of every case.

    Attributes:
        cases: Scores in the order of their names.
        errors: Why a case was refused, by name.
        warnings: What the reader must know.
    """

    cases: tuple[CaseScore, ...]
    errors: Mapping[str, Notice] = field(default_factory=dict[str, Notice])
    warnings: tuple[Notice, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 all scored, 3 some refused, 4 all refused."""
        if not self.errors:
            return 0
        return 3 if self.cases else 4


def evaluate_files(
    predicted: Side,
    truth: Side,
    protocol: Protocol,
    also: Callable[[str, Outlines, Outlines], None] | None = None,
) -> Evaluation:
    """Score every case of two sides.

    Args:
        predicted: The outlines in question.
        truth: The outlines they are held against.
        protocol: How cases are read and scored.
        also: Called with the name, the predicted and the true outlines of every case that was
            scored; a refusal of its own refuses the case.

    Returns:
        Scores and refusals; nothing is raised for one bad case.
    """
    pairs = _pairs(predicted, truth)
    scores: list[CaseScore] = []
    errors: dict[str, Notice] = {}
    warnings: list[Notice] = []
    for number, (name, (ours, theirs)) in enumerate(pairs.items(), start=1):
        log.info("case %d of %d", number, len(pairs))
        told = name
        try:
            _require_neutral(name, ours, theirs)
            if theirs is None or (ours is None and protocol.unpaired is not Unpaired.EMPTY):
                warnings.append(_left_out(name, theirs, protocol.unpaired))
            else:
                scores.append(_score(name, ours, theirs, protocol, also))
        except StudyRejectedError as refusal:
            if refusal.notice.code is Code.CASE_ID_IDENTIFIES:
                told = f"case-{number}"
            errors[told] = refusal.notice
        except MemoryError:
            errors[told] = _too_large()
        if told in errors:
            log.error("%s refused: %s %s", told, errors[told].code, errors[told].message)
    return Evaluation(cases=tuple(scores), errors=errors, warnings=tuple(warnings))


def _pairs(predicted: Side, truth: Side) -> dict[str, tuple[CaseFiles | None, CaseFiles | None]]:
    """Files of both sides by case, sorted; two single files are one case by the truth's name."""
    ours = dict(predicted.cases)
    if predicted.is_file and truth.is_file:
        (name,), (one,) = truth.cases, ours.values()
        ours = {name: replace(one, id=name)}
    names = sorted({*ours, *truth.cases})
    return {name: (ours.get(name), truth.cases.get(name)) for name in names}


def _score(
    name: str,
    ours: CaseFiles | None,
    theirs: CaseFiles,
    protocol: Protocol,
    also: Callable[[str, Outlines, Outlines], None] | None,
) -> CaseScore:
    truth, predicted = _read(ours, theirs, protocol)
    predicted, truth = cut_to_content(predicted, truth)
    patient = protocol.patients.get(name, name)
    score = score_case(
        predicted, truth, id=name, patient=patient, tolerances_mm=protocol.tolerances_mm
    )
    if also is not None:
        also(name, predicted, truth)
    return replace(score, is_missing=ours is None)


def _require_neutral(name: str, *sides: CaseFiles | None) -> None:
    """Refuse a case name that holds an identifier its own DICOM headers know.

    Raises:
        StudyRejectedError: CASE_ID_IDENTIFIES, and what the header's reader refuses.
    """
    for side in sides:
        if side is not None and side.is_dicom:
            header = read_header(side.labels, "the DICOM file")
            try:
                require_neutral_case_id(name, identifiers(header))
            except StudyRejectedError as refusal:
                raise StudyRejectedError(
                    refusal.notice.code,
                    refusal.notice.message,
                    hint="Rename the file on both sides.",
                ) from refusal


def _read(
    ours: CaseFiles | None, theirs: CaseFiles, protocol: Protocol
) -> tuple[Outlines, Outlines]:
    """True and predicted outlines on one grid."""
    labels = protocol.truth_labels
    if ours is None:
        truth = read_truth(theirs, labels)
        return truth, without_prediction(truth)
    if theirs.is_dicom:
        grid = shared_grid(theirs.labels, ours.labels)
        truth = read_truth(theirs, labels, Ground(grid=grid, knows_frame=True))
    else:
        truth = read_truth(theirs, labels)
        grid = truth.lesions.grid
    ground = Ground(
        grid=grid, knows_frame=theirs.is_dicom, resample_nearest=protocol.resample_nearest
    )
    return truth, read_prediction(ours, protocol.predicted_labels, ground)


def _left_out(name: str, theirs: CaseFiles | None, unpaired: Unpaired) -> Notice:
    """The warning about a case that is left out.

    Raises:
        StudyRejectedError: UNPAIRED_CASE where such a case shall be refused.
    """
    side = "a prediction and no truth" if theirs is None else "truth and no prediction"
    if unpaired is not Unpaired.REFUSE:
        return Notice(code=Code.UNPAIRED_CASE, message=f"{name} has {side} and was left out.")
    raise StudyRejectedError(
        Code.UNPAIRED_CASE,
        f"{name} has {side}; both are expected under one file stem.",
        hint="Give both, or say --unpaired empty (a missing prediction found nothing) or --unpaired "
        "skip (leave such cases out).",
    )


def _too_large() -> Notice:
    return Notice(
        code=Code.OUT_OF_MEMORY,
        message="the case does not fit into the memory of this machine.",
        hint="Crop its label maps to the liver, or use a machine with more memory.",
    )
