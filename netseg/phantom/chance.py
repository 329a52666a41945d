"""Chance for torch code: small numbers from one generator, noise fields on the images' own device."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

LARGEST_SEED = 2**62
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chance:
    """A source of chance in two halves.

    Attributes:
        small: Generator of single numbers; on any device.
        fields: Generator of noise fields, on the device of the images.
    """

    small: torch.Generator
    fields: torch.Generator

    @classmethod
    def on(cls, device: torch.device, generator: torch.Generator) -> Chance:
        """Chance whose fields are drawn on `device`, seeded by one draw from `generator`."""
        fields = torch.Generator(device=device)
        seed = torch.randint(LARGEST_SEED, (), generator=generator, device=generator.device)
        fields.manual_seed(int(seed))
        return cls(small=generator, fields=fields)

    def uniform(self, low: float, high: float) -> float:
        """A number between two, evenly."""
        draw = torch.rand((), generator=self.small, device=self.small.device)
        return low + (high - low) * float(draw)

    def log_uniform(self, low: float, high: float) -> float:
        """A number between two positive ones, evenly on a logarithmic scale."""
        return math.exp(self.uniform(math.log(low), math.log(high)))

    def normal(self, spread: float = 1.0) -> float:
        """A normal number of mean 0, cut at three standard deviations."""
        draw = float(torch.randn((), generator=self.small, device=self.small.device))
        return spread * min(3.0, max(-3.0, draw))

    def factor(self, spread: float) -> float:
        """A positive factor about 1 whose logarithm has the standard deviation `spread`."""
        return math.exp(self.normal(spread))

    def coin(self, probability: float) -> bool:
        """Whether it happens."""
        return self.uniform(0.0, 1.0) < probability

    def whole(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        return min(high, low + int(self.uniform(0.0, 1.0) * (high - low + 1)))

    def pick(self, of: Sequence[T], weights: Sequence[float] | None = None) -> T:
        """One of several, evenly or by weight."""
        if weights is None:
            return of[self.whole(0, len(of) - 1)]
        mark = self.uniform(0.0, sum(weights))
        for item, weight in zip(of, weights, strict=True):
            mark -= weight
            if mark < 0:
                return item
        return of[-1]

    def several(self, count: int) -> torch.Tensor:
        """`count` even numbers of 0 ... 1 on the CPU, (count,)."""
        return torch.rand(count, generator=self.small, device=self.small.device).cpu()

    def noise(self, shape: tuple[int, ...]) -> torch.Tensor:
        """White normal noise of unit variance on the images' device."""
        return torch.randn(shape, generator=self.fields, device=self.fields.device)
