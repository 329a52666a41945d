"""Lesions painted into a real or synthetic liver.

The recipe is SynTumor's (Hu et al., CVPR 2023: bent ellipsoids, soft edges, grain), widened by what
NET metastases look like: brighter than liver in the arterial phase, ring-shaped, necrotic inside,
and, after treatment, holding bright material.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from netseg.training.contrast import chance, smooth_noise, uniform


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionPrior:
    """What lesions may look like.

    Attributes:
        radius_mm: Smallest and largest radius; drawn evenly on a logarithmic scale.
        dark_hu: Least and most contrast of lesions darker than liver.
        bright_hu: Least and most contrast of lesions brighter than liver.
        bright: Share of lesions brighter than liver.
        ring: Share with a rim of its own brightness.
        necrotic: Share with a darker core.
        treated: Share with bright material inside.
    """

    radius_mm: tuple[float, float] = (2.5, 30.0)
    dark_hu: tuple[float, float] = (14.0, 90.0)
    bright_hu: tuple[float, float] = (18.0, 70.0)
    bright: float = 0.2
    ring: float = 0.25
    necrotic: float = 0.3
    treated: float = 0.08


def paint(
    hu: torch.Tensor,
    liver: torch.Tensor,
    count: int,
    *,
    spacing_mm: float,
    prior: LesionPrior,
    generator: torch.Generator,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Paint `count` lesions.

    Args:
        hu: Hounsfield units, (i, j, k), cubic voxels.
        liver: Where a lesion may lie, same shape, bool.
        count: How many.
        spacing_mm: Voxel edge.
        prior: What they may look like.
        generator: Source of chance.

    Returns:
        The scan with lesions and the mask of lesions. Without any liver voxel both are unchanged.
    """
    hu, lesions = hu.clone(), torch.zeros_like(liver)
    places = liver.nonzero()
    if len(places) == 0:
        return hu, lesions
    liver_hu = float(hu[liver].median())
    low, high = (math.log(r) for r in prior.radius_mm)
    for _ in range(count):
        radius_mm = math.exp(uniform(low, high, generator))
        centre = places[int(torch.randint(len(places), (), generator=generator))]
        box = _box(centre, 1.9 * radius_mm / spacing_mm + 3, hu.shape)
        depth = _depth_mm(centre, box, radius_mm, spacing_mm, generator)
        soft = torch.sigmoid(2.0 * depth / uniform(0.4, 0.4 + 0.15 * radius_mm, generator))
        soft = soft * liver[box]
        look = _look(depth, radius_mm, prior, generator)
        plain = liver_hu + 0.45 * (hu[box] - liver_hu)
        grain = uniform(0.0, 9.0, generator) * smooth_noise(tuple(depth.shape), 3, generator)
        hu[box] = hu[box] * (1 - soft) + (plain + look + grain) * soft
        lesions[box] |= (depth > 0) & liver[box]
    return hu, lesions


def _box(centre: torch.Tensor, reach: float, shape: torch.Size) -> tuple[slice, slice, slice]:
    low = [max(0, int(c - reach)) for c in centre.tolist()]
    high = [min(n, int(c + reach) + 2) for c, n in zip(centre.tolist(), shape, strict=True)]
    i, j, k = (slice(a, b) for a, b in zip(low, high, strict=True))
    return i, j, k


def _depth_mm(
    centre: torch.Tensor,
    box: tuple[slice, slice, slice],
    radius_mm: float,
    spacing_mm: float,
    generator: torch.Generator,
) -> torch.Tensor:
    """About how deep each voxel of the box lies inside a bent, turned ellipsoid."""
    axes = [
        torch.arange(s.start, s.stop, dtype=torch.float32) - float(c)
        for s, c in zip(box, centre, strict=True)
    ]
    offset = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1) * spacing_mm
    turn, _ = torch.linalg.qr(torch.randn((3, 3), generator=generator))
    stretch = torch.exp(0.22 * torch.randn(3, generator=generator)).clamp(0.65, 1.5)
    reach = (offset @ turn / (radius_mm * stretch)).norm(dim=-1)
    coarseness = max(2, round(uniform(0.5, 1.2, generator) * radius_mm / spacing_mm))
    bumps = smooth_noise(tuple(reach.shape), coarseness, generator)
    return radius_mm * (1.0 - reach + uniform(0.0, 0.22, generator) * bumps)


def _look(
    depth: torch.Tensor, radius_mm: float, prior: LesionPrior, generator: torch.Generator
) -> torch.Tensor:
    """Contrast against liver per voxel, in HU."""
    if chance(prior.bright, generator):
        body = uniform(*prior.bright_hu, generator)
    else:
        body = -uniform(*prior.dark_hu, generator)
    look = torch.full_like(depth, body)
    if chance(prior.necrotic, generator):
        core = torch.sigmoid((depth - uniform(0.3, 0.7, generator) * radius_mm) * 4.0 / radius_mm)
        look = look - core * uniform(10.0, 60.0, generator)
    if chance(prior.ring, generator):
        width = uniform(0.1, 0.3, generator) * radius_mm
        rim = torch.exp(-(((depth - width) / width) ** 2))
        look = look + rim * uniform(10.0, 60.0, generator)
    if chance(prior.treated, generator):
        blobs = smooth_noise(tuple(depth.shape), max(2, int(radius_mm / 3)), generator)
        inside = (depth > 0.15 * radius_mm).float()
        look = look + inside * torch.sigmoid(6.0 * (blobs - 0.6)) * uniform(60.0, 350.0, generator)
    return look
