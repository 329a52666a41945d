"""What a run's record begins and ends with: settings, hashes, data; figures, weights."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from netseg.tracking import DatasetRecord, ModelRecord, TensorRecord
from netseg.tracking.records import files_sha256

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from netseg.segment import ModelCard
    from netseg.tracking import Tracker
    from netseg.training.trainers import TrainerSettings


def begin_record(
    tracker: Tracker,
    settings: Mapping[str, Any],
    *,
    folder: Path,
    config_sha256: str,
    trainer: TrainerSettings | None = None,
    datasets: Iterable[DatasetRecord] = (),
) -> None:
    """Tell a tracker what is trained, on what, and where.

    Args:
        tracker: Keeps it.
        settings: What decides the result; also kept as `configuration.json`.
        folder: Where that file is written.
        config_sha256: Hash of the configuration.
        trainer: The machine's part.
        datasets: What is read.
    """
    tracker.params(settings)
    tracker.tags({"netseg.config_sha256": config_sha256})
    if trainer is not None:
        tracker.params({"trainer": trainer.facts()})
    for record in datasets:
        tracker.dataset(record)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "configuration.json"
    file.write_text(json.dumps(settings, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    tracker.artifact(file)


def keep_model(
    tracker: Tracker,
    weights: Path,
    card: ModelCard,
    *,
    config_sha256: str,
    datasets: Sequence[DatasetRecord] = (),
) -> None:
    """Register weights as the candidate of their name, with signature, card and hashes.

    Args:
        tracker: Keeps them.
        weights: The safetensors file, its card beside it.
        card: What the card says.
        config_sha256: Hash of the configuration that made them.
        datasets: What they were trained on.
    """
    tags = {"netseg.config_sha256": config_sha256}
    tags |= {f"netseg.dataset.{record.name}": record.sha256 for record in datasets}
    tracker.model(
        ModelRecord(
            name=card.name,
            weights=weights,
            sha256=card.sha256,
            inputs=tuple(
                TensorRecord(
                    name=f"{role}.image", shape=(-1,) * 5, channels=tuple(network.spec.inputs)
                )
                for role, network in card.networks.items()
            ),
            outputs=tuple(
                TensorRecord(
                    name=f"{role}.logits",
                    shape=(-1, len(network.spec.outputs), -1, -1, -1),
                    channels=tuple(network.spec.outputs),
                )
                for role, network in card.networks.items()
            ),
            tags=tags,
        )
    )


def evaluation_figures(summary: Mapping[str, Any], prefix: str = "evaluation") -> dict[str, float]:
    """The numbers of an evaluation's summary as figures a tracker takes.

    Unknown figures (None) and words are left out; lists, such as an interval, are numbered.

    >>> evaluation_figures({"dice": {"mean": 0.9, "ci95": [0.8, 0.95]}, "hd95_mm": None})
    {'evaluation.dice.mean': 0.9, 'evaluation.dice.ci95.0': 0.8, 'evaluation.dice.ci95.1': 0.95}
    """
    out: dict[str, float] = {}
    for key, value in summary.items():
        name = f"{prefix}.{_plain(str(key))}"
        if isinstance(value, dict):
            out |= evaluation_figures(value, name)
        elif isinstance(value, (list, tuple)):
            out |= evaluation_figures({str(i): v for i, v in enumerate(value)}, name)
        elif isinstance(value, (bool, int, float)):
            out[name] = float(value)
    return out


def files_record(name: str, files: Iterable[Path], folder: Path, **facts: Any) -> DatasetRecord:
    """Data that lie in files: the hash is over their names below `folder` and their contents."""
    kept = sorted(files)
    return DatasetRecord(
        name=name, sha256=files_sha256(kept, folder), facts={"files": len(kept), **facts}
    )


def settings_record(name: str, settings: Mapping[str, Any]) -> DatasetRecord:
    """Data that are generated: the hash is over the settings that generate them."""
    text = json.dumps(settings, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return DatasetRecord(name=name, sha256=digest, facts={"generated": True})


def _plain(key: str) -> str:
    """A key with the characters that a store allows: "<10" becomes "below_10"."""
    words = key.replace("<", "below_").replace(">", "above_").replace("%", "percent")
    return "".join(c if c.isalnum() or c in "_-. " else "_" for c in words)
