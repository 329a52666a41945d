"""Refusals: what was met, what was expected, and what to do next.

Every error netseg raises on purpose carries a `Notice`, the record that `status.json` shows. Its
class says who must act, and so the exit code: `StudyRejectedError` (the input), `UsageError` (the
command or configuration), `EnvironmentFaultError` (the machine).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netseg.domain.codes import Code


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One refusal or warning as it stands in `status.json`.

    Attributes:
        code: Which rule was met.
        message: What was met and what was expected; names no patient.
        file: The file's name within the study, where one file is to blame.
        detail: Measured against expected values, JSON types only.
        hint: The next step for the user.
    """

    code: Code
    message: str
    file: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict[str, Any])
    hint: str = ""

    def to_document(self) -> dict[str, Any]:
        """The notice as JSON types, in the order of the contract."""
        return {
            "code": str(self.code),
            "file": self.file,
            "message": self.message,
            "detail": dict(self.detail),
            "hint": self.hint,
        }


class NetsegError(Exception):
    """Base of all refusals; never raised itself.

    Attributes:
        notice: The record for `status.json`.
    """

    exit_code: int = 1

    def __init__(
        self,
        code: Code,
        message: str,
        *,
        file: str | None = None,
        detail: Mapping[str, Any] | None = None,
        hint: str = "",
    ) -> None:
        super().__init__(message)
        self.notice = Notice(code=code, message=message, file=file, detail=detail or {}, hint=hint)

    def __str__(self) -> str:
        """Code, file, sentence and hint on one line."""
        where = f" {self.notice.file}:" if self.notice.file else ""
        hint = f" {self.notice.hint}" if self.notice.hint else ""
        return f"{self.notice.code}:{where} {self.notice.message}{hint}"


class StudyRejectedError(NetsegError):
    """The input is not what it must be; other studies of a batch go on."""

    exit_code = 4


class GridMismatchError(StudyRejectedError):
    """Two images that must share one voxel grid do not."""


class FrameMismatchError(StudyRejectedError):
    """Two images of different frames of reference were never registered."""


class UsageError(NetsegError):
    """The command or its configuration is wrong."""

    exit_code = 2


class EnvironmentFaultError(NetsegError):
    """The machine lacks something: disk, permission, a lock, weights."""

    exit_code = 5
