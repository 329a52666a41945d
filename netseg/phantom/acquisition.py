"""Scanners: point spread, slices, noise and artefacts on a clean image.

What a scanner does to a mean image is linear and acts axis by axis, so its effect on a lesion can be
told apart from its effect on the rest; noise, bias and streaks come after.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from netseg.phantom.appearance import Family, Palette
from netseg.phantom.separable import Maps, apply, chained, cloud, gaussian, grain, slabs

if TYPE_CHECKING:
    from netseg.phantom.chance import Chance

FWHM_OVER_SIGMA = 2.354820045
LOWEST_HU, HIGHEST_HU = -1024.0, 3071.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanners:
    """How far scanners differ.

    Attributes:
        thickness_mm: Slice thickness, even on a logarithmic scale.
        psf_mm: Full width at half maximum of a PET's point spread.
        noise_hu: Standard deviation of CT noise.
        noise_mr: Standard deviation of MR noise over the liver's signal.
        noise_pet: Standard deviation of PET noise in the liver over its uptake.
        bias: Largest standard deviation of the logarithm of MR's bias field.
        streaks: Share of CTs with streaks.
        ghosts: Share of MRs with ghosts of motion.
    """

    thickness_mm: tuple[float, float] = (1.0, 8.0)
    psf_mm: tuple[float, float] = (4.0, 8.0)
    noise_hu: tuple[float, float] = (4.0, 24.0)
    noise_mr: tuple[float, float] = (0.015, 0.10)
    noise_pet: tuple[float, float] = (0.05, 0.20)
    bias: float = 0.3
    streaks: float = 0.12
    ghosts: float = 0.12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scan:
    """One scanner with one protocol on one patch.

    Attributes:
        palette: The channel.
        spacing_mm: Voxel edge of the patch.
        maps: From a clean image to its own samples, axis by axis.
        back: From its samples to the voxels.
        samples: How many samples it takes along each axis.
        smooth: Correlation of its noise between samples.
        noise: Standard deviation of the noise in the liver, native units.
        thickness_mm: Slice thickness; the sample distance in PET.
    """

    palette: Palette
    spacing_mm: float
    maps: Maps
    back: Maps
    samples: tuple[int, int, int]
    smooth: Maps
    noise: float
    thickness_mm: float

    @property
    def spread(self) -> float:
        """Standard deviation of the liver's voxels without lesions: noise and texture."""
        from netseg.phantom.tissue import Tissue

        return math.hypot(self.noise, float(self.palette.grain[Tissue.LIVER]))


def draw_scan(
    palette: Palette,
    shape: tuple[int, ...],
    spacing_mm: float,
    scanners: Scanners,
    chance: Chance,
) -> Scan:
    """A random scanner for a channel on a patch of `shape` voxels."""
    if palette.family is Family.PET:
        return _pet(palette, shape, spacing_mm, scanners, chance)
    device = chance.fields.device
    thickness = chance.log_uniform(*scanners.thickness_mm)
    if palette.family is Family.CT:
        noise = chance.log_uniform(*scanners.noise_hu)
        sharpness_mm, coarse_mm = chance.uniform(0.3, 1.0), chance.uniform(0.3, 1.3)
    else:
        noise = palette.liver * chance.log_uniform(*scanners.noise_mr)
        sharpness_mm, coarse_mm = chance.uniform(0.4, 1.3), chance.uniform(0.2, 1.0)
    i, j = (gaussian(n, sharpness_mm / spacing_mm, device) for n in shape[:2])
    step = thickness * chance.uniform(0.7, 1.0) / spacing_mm
    if step < 1.2:
        k, back, samples = gaussian(shape[2], 0.3 * thickness / spacing_mm, device), None, shape[2]
    else:
        first = chance.uniform(-0.5, 0.5) * step
        down, back = slabs(shape[2], step, thickness / spacing_mm, first, device)
        k, samples = down, down.shape[0]
    smooth_i, smooth_j = (grain(n, coarse_mm / spacing_mm, device) for n in shape[:2])
    return Scan(
        palette=palette,
        spacing_mm=spacing_mm,
        maps=(i, j, k),
        back=(None, None, back),
        samples=(shape[0], shape[1], samples),
        smooth=(smooth_i, smooth_j, None),
        noise=noise,
        thickness_mm=thickness,
    )


def _pet(
    palette: Palette,
    shape: tuple[int, ...],
    spacing_mm: float,
    scanners: Scanners,
    chance: Chance,
) -> Scan:
    """A detector whose samples are coarser than its point spread is wide by no more than half."""
    device = chance.fields.device
    sigma_mm = chance.uniform(*scanners.psf_mm) / FWHM_OVER_SIGMA
    step = max(1.0, chance.uniform(2.0, 4.5) / spacing_mm)
    relative = chance.log_uniform(*scanners.noise_pet)
    maps, back, smooth, samples = [], [], [], []
    for n in shape:
        blur = gaussian(n, sigma_mm / spacing_mm, device)
        if step < 1.2:
            down, up, count = None, None, n
        else:
            down, up = slabs(n, step, step, chance.uniform(-0.5, 0.5) * step, device)
            count = down.shape[0]
        maps.append(chained(down, blur))
        back.append(up)
        smooth.append(grain(count, chance.uniform(0.5, 1.0), device))
        samples.append(count)
    return Scan(
        palette=palette,
        spacing_mm=spacing_mm,
        maps=(maps[0], maps[1], maps[2]),
        back=(back[0], back[1], back[2]),
        samples=(samples[0], samples[1], samples[2]),
        smooth=(smooth[0], smooth[1], smooth[2]),
        noise=relative * palette.liver,
        thickness_mm=step * spacing_mm,
    )


def seen(scan: Scan, clean: torch.Tensor) -> torch.Tensor:
    """The mean image of a clean one: linear, so that parts of an image may be seen one by one.

    Args:
        scan: The scanner.
        clean: Native units, (..., i, j, k) float32.
    """
    return apply(scan.back, apply(scan.maps, clean))


def record(scan: Scan, mean: torch.Tensor, scanners: Scanners, chance: Chance) -> torch.Tensor:
    """Noise and artefacts on a mean image, the answer of `seen`.

    Args:
        scan: The scanner.
        mean: Native units, (i, j, k) float32.
        scanners: Shares of artefacts.
        chance: Source of chance.

    Returns:
        HU between -1024 and 3071, positive signal, or SUV, as float32.
    """
    family = scan.palette.family
    if family is Family.CT:
        image = mean.addcmul(_noise(scan, chance), torch.full((), scan.noise, device=mean.device))
        if chance.coin(scanners.streaks):
            image = image + _streaks(mean.shape, scan, chance)
        return image.clamp_(LOWEST_HU, HIGHEST_HU)
    if family is Family.PET:
        spread = scan.noise * (mean.clamp(min=0.0) / scan.palette.liver + 0.02).sqrt()
        return (mean + spread * _noise(scan, chance)).clamp_(min=0.0)
    if chance.coin(scanners.ghosts):
        mean = _ghosts(mean, scan, chance)
    size = chance.uniform(150.0, 350.0) / scan.spacing_mm
    field = cloud(tuple(mean.shape), size, chance).clamp(-2.5, 2.5)
    mean = mean * torch.exp(chance.uniform(0.0, scanners.bias) * field)
    real, imaginary = (
        scan.noise * _noise(scan, chance),
        scan.noise * chance.noise(tuple(mean.shape)),
    )
    return torch.hypot(mean + real, imaginary)  # magnitude images: Rician


def _noise(scan: Scan, chance: Chance) -> torch.Tensor:
    """Noise of unit variance between slices' centres, correlated as the scanner leaves it."""
    noise = apply(scan.smooth, chance.noise(scan.samples))
    if scan.palette.family is Family.CT and chance.coin(0.5):
        noise = _filtered(noise, scan, chance)
    return apply(scan.back, noise)


def _filtered(noise: torch.Tensor, scan: Scan, chance: Chance) -> torch.Tensor:
    """Filtered back-projection leaves no slow noise: take a part of it away."""
    device, sigma = noise.device, chance.uniform(1.5, 3.0) / scan.spacing_mm
    i, j = (gaussian(n, sigma, device) for n in noise.shape[:2])
    noise = noise - 0.9 * apply((i, j, None), noise)
    return noise / noise[:: max(1, noise.shape[0] // 32)].std().clamp(min=1e-3)


def _streaks(shape: torch.Size, scan: Scan, chance: Chance) -> torch.Tensor:
    """Bright and dark rays from one point, in some of the slices."""
    device = chance.fields.device
    i, j, k = shape
    away, side = chance.uniform(0.55, 0.9), chance.uniform(0.0, 2 * math.pi)  # beyond the liver
    ci, cj = (0.5 + away * math.cos(side)) * i, (0.5 + away * math.sin(side)) * j
    di = torch.arange(i, device=device, dtype=torch.float32)[:, None] - ci
    dj = torch.arange(j, device=device, dtype=torch.float32)[None, :] - cj
    angle = torch.atan2(dj, di)
    rays = torch.zeros((i, j), device=device)
    for _ in range(4):
        waves, turn = chance.whole(20, 90), chance.uniform(0.0, 2 * math.pi)
        rays = rays + chance.normal() * torch.sin(waves * angle + turn)
    fade = torch.exp(-torch.hypot(di, dj) * scan.spacing_mm / chance.uniform(60.0, 200.0))
    at = torch.arange(k, device=device, dtype=torch.float32)
    middle, wide = chance.uniform(0.0, k), chance.uniform(4.0, 25.0) / scan.spacing_mm
    share = torch.exp(-0.5 * ((at - middle) / wide) ** 2)
    return (chance.uniform(4.0, 16.0) * rays * fade)[..., None] * share


def _ghosts(mean: torch.Tensor, scan: Scan, chance: Chance) -> torch.Tensor:
    """Faint copies of the image shifted along the phase direction (j)."""
    shift = max(3, round(chance.uniform(12.0, 45.0) / scan.spacing_mm))
    weight = chance.uniform(0.02, 0.08)
    return mean + weight * (torch.roll(mean, shift, dims=1) + torch.roll(mean, -shift, dims=1))


__all__ = ["Scan", "Scanners", "draw_scan", "record", "seen"]
