"""Words of the command line as domain values."""

from __future__ import annotations

from difflib import get_close_matches
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from netseg.domain.codes import Code
from netseg.domain.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

Word = TypeVar("Word", bound=StrEnum)


def one_of(kind: type[Word], name: str, word: str | None) -> Word | None:
    """The member of `kind` that a word names; None stays unknown.

    Raises:
        UsageError: If no member has that name.
    """
    return None if word is None else kind(one_of_names([str(m) for m in kind], name, word))


def one_of_names(allowed: Sequence[str], name: str, word: str) -> str:
    """The word itself if it is allowed.

    Raises:
        UsageError: If it is not.
    """
    if word in allowed:
        return word
    close = get_close_matches(word, allowed, n=1)
    raise UsageError(
        Code.CONFIG_RANGE,
        f"{name} {word!r} is not one of {', '.join(allowed)}.",
        hint=f"Did you mean {close[0]}?" if close else "",
    )
