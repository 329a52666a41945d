"""What a configuration may name: the only door from a YAML file to code.

Hydra's own `instantiate` would import any path a file names. Here `_target_` is a word of this
table; anything else is refused.
"""

from __future__ import annotations

import inspect
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Any

from netseg.domain.codes import Code
from netseg.domain.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

TARGETS: Mapping[str, str] = {
    "builtin": "netseg.segment:BuiltinBackend",
    "masks": "netseg.segment:MasksBackend",
    "planner": "netseg.plan:Planner",
    "bioheat_model": "netseg.simulate:BioheatModel",
    "margin_rule": "netseg.verify:MarginRule",
    "rule_set": "netseg.allocate:load_rules",
}


def build(config: Mapping[str, Any], **parts: object) -> Any:
    """Build the object a configuration describes.

    Args:
        config: `_target_`, a word of the table, and the object's arguments.
        **parts: Further arguments that are objects, or that win over the configuration's.

    Returns:
        The object.

    Raises:
        UsageError: If the name or an argument is unknown, or a value is refused.
    """
    name = check(config)
    arguments = {key: value for key, value in config.items() if key != "_target_"}
    try:
        return _resolve(TARGETS[name])(**{**arguments, **parts})
    except (TypeError, ValueError) as error:
        raise UsageError(Code.CONFIG_RANGE, f"{name}: {error}") from error


def check(config: Mapping[str, Any]) -> str:
    """Whether a configuration names a word of the table and only settings that it has.

    Args:
        config: `_target_` and the object's arguments.

    Returns:
        The word.

    Raises:
        UsageError: If the name or an argument is unknown.
    """
    name = str(config.get("_target_"))
    if name not in TARGETS:
        raise UsageError(
            Code.UNSAFE_CONFIG,
            f"_target_ {name!r} is not one of {', '.join(sorted(TARGETS))}.",
            hint=_did_you_mean(name, TARGETS),
        )
    known = inspect.signature(_resolve(TARGETS[name])).parameters
    for key in config:
        if key != "_target_" and key not in known:
            raise UsageError(
                Code.CONFIG_UNKNOWN_KEY,
                f"{name} has no setting {key!r}; it has {', '.join(known)}.",
                hint=_did_you_mean(str(key), known),
            )
    return name


def _did_you_mean(word: str, known: Iterable[str]) -> str:
    close = get_close_matches(word, list(known), n=1)
    return f"Did you mean {close[0]}?" if close else ""


def _resolve(target: str) -> Callable[..., Any]:
    module, attribute = target.split(":")
    return getattr(import_module(module), attribute)
