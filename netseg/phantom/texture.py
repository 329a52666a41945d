"""Noise with a correlation length, cheap enough for every training step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float


def correlated_noise(
    shape: tuple[int, int, int], sigma_voxels: tuple[float, float, float], rng: np.random.Generator
) -> Float[np.ndarray, "i j k"]:
    """Gaussian noise of unit variance, smoothed by a Gaussian of `sigma_voxels`."""
    noise = rng.standard_normal(shape, dtype=np.float32)
    return renormalised(smooth(noise, sigma_voxels))


def smooth(
    values: Float[np.ndarray, "i j k"], sigma_voxels: tuple[float, float, float]
) -> Float[np.ndarray, "i j k"]:
    """Gaussian blur along each axis; axes with sigma below 0.15 voxels are left as they are."""
    from scipy.ndimage import gaussian_filter1d

    for axis, sigma in enumerate(sigma_voxels):
        if sigma > 0.15:
            values = gaussian_filter1d(values, sigma, axis=axis, mode="nearest", truncate=2.5)
    return values


def cloud(
    shape: tuple[int, int, int],
    spacing_mm: tuple[float, float, float],
    size_mm: float,
    rng: np.random.Generator,
) -> Float[np.ndarray, "i j k"]:
    """Slow random variation of unit variance with features of about `size_mm`, drawn coarsely."""
    from netseg.phantom.raster import upsample, weights

    step = size_mm / 2
    counts = [int(np.ceil(n * s / step)) + 4 for n, s in zip(shape, spacing_mm, strict=True)]
    coarse = rng.standard_normal(counts).astype(np.float32)
    matrices = [
        weights(step * (np.arange(m) - 1), s * np.arange(n))
        for m, n, s in zip(counts, shape, spacing_mm, strict=True)
    ]
    return renormalised(upsample(coarse, *matrices))


def renormalised(noise: Float[np.ndarray, "i j k"]) -> Float[np.ndarray, "i j k"]:
    """The same noise with unit variance."""
    return noise / np.float32(max(float(noise.std()), 1e-6))
