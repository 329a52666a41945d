"""Everything `python train.py` does: networks trained one after the other, then packed."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netseg.domain import Code, UsageError
from netseg.segment.card import ROLES, NetworkCard
from netseg.tracking import NoTracker, recording, run_key
from netseg.training.export import export
from netseg.training.fit import fit
from netseg.training.record import begin_record, files_record, keep_model, settings_record
from netseg.training.steps import Curriculum
from netseg.training.trainers import is_first_process

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import torch

    from netseg.tracking import DatasetRecord, Tracker
    from netseg.training.steps import Stage
    from netseg.training.trainers import TrainerSettings

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What a training run left behind.

    Attributes:
        folder: The run's folder; a checkpoint per network below it.
        weights: The packed weights, None unless both networks were trained.
    """

    folder: Path
    weights: Path | None


def run(settings: Mapping[str, Any], build: Callable[..., Any]) -> Trained:
    """Train the networks of a configuration.

    Args:
        settings: `name`, `output`, `resume`, `tracking`, `trainer`, `networks` by role, `about`;
            plain values, `_target_` words of the registry.
        build: The registry: makes an object of a mapping with `_target_`, and of further arguments.

    Returns:
        Where the results lie.

    Raises:
        UsageError: If a setting is refused, or the folder holds a run and `resume` is not set.
    """
    folder = Path(settings["output"])
    networks = settings["networks"]
    _require_known(networks)
    done: dict[str, tuple[torch.nn.Module, NetworkCard]] = {}
    data: list[DatasetRecord] = []
    for role in (r for r in ROLES if networks.get(r)):
        stages = build(networks[role]["stages"])
        read = _datasets(role, networks[role], stages)
        done[role] = _train(role, settings, stages, read, build)
        data += read
    if set(done) != set(ROLES) or not is_first_process():
        return Trained(folder=folder, weights=None)
    path = folder / f"{settings['name']}.safetensors"
    card = export(done, path, name=settings["name"], about=settings.get("about") or {})
    logger.info("weights %s with checksum %s", path.name, card.sha256[:12])
    with recording(_tracker(settings, "model", folder, build)) as tracker:
        keep_model(tracker, path, card, config_sha256=config_sha256(settings), datasets=data)
    return Trained(folder=folder, weights=path)


def config_sha256(settings: Mapping[str, Any]) -> str:
    """Hash of what decides a run's result."""
    decides = {k: v for k, v in settings.items() if k in ("name", "networks")}
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()


def _train(
    role: str,
    settings: Mapping[str, Any],
    stages: Sequence[Stage],
    data: Sequence[DatasetRecord],
    build: Callable[..., Any],
) -> tuple[torch.nn.Module, NetworkCard]:
    network = settings["networks"][role]
    folder = Path(settings["output"]) / role
    resume = bool(settings["resume"])
    if (folder / "last.ckpt").is_file() and not resume:
        raise UsageError(
            Code.CONFIG_RANGE,
            f"{folder.parent.name}/{role} already holds a checkpoint.",
            hint="Go on with resume=true, or choose another output=FOLDER.",
        )
    spec, schedule = build(network["network"]), build(network["schedule"])
    entry = NetworkCard(
        spec=spec,
        spacing_mm=network["spacing_mm"],
        patch=tuple(network["patch"]),  # pyright: ignore[reportArgumentType]
        threshold=network["threshold"],
    )
    trainer: TrainerSettings | None = build(settings.get("trainer"))
    with recording(_tracker(settings, role, folder, build)) as tracker:
        begin_record(
            tracker,
            network,
            folder=folder,
            config_sha256=config_sha256(settings),
            trainer=trainer,
            datasets=data,
        )
        module = fit(
            spec,
            Curriculum(tuple(stages)),
            schedule,
            folder=folder,
            tracker=tracker,
            resume=resume,
            trainer=trainer,
        )
    return module.averaged, entry


def _tracker(
    settings: Mapping[str, Any], part: str, folder: Path, build: Callable[..., Any]
) -> Tracker:
    """The record of one part of a run; further processes of the run keep none."""
    if not is_first_process():
        return NoTracker()
    key = run_key(folder, resume=bool(settings["resume"]))
    return build(settings["tracking"], run=f"{settings['name']}-{part}", key=f"{key}-{part}")


def _datasets(
    role: str, network: Mapping[str, Any], stages: Sequence[Stage]
) -> list[DatasetRecord]:
    """What is read and what is generated, with hashes; files that are not there fail later."""
    records = [settings_record(f"{role}-stages", {"stages": network["stages"]})]
    files = sorted({f for stage in stages for f in getattr(stage.task, "files", list)()})
    if files:
        root = Path(os.path.commonpath([file.parent for file in files]))
        records.append(files_record(f"{role}-images", files, root))
    return records


def _require_known(networks: Mapping[str, Any]) -> None:
    unknown = set(networks) - set(ROLES)
    if unknown or not any(networks.values()):
        raise UsageError(
            Code.CONFIG_UNKNOWN_KEY,
            f"networks are {', '.join(ROLES)}; got {', '.join(networks) or 'none'}.",
            hint="python train.py experiment=any_scan trains both.",
        )
