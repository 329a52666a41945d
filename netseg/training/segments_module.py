"""Training of the network for Couinaud's segments: one class per voxel of the liver."""

from __future__ import annotations

import logging
import math
import warnings
from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from torch.nn import functional

from netseg.segment.couinaud_network import SEGMENTS
from netseg.training.fit import KNOWN_WARNINGS
from netseg.training.steps import StepData
from netseg.training.trainers import TrainerSettings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from jaxtyping import Float, Int

    from netseg.segment.couinaud_network import SegmentsSpec
    from netseg.training.fit import Schedule

logger = logging.getLogger(__name__)

SMOOTH = 50.0  # voxels


def segments_loss(
    logits: Float[torch.Tensor, "b 8 i j k"], truth: Int[torch.Tensor, "b i j k"]
) -> Float[torch.Tensor, ""]:
    """Cross-entropy over the liver plus soft Dice, averaged over the segments that are there.

    Args:
        logits: One per segment and voxel.
        truth: 1 ... 8; voxels of 0 count nothing.
    """
    counts = truth > 0
    found = logits.movedim(1, -1)[counts].float()
    named = truth[counts] - 1
    entropy = functional.cross_entropy(found, named)
    share = functional.softmax(found, dim=1)
    wanted = functional.one_hot(named, len(SEGMENTS)).float()
    overlap, both = (share * wanted).sum(0), (share + wanted).sum(0)
    dice = 1.0 - (2.0 * overlap + SMOOTH) / (both + SMOOTH)
    return entropy + dice[wanted.sum(0) > 0].mean()


class SegmentsClassifier(pl.LightningModule):
    """A network that says for every voxel of the liver which segment it belongs to.

    Attributes:
        network: What is trained.
        averaged: Exponential average of its weights; this is what is shipped.
    """

    def __init__(self, spec: SegmentsSpec, schedule: Schedule, weight_decay: float = 1e-4) -> None:
        super().__init__()
        self.schedule = schedule
        self.weight_decay = weight_decay
        self.network = spec.build().to(memory_format=torch.channels_last_3d)  # pyright: ignore[reportCallIssue]
        self.averaged = spec.build()
        self.averaged.load_state_dict(self.network.state_dict())
        self.averaged.requires_grad_(requires_grad=False)

    def training_step(
        self, batch: tuple[torch.Tensor, torch.Tensor], batch_idx: int
    ) -> torch.Tensor:
        """Loss of one step."""
        del batch_idx
        image, truth = batch
        logits = self.network(image.contiguous(memory_format=torch.channels_last_3d))
        return segments_loss(logits, truth)

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Move the averaged weights a little towards the trained ones."""
        del batch, batch_idx
        step = self.trainer.global_step
        keep = min(self.schedule.average_decay, (1 + step) / (10 + step))
        with torch.no_grad():
            pairs = zip(self.averaged.parameters(), self.network.parameters(), strict=True)
            for slow, fast in pairs:
                slow.lerp_(fast, 1.0 - keep)
        if step % 20 == 0:
            logger.info("step %d: loss %.4f", step, float(outputs["loss"]))

    def configure_optimizers(self) -> Any:
        """AdamW with warm-up and a cosine down to one hundredth."""
        optimizer = torch.optim.AdamW(
            self.network.parameters(),
            lr=self.schedule.learning_rate,
            weight_decay=self.weight_decay,
        )
        rate = torch.optim.lr_scheduler.LambdaLR(optimizer, self._share)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": rate, "interval": "step"}}

    def _share(self, step: int) -> float:
        warmup, steps = (
            self.schedule.warmup_steps,
            self.schedule.cosine_steps or self.schedule.steps,
        )
        if step < warmup:
            return (step + 1) / warmup
        done = min(1.0, (step - warmup) / max(1, steps - warmup))
        return 0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * done))


def fit_segments(
    spec: SegmentsSpec,
    task: Callable[[int], tuple[torch.Tensor, torch.Tensor]],
    schedule: Schedule,
    *,
    folder: Path,
    resume: bool,
    where: TrainerSettings | None = None,
) -> SegmentsClassifier:
    """Train until the schedule ends, or go on where an interrupted run stopped.

    Args:
        spec: The network.
        task: What each step sees.
        schedule: How long and how fast; `raised`, `cycle_ends` and the cool-down are not used.
        folder: Where the checkpoint lies.
        resume: Go on from the checkpoint in `folder`; begin anew where there is none.
        where: Where it runs; one process on whatever is there when None.

    Returns:
        The module; its `averaged` network is the result.
    """
    where = where or TrainerSettings(threads=schedule.threads)
    where.set_up()
    torch.manual_seed(schedule.seed)
    module = SegmentsClassifier(spec, schedule)
    last = folder / "last.ckpt"
    keep = ModelCheckpoint(
        dirpath=folder,
        filename="last",
        save_top_k=1,
        every_n_epochs=1,
        enable_version_counter=False,
    )
    trainer = pl.Trainer(
        **where.lightning_arguments(),
        max_epochs=schedule.steps // schedule.checkpoint_every,
        reload_dataloaders_every_n_epochs=1,
        gradient_clip_val=12.0,
        callbacks=[keep],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    data = StepData(task, steps_per_epoch=schedule.checkpoint_every, batch=schedule.batch)  # pyright: ignore[reportArgumentType]
    start = str(last) if resume and last.is_file() else None
    logger.info("training %s", f"resumes from {last.name}" if start else "begins")
    with warnings.catch_warnings():
        for told in KNOWN_WARNINGS:
            warnings.filterwarnings("ignore", told)
        trainer.fit(module, datamodule=data, ckpt_path=start)
    return module
