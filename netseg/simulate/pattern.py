"""Heating patterns that can be gone through backwards.

Forward, a pattern is what the solver's own applicator gives. Backward, the derivative of a score
with respect to the pattern becomes one with respect to the tissue's temperature and vapour, when
the pattern was made, and to the needles' poses.
"""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jaxtyping import Float
    from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Made:
    """A pattern and what its derivative needs.

    Attributes:
        unit_w_m3: Heat per cell for one unit of drive (a watt, or a squared volt).
        potential: The electric potential at one volt; None for microwaves.
        impedance_ohm: The load; None for microwaves.
    """

    unit_w_m3: Float[Tensor, "i j k"]
    potential: Tensor | None = None
    impedance_ohm: float | None = None


class Pattern(Protocol):
    """One generator's needles."""

    def make(self, excess: Tensor, vapour: Tensor) -> Made:
        """The pattern in tissue of this temperature above baseline and share of lost water."""
        ...

    def pull(
        self, bar: Tensor, made: Made, excess: Tensor, vapour: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Take in d score/d pattern; give d score/d excess and d score/d vapour."""
        ...

    def pose_bars(self) -> list[tuple[Tensor, Tensor]]:
        """What was taken in so far, by needle: per mm of the tip and per unit of direction."""
        ...


@contextmanager
def recording() -> Iterator[None]:
    """Derivatives are recorded; the solver's checks and norms take numbers out of them on purpose."""
    with torch.enable_grad(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Converting a tensor with requires_grad", UserWarning)
        yield
