"""What is written down while a network trains: curves and pictures, by the first process alone."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Protocol

import torch
from pytorch_lightning.callbacks import Callback

from netseg.training.pictures import montage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from netseg.training.sample import Sample

logger = logging.getLogger(__name__)


class Record(Protocol):
    """What the callbacks ask of a tracker."""

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        """Figures of one step."""
        ...

    def artifact(self, path: Path, folder: str = "") -> None:
        """A file that belongs to the run."""
        ...


class Curves(Callback):
    """Mean loss, learning rate and speed of every few steps, to the tracker and the log.

    The losses stay on the device until they are written, so that no step waits for the one before.
    """

    def __init__(self, tracker: Record, every: int = 20) -> None:
        self._tracker, self._every = tracker, every
        self._losses: list[torch.Tensor] = []
        self._since_s = time.monotonic()

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Collect one loss; write every `every` steps."""
        del pl_module, batch, batch_idx
        if not trainer.is_global_zero:
            return
        self._losses.append(outputs["loss"].detach())
        if trainer.global_step % self._every:
            return
        losses = torch.stack(self._losses).double().mean()
        self._losses.clear()
        now_s = time.monotonic()
        figures = {name: float(value) for name, value in trainer.callback_metrics.items()}
        figures |= {
            "loss": float(losses),
            "learning_rate": float(trainer.optimizers[0].param_groups[0]["lr"]),
            "seconds_per_step": (now_s - self._since_s) / self._every,
        }
        self._since_s = now_s
        self._tracker.metrics(figures, trainer.global_step)
        logger.info("step %d: loss %.4f", trainer.global_step, figures["loss"])


class PredictionPictures(Callback):
    """A picture of what the averaged network answers, at every checkpoint.

    Draws nothing from the training's source of chance: a run with pictures ends with the same
    weights as one without.
    """

    def __init__(
        self,
        tracker: Record,
        folder: Path,
        *,
        every: int = 1,
        samples: Callable[[], Mapping[str, Sample]] | None = None,
    ) -> None:
        """Prepare the pictures.

        Args:
            tracker: Gets them, in the folder `pictures` of the record.
            folder: Where they are drawn, one per sample: the newest replaces the one before.
            every: Checkpoints from one to the next.
            samples: Makes what is shown, once, when it is first needed. None shows the sample that
                the network saw last.
        """
        self._tracker, self._folder, self._every = tracker, folder, every
        self._make = samples
        self._samples: Mapping[str, Sample] | None = None
        self._last: Any = None

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Remember the sample that was seen last."""
        del pl_module, outputs, batch_idx
        if trainer.is_global_zero and self._make is None:
            self._last = batch

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Draw, when a checkpoint is due; an epoch is what lies between two of them."""
        if not trainer.is_global_zero or (trainer.current_epoch + 1) % self._every:
            return
        step = trainer.global_step
        for name, sample in self._shown().items():
            probability = averaged_answer(pl_module, sample)
            path = self._folder / f"{name}_step{step:07d}.png"
            spec = pl_module.spec
            montage(
                path,
                image=sample.image.float().cpu().numpy(),
                truth=sample.truth.float().cpu().numpy(),
                probability=probability.cpu().numpy(),
                channels=[spec.inputs[int(number)] for number in sample.given],
                outputs=spec.outputs,
            )
            self._tracker.artifact(path, "pictures")

    def _shown(self) -> Mapping[str, Sample]:
        if self._make is None:
            if self._last is None:
                return {}
            parts = [part[0] for part in self._last]
            return {"seen_last": type(self._last)(*parts)}
        if self._samples is None:
            self._samples = self._make()
        return self._samples


def averaged_answer(module: Any, sample: Sample) -> torch.Tensor:
    """Probabilities of the averaged network on one sample, (o, i, j, k), float32 on the CPU.

    Args:
        module: A Lightning module with `averaged`, a network of (image, given).
        sample: What it is asked about.
    """
    network, device = module.averaged, module.device
    was_training = network.training
    network.eval()
    with torch.no_grad():
        logits = network(sample.image[None].to(device), sample.given.to(device))[0]
    network.train(was_training)
    return torch.sigmoid(logits.float()).cpu()
