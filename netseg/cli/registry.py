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
    # stations
    "builtin": "netseg.segment:BuiltinBackend",
    "listing": "netseg.segment.listing:Listing",
    "masks": "netseg.segment:MasksBackend",
    "ensemble": "netseg.segment.ensemble:EnsembleBackend",
    "bundle": "netseg.segment.bundle:BundleBackend",
    "nnunet": "netseg.segment.nnunet:NnunetBackend",
    "totalsegmentator": "netseg.segment.totalsegmentator:TotalSegmentatorBackend",
    "couinaud": "netseg.segment.couinaud:SegmentsModel",
    "planner": "netseg.plan:Planner",
    "bioheat_model": "netseg.simulate:BioheatModel",
    "registration": "netseg.register.settings:RegistrationSettings",
    "classic_zone": "netseg.verify.zone:ClassicZone",
    "learned_zone": "netseg.verify.zone_learned:LearnedZone",
    "margin_rule": "netseg.verify:MarginRule",
    "rule_set": "netseg.allocate:load_rules",
    # training
    "network": "netseg.segment.networks:NetworkSpec",
    "mixture": "netseg.training.recipes:MixtureSettings",
    "anatomies": "netseg.training.sources:AnatomySource",
    "segments_network": "netseg.segment.couinaud_network:SegmentsSpec",
    "segments_task": "netseg.training.segments_task:segments_task",
    "trainer": "netseg.training.trainers:TrainerSettings",
    "schedule": "netseg.training.fit:Schedule",
    "stage": "netseg.training.steps:Stage",
    "liver_task": "netseg.training.recipes:LiverRecipe",
    "lesion_task": "netseg.training.recipes:LesionRecipe",
    "warp": "netseg.training.warp:Warp",
    "contrast": "netseg.training.contrast:Contrast",
    "lesion_prior": "netseg.training.paint:LesionPrior",
    "lits_crops": "netseg.training.sources:LitsSource",
    "transplants": "netseg.training.sources:TransplantSource",
    "bare_livers": "netseg.training.sources:BareSource",
    # data sets
    "dataset": "netseg.training.datasets.source:DatasetSource",
    "amos": "netseg.training.datasets:Amos",
    "atlas": "netseg.training.datasets:Atlas",
    "autopet": "netseg.training.datasets:AutoPet",
    "autopet_iii": "netseg.training.datasets:AutoPetRaw",
    "chaos": "netseg.training.datasets:Chaos",
    "lits": "netseg.training.datasets:Lits",
    "msd_task03": "netseg.training.datasets:MsdTask03",
    "nnunet_raw": "netseg.training.datasets:NnUNetRaw",
    "own_folder": "netseg.training.datasets:OwnFolder",
    # records of training
    "mlflow": "netseg.tracking:MlflowTracker",
    "spool": "netseg.tracking:SpoolTracker",
    "no_tracking": "netseg.tracking:NoTracker",
}


def build(config: Any, **parts: Any) -> Any:
    """Build what a configuration describes, its parts first.

    Args:
        config: A mapping with `_target_`, a word of the table; or a plain value. Lists become
            tuples, mappings without `_target_` stay mappings.
        **parts: Further arguments of the outermost object, which win over the configuration's.

    Returns:
        The object.

    Raises:
        UsageError: If a name or an argument is unknown, or a value is refused.
    """
    if isinstance(config, (list, tuple)):
        return tuple(build(item) for item in config)
    if not isinstance(config, dict):
        return config
    if "_target_" not in config:
        return {key: build(value) for key, value in config.items()}
    name = check(config)
    arguments = {key: build(value) for key, value in config.items() if key != "_target_"}
    try:
        return resolve(name)(**{**arguments, **parts})
    except (TypeError, ValueError) as error:
        raise UsageError(Code.CONFIG_RANGE, f"{name}: {error}") from error


def check(config: Mapping[str, Any]) -> str:
    """Whether a configuration names a word of the table and only settings that it has.

    A word where true or false belongs would pass for true; it is refused.

    Args:
        config: `_target_` and the object's arguments.

    Returns:
        The word.

    Raises:
        UsageError: If the name or an argument is unknown, or a switch is neither on nor off.
    """
    name = str(config.get("_target_"))
    if name not in TARGETS:
        raise UsageError(
            Code.UNSAFE_CONFIG,
            f"_target_ {name!r} is not one of {', '.join(sorted(TARGETS))}.",
            hint=_did_you_mean(name, TARGETS),
        )
    known = inspect.signature(resolve(name)).parameters
    for key, value in config.items():
        if key == "_target_":
            continue
        if key not in known:
            raise UsageError(
                Code.CONFIG_UNKNOWN_KEY,
                f"{name} has no setting {key!r}; it has {', '.join(known)}.",
                hint=_did_you_mean(str(key), known),
            )
        if isinstance(known[key].default, bool) and not isinstance(value, bool):
            raise UsageError(
                Code.CONFIG_RANGE,
                f"{name}.{key} is true or false; got {value!r}.",
                hint=f"Say {key}=true or {key}=false.",
            )
    return name


def resolve(name: str) -> Callable[..., Any]:
    """What a word of the table stands for; imported only now."""
    module, attribute = TARGETS[name].split(":")
    return getattr(import_module(module), attribute)


def _did_you_mean(word: str, known: Iterable[str]) -> str:
    close = get_close_matches(word, list(known), n=1)
    return f"Did you mean {close[0]}?" if close else ""
