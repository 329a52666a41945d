"""Small YAML documents from strangers: plain data only, no aliases, no repeated keys."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_MOST_BYTES = 1 << 18
_MOST_DEPTH = 20


def read_yaml(path: Path, name: str) -> Any:
    """The document as dicts, lists and scalars.

    Raises:
        StudyRejectedError: CONFIG_SYNTAX (not UTF-8, not YAML, a key twice), ALLOCATION_LIMIT
            (size, depth, aliases), UNSAFE_CONFIG (tags).
    """
    import yaml

    content = path.read_bytes()
    if len(content) > _MOST_BYTES:
        raise _refused(Code.ALLOCATION_LIMIT, f"It has {len(content)} bytes.", name)
    try:
        text = content.decode("utf-8")
        _require_plain(text, name)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is not None:
            _require_single_keys(node, name)
        return yaml.safe_load(text)
    except UnicodeDecodeError as error:
        raise _refused(Code.CONFIG_SYNTAX, "It is not UTF-8 text.", name) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        what = getattr(error, "problem", None) or "unreadable"
        raise _refused(Code.CONFIG_SYNTAX, f"It is no YAML{where}: {what}.", name) from error


def unknown_key(key: object, known: Iterable[str], where: str, name: str) -> StudyRejectedError:
    """The refusal of a key netseg does not know, with the likely one."""
    close = get_close_matches(str(key), list(known), n=1)
    hint = f"Did you mean {close[0]}?" if close else f"Known keys: {', '.join(sorted(known))}."
    return StudyRejectedError(
        Code.CONFIG_UNKNOWN_KEY, f"{where} has the unknown key {key!r}.", file=name, hint=hint
    )


def _require_plain(text: str, name: str) -> None:
    import yaml

    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise _refused(Code.ALLOCATION_LIMIT, "It uses aliases; write values out.", name)
        if getattr(event, "tag", None) is not None:
            raise _refused(Code.UNSAFE_CONFIG, f"It uses the tag {event.tag!r}.", name)
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _MOST_DEPTH:
            raise _refused(Code.ALLOCATION_LIMIT, f"It nests more than {_MOST_DEPTH} deep.", name)


def _require_single_keys(node: Any, name: str) -> None:
    import yaml

    if isinstance(node, yaml.MappingNode):
        keys = [k.value for k, _ in node.value if isinstance(k, yaml.ScalarNode)]
        twice = sorted({k for k in keys if keys.count(k) > 1})
        if twice:
            raise _refused(Code.CONFIG_SYNTAX, f"The key {twice[0]!r} stands twice.", name)
        for _, value in node.value:
            _require_single_keys(value, name)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _require_single_keys(value, name)


def _refused(code: Code, message: str, name: str) -> StudyRejectedError:
    return StudyRejectedError(code, f"The YAML document is refused. {message}", file=name)
