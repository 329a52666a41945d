"""The Lightning module: Dice and cross-entropy at two resolutions, averaged weights."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl
import torch
from torch.nn.functional import avg_pool3d, binary_cross_entropy_with_logits

if TYPE_CHECKING:
    from jaxtyping import Float

    from netseg.segment.networks import NetworkSpec
    from netseg.training.sample import Sample


SMOOTH = 100.0  # voxels


def dice_and_cross_entropy(
    logits: Float[torch.Tensor, "b o i j k"],
    truth: Float[torch.Tensor, "b o i j k"],
    weight: Float[torch.Tensor, "b o i j k"] | None = None,
) -> Float[torch.Tensor, ""]:
    """Soft Dice loss plus voxel-wise cross-entropy, averaged over the outputs.

    The Dice term counts the batch as one region and is smoothed by a hundred voxels: a patch
    without any lesion then asks for nothing but silence, and does not divide by zero.

    Args:
        logits: One per output and voxel.
        truth: Masks, or shares of a coarser voxel, in [0, 1].
        weight: How much each voxel counts; 0 where the truth is not known. All alike when None.
    """
    logits = logits.float()
    probability = torch.sigmoid(logits)
    weight = torch.ones_like(truth) if weight is None else weight
    axes = (0, 2, 3, 4)
    overlap = (weight * probability * truth).sum(axes)
    both = (weight * (probability + truth)).sum(axes)
    dice = 1.0 - (2.0 * overlap + SMOOTH) / (both + SMOOTH)
    entropy = binary_cross_entropy_with_logits(logits, truth, weight, reduction="none").mean(axes)
    return (dice + entropy).mean()


class VoxelClassifier(pl.LightningModule):
    """A network that says for every voxel whether it belongs to the structure.

    Attributes:
        network: What is trained.
        averaged: Exponential average of its weights; this is what is shipped.
    """

    def __init__(
        self,
        spec: NetworkSpec,
        *,
        learning_rate: float,
        warmup_steps: int,
        total_steps: int,
        cosine_steps: int,
        cooldown_steps: int,
        raised: tuple[int, float],
        cycle_ends: tuple[int, ...],
        average_decay: float,
        weight_decay: float = 1e-4,
    ) -> None:
        super().__init__()
        self.spec = spec
        self.learning_rate = learning_rate
        self.warmup_steps = warmup_steps
        self.total_steps = total_steps
        self.cosine_steps = cosine_steps
        self.cooldown_steps = cooldown_steps
        self.raised = raised
        self.ends = (*cycle_ends, total_steps)
        self.average_decay = average_decay
        self.weight_decay = weight_decay
        self.network = spec.build()
        self.averaged = spec.build()
        self.averaged.load_state_dict(self.network.state_dict())
        self.averaged.requires_grad_(requires_grad=False)

    def forward(self, x: torch.Tensor, given: torch.Tensor) -> torch.Tensor:
        """Logits of the trained network, (b, o, i, j, k)."""
        return self.network(x.contiguous(memory_format=torch.channels_last_3d), given)

    def training_step(self, batch: Sample, batch_idx: int) -> torch.Tensor:
        """Loss of one step, at every voxel and, at half its weight, at the stem's resolution."""
        del batch_idx
        image, given, truth, weight = batch
        image = image.contiguous(memory_format=torch.channels_last_3d)
        fine, coarse = self.network.both(image, given[0])
        loss = dice_and_cross_entropy(fine, truth, weight)
        if self.spec.stride > 1:
            truth, weight = (
                avg_pool3d(truth, self.spec.stride),
                avg_pool3d(weight, self.spec.stride),
            )
            loss = (loss + 0.5 * dice_and_cross_entropy(coarse, truth, weight)) / 1.5
        self.log("loss", loss.detach(), on_step=True, on_epoch=False)
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Move the averaged weights a little towards the trained ones."""
        del outputs, batch, batch_idx
        step = self.trainer.global_step
        keep = min(self.average_decay, (1 + step) / (10 + step))
        with torch.no_grad():
            for slow, fast in zip(
                self.averaged.parameters(), self.network.parameters(), strict=True
            ):
                slow.lerp_(fast, 1.0 - keep)

    def configure_optimizers(self) -> Any:
        """AdamW with warm-up, a cosine, and a straight way down over the last steps."""
        optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._share)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def _share(self, step: int) -> float:
        if step < self.warmup_steps:
            return (step + 1) / self.warmup_steps
        done = (step - self.warmup_steps) / max(1, self.cosine_steps - self.warmup_steps)
        first, factor = self.raised
        share = 0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * min(1.0, done)))
        if step >= first:
            share *= factor
        left = min((end - step for end in self.ends if end > step), default=0)
        return share * max(0.01, min(1.0, left / max(1, self.cooldown_steps)))
