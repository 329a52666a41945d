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
    from collections.abc import Callable, Mapping

TARGETS: Mapping[str, str] = {
    "builtin": "netseg.segment:BuiltinBackend",
    "masks": "netseg.segment:MasksBackend",
    "planner": "netseg.plan:Planner",
    "bioheat": "netseg.simulate:BioheatModel",
    "margin_rule": "netseg.verify:MarginRule",
    "rule_set": "netseg.allocate:load_rules",
}


def build(config: Mapping[str, Any], **parts: object) -> Any:  # noqa: ANN401 any station
    """Build the object a configuration describes.

    Args:
        config: `_target_`, a word of the table, and the object's arguments.
        **parts: Further arguments that are objects, handed in by the caller.

    Returns:
        The object.

    Raises:
        UsageError: If the name or an argument is unknown, or a value is refused.
    """
    arguments = dict(config)
    name = arguments.pop("_target_", None)
    if name not in TARGETS:
        close = get_close_matches(str(name), TARGETS, n=1)
        raise UsageError(
            Code.UNSAFE_CONFIG,
            f"_target_ {name!r} is not one of {', '.join(sorted(TARGETS))}.",
            hint=f"Did you mean {close[0]}?" if close else "",
        )
    make = _resolve(TARGETS[name])
    known = inspect.signature(make).parameters
    for key in arguments:
        if key not in known:
            close = get_close_matches(key, known, n=1)
            raise UsageError(
                Code.CONFIG_UNKNOWN_KEY,
                f"{name} has no setting {key!r}; it has {', '.join(known)}.",
                hint=f"Did you mean {close[0]}?" if close else "",
            )
    try:
        return make(**arguments, **parts)
    except (TypeError, ValueError) as error:
        raise UsageError(Code.CONFIG_RANGE, f"{name}: {error}") from error


def _resolve(target: str) -> Callable[..., Any]:
    module, attribute = target.split(":")
    return getattr(import_module(module), attribute)
