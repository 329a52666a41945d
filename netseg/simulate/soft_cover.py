"""How much of a target a zone covers, softly, so that it has a derivative."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import torch

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.domain.grid import require_same_frame
from netseg.simulate.surface import FAR

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from torch import Tensor

    from netseg.domain.grid import Grid
    from netseg.domain.volume import Mask
    from netseg.simulate.damage import DamageModel

SOFTNESS = {"arrhenius": 1.0, "cem43": 2.0, "oneill": 0.05}
"""Depth over which a voxel at the zone's surface goes from half to three quarters covered, by
damage model: about a millimetre of tissue each."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SoftCover:
    """Where a target's voxels lie among the cells of a window.

    Attributes:
        cells: Flat indices of the eight cells around each voxel, shape (voxels, 8).
        weights: Their weights for linear interpolation; zero for a voxel beyond the window.
        beyond: Whether a voxel lies beyond the window, where nothing is ablated.
        softness: Depth by which the transition is divided.
    """

    cells: Int[Tensor, "n 8"]
    weights: Float[Tensor, "n 8"]
    beyond: Float[Tensor, "n"]
    softness: float

    @classmethod
    def place(cls, target: Mask, window: Grid, *, softness: float, like: Tensor) -> Self:
        """Find the target's voxels in the window.

        Raises:
            FrameMismatchError: If the two do not share a frame.
            StudyRejectedError: If the target is empty.
        """
        require_same_frame("score of a zone", target.grid, window)
        if target.is_empty:
            raise StudyRejectedError(
                Code.MASK_EMPTY,
                "score of a zone: the target holds no voxel; at least one is expected.",
            )
        index = window.to_index(target.grid.to_mm(np.argwhere(target.inside)))
        size = np.array(window.shape)
        beyond = ((index < -0.5) | (index > size - 0.5)).any(1)
        inside = np.clip(index, 0, size - 1)
        low = np.minimum(np.floor(inside).astype(np.int64), np.maximum(size - 2, 0))
        share = inside - low
        cells, weights = [], []
        for corner in np.ndindex(2, 2, 2):
            at = np.minimum(low + corner, size - 1)
            cells.append((at[:, 0] * size[1] + at[:, 1]) * size[2] + at[:, 2])
            weights.append(np.prod(np.where(corner, share, 1 - share), axis=1) * ~beyond)
        return cls(
            cells=torch.from_numpy(np.stack(cells, 1)).to(like.device),
            weights=torch.from_numpy(np.stack(weights, 1)).to(like),
            beyond=torch.from_numpy(beyond).to(like),
            softness=softness,
        )

    def score(self, model: DamageModel, damage: Float[Tensor, "..."]) -> tuple[float, Tensor]:
        """The score and d score/d damage state, in the state's shape."""
        state = damage.detach().clone().requires_grad_()
        with torch.enable_grad():
            depth = model.depth(state).reshape(-1)[self.cells]
            depth = (depth * self.weights).sum(1) + FAR * self.beyond
            score = torch.sigmoid(depth / self.softness).double().mean()
        (bar,) = torch.autograd.grad(score, state)
        return float(score.detach()), bar
