"""YAML and JSON read strictly: nothing becomes a boolean, a number or a date by accident.

YAML 1.1 reads `no` as false, `1:30` as 90 and `2026-01-01` as a date. Here only `true` and `false`
are booleans, only plain decimal notation is a number, and everything else is text, which the fields
then refuse by name. A key that stands twice, an alias and a tag are refused.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any, cast

import yaml

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LARGEST_DOCUMENT_BYTES = 10_000_000
"""A findings document of thousands of lesions has a tenth of this."""

DEEPEST_NESTING = 40

_Base: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _StrictLoader(_Base):
    """The YAML 1.2 core schema, with keys that stand once."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - PyYAML's own signature
        """A mapping in which every key stands once."""
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if not isinstance(key, str):
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} is not text", node.start_mark
                )
        twice = [key for key, count in Counter(keys).items() if count > 1]
        if twice:
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {twice[0]!r} stands twice", node.start_mark
            )
        base: Any = super()
        return cast("dict[Any, Any]", base.construct_mapping(node, deep))


def _resolve(tag: str, pattern: str, first: str) -> None:
    _StrictLoader.add_implicit_resolver(
        f"tag:yaml.org,2002:{tag}", re.compile(f"^(?:{pattern})$"), list(first)
    )


_resolve("bool", "true|false|True|False|TRUE|FALSE", "tTfF")
_resolve("null", "~|null|Null|NULL|", "~nN\0")
_resolve("float", r"[-+]?(?:\d+\.\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?\d+[eE][-+]?\d+", "-+.0123456789")
_resolve("float", r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", "-+.")
_resolve("int", r"[-+]?(?:0|[1-9]\d*)", "-+0123456789")
_StrictLoader.yaml_implicit_resolvers.setdefault("", []).append(
    ("tag:yaml.org,2002:null", re.compile("^$"))
)


def _float(_: Any, node: Any) -> float:
    """A YAML 1.2 float; Python's own notation differs in `.nan` and `.inf` only."""
    text = str(node.value).lower()
    if "nan" in text or "inf" in text:
        return float(text.replace(".", ""))
    return float(text)


def _int(_: Any, node: Any) -> int:
    return int(node.value)


_StrictLoader.add_constructor("tag:yaml.org,2002:float", _float)
_StrictLoader.add_constructor("tag:yaml.org,2002:int", _int)


def _unique_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object in which every key stands once."""
    for key, count in Counter(key for key, _ in pairs).items():
        if count > 1:
            raise ValueError(f"the key {key!r} stands twice")
    return dict(pairs)


def parse_yaml(text: str, name: str) -> object:
    """The document in `text`.

    Args:
        text: YAML of one document; a JSON text is YAML too.
        name: File name for messages.

    Raises:
        StudyRejectedError: CONFIG_SYNTAX, where it is not well-formed or holds an alias or tag.
    """
    try:
        _refuse_tricks(text)
        return cast("object", yaml.load(text, Loader=_StrictLoader))
    except (yaml.YAMLError, RecursionError, ValueError) as problem:
        raise _malformed(name, str(problem)) from problem


def _refuse_tricks(text: str) -> None:
    """An alias can blow a small document up to any size, and deep nesting exhaust the stack."""
    depth = 0
    reader: Any = yaml
    for event in cast("Iterator[object]", reader.parse(text, Loader=_StrictLoader)):
        if isinstance(event, yaml.AliasEvent):
            raise yaml.YAMLError("aliases (*name) are not read; write the value out")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST_NESTING:
            raise yaml.YAMLError(f"nested deeper than {DEEPEST_NESTING} levels")


def parse_json(text: str, name: str) -> object:
    """The JSON document in `text`; NaN and infinity arrive as numbers and are refused later.

    Raises:
        StudyRejectedError: CONFIG_SYNTAX, where it is not well-formed.
    """
    try:
        return cast("object", json.loads(text, object_pairs_hook=_unique_pairs))
    except (ValueError, RecursionError) as problem:
        raise _malformed(name, str(problem)) from problem


def read_document(path: Path) -> object:
    """The YAML or JSON document in a file, by its ending `.json` or any other.

    Raises:
        StudyRejectedError: NO_INPUT, CONFIG_SYNTAX.
    """
    if not path.is_file():
        raise StudyRejectedError(
            Code.NO_INPUT,
            "the findings document is not there.",
            file=path.name,
            hint="Name a YAML or JSON file.",
        )
    if path.stat().st_size > LARGEST_DOCUMENT_BYTES:
        raise _malformed(path.name, f"larger than {LARGEST_DOCUMENT_BYTES} bytes")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as problem:
        raise _malformed(path.name, f"not UTF-8 ({problem.reason})") from problem
    reader = parse_json if path.suffix.lower() == ".json" else parse_yaml
    return reader(text, path.name)


def _malformed(name: str, problem: str) -> StudyRejectedError:
    sentence = " ".join(problem.split())
    return StudyRejectedError(
        Code.CONFIG_SYNTAX,
        f"not well-formed: {sentence}.",
        file=name,
        hint="Write `field: value` lines of YAML 1.2, or JSON.",
    )
