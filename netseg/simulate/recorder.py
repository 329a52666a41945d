"""Pictures of a run while it goes on: one plane, at a few times, so that memory stays small."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from netseg.domain.grid import Grid

FRAMES = 10


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Frame:
    """One picture.

    Attributes:
        time_s: Simulated time.
        values: What was seen; NaN beyond the grid.
    """

    time_s: float
    values: Float[np.ndarray, "rows columns"]


@dataclass(slots=True, kw_only=True, eq=False)
class Recorder:
    """Samples a field at fixed points whenever one of its times has come.

    Attributes:
        points_mm: Where to look (LPS).
        grid: The simulation grid.
        times_s: When to look, ascending.
        zero: What a value of zero in the run means, such as the baseline temperature.
        unit: What one in the run is worth.
        frames: What was seen so far.
    """

    points_mm: Float[np.ndarray, "rows columns 3"]
    grid: Grid
    times_s: tuple[float, ...]
    zero: float = 0.0
    unit: float = 1.0
    frames: list[Frame] = field(default_factory=list)
    _index: Tensor | None = None

    def __call__(self, time_s: float, values: Float[Tensor, "i j k"]) -> None:
        """Take a picture if it is time; one, even where a step passed several times."""
        if len(self.frames) >= len(self.times_s):
            return
        due = sum(t <= time_s + 1e-6 for t in self.times_s)
        if due <= len(self.frames):
            return
        self.times_s = (*self.times_s[: len(self.frames)], *self.times_s[due - 1 :])
        seen = self._sample(values).cpu().numpy() * self.unit + self.zero
        self.frames.append(Frame(time_s=time_s, values=seen.astype(np.float32)))

    def _sample(self, values: Tensor) -> Tensor:
        """Linear interpolation at the points; NaN beyond the outermost cell centres."""
        shape = np.array(values.shape)
        if self._index is None:
            index = self.grid.to_index(self.points_mm.reshape(-1, 3))
            ijk = index.reshape(self.points_mm.shape)
            self._index = torch.from_numpy(ijk).to(values.device)
        last = torch.from_numpy(shape - 1).to(self._index)
        share = (2.0 * self._index / last.clamp(min=1.0) - 1.0).flip(-1).to(values)
        seen = torch.nn.functional.grid_sample(
            values[None, None], share[None, None], padding_mode="border", align_corners=True
        )[0, 0, 0]
        beyond = ((self._index < -0.5) | (self._index > last + 0.5)).any(-1)
        return torch.where(beyond, torch.nan, seen)


def frame_times_s(total_s: float, count: int = FRAMES) -> tuple[float, ...]:
    """Evenly spaced times up to the end of a run of this length."""
    return tuple(total_s * (n + 1) / count for n in range(count))
