"""Steps as a data set that begins wherever the trainer stands."""

from __future__ import annotations

import itertools
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytorch_lightning as pl
from torch.utils.data import DataLoader, Dataset

if TYPE_CHECKING:
    from collections.abc import Callable

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

    def __init__(self, stages: tuple[Stage, ...]) -> None:
        if not stages or stages[0].from_step != 0:
            raise ValueError("the first stage of a curriculum begins at step 0.")
        if any(a.from_step >= b.from_step for a, b in itertools.pairwise(stages)):
            raise ValueError("the stages of a curriculum begin one after the other.")
        self._stages = stages
        self._current: tuple[int, Callable[[int], Sample]] | None = None

    def __call__(self, step: int) -> Sample:
        """Input and truth of one step."""
        index = max(i for i, stage in enumerate(self._stages) if stage.from_step <= step)
        if self._current is None or self._current[0] != index:
            logger.info("stage %d of the curriculum begins at step %d", index, step)
            self._current = (index, self._stages[index].task())
        return self._current[1](step)


class _Chunk(Dataset["Sample"]):
    """The steps of one epoch, by their number since the beginning of training."""

    def __init__(self, task: Callable[[int], Sample], first: int, steps: int) -> None:
        self._task, self._first, self._steps = task, first, steps

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, index: int) -> Sample:
        return self._task(self._first + index)


class StepData(pl.LightningDataModule):
    """Epochs of a fixed number of steps; an epoch is what lies between two checkpoints."""

    def __init__(
        self, task: Callable[[int], Sample], *, steps_per_epoch: int, batch: int = 1
    ) -> None:
        super().__init__()
        self._task, self._steps, self._batch = task, steps_per_epoch, batch

    def train_dataloader(self) -> DataLoader[Sample]:
        """The next epoch's steps, in order."""
        done = self.trainer.current_epoch if self.trainer else 0
        first = done * self._steps * self._batch
        return DataLoader(
            _Chunk(self._task, first, self._steps * self._batch), batch_size=self._batch
        )
