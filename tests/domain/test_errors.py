"""A refusal says what was met, in which file, and what to do next; its class says who must act."""

import pytest

from netseg.domain.codes import Code
from netseg.domain.errors import (
    EnvironmentFaultError,
    FrameMismatchError,
    GridMismatchError,
    StudyRejectedError,
    UsageError,
)


def test_code_file_sentence_and_hint_stand_on_one_line():
    error = StudyRejectedError(
        Code.MISSING_SLICES, "a gap of 5.0 mm after slice 17;", file="ct", hint="Send all slices."
    )
    assert str(error) == "MISSING_SLICES: ct: a gap of 5.0 mm after slice 17; Send all slices."


def test_the_notice_is_the_record_of_the_contract():
    error = UsageError(Code.CONFIG_RANGE, "got -1.", detail={"met": -1}, hint="Use 5.")
    assert error.notice.to_document() == {
        "code": "CONFIG_RANGE",
        "file": None,
        "message": "got -1.",
        "detail": {"met": -1},
        "hint": "Use 5.",
    }


@pytest.mark.parametrize(
    ("kind", "exit_code"),
    [
        (StudyRejectedError, 4),
        (GridMismatchError, 4),
        (FrameMismatchError, 4),
        (UsageError, 2),
        (EnvironmentFaultError, 5),
    ],
)
def test_the_class_says_who_must_act(kind, exit_code):
    assert kind(Code.INTERNAL, "x").exit_code == exit_code


def test_every_code_has_its_name_and_one_sentence():
    for code in Code:
        assert code.value == code.name
        assert code.sentence.endswith(".")
