"""Steps as a data set that begins wherever the trainer stands."""

from __future__ import annotations

import itertools
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytorch_lightning as pl
from torch.utils.data import DataLoader, Dataset

from netseg.training.ranks import sample_number

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netseg.training.sample import Sample

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stage:
    """What is trained on from one step on.

    Attributes:
        from_step: First step of the stage.
        task: Makes the task when the stage is reached; may take a while.
    """

    from_step: int
    task: Callable[[], Callable[[int], Sample]]


class Curriculum:
    """Stages one after the other; each is made when it is first needed."""

    samples_per_step: int = 1
    """Samples that all processes together see in one step; set by whoever deals them."""

    def __init__(self, stages: tuple[Stage, ...]) -> None:
        if not stages or stages[0].from_step != 0:
            raise ValueError("the first stage of a curriculum begins at step 0.")
        if any(a.from_step >= b.from_step for a, b in itertools.pairwise(stages)):
            raise ValueError("the stages of a curriculum begin one after the other.")
        self._stages = stages
        self._current: tuple[int, Callable[[int], Sample]] | None = None

    def __call__(self, number: int) -> Sample:
        """Input and truth of one sample, by its number since the beginning."""
        return self.prepare(number)(number)

    def prepare(self, number: int) -> Callable[[int], Sample]:
        """The task of a sample, made if it was not yet."""
        step = number // self.samples_per_step
        index = max(i for i, stage in enumerate(self._stages) if stage.from_step <= step)
        if self._current is None or self._current[0] != index:
            logger.info("stage %d of the curriculum begins at step %d", index, step)
            self._current = (index, self._stages[index].task())
        return self._current[1]


class _Chunk(Dataset["Sample"]):
    """The steps of one epoch of one process, by their number since the beginning of training."""

    def __init__(self, task: Callable[[int], Sample], numbers: Sequence[int]) -> None:
        self._task, self._numbers = task, numbers

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, index: int) -> Sample:
        return self._task(self._numbers[index])


class StepData(pl.LightningDataModule):
    """Epochs of a fixed number of steps; an epoch is what lies between two checkpoints."""

    def __init__(
        self,
        task: Callable[[int], Sample],
        *,
        steps_per_epoch: int,
        batch: int = 1,
        workers: int = 0,
    ) -> None:
        super().__init__()
        self._task, self._steps, self._batch, self._workers = task, steps_per_epoch, batch, workers

    def train_dataloader(self) -> DataLoader[Sample]:
        """The next epoch's steps of this process, in order."""
        trainer = self.trainer
        done = trainer.current_epoch if trainer else 0
        rank, world = (trainer.global_rank, trainer.world_size) if trainer else (0, 1)
        size = self._steps * self._batch
        numbers = [
            sample_number(index, batch=self._batch, rank=rank, world=world)
            for index in range(done * size, (done + 1) * size)
        ]
        if isinstance(self._task, Curriculum):
            self._task.samples_per_step = self._batch * world
            self._task.prepare(numbers[0])  # once, before workers are forked
        return DataLoader(
            _Chunk(self._task, numbers), batch_size=self._batch, num_workers=self._workers
        )
