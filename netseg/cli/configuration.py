"""Configurations composed by Hydra from the files of `configs/`, and their hash."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import netseg
from netseg.domain.codes import Code
from netseg.domain.errors import EnvironmentFaultError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence


NOT_DECIDING = (
    "control",
    "input",
    "output",
    "clinical",
    "study",
    "batch",
    "device",
)  # the input hash has these


def config_folder() -> Path:
    """`configs/` of the checkout, or its copy inside an installed wheel."""
    package = Path(netseg.__file__).resolve().parent
    for folder in (package / "configs", package.parent / "configs"):
        if (folder / "infer.yaml").is_file():
            return folder
    raise EnvironmentFaultError(
        Code.CONFIG_SYNTAX,
        f"no configuration files beside {package.name}.",
        hint="Install netseg again: its wheel carries them.",
    )


def compose(name: str, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Compose one configuration to plain values.

    Args:
        name: "infer" or "train".
        overrides: Hydra overrides such as "verify=wide".

    Returns:
        Nested dictionaries of plain values, all references resolved.

    Raises:
        UsageError: If an override names nothing or a value is missing.
    """
    import hydra
    from hydra.core.global_hydra import GlobalHydra
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    GlobalHydra.instance().clear()
    try:
        with hydra.initialize_config_dir(str(config_folder()), version_base="1.3"):
            config = hydra.compose(name, overrides=list(overrides))
            plain = OmegaConf.to_container(config, resolve=True)
    except (HydraException, OmegaConfBaseException) as error:
        raise UsageError(
            Code.CONFIG_UNKNOWN_KEY,
            str(error).strip().replace("\n", " "),
            hint="`ls configs` shows the groups, each file in one is a choice.",
        ) from error
    if not isinstance(plain, dict):
        raise UsageError(Code.CONFIG_TYPE, f"configuration {name} is a {type(plain).__name__}.")
    return {str(key): value for key, value in plain.items()}


def check_file(path: Path) -> str:
    """Whether a configuration file of a user names only what netseg knows.

    Args:
        path: One choice of a group, such as `my_margin.yaml`.

    Returns:
        The word it names as `_target_`.

    Raises:
        UsageError: If it cannot be read, or names something unknown.
    """
    import yaml

    from netseg.cli.registry import check

    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        where = " ".join(str(error).split())
        raise UsageError(Code.CONFIG_SYNTAX, where, file=path.name) from error
    if not isinstance(document, dict):
        kind = type(document).__name__
        raise UsageError(
            Code.CONFIG_TYPE, f"expected settings as key: value, met {kind}.", file=path.name
        )
    return check({k: v for k, v in document.items() if k != "defaults"})


def config_hash(config: dict[str, Any]) -> str:
    """SHA-256 over what decides results: not over paths, devices or threads."""
    decides = {k: v for k, v in config.items() if k not in NOT_DECIDING}
    text = json.dumps(_without(decides, "device"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _without(value: Any, key: str) -> Any:
    if isinstance(value, dict):
        return {k: _without(v, key) for k, v in value.items() if k != key}
    if isinstance(value, list):
        return [_without(v, key) for v in value]
    return value
