"""The memory bandwidth of this machine now, and what a cell update must move."""

from __future__ import annotations

import time

import torch

LEAST_BYTES = 24  # temperature read and written, k, 1/(rho c), perfusion, source: perfect reuse
MOVED_BYTES = 68  # what the two compiled sweeps touch, faces and booking included


def best(work, repeats):
    """Least wall and processor time of a call: other processes can only make it longer."""
    work()
    walls, works = [], []
    for _ in range(repeats):
        wall, used = time.perf_counter(), time.process_time()
        work()
        walls.append(time.perf_counter() - wall)
        works.append(time.process_time() - used)
    return min(walls), min(works)


def triad_gb_s(repeats):
    """a = b + s c over three arrays far larger than the caches, by processor and by wall time."""
    n = 32_000_000
    a, b, c = torch.empty(n), torch.ones(n), torch.ones(n)
    wall, used = best(lambda: torch.add(b, c, alpha=0.5, out=a), repeats)
    return 12 * n / wall / 1e9, 12 * n / used / 1e9
