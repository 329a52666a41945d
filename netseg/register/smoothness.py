"""What is known of a bend before any image is looked at: it is smooth.

A displacement field is taken for a Gaussian process whose covariance is that of
(1 - l² Laplacian)^-3, mirrored at the borders: applying it costs two cosine transforms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np
import scipy.fft

if TYPE_CHECKING:
    from jaxtyping import Float

fft: Any = scipy.fft  # scipy carries no types

POWER = 3  # of the operator: once differentiable fields, correlated over about two lengths


@final
@dataclass(frozen=True, slots=True, eq=False)
class Smoothness:
    """A prior over displacement fields.

    Attributes:
        spectrum: Variance of each cosine wave in mm².
    """

    spectrum: Float[np.ndarray, "i j k"]

    @classmethod
    def of(
        cls, shape: tuple[int, int, int], step_mm: float, *, sd_mm: float, length_mm: float
    ) -> Smoothness:
        """A prior on cubic cells.

        Args:
            shape: Number of cells.
            step_mm: Their edge.
            sd_mm: Standard deviation of each displacement component, on average over the cells.
            length_mm: l above.
        """
        waves = [2 * np.sin(np.pi * np.arange(n) / (2 * n)) / step_mm for n in shape]
        squared = sum(np.meshgrid(*(w * w for w in waves), indexing="ij"), np.zeros(shape))
        spectrum = (1 + length_mm**2 * squared) ** -POWER
        spectrum *= sd_mm**2 * np.prod(shape) / spectrum.sum()
        return cls(spectrum.astype(np.float32))

    def covary(self, fields: Float[np.ndarray, "c i j k"]) -> Float[np.ndarray, "c i j k"]:
        """The covariance applied to each component."""
        return self._filtered(fields, self.spectrum)

    def draw(self, rng: np.random.Generator) -> Float[np.ndarray, "3 i j k"]:
        """A field of the prior."""
        noise = rng.standard_normal((3, *self.spectrum.shape), dtype=np.float32)
        return self._filtered(noise, np.sqrt(self.spectrum))

    def _filtered(self, fields: np.ndarray, gain: np.ndarray) -> np.ndarray:
        axes = (1, 2, 3)
        waves = fft.dctn(fields, axes=axes, norm="ortho")
        return fft.idctn(gain * waves, axes=axes, norm="ortho", overwrite_x=True)
