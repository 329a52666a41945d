"""One training run: from a task and a network to averaged weights."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, ModelCheckpoint

from netseg.training.module import VoxelClassifier
from netseg.training.steps import Curriculum, StepData

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from netseg.segment.networks import NetworkSpec

logger = logging.getLogger(__name__)

KNOWN_WARNINGS = (
    "Checkpoint directory .* exists and is not empty",  # a resumed run goes on in its folder
    "The 'train_dataloader' does not have many workers",  # patches are made in this process
    ".*LeafSpec.*",  # Lightning still asks torch for a class by its old name
)


class Tracker(Protocol):
    """Whoever keeps the record of a run."""

    def params(self, values: Mapping[str, Any]) -> None:
        """Settings, once."""
        ...

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        """Figures of one step."""
        ...

    def artifact(self, path: Path) -> None:
        """A file that belongs to the run."""
        ...

    def close(self) -> None:
        """Write what is still held back."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How long and how fast.

    Attributes:
        steps: Optimizer steps in all.
        batch: Patches per step.
        checkpoint_every: Steps between checkpoints.
        learning_rate: Highest learning rate.
        warmup_steps: Steps until it is reached.
        cosine_steps: Steps over which a cosine takes the learning rate down to one hundredth;
            None means all of them. More than `steps` leaves the end to the cool-down.
        cooldown_steps: Last steps, over which the rate falls in a straight line as well.
        raised: From this step on the rate is multiplied by this factor.
        cycle_ends: Steps before the last at which a cool-down ends as well; after each the rate
            returns to the cosine. A run that was to end there and was given more time has one.
        average_decay: Share of the averaged weights kept per step.
        seed: Seed of the initial weights; the task carries its own.
        precision: "bf16-mixed" or "32-true", in Lightning's words.
        threads: Torch threads; None leaves them alone.
    """

    steps: int
    batch: int = 1
    checkpoint_every: int = 100
    learning_rate: float = 1e-3
    warmup_steps: int = 100
    cosine_steps: int | None = None
    cooldown_steps: int = 0
    raised: tuple[int, float] = (0, 1.0)
    cycle_ends: tuple[int, ...] = ()
    average_decay: float = 0.998
    seed: int = 1
    precision: str = "bf16-mixed"
    threads: int | None = None

    def __post_init__(self) -> None:
        """Keep the epochs whole."""
        if self.steps < 1 or self.steps % self.checkpoint_every:
            raise ValueError(
                f"steps must be a multiple of checkpoint_every; got {self.steps} and "
                f"{self.checkpoint_every}."
            )


class _Record(Callback):
    """Mean loss of every twenty steps to the tracker and the log."""

    def __init__(self, tracker: Tracker, every: int = 20) -> None:
        self._tracker, self._every = tracker, every
        self._losses: list[float] = []

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        del pl_module, batch, batch_idx
        self._losses.append(float(outputs["loss"]))
        if trainer.global_step % self._every == 0:
            loss = sum(self._losses) / len(self._losses)
            rate = trainer.optimizers[0].param_groups[0]["lr"]
            self._tracker.metrics({"loss": loss, "learning_rate": rate}, trainer.global_step)
            logger.info("step %d: loss %.4f", trainer.global_step, loss)
            self._losses.clear()


def fit(
    spec: NetworkSpec,
    task: Curriculum,
    schedule: Schedule,
    *,
    folder: Path,
    tracker: Tracker,
    resume: bool,
) -> VoxelClassifier:
    """Train until the schedule ends, or go on where an interrupted run stopped.

    Args:
        spec: The network.
        task: What each step sees.
        schedule: How long and how fast.
        folder: Where the checkpoints lie.
        tracker: Keeps the record.
        resume: Go on from the last checkpoint in `folder`; begin anew where there is none.

    Returns:
        The module; its `averaged` network is the result.
    """
    if schedule.threads is not None:
        torch.set_num_threads(schedule.threads)
    torch.manual_seed(schedule.seed)
    module = VoxelClassifier(
        spec,
        learning_rate=schedule.learning_rate,
        warmup_steps=schedule.warmup_steps,
        total_steps=schedule.steps,
        cosine_steps=schedule.cosine_steps or schedule.steps,
        cooldown_steps=schedule.cooldown_steps,
        raised=schedule.raised,
        cycle_ends=schedule.cycle_ends,
        average_decay=schedule.average_decay,
    )
    last = folder / "last.ckpt"
    keep = ModelCheckpoint(
        dirpath=folder,
        filename="last",
        save_top_k=1,
        every_n_epochs=1,
        enable_version_counter=False,
    )
    trainer = pl.Trainer(
        accelerator="auto",
        devices=1,
        precision=schedule.precision,  # pyright: ignore[reportArgumentType]
        max_epochs=schedule.steps // schedule.checkpoint_every,
        reload_dataloaders_every_n_epochs=1,
        gradient_clip_val=12.0,
        callbacks=[keep, _Record(tracker)],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    data = StepData(task, steps_per_epoch=schedule.checkpoint_every, batch=schedule.batch)
    start = str(last) if resume and last.is_file() else None
    logger.info("training %s", f"resumes from {last.name}" if start else "begins")
    with warnings.catch_warnings():
        for told in KNOWN_WARNINGS:
            warnings.filterwarnings("ignore", told)
        trainer.fit(module, datamodule=data, ckpt_path=start)
    return module
