"""A point of the patient."""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jaxtyping import Float


@dataclass(frozen=True, slots=True)
class PointMm:
    """A point in millimetres; x grows to the patient's left, y to the back, z to the head (LPS)."""

    x: float
    y: float
    z: float

    def __post_init__(self) -> None:
        """Keep the point finite."""
        if not all(math.isfinite(v) for v in astuple(self)):
            raise ValueError(f"a point needs three finite coordinates in mm; got {astuple(self)}.")

    def __iter__(self) -> Iterator[float]:
        """Unpack as x, y, z."""
        return iter((self.x, self.y, self.z))

    @classmethod
    def of(cls, xyz: Sequence[float] | np.ndarray) -> Self:
        """Make a point of three numbers."""
        if len(xyz) != 3:
            raise ValueError(f"a point needs three coordinates; got {len(xyz)}.")
        return cls(*(float(v) for v in xyz))

    def as_array(self) -> Float[np.ndarray, "3"]:
        """The coordinates as a float64 array."""
        return np.array((self.x, self.y, self.z), dtype=np.float64)
