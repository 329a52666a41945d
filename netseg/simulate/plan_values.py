"""Values of a plan file: what a YAML document says, checked, and refused by name where it is wrong."""

from __future__ import annotations

import difflib
import math
import re
from typing import TYPE_CHECKING, Any

import yaml

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

MOST_BYTES = 4_000_000  # a plan is a page of text; a scan given by mistake is refused unread

_OLD = ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:float")
_FLOAT = re.compile(
    r"^(?:[-+]?(?:\d+\.\d*|\.\d+|\d+(?=[eE]))(?:[eE][-+]?\d+)?|[-+]?\.(?:inf|nan))$", re.IGNORECASE
)


class _Loader(yaml.SafeLoader):
    """The safe loader, with a key given twice refused where YAML's own would keep the last.

    Words and numbers are those of YAML 1.2: `off` is a word, `1e3` a number, only `true` and
    `false` are truth values.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
        """A mapping whose keys are all different.

        Raises:
            StudyRejectedError: If a key stands twice.
        """
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)  # pyright: ignore[reportUnknownMemberType]
            if isinstance(key, (dict, list)) or key in seen:
                raise StudyRejectedError(
                    Code.CONFIG_SYNTAX,
                    f"the plan has {key!r} twice in one place (line {key_node.start_mark.line + 1}).",
                    hint="Keep one of them.",
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


_Loader.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] not in _OLD]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$", re.IGNORECASE), None
)
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))


def read_yaml(path: Path) -> object:
    """The content of a YAML or JSON file.

    Raises:
        UsageError: If the file is missing, no text, or not well-formed.
        StudyRejectedError: If a key stands twice.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UsageError(
                Code.CONFIG_SYNTAX,
                f"a plan is a YAML text of at most {MOST_BYTES // 1_000_000} MB; "
                f"this file has {path.stat().st_size} bytes.",
                file=path.name,
            )
        text = path.read_text("utf-8")
    except FileNotFoundError as missing:
        raise UsageError(Code.NO_INPUT, f"there is no plan {path.name}.") from missing
    except OSError as closed:
        raise UsageError(
            Code.NO_INPUT, f"the plan {path.name} cannot be read: {closed.strerror}."
        ) from closed
    except UnicodeDecodeError as binary:
        raise UsageError(
            Code.CONFIG_SYNTAX, "the plan is no UTF-8 text.", file=path.name
        ) from binary
    try:
        return yaml.load(text, Loader=_Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as broken:
        raise UsageError(
            Code.CONFIG_SYNTAX, f"the plan is not well-formed YAML: {broken}", file=path.name
        ) from broken


def mapping(document: object, where: str, known: Sequence[str] | None = None) -> Mapping[Any, Any]:
    """A mapping, with no key but the known ones where these are given.

    Raises:
        StudyRejectedError: If it is none, or has another key; with the nearest known one.
    """
    if not isinstance(document, dict):
        raise StudyRejectedError(
            Code.CONFIG_TYPE, f"{where} must be a mapping; got {_shown(document)}."
        )
    for key in document if known else ():
        if key not in (known or ()):
            raise unknown_key(where, key, known or ())
    return document


def unknown_key(where: str, key: object, known: Sequence[str]) -> StudyRejectedError:
    """The refusal of a key that nobody knows, with the nearest known one."""
    close = difflib.get_close_matches(str(key), known, 1)
    return StudyRejectedError(
        Code.CONFIG_UNKNOWN_KEY,
        f"{where}: unknown key {key!r}; known are {', '.join(known)}.",
        hint=f"Did you mean {close[0]!r}?" if close else "",
    )


def sequence(document: object, where: str) -> list[Any]:
    """A list.

    Raises:
        StudyRejectedError: If it is none.
    """
    if not isinstance(document, list):
        raise StudyRejectedError(
            Code.CONFIG_TYPE, f"{where} must be a list; got {_shown(document)}."
        )
    return document


def triple(document: object, where: str) -> tuple[float, float, float]:
    """Three finite numbers.

    Raises:
        StudyRejectedError: If they are not.
    """
    if not isinstance(document, list) or len(document) != 3:
        raise StudyRejectedError(
            Code.CONFIG_TYPE, f"{where} must be three numbers; got {_shown(document)}."
        )
    x, y, z = (number(v, where) for v in document)
    return x, y, z


def number(value: object, where: str) -> float:
    """A finite number.

    Raises:
        StudyRejectedError: If it is none; text that looks like one gets a hint.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise StudyRejectedError(
            Code.CONFIG_TYPE, f"{where} must be a number; got {_shown(value)}.", hint=_hint(value)
        )
    try:
        real = float(value)
    except OverflowError:
        real = math.inf
    if not math.isfinite(real):
        raise StudyRejectedError(Code.CONFIG_RANGE, f"{where} must be finite; got {real}.")
    return real


def positive(value: object, where: str) -> float:
    """A finite number above zero.

    Raises:
        StudyRejectedError: If it is none.
    """
    real = number(value, where)
    if real <= 0:
        raise StudyRejectedError(
            Code.SIMULATION_REFUSED, f"{where} must be a positive number; got {_brief(real)}."
        )
    return real


def whole(value: object, where: str, *, least: int, most: int) -> int:
    """A whole number within limits.

    Raises:
        StudyRejectedError: If it is none.
    """
    real = number(value, where)
    if real != int(real) or not least <= real <= most:
        raise StudyRejectedError(
            Code.CONFIG_RANGE,
            f"{where} must be a whole number from {least} to {most}; got {_brief(real)}.",
        )
    return int(real)


def switch(value: object, where: str) -> bool:
    """True or false.

    Raises:
        StudyRejectedError: If it is neither.
    """
    if not isinstance(value, bool):
        raise StudyRejectedError(
            Code.CONFIG_TYPE, f"{where} must be true or false; got {_shown(value)}."
        )
    return value


def name(value: object, where: str) -> str:
    """A short text, or a whole number taken as one.

    Raises:
        StudyRejectedError: If it is neither, empty, or longer than 40 characters.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not 0 < len(value.strip()) <= 40 or not value.isprintable():
        raise StudyRejectedError(
            Code.CONFIG_TYPE, f"{where} must be a name of 1 to 40 characters; got {_shown(value)}."
        )
    return value


def _hint(value: object) -> str:
    """What to do about a number in quotes."""
    try:
        real = float(value) if isinstance(value, str) else math.nan
    except ValueError:
        return ""
    return f"This is a text; write {real!r} without quotes." if math.isfinite(real) else ""


def _brief(real: float) -> str:
    return str(int(real)) if real == int(real) and abs(real) < 1e15 else str(real)


def _shown(value: object) -> str:
    text = repr(value)
    return "nothing" if value is None else text if len(text) <= 60 else f"{text[:57]}…"
