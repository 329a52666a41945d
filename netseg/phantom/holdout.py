"""Synthetic patients that no training may see, from frozen seeds.

A case is a whole liver with its surroundings, recorded in the channels one asks for, with the truth
and a stated contrast-to-noise for every lesion in every channel. Figures measured on it are figures
on synthetic images and nothing else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from netseg.phantom.anatomy import draw_anatomy
from netseg.phantom.synthesis import Body, Synthesis, Synthetic
from netseg.phantom.tumour_prior import TumourPrior

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FIRST_SEED = 900_000
SIZE_BINS_MM = ((0.0, 5.0), (5.0, 10.0), (10.0, 20.0), (20.0, math.inf))
HOLDOUT = Synthesis(free=0.0, gap_mm=6.0, prior=TumourPrior(touching=0.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldoutLesion:
    """One lesion of the truth.

    Attributes:
        number: Its number in the case's `instances`, by descending volume.
        kind: Its look.
        diameter_mm: Longest diameter of its shape.
        equivalent_diameter_mm: Diameter of the sphere of the volume of its voxels.
        volume_ml: Volume of its voxels.
        cnr: Contrast-to-noise in each channel, see `netseg.phantom.synthesis.Body`.
    """

    number: int
    kind: str
    diameter_mm: float
    equivalent_diameter_mm: float
    volume_ml: float
    cnr: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HoldoutCase:
    """A synthetic patient with everything known; axes i, j, k run to the left, the back and the head.

    Attributes:
        seed: The number it grew from.
        spacing_mm: Voxel edge.
        images: Channel to image in native units, float32 (i, j, k).
        instances: Lesions 1 ... n, int16; no two of them touch, and each is one piece.
        liver: The liver with vessels and lesions, bool.
        segments: Couinaud segments 1 ... 8 inside the liver, uint8.
        lesions: One entry per lesion.
        mimics: How many look-alikes of each kind there are.
    """

    seed: int
    spacing_mm: float
    images: dict[str, torch.Tensor]
    instances: torch.Tensor
    liver: torch.Tensor
    segments: torch.Tensor
    lesions: tuple[HoldoutLesion, ...]
    mimics: Mapping[str, int]


def holdout_case(
    seed: int,
    channels: tuple[str, ...],
    spacing_mm: float,
    *,
    margin_mm: float = 40.0,
    synthesis: Synthesis = HOLDOUT,
) -> HoldoutCase:
    """One case of the frozen hold-out.

    Args:
        seed: `FIRST_SEED` or more; nothing below belongs to the hold-out, nothing from there on to
            training.
        channels: Wanted images; the first one's scanner is the frame of the truth.
        spacing_mm: Voxel edge.
        margin_mm: Body around the liver.
        synthesis: How images are made.

    Raises:
        ValueError: If the seed belongs to training.
    """
    if seed < FIRST_SEED:
        raise ValueError(f"hold-out seeds start at {FIRST_SEED}; got {seed}.")
    anatomy = draw_anatomy(seed, spacing_mm, margin_mm=margin_mm)
    generator = torch.Generator().manual_seed(seed)
    sample = synthesis(anatomy.tissues, anatomy.liver, spacing_mm, channels, generator)
    instances, lesions = _pieces(sample, spacing_mm)
    kinds = [str(mimic.kind) for mimic in sample.mimics]
    return HoldoutCase(
        seed=seed,
        spacing_mm=spacing_mm,
        images=sample.images,
        instances=torch.from_numpy(instances),
        liver=anatomy.liver,
        segments=anatomy.segments,
        lesions=lesions,
        mimics={kind: kinds.count(kind) for kind in sorted(set(kinds))},
    )


def _pieces(sample: Synthetic, spacing_mm: float) -> tuple[np.ndarray, tuple[HoldoutLesion, ...]]:
    """Every lesion as its largest piece, by descending volume."""
    from scipy.ndimage import find_objects, label

    drawn = sample.instances.clamp(min=0).cpu().numpy()
    boxes = find_objects(drawn)
    found: list[tuple[int, tuple[slice, ...], np.ndarray, Body]] = []
    for body in sample.bodies:
        box = boxes[body.number - 1]
        labelled: Any = label(drawn[box] == body.number, structure=np.ones((3, 3, 3)))
        parts: np.ndarray = labelled[0]
        sizes = np.bincount(parts.ravel())[1:]
        found.append((int(sizes.max()), box, parts == 1 + int(sizes.argmax()), body))
    found.sort(key=lambda f: -f[0])
    instances, lesions = np.zeros_like(drawn), []
    for number, (count, box, inside, body) in enumerate(found, start=1):
        instances[box][inside] = number
        volume_ml = count * spacing_mm**3 / 1000.0
        lesions.append(
            HoldoutLesion(
                number=number,
                kind=str(body.kind),
                diameter_mm=body.diameter_mm,
                equivalent_diameter_mm=(6000.0 * volume_ml / math.pi) ** (1 / 3),
                volume_ml=volume_ml,
                cnr=dict(body.cnr),
            )
        )
    return instances, tuple(lesions)


def contrast_table(cases: Iterable[HoldoutCase]) -> list[dict[str, float | int | str]]:
    """How well the lesions of the hold-out can be seen, by channel and size.

    Returns:
        One row per channel and bin of the equivalent diameter: channel, from_mm, to_mm, lesions, and
        the 10th, 50th and 90th percentile of the contrast-to-noise. Bins without lesions are left out.
    """
    values: dict[tuple[str, float, float], list[float]] = {}
    for case in cases:
        for lesion in case.lesions:
            low, high = next(b for b in SIZE_BINS_MM if lesion.equivalent_diameter_mm < b[1])
            for channel, cnr in lesion.cnr.items():
                values.setdefault((channel, low, high), []).append(cnr)
    rows: list[dict[str, float | int | str]] = []
    for (channel, low, high), cnr in sorted(values.items()):
        ten, half, ninety = (float(v) for v in np.percentile(cnr, (10, 50, 90)))
        rows.append({"channel": channel, "from_mm": low, "to_mm": high, "lesions": len(cnr),
                     "cnr_10": ten, "cnr_50": half, "cnr_90": ninety})  # fmt: skip
    return rows
