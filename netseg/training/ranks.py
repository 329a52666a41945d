"""Which samples each process of a distributed training sees."""

from __future__ import annotations


def sample_number(index: int, *, batch: int, rank: int = 0, world: int = 1) -> int:
    """The number, in the whole training, of a sample that one process draws.

    Batches are dealt like cards: batch k of process r is batch k * world + r of the training. A
    batch stays together, no two processes see the same one, and the numbers depend on nothing but
    the step, so that a run goes on exactly after an interruption.

    Args:
        index: How many samples this process drew since the beginning of the training.
        batch: Samples per batch of one process.
        rank: Number of the process, from 0 on.
        world: How many processes there are.

    Returns:
        The sample's number.

    >>> [sample_number(i, batch=2, rank=1, world=2) for i in range(4)]
    [2, 3, 6, 7]
    """
    if not 0 <= rank < world or batch < 1:
        raise ValueError(
            f"rank must lie in 0 to {world - 1} and batch above 0; got {rank}, {batch}."
        )
    step, place = divmod(index, batch)
    return (step * world + rank) * batch + place
