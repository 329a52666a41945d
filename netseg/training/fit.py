"""One training run: from a task and a network to averaged weights."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint

from netseg.training.callbacks import Curves, PredictionPictures
from netseg.training.module import VoxelClassifier
from netseg.training.steps import StepData
from netseg.training.trainers import TrainerSettings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from netseg.segment.networks import NetworkSpec
    from netseg.training.callbacks import Record
    from netseg.training.steps import Curriculum

logger = logging.getLogger(__name__)

KNOWN_WARNINGS = (
    "Checkpoint directory .* exists and is not empty",  # a resumed run goes on in its folder
    "The 'train_dataloader' does not have many workers",  # patches are made in this process
    ".*LeafSpec.*",  # Lightning still asks torch for a class by its old name
)


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
        threads: Torch threads; None leaves them alone.
        pictures_every: Checkpoints between two pictures of what the network answers; 0 for none.
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
    threads: int | None = None
    pictures_every: int = 0

    def __post_init__(self) -> None:
        """Keep the epochs whole."""
        if self.steps < 1 or self.steps % self.checkpoint_every:
            raise ValueError(
                f"steps must be a multiple of checkpoint_every; got {self.steps} and "
                f"{self.checkpoint_every}."
            )


def fit(
    spec: NetworkSpec,
    task: Curriculum,
    schedule: Schedule,
    *,
    folder: Path,
    tracker: Record,
    resume: bool,
    trainer: TrainerSettings | None = None,
    start: Mapping[str, torch.Tensor] | None = None,
) -> VoxelClassifier:
    """Train until the schedule ends, or go on where an interrupted run stopped.

    Args:
        spec: The network.
        task: What each step sees.
        schedule: How long and how fast.
        folder: Where the checkpoints and the pictures lie.
        tracker: Keeps the curves and the pictures.
        resume: Go on from the last checkpoint in `folder`; begin anew where there is none.
        trainer: Where it runs; one process on whatever is there when None.
        start: Weights to begin with, as a state dict; random ones when None.

    Returns:
        The module; its `averaged` network is the result.
    """
    where = trainer or TrainerSettings(threads=schedule.threads)
    where.set_up()
    torch.manual_seed(schedule.seed)
    module = _module(spec, schedule)
    if start is not None:
        module.network.load_state_dict(start)
        module.averaged.load_state_dict(start)
    where.prepare(module.network.body)
    last = folder / "last.ckpt"
    keep = ModelCheckpoint(
        dirpath=folder,
        filename="last",
        save_top_k=1,
        every_n_epochs=1,
        enable_version_counter=False,
    )
    pictures = PredictionPictures(tracker, folder / "pictures", every=schedule.pictures_every)
    lightning = pl.Trainer(
        **where.lightning_arguments(),
        max_epochs=schedule.steps // schedule.checkpoint_every,
        reload_dataloaders_every_n_epochs=1,
        gradient_clip_val=12.0,
        callbacks=[keep, Curves(tracker), *([pictures] if schedule.pictures_every else [])],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    data = StepData(
        task,
        steps_per_epoch=schedule.checkpoint_every,
        batch=schedule.batch,
        workers=where.workers,
    )
    begun = str(last) if resume and last.is_file() else None
    logger.info("training %s", f"resumes from {last.name}" if begun else "begins")
    with warnings.catch_warnings():
        for told in KNOWN_WARNINGS:
            warnings.filterwarnings("ignore", told)
        lightning.fit(module, datamodule=data, ckpt_path=begun)
    return module


def _module(spec: NetworkSpec, schedule: Schedule) -> VoxelClassifier:
    return VoxelClassifier(
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
