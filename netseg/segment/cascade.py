"""Liver at a coarse spacing, lesions at a fine one inside it, both back on the scan's voxels.

No array of the scan's full size is ever held in floating point: the scan is averaged down axis by
axis, networks see the liver crop only, and their probabilities return slab by slab.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.ndimage
import torch

from netseg.segment.networks import HIGHEST_HU, LOWEST_HU, lesion_input, liver_input
from netseg.segment.sampling import Axis, apply, resize, weights
from netseg.segment.windows import predict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jaxtyping import Bool, Float

    from netseg.segment.card import NetworkCard

Axes = tuple[Axis, Axis, Axis]
ndi: Any = scipy.ndimage  # its stubs promise unions that these calls never return
SLAB = 16  # scan slices that are brought back at a time


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Network:
    """A network with what must be known to use it.

    Attributes:
        card: Spacing, patch and threshold.
        module: The network, on `device`, in evaluation mode.
        device: Where it computes.
        overlap: Share of the patch edge that neighbouring patches have in common.
    """

    card: NetworkCard
    module: torch.nn.Module
    device: torch.device
    overlap: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Probability:
    """Probabilities on cubic voxels inside a scan.

    Attributes:
        values: (a, b, c) float32.
        axes: Where the voxels lie, in the scan's axis millimetres.
    """

    values: Float[np.ndarray, "a b c"]
    axes: Axes

    def slabs(self, target: Axes) -> Iterator[tuple[slice, Float[np.ndarray, "i j k"]]]:
        """The probabilities on other voxels, a few slices at a time; 0 beyond the own region."""
        i, j, k = (_bounded(s, t) for s, t in zip(self.axes, target, strict=True))
        for start in range(0, len(k), SLAB):
            part = k[start : start + SLAB]
            yield slice(start, start + len(part)), apply(self.values, (i, j, part))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """What the cascade found, on the scan's voxels turned to L, P, S.

    Attributes:
        liver: The liver network's answer; lesions it missed are not in it.
        lesions: Lesion voxels.
        lesion_probability: Probability of lesion, float32.
        box: The part of the scan outside of which all three are empty.
    """

    liver: Bool[np.ndarray, "i j k"]
    lesions: Bool[np.ndarray, "i j k"]
    lesion_probability: Float[np.ndarray, "i j k"]
    box: tuple[slice, slice, slice] = field(default=(slice(None), slice(None), slice(None)))


def find_liver(hu: np.ndarray, axes: Axes, network: Network) -> Probability:
    """Probability of liver on coarse voxels: the largest connected part above the threshold.

    Args:
        hu: The scan, axes along L, P, S.
        axes: Its voxels.
        network: The liver network.

    Returns:
        Probabilities, 0 outside the largest part (grown by one voxel), holes filled. All zero
        where nothing reaches the threshold.
    """
    coarse = _cubic(axes, network.card.spacing_mm)
    image = liver_input(torch.from_numpy(_down(hu, axes, coarse)))
    values = predict(
        network.module,
        image,
        network.card.patch,
        beyond=(-1.0,),
        overlap=network.overlap,
        device=network.device,
    )
    parts, count = ndi.label(values >= network.card.threshold)
    if count == 0:
        return Probability(values=np.zeros_like(values), axes=coarse)
    largest = parts == 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
    filled = ndi.binary_fill_holes(largest)
    values = np.where(filled & ~largest, 1.0, values)
    values[~ndi.binary_dilation(filled)] = 0.0
    return Probability(values=values.astype(np.float32), axes=coarse)


def find_lesions(
    hu: np.ndarray, axes: Axes, liver: Probability, network: Network, reach_mm: float
) -> Probability:
    """Probability of lesion on fine voxels inside and just around the liver.

    Args:
        hu: The part of the scan around the liver, axes along L, P, S.
        axes: Its voxels.
        liver: Probability of liver.
        network: The lesion network.
        reach_mm: How far outside the liver a lesion may reach.

    Returns:
        Probabilities, 0 farther than `reach_mm` from the liver.
    """
    fine = _cubic(axes, network.card.spacing_mm)
    image = torch.from_numpy(_down(hu, axes, fine))
    i, j, k = (_bounded(s, t) for s, t in zip(liver.axes, fine, strict=True))
    given = torch.from_numpy(apply(liver.values, (i, j, k)))
    inside = given >= 0.5
    liver_hu = float(image[inside].median())
    values = predict(
        network.module,
        lesion_input(image, given, liver_hu),
        network.card.patch,
        beyond=(-1.0, -2.0, 0.0),
        overlap=network.overlap,
        where=inside,
        device=network.device,
    )
    away = ndi.distance_transform_edt(~inside.numpy()) * network.card.spacing_mm
    values[away > reach_mm] = 0.0
    return Probability(values=values, axes=fine)


def liver_box(
    liver: Probability, threshold: float, axes: Axes, margin_mm: float
) -> tuple[slice, ...]:
    """The scan's voxels within `margin_mm` of the liver's bounding box."""
    inside = liver.values >= threshold
    box = []
    for axis, (own, scan) in enumerate(zip(liver.axes, axes, strict=True)):
        others = tuple(n for n in range(3) if n != axis)
        hit = own.centres_mm[inside.any(axis=others)]
        low, high = hit[0] - margin_mm, hit[-1] + margin_mm
        near = np.flatnonzero((scan.centres_mm >= low) & (scan.centres_mm <= high))
        box.append(slice(int(near[0]), int(near[-1]) + 1))
    return tuple(box)


def bring_back(
    probability: Probability, target: Axes, threshold: float
) -> Bool[np.ndarray, "i j k"]:
    """The region above the threshold on the scan's voxels."""
    out = np.zeros([axis.count for axis in target], bool)
    for place, values in probability.slabs(target):
        out[:, :, place] = values >= threshold
    return out


def _cubic(axes: Axes, spacing_mm: float) -> Axes:
    i, j, k = (axis.with_spacing(spacing_mm) for axis in axes)
    return i, j, k


def _down(hu: np.ndarray, axes: Axes, target: Axes) -> Float[np.ndarray, "a b c"]:
    """The scan in the networks' window on other voxels, a few slices at a time."""
    along = weights(axes[2], target[2])
    out = np.empty([axis.count for axis in target], np.float32)
    for start in range(0, target[2].count, SLAB):
        rows = along[start : start + SLAB]
        used = np.flatnonzero(rows.any(axis=0))
        source = slice(int(used[0]), int(used[-1]) + 1)
        part = np.clip(hu[:, :, source], LOWEST_HU, HIGHEST_HU)
        first = (axes[0], axes[1], axes[2].part(source.start, part.shape[2]))
        flat = resize(part, first, (target[0], target[1], first[2]))
        out[:, :, start : start + SLAB] = np.tensordot(flat, rows[:, source].T, axes=1)
    return out


def _bounded(source: Axis, target: Axis) -> Float[np.ndarray, "target source"]:
    """Interpolation weights that are zero for targets beyond the source's outermost voxels."""
    matrix = weights(source, target)
    half = 0.5 * source.spacing_mm
    ends = source.centres_mm[[0, -1]]
    outside = (target.centres_mm < ends[0] - half) | (target.centres_mm > ends[1] + half)
    matrix[outside] = 0.0
    return matrix
