"""What kind of value a field of the findings document takes, and how a wrong one is refused."""

from __future__ import annotations

import difflib
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from netseg.domain.codes import Code

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NUMBER_TEXT = re.compile(r"[-+]?\d+([.,]\d+)?\s*%?")


class WrongValueError(ValueError):
    """A value that a field cannot take.

    Attributes:
        code: CONFIG_TYPE, CONFIG_RANGE or CONFIG_UNKNOWN_KEY.
        where: Place below the field ("[2].segment"), "" for the field itself.
        met: The value met, as text.
        allowed: What is allowed.
        advice: One sentence on the likely mistake, or "".
    """

    def __init__(self, code: Code, met: object, allowed: str, *, advice: str = "", where: str = ""):
        super().__init__(f"{met!r} is not {allowed}")
        self.code: Final = code
        self.met: Final = _shown(met)
        self.allowed: Final = allowed
        self.advice: Final = advice
        self.where: Final = where

    def below(self, where: str) -> WrongValueError:
        """The same, one level further in."""
        return WrongValueError(
            self.code, _Text(self.met), self.allowed, advice=self.advice, where=where + self.where
        )


class _Text(str):
    """A value already shown."""

    __slots__ = ()


def _shown(value: object) -> str:
    text = str(value) if isinstance(value, _Text) else repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


_OTHER_WORDS = {
    "small_bowel": "small_intestine", "ileum": "small_intestine", "jejunum": "small_intestine",
    "midgut": "small_intestine", "bronchus": "lung", "gastric": "stomach", "cup": "unknown",
    "appendiceal": "appendix", "colorectal": "colon", "rectal": "rectum",
}  # fmt: skip
"""Words of reports for values of ours. Only ever a question to the reader, never an answer."""


def did_you_mean(value: str, allowed: Sequence[str]) -> str:
    """A question such as "did you mean small_intestine?", or "" where nothing is near."""
    plain = value.strip().lower().replace(" ", "_").replace("-", "_")
    by_lower = {name.lower(): name for name in allowed}
    other = _OTHER_WORDS.get(plain)
    if other in by_lower:
        return f"did you mean {by_lower[other]}?"
    if len(plain) < 3:
        return ""  # a segment IX is as near to IV as to I: two letters say nothing
    near = difflib.get_close_matches(plain, list(by_lower), n=1, cutoff=0.6)
    if not near:
        near = [name for name in by_lower if (plain in name or name in plain)]
    return f"did you mean {by_lower[near[0]]}?" if near else ""


def read_number(value: object, allowed: str) -> float:
    """A finite number. A boolean, a text and NaN are none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        advice = ""
        if isinstance(value, str) and NUMBER_TEXT.fullmatch(value.strip()):
            advice = (
                "write the decimal point as '.', not ','"
                if "," in value
                else "write the number without quotes and units"
            )
        raise WrongValueError(Code.CONFIG_TYPE, value, allowed, advice=advice)
    if not math.isfinite(value):
        raise WrongValueError(Code.CONFIG_RANGE, value, allowed)
    return float(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of value.

    Attributes:
        allowed: What is allowed, in words.
        read: From JSON types to the domain; raises `WrongValueError`.
        write: Back to JSON types.
    """

    allowed: str
    read: Callable[[object], Any]
    write: Callable[[Any], Any]


def _same(value: Any) -> Any:
    return value


def number(low: float, high: float, unit: str = "", *, low_open: bool = False) -> Kind:
    """A number within [low, high], or (low, high]."""
    above = f"above {low:g} and up to" if low_open else f"from {low:g} to"
    allowed = f"a number {above} {high:g}{' ' + unit if unit else ''}"

    def read(value: object) -> float:
        found = read_number(value, allowed)
        if not low <= found <= high or (low_open and found == low):
            raise WrongValueError(Code.CONFIG_RANGE, value, allowed)
        return found

    return Kind(allowed=allowed, read=read, write=_plain_number)


def integer(low: int, high: int) -> Kind:
    """A whole number within [low, high]."""
    allowed = f"a whole number from {low} to {high}"

    def read(value: object) -> int:
        found = read_number(value, allowed)
        if found != int(found):
            raise WrongValueError(Code.CONFIG_TYPE, value, allowed)
        if not low <= found <= high:
            raise WrongValueError(Code.CONFIG_RANGE, value, allowed)
        return int(found)

    return Kind(allowed=allowed, read=read, write=_same)


def choice(values: Sequence[Any]) -> Kind:
    """One of a list of names (members of a StrEnum) or whole numbers."""
    names = [str(value) for value in values]
    allowed = "one of " + ", ".join(names)

    def read(value: object) -> Any:
        fits = type(values[0]) is int
        if fits and not isinstance(value, bool) and value in values:
            return value
        if not fits and isinstance(value, str) and value in names:
            return values[names.index(value)]
        if isinstance(value, str):
            raise WrongValueError(
                Code.CONFIG_RANGE, value, allowed, advice=did_you_mean(value, names)
            )
        code = Code.CONFIG_RANGE if fits and type(value) is int else Code.CONFIG_TYPE
        raise WrongValueError(code, value, allowed)

    return Kind(allowed=allowed, read=read, write=lambda v: v if type(v) is int else str(v))


def _read_flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    advice = ""
    if isinstance(value, str):
        word = value.strip().lower()
        if word in {"yes", "y", "on", "true", "no", "n", "off", "false"}:
            advice = f"write {'true' if word in {'yes', 'y', 'on', 'true'} else 'false'}"
    raise WrongValueError(Code.CONFIG_TYPE, value, FLAG.allowed, advice=advice)


FLAG = Kind(allowed="true or false (left out or null where unknown)", read=_read_flag, write=_same)


def _read_text(value: object) -> str:
    if not isinstance(value, str):
        raise WrongValueError(Code.CONFIG_TYPE, value, TEXT.allowed)
    return value


TEXT = Kind(allowed="text", read=_read_text, write=_same)


def _read_mapping(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise WrongValueError(Code.CONFIG_TYPE, value, MAPPING.allowed)
    return cast("dict[str, Any]", value)


MAPPING = Kind(allowed="a mapping", read=_read_mapping, write=dict)


def sequence(item: Kind) -> Kind:
    """A list of values of one kind, as a tuple."""

    def read(value: object) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise WrongValueError(Code.CONFIG_TYPE, value, f"a list ({item.allowed} each)")
        found: list[Any] = []
        for place, entry in enumerate(cast("list[object]", value)):
            try:
                found.append(item.read(entry))
            except WrongValueError as wrong:
                raise wrong.below(f"[{place + 1}]") from wrong
        return tuple(found)

    return Kind(
        allowed=f"a list ({item.allowed} each)",
        read=read,
        write=lambda values: [item.write(v) for v in values],
    )


def _plain_number(value: float) -> float | int:
    """Whole numbers without a trailing ".0"."""
    return int(value) if float(value).is_integer() else value


plain_number = _plain_number
