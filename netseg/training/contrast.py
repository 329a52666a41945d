"""Random change of Hounsfield units: scanner, dose, contrast phase, slice thickness."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own name for it)

from netseg.segment.networks import HIGHEST_HU, LOWEST_HU


def uniform(low: float, high: float, generator: torch.Generator) -> float:
    """One number between two."""
    return low + (high - low) * float(torch.rand((), generator=generator))


def chance(probability: float, generator: torch.Generator) -> bool:
    """Whether it happens."""
    return float(torch.rand((), generator=generator)) < probability


def smooth_noise(
    shape: tuple[int, ...], coarseness: int, generator: torch.Generator
) -> torch.Tensor:
    """Noise of about unit variance whose grains are `coarseness` voxels wide."""
    small = [max(2, n // coarseness + 1) for n in shape]
    noise = torch.randn((1, 1, *small), generator=generator)
    return F.interpolate(noise, size=tuple(shape), mode="trilinear", align_corners=False)[0, 0]


def blur(image: torch.Tensor, sigma_vox: tuple[float, float, float]) -> torch.Tensor:
    """Gaussian blur, one axis after the other, edges held."""
    out = image[None, None]
    for axis, sigma in enumerate(sigma_vox):
        if sigma <= 0.05:
            continue
        reach = max(1, round(3 * sigma))
        at = torch.arange(-reach, reach + 1, dtype=torch.float32)
        kernel = torch.exp(-0.5 * (at / sigma) ** 2)
        size = [1, 1, 1]
        size[axis] = 2 * reach + 1
        pads = [0, 0, 0, 0, 0, 0]
        pads[2 * (2 - axis)] = pads[2 * (2 - axis) + 1] = reach
        out = F.conv3d(
            F.pad(out, pads, mode="replicate"), (kernel / kernel.sum()).view(1, 1, *size)
        )
    return out[0, 0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """How far Hounsfield units may be changed.

    Attributes:
        gain: Smallest and largest stretch about 50 HU.
        shift_hu: Largest shift of the whole scan.
        region_shift_hu: Largest shift of the labelled organ against its surroundings.
        noise_hu: Largest standard deviation of added noise.
        blur_vox: Largest standard deviation of a blur.
        slice_vox: Largest slice thickness that is imitated, in voxels along k.
    """

    gain: tuple[float, float] = (0.8, 1.25)
    shift_hu: float = 20.0
    region_shift_hu: float = 25.0
    noise_hu: float = 22.0
    blur_vox: float = 0.8
    slice_vox: float = 3.0

    def __call__(
        self, hu: torch.Tensor, organ: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        """Another scan of the same body.

        Args:
            hu: Hounsfield units, (i, j, k).
            organ: Where the organ is, same shape.
            generator: Source of chance.
        """
        if chance(0.5, generator):
            edge = blur(organ.float(), (0.7, 0.7, 0.7))
            hu = hu + edge * uniform(-self.region_shift_hu, self.region_shift_hu, generator)
        hu = (hu - 50.0) * uniform(*self.gain, generator) + 50.0
        hu = hu + uniform(-self.shift_hu, self.shift_hu, generator)
        if chance(0.3, generator):
            hu = hu + 8.0 * smooth_noise(tuple(hu.shape), 24, generator)
        if chance(0.35, generator):
            sigma = uniform(0.0, self.blur_vox, generator)
            hu = blur(hu, (sigma, sigma, sigma))
        if chance(0.7, generator):
            hu = hu + self._noise(hu, generator)
        if chance(0.3, generator):
            hu = self._thick_slices(hu, generator)
        return hu.clamp(LOWEST_HU, HIGHEST_HU)

    def _noise(self, hu: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        noise = torch.randn(hu.shape, generator=generator)
        if chance(0.5, generator):
            sigma = uniform(0.3, 0.9, generator)
            noise = blur(noise, (sigma, sigma, 0.0))
            noise = noise / noise.std()
        return noise * uniform(0.0, self.noise_hu, generator)

    def _thick_slices(self, hu: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        thickness = uniform(1.2, self.slice_vox, generator)
        slices = max(4, round(hu.shape[2] / thickness))
        coarse = F.interpolate(hu[None, None], size=(*hu.shape[:2], slices), mode="area")
        return F.interpolate(coarse, size=tuple(hu.shape), mode="trilinear", align_corners=False)[
            0, 0
        ]
