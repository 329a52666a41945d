"""How many CPU threads a field is worth."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

CELLS_PER_THREAD = 300_000
"""Below this a second thread gains nothing, and on a busy machine the threads wait for each other:
a run of 60,000 cells took 3.7 s on one thread and 100 s on two beside other work."""


@contextmanager
def threads_for(cells: int) -> Iterator[None]:
    """Use no more threads than a field of this many cells can feed, then restore the number."""
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, min(before, cells // CELLS_PER_THREAD)))
    try:
        yield
    finally:
        torch.set_num_threads(before)
