"""What a training configuration may name: words of this table, never import paths."""

from __future__ import annotations

import inspect
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Any

from netseg.domain import Code, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TARGETS: Mapping[str, str] = {
    "unet": "netseg.segment.networks:NetworkSpec",
    "schedule": "netseg.training.fit:Schedule",
    "stage": "netseg.training.steps:Stage",
    "liver_task": "netseg.training.recipes:liver_task",
    "lesion_task": "netseg.training.recipes:lesion_task",
    "warp": "netseg.training.warp:Warp",
    "contrast": "netseg.training.contrast:Contrast",
    "lesion_prior": "netseg.training.paint:LesionPrior",
    "lits_crops": "netseg.training.sources:LitsSource",
    "transplants": "netseg.training.sources:TransplantSource",
    "phantoms": "netseg.training.sources:PhantomSource",
    "mlflow": "netseg.tracking:MlflowTracker",
    "spool": "netseg.tracking:SpoolTracker",
    "no_tracking": "netseg.tracking:NoTracker",
}


def build(config: Any, **parts: Any) -> Any:
    """Build what a configuration describes, its parts first.

    Args:
        config: A mapping with `_target_`, or a plain value; lists become tuples.
        **parts: Further arguments of the outermost object.

    Returns:
        The object.

    Raises:
        UsageError: If a name is not in the table, an argument is unknown, or a value is refused.
    """
    if isinstance(config, (list, tuple)):
        return tuple(build(item) for item in config)
    if not isinstance(config, dict):
        return config
    if "_target_" not in config:
        return {key: build(value) for key, value in config.items()}
    name = str(config["_target_"])
    if name not in TARGETS:
        close = get_close_matches(name, list(TARGETS), n=1)
        raise UsageError(
            Code.UNSAFE_CONFIG,
            f"_target_ {name!r} is not one of {', '.join(sorted(TARGETS))}.",
            hint=f"Did you mean {close[0]}?" if close else "",
        )
    maker = _resolve(TARGETS[name])
    arguments = {key: build(value) for key, value in config.items() if key != "_target_"}
    known = inspect.signature(maker).parameters
    for key in arguments:
        if key not in known:
            close = get_close_matches(key, list(known), n=1)
            raise UsageError(
                Code.CONFIG_UNKNOWN_KEY,
                f"{name} has no setting {key!r}; it has {', '.join(known)}.",
                hint=f"Did you mean {close[0]}?" if close else "",
            )
    try:
        return maker(**arguments, **parts)
    except (TypeError, ValueError) as error:
        raise UsageError(Code.CONFIG_RANGE, f"{name}: {error}") from error


def _resolve(target: str) -> Callable[..., Any]:
    module, attribute = target.split(":")
    return getattr(import_module(module), attribute)
