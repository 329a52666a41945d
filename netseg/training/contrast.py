"""Random change of Hounsfield units: scanner, dose, contrast phase, slice thickness."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own name for it)

from netseg.segment.intensity import HIGHEST_HU, LOWEST_HU


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


def bend_greys(hu: torch.Tensor, generator: torch.Generator, *, knots: int = 10) -> torch.Tensor:
    """A signal that follows the Hounsfield units along a random broken line.

    Tissues that differ in CT differ in the result, in any order: the anatomy of a CT in the
    contrast of no scanner, so that a network learns shapes that also hold for MR.

    Args:
        hu: Hounsfield units.
        generator: Source of chance.
        knots: Corners of the line between the ends of the window.

    Returns:
        Signal between 0 and 1000, same shape.
    """
    place = (hu.clamp(LOWEST_HU, HIGHEST_HU) - LOWEST_HU) / (HIGHEST_HU - LOWEST_HU) * (knots - 1)
    level = torch.rand(knots + 1, generator=generator) * 1000.0
    level[0] = uniform(0.0, 250.0, generator)  # air and lung stay dark
    left = place.floor().long().clamp_max(knots - 2)
    return torch.lerp(level[left], level[left + 1], place - left)


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
        self, channel: str, image: torch.Tensor, organ: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        """Another scan of the same body.

        Args:
            channel: What the image is; anything but CT is only stretched, blurred and made noisy.
            image: HU, SUVbw or signal, (i, j, k).
            organ: Where the organ is, same shape.
            generator: Source of chance.
        """
        if channel.startswith("ct_"):
            return self._ct(image, organ, generator)
        return self._signal(image, organ, generator)

    def _signal(
        self, image: torch.Tensor, organ: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        level = float(image[organ].median()) if bool(organ.any()) else float(image.mean())
        image = image * (1.0 + 0.15 * smooth_noise(tuple(image.shape), 32, generator))
        if chance(0.35, generator):
            sigma = uniform(0.0, self.blur_vox, generator)
            image = blur(image, (sigma, sigma, sigma))
        if chance(0.7, generator):
            image = image + uniform(0.0, 0.1, generator) * level * _grain(image, generator)
        if chance(0.3, generator):
            image = self._thick_slices(image, generator)
        return image.clamp_min(0.0)

    def _ct(
        self, hu: torch.Tensor, organ: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
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
            hu = hu + uniform(0.0, self.noise_hu, generator) * _grain(hu, generator)
        if chance(0.3, generator):
            hu = self._thick_slices(hu, generator)
        return hu.clamp(LOWEST_HU, HIGHEST_HU)

    def _thick_slices(self, hu: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        thickness = uniform(1.2, self.slice_vox, generator)
        slices = max(4, round(hu.shape[2] / thickness))
        coarse = F.interpolate(hu[None, None], size=(*hu.shape[:2], slices), mode="area")
        return F.interpolate(coarse, size=tuple(hu.shape), mode="trilinear", align_corners=False)[
            0, 0
        ]


def _grain(image: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Noise of unit variance, white or correlated in the slice."""
    noise = torch.randn(image.shape, generator=generator)
    if chance(0.5, generator):
        sigma = uniform(0.3, 0.9, generator)
        noise = blur(noise, (sigma, sigma, 0.0))
        noise = noise / noise.std()
    return noise
