"""Warnings gathered while one study is read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from netseg.domain.codes import Code
from netseg.domain.errors import Notice

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netseg.domain.errors import StudyRejectedError


@dataclass(slots=True)
class Remarks:
    """The notebook of one reading: what was accepted but must be said, and whom it may not name.

    Attributes:
        notices: Warnings in the order they were met.
        secrets: Identifiers met in the headers.
    """

    notices: list[Notice] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set)

    def warn(
        self,
        code: Code,
        message: str,
        *,
        file: str | None = None,
        detail: Mapping[str, Any] | None = None,
        hint: str = "",
    ) -> None:
        """Write one warning down, once however often it is met."""
        notice = Notice(code=code, message=message, file=file, detail=detail or {}, hint=hint)
        if notice not in self.notices:
            self.notices.append(notice)

    def skip(self, what: str, refusal: StudyRejectedError) -> None:
        """Write down that a series or object was left out, and why.

        Args:
            what: The series in words that name nobody, such as "CT series 3".
            refusal: Why it cannot be used.
        """
        notice = refusal.notice
        self.warn(
            Code.SERIES_SKIPPED,
            f"{what} was left out: {notice.message}",
            file=notice.file,
            detail={"reason": str(notice.code), **notice.detail},
            hint=notice.hint,
        )
