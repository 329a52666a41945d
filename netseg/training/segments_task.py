"""What one step of training on Couinaud's segments sees: a function of the step's number alone.

An anatomy is coloured as some scanner would see it or by chance, lesions push its vessels aside, it
is bent and turned, its liver is outlined a little wrongly; the truth bends along.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own name for it)

from netseg.phantom.ct import HU
from netseg.phantom.mr import SIGNAL
from netseg.phantom.tissue import Tissue
from netseg.segment.couinaud_network import SegmentsSpec, network_input
from netseg.training.contrast import blur, chance, smooth_noise, uniform
from netseg.training.segment_anatomies import VESSELS, anatomies
from netseg.training.tasks import generator_of
from netseg.training.warp import cut, cut_labels

if TYPE_CHECKING:
    from collections.abc import Callable

    from netseg.training.segment_anatomies import SegmentAnatomy
    from netseg.training.warp import Warp

CT_SHARES = (0.2, 0.2, 0.45, 0.15)  # native, late arterial, portal venous, delayed
MR_SHARES = (0.15, 0.15, 0.25, 0.35, 0.1)  # T1 in four phases, T2
BEYOND = 0.0  # brightness beyond the drawn surroundings
MR_UNIT = 0.3  # one unit of the MR table against one HU: noise is then drawn alike


def segments_task(
    *,
    seed: int,
    warp: Warp,
    first_seed: int,
    count: int,
    spacing_mm: float,
    cache: str | None = None,
    settings: dict[str, Any] | None = None,
) -> Callable[[], SegmentsTask]:
    """What makes the task: anatomies are drawn, or read from `cache`, when it is called.

    Further shares of `SegmentsTask` go into `settings`.
    """

    def make() -> SegmentsTask:
        folder = Path(cache) if cache else None
        drawn = anatomies(first_seed, count, spacing_mm, folder)
        return SegmentsTask(anatomies=drawn, seed=seed, warp=warp, **(settings or {}))

    return make


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SegmentsTask:
    """Tell the segments apart inside a given liver, on an image of any modality.

    Attributes:
        anatomies: What to colour.
        seed: First half of every step's seed.
        warp: Patch size and bending.
        spec: The network: how much it is shown around a liver.
        physical: Share of the steps with a scanner's contrast; the others get a random one.
        lesions: Share of the steps with lesions.
        short: Share of the steps in which the scan ends inside the liver.
        bare: Share of the steps in which nothing but the liver is shown.
        vivid: Share of the steps in which the veins stand out, whatever the contrast.
        noise: Largest standard deviation of the noise; a vivid vein differs from the liver by 35
            to 90.
    """

    anatomies: list[SegmentAnatomy]
    seed: int
    warp: Warp
    spec: SegmentsSpec = field(default_factory=SegmentsSpec)
    physical: float = 0.7
    lesions: float = 0.6
    short: float = 0.12
    bare: float = 0.2
    vivid: float = 0.0
    noise: float = 14.0

    def __call__(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Network input (5, i, j, k) and truth of one step.

        The truth is 1 ... 8 where both the given liver and the true one are, 0 where nothing counts.
        """
        generator = generator_of(self.seed, step)
        chosen = int(torch.randint(len(self.anatomies), (), generator=generator))
        anatomy = self.anatomies[chosen]
        segments = torch.from_numpy(anatomy.segments)
        table = contrast(generator, physical=chance(self.physical, generator))
        if self.vivid and chance(self.vivid, generator):
            table = with_vivid_veins(table, generator)
        image = coloured(anatomy, table, generator)
        if chance(self.lesions, generator):
            image, segments = with_lesions(image, segments, anatomy.spacing_mm, generator)
        where = (segments > 0).nonzero().float()
        middle = 0.5 * (where.amin(0) + where.amax(0))
        centre = middle + 3.0 * (2.0 * torch.rand(3, generator=generator) - 1.0)
        places = self.warp.places(centre, generator)
        image, segments = cut(image, places, BEYOND), cut_labels(segments, places)
        image = degraded(image, generator, self.noise)
        given = given_liver(segments > 0, generator)
        if chance(self.short, generator):
            image, given = cut_short(image, given, generator)
        if chance(self.bare, generator):
            image = torch.where(given, image, image[given].median())
        box = _around(given, self.spec)
        image, given, segments = image[box], given[box], segments[box]
        return network_input(image, given), torch.where(given, segments, 0).long()


def _around(liver: torch.Tensor, spec: SegmentsSpec) -> tuple[slice, ...]:
    """The part of a patch that the network would be shown of this liver."""
    box = []
    for axis, size in enumerate(liver.shape):
        hit = liver.amax(dim=tuple(n for n in range(3) if n != axis)).nonzero()[:, 0]
        low, high = int(hit[0]), int(hit[-1])
        count = spec.count(axis, float(high - low), 1.0)
        start = min(max(0, (low + high + 1 - count) // 2), size - count)
        box.append(slice(start, start + count))
    return tuple(box)


def contrast(generator: torch.Generator, *, physical: bool) -> torch.Tensor:
    """Brightness by tissue number: liver 100, contrasts of the order of Hounsfield units."""
    return _physical(generator) if physical else _random(generator)


def with_vivid_veins(table: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """The same tissues with hepatic and portal veins well above or below the liver."""
    for kind in (Tissue.HEPATIC_VEIN, Tissue.PORTAL_VEIN):
        sign = 1.0 if chance(0.6, generator) else -1.0
        table[kind] = 100.0 + sign * uniform(35.0, 90.0, generator)
    if chance(0.7, generator):
        both = Tissue.HEPATIC_VEIN
        table[Tissue.PORTAL_VEIN] = table[both] + uniform(-15.0, 15.0, generator)
        table[Tissue.INFERIOR_VENA_CAVA] = table[both] + uniform(-15.0, 15.0, generator)
    return table


def coloured(
    anatomy: SegmentAnatomy, table: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    """Brightness per voxel: every tissue's of `table`, with some texture."""
    tissue = torch.from_numpy(anatomy.tissue)
    inside = torch.from_numpy(anatomy.segments) > 0
    image = table[tissue.long()]
    image[inside] = table[Tissue.LIVER]  # thin vessels come back by their share of each voxel
    for kind, part in zip(VESSELS, torch.from_numpy(anatomy.vessels), strict=True):
        image += part.float() / 255.0 * (table[kind] - image)
    texture = smooth_noise(tuple(image.shape), 4, generator)
    return image + uniform(0.5, 5.0, generator) * texture


def _physical(generator: torch.Generator) -> torch.Tensor:
    """A CT phase or an MR contrast of the phantom's tables, every tissue a little off."""
    is_ct = chance(0.62, generator)
    shares = torch.tensor(CT_SHARES if is_ct else MR_SHARES)
    column = int(torch.multinomial(shares, 1, generator=generator))
    source = HU if is_ct else SIGNAL
    values = torch.zeros(len(Tissue))
    for tissue, row in source.items():
        values[tissue] = row[column]
    from_liver = (values - values[Tissue.LIVER]) * (1.0 if is_ct else MR_UNIT)
    factor = uniform(0.5, 1.4, generator)
    each = 1.0 + 0.2 * torch.randn(len(Tissue), generator=generator)
    off = 4.0 * torch.randn(len(Tissue), generator=generator)
    off[Tissue.LIVER] = 0.0
    return 100.0 + factor * each * from_liver + off


def _random(generator: torch.Generator) -> torch.Tensor:
    """Tissues of any brightness; each kind of vessel bright, dark or as the liver."""
    table = 100.0 + 70.0 * torch.randn(len(Tissue), generator=generator)
    table[Tissue.LIVER] = 100.0
    for kind in (Tissue.HEPATIC_VEIN, Tissue.PORTAL_VEIN, Tissue.HEPATIC_ARTERY):
        sign = float(torch.randint(-1, 2, (), generator=generator))
        table[kind] = 100.0 + sign * uniform(10.0, 90.0, generator)
    if chance(0.6, generator):
        table[Tissue.PORTAL_VEIN] = table[Tissue.HEPATIC_VEIN] + uniform(-12.0, 12.0, generator)
    if chance(0.7, generator):
        table[Tissue.INFERIOR_VENA_CAVA] = table[Tissue.HEPATIC_VEIN] + uniform(-15, 15, generator)
    return table


def with_lesions(
    image: torch.Tensor, segments: torch.Tensor, spacing_mm: float, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """One to six round lesions, brighter or darker, that push their surroundings outwards."""
    image, segments = image.clone(), segments.clone()
    where = (segments > 0).nonzero()
    contrast = uniform(15.0, 80.0, generator) * (-1.0 if chance(0.7, generator) else 1.0)
    for _ in range(int(torch.randint(1, 7, (), generator=generator))):
        radius = 3.0 * (14.0 ** uniform(0.0, 1.0, generator)) / spacing_mm
        centre = where[int(torch.randint(len(where), (), generator=generator))].float()
        low = (centre - 2.5 * radius - 1).floor().long().clamp_min(0).tolist()
        high = (centre + 2.5 * radius + 2).ceil().long().tolist()
        box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        grown = 0.7 * uniform(0.0, 1.0, generator)
        image[box], segments[box] = _pushed(image[box], segments[box], centre, box, radius, grown)
        axes = [
            torch.arange(s.start, s.start + n) for s, n in zip(box, image[box].shape, strict=True)
        ]
        at = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1) - centre
        squash = 1.0 + 0.25 * (2.0 * torch.rand(3, generator=generator) - 1.0)
        soft = (radius + 0.5 - (at * squash).norm(dim=-1)).clamp(0.0, 1.0) * (segments[box] > 0)
        image[box] += soft * (100.0 + contrast - image[box])
    return image, segments


def _pushed(
    image: torch.Tensor,
    segments: torch.Tensor,
    centre: torch.Tensor,
    box: tuple[slice, ...],
    radius: float,
    grown: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Image and labels of a box after a lesion grew from a point: what is at r was nearer before."""
    axes = [
        torch.arange(s.start, s.start + n, dtype=torch.float32)
        for s, n in zip(box, image.shape, strict=True)
    ]
    at = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1) - centre
    nearer = 1.0 - grown * torch.exp(-((at.norm(dim=-1, keepdim=True) / (1.2 * radius)) ** 2))
    start = torch.tensor([float(s.start) for s in box])
    size = torch.tensor(image.shape, dtype=torch.float32)
    unit = (2.0 * (at * nearer + centre - start + 0.5) / size - 1.0).flip(-1)[None]
    both = torch.stack((image, segments.float()))[:, None]
    moved = F.grid_sample(both[:1], unit, padding_mode="border", align_corners=False)
    named = F.grid_sample(
        both[1:], unit, mode="nearest", padding_mode="border", align_corners=False
    )
    return moved[0, 0], named[0, 0].to(segments.dtype)


def degraded(image: torch.Tensor, generator: torch.Generator, most_noise: float) -> torch.Tensor:
    """Resolution, uneven sensitivity and noise of some scanner."""
    if chance(0.7, generator):
        flat = uniform(0.0, 0.8, generator)
        image = blur(image, (flat, flat, flat + (uniform(0.0, 1.2, generator))))
    if chance(0.4, generator):
        image = image * torch.exp(0.15 * smooth_noise(tuple(image.shape), 30, generator))
    noise = torch.randn(image.shape, generator=generator)
    if chance(0.5, generator):
        sigma = uniform(0.3, 0.8, generator)
        noise = blur(noise, (sigma, sigma, 0.0))
        noise = noise / noise.std()
    return image + most_noise ** uniform(0.0, 1.0, generator) * noise


def given_liver(liver: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """The liver as somebody else outlines it: smoother, a bit too small or too large."""
    sigma = uniform(0.4, 2.0, generator)
    return blur(liver.float(), (sigma, sigma, sigma)) > uniform(0.3, 0.7, generator)


def cut_short(
    image: torch.Tensor, liver: torch.Tensor, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """The scan ends up to a third into the liver, from above or from below."""
    heights = liver.any(dim=0).any(dim=0).nonzero()[:, 0]
    low, high = int(heights[0]), int(heights[-1]) + 1
    depth = int(uniform(0.0, 0.33, generator) * (high - low))
    keep = torch.zeros(liver.shape[2], dtype=torch.bool)
    if chance(0.5, generator):
        keep[: high - depth] = True
    else:
        keep[low + depth :] = True
    return torch.where(keep, image, image[liver].median()), liver & keep
