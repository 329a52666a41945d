"""Images: values on a grid, with the quantity they measure."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Bool, Integer, Shaped

    from netseg.domain.grid import Grid


class Quantity(StrEnum):
    """What a voxel's number measures."""

    HU = "hu"
    SUVBW = "suvbw"
    BQML = "bqml"
    ADC = "adc"
    ARBITRARY = "arbitrary"
    PROBABILITY = "probability"
    CELSIUS = "celsius"


@dataclass(frozen=True, slots=True, eq=False)
class Volume:
    """One scalar image.

    Attributes:
        values: Finite numbers indexed (i, j, k), read-only; int16 or float32.
        grid: Where the voxels lie.
        quantity: What the numbers measure.
    """

    values: Shaped[np.ndarray, "i j k"]
    grid: Grid
    quantity: Quantity

    def __post_init__(self) -> None:
        """Keep values and grid of one shape."""
        _freeze(self, "values", self.grid)


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """A region: the voxels for which `inside` is true.

    Attributes:
        inside: Booleans indexed (i, j, k), read-only.
        grid: Where the voxels lie.
    """

    inside: Bool[np.ndarray, "i j k"]
    grid: Grid

    def __post_init__(self) -> None:
        """Keep the region boolean and of the grid's shape."""
        if self.inside.dtype != np.bool_:
            raise ValueError(f"a mask's voxels must be booleans; got {self.inside.dtype}.")
        _freeze(self, "inside", self.grid)

    @property
    def volume_ml(self) -> float:
        """Volume of the region."""
        return float(np.count_nonzero(self.inside)) * self.grid.voxel_volume_ml

    @property
    def is_empty(self) -> bool:
        """Whether no voxel is inside."""
        return not self.inside.any()


@dataclass(frozen=True, slots=True, eq=False)
class LabelMap:
    """Several regions in one image, each with its own number; 0 is background.

    Attributes:
        labels: Whole numbers from 0 indexed (i, j, k), read-only.
        grid: Where the voxels lie.
        names: What the numbers mean, where they have a meaning beyond "instance n".
    """

    labels: Integer[np.ndarray, "i j k"]
    grid: Grid
    names: Mapping[int, str] = field(default_factory=dict[int, str])

    def __post_init__(self) -> None:
        """Keep the labels whole, non-negative and of the grid's shape."""
        if not np.issubdtype(self.labels.dtype, np.integer):
            raise ValueError(f"labels must be whole numbers; got {self.labels.dtype}.")
        _freeze(self, "labels", self.grid)

    @classmethod
    def empty(cls, grid: Grid) -> Self:
        """A map without any region."""
        return cls(np.zeros(grid.shape, np.uint8), grid)

    @property
    def values(self) -> tuple[int, ...]:
        """The numbers in use, ascending, without background."""
        return tuple(int(v) for v in np.unique(self.labels) if v != 0)

    def region(self, *values: int) -> Mask:
        """The union of the regions with these numbers; all regions when none is named."""
        inside = np.isin(self.labels, values) if values else self.labels != 0
        return Mask(inside, self.grid)


def _freeze(image: Volume | Mask | LabelMap, name: str, grid: Grid) -> None:
    array = getattr(image, name)
    if array.shape != grid.shape:
        raise ValueError(f"{name} has shape {array.shape}, its grid {grid.shape}.")
    view = array.view()
    view.flags.writeable = False
    object.__setattr__(image, name, view)
