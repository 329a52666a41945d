"""Two patients are told apart by what their headers have in common: nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netseg.domain import Code, Notice, StudyRejectedError

if TYPE_CHECKING:
    from netseg.domain import Study


def strangers(first: Study, second: Study) -> tuple[Notice, ...]:
    """A warning where the headers of two studies share no identifier; files without any say nothing."""
    if not (first.secrets and second.secrets) or first.secrets & second.secrets:
        return ()
    return (
        Notice(
            code=Code.PATIENT_MISMATCH,
            message="the headers of the two studies have no identifier in common.",
            hint="Make sure that both are of one patient.",
        ),
    )


def require_same_patient(planning: Study, control: Study) -> None:
    """Refuse a control scan of somebody else.

    Raises:
        StudyRejectedError: PATIENT_MISMATCH, if both studies name their patient and nothing agrees.
    """
    for notice in strangers(planning, control):
        raise StudyRejectedError(
            notice.code,
            "margin check: the headers of planning and control scan have no identifier in common; "
            "a margin is measured within one patient only.",
            hint="If only the pseudonyms differ, say --same-patient.",
        )
