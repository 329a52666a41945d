"""Liver at a coarse spacing, lesions at a fine one inside it, both back on the scan's voxels.

No array of the scan's full size is ever held in floating point: the scan is averaged down axis by
axis, networks see the liver crop only, and their probabilities return slab by slab.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.ndimage
import torch

from netseg.segment.inputs import cubic
from netseg.segment.intensity import absolute, against_liver
from netseg.segment.networks import LIVER_GIVEN
from netseg.segment.sampling import apply, bounded
from netseg.segment.windows import predict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jaxtyping import Bool, Float

    from netseg.segment.card import NetworkCard
    from netseg.segment.inputs import Inputs
    from netseg.segment.sampling import Axes
    from netseg.segment.subset import SubsetNetwork

ndi: Any = scipy.ndimage  # its stubs promise unions that these calls never return
SLAB = 16  # scan slices that are brought back at a time
PATCH_EDGE = {"ct": (-1.0, -3.0), "mr": (-1.0, -2.5), "pet": (-1.5, -3.0)}
"""What lies beyond an image smaller than a patch, for the liver and for the lesion network."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Network:
    """A network with what must be known to use it.

    Attributes:
        card: Spacing, patch, threshold, temperature.
        module: The network, on `device`, in evaluation mode.
        device: Where it computes.
        overlap: Share of the patch edge that neighbouring patches have in common.
        mirrored: Whether answers are averaged over mirrored patches.
        passes: How often the lesion network looks; from the second time on it is given its own
            liver instead of the coarse one.
    """

    card: NetworkCard
    module: SubsetNetwork
    device: torch.device
    overlap: float = 0.5
    mirrored: bool = False
    passes: int = 1


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
        i, j, k = (bounded(s, t) for s, t in zip(self.axes, target, strict=True))
        for start in range(0, len(k), SLAB):
            part = k[start : start + SLAB]
            yield slice(start, start + len(part)), apply(self.values, (i, j, part))

    def region(self, target: Axes, threshold: float) -> Bool[np.ndarray, "i j k"]:
        """The region above a threshold on other voxels."""
        out = np.zeros([axis.count for axis in target], bool)
        for place, values in self.slabs(target):
            out[:, :, place] = values >= threshold
        return out


def find_liver(inputs: Inputs, network: Network) -> Probability:
    """Probability of liver on coarse voxels: the largest connected part above the threshold.

    Args:
        inputs: The channels.
        network: The liver network.

    Returns:
        Probabilities, 0 outside the largest part (grown by one voxel), holes filled. All zero
        where nothing reaches the threshold.
    """
    coarse = cubic(inputs.axes, network.card.spacing_mm)
    images = {c: absolute(c, v) for c, v in inputs.images(coarse).items()}
    values = _predict(network, images, stage=0)[0]
    return Probability(values=largest_part(values, network.card.threshold), axes=coarse)


def find_lesions(
    inputs: Inputs, axes: Axes, liver: Probability, network: Network, reach_mm: float
) -> tuple[Probability, Probability]:
    """Probability of lesion, and of liver once more, on fine voxels in and just around the liver.

    Args:
        inputs: The channels.
        axes: The part of the scan around the liver.
        liver: Probability of liver by the first network.
        network: The lesion network.
        reach_mm: How far outside the first network's liver either may reach.

    Returns:
        Lesion and liver, both 0 farther than `reach_mm` from the first network's liver.
    """
    fine = cubic(axes, network.card.spacing_mm)
    i, j, k = (bounded(s, t) for s, t in zip(liver.axes, fine, strict=True))
    given = torch.from_numpy(apply(liver.values, (i, j, k)))
    inside = given >= 0.5
    images = inputs.images(fine)
    lesion, again = _look(network, images, given)
    for _ in range(network.passes - 1):
        own = torch.from_numpy(largest_part(again, 0.5))
        if not bool((own >= 0.5).any()):
            break
        lesion, again = _look(network, images, own)
    away = ndi.distance_transform_edt(~inside.numpy()) * network.card.spacing_mm
    lesion[away > reach_mm] = 0.0
    again[away > reach_mm] = 0.0
    return (
        Probability(values=lesion, axes=fine),
        Probability(values=largest_part(again, 0.5), axes=fine),
    )


def _look(network: Network, images: Mapping[str, torch.Tensor], given: torch.Tensor) -> np.ndarray:
    """Lesion and liver by the lesion network where a liver is given."""
    inside = given >= 0.5
    scaled = {c: against_liver(c, v, inside) for c, v in images.items()}
    return _predict(network, {**scaled, LIVER_GIVEN: given}, stage=1, where=inside)


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


def largest_part(
    values: Float[np.ndarray, "a b c"], threshold: float
) -> Float[np.ndarray, "a b c"]:
    """Probabilities of the largest connected part above a threshold, its holes filled."""
    parts, count = ndi.label(values >= threshold)
    if count == 0:
        return np.zeros_like(values)
    largest = parts == 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
    filled = ndi.binary_fill_holes(largest)
    values = np.where(filled & ~largest, 1.0, values)
    values[~ndi.binary_dilation(filled)] = 0.0
    return values.astype(np.float32)


def _predict(
    network: Network,
    images: dict[str, torch.Tensor],
    *,
    stage: int,
    where: torch.Tensor | None = None,
) -> np.ndarray:
    names = tuple(images)
    beyond = tuple(0.0 if n == LIVER_GIVEN else PATCH_EDGE[n.split("_")[0]][stage] for n in names)
    return predict(
        network.module.on(names),
        torch.stack([images[n].float() for n in names]),
        network.card.patch,
        beyond=beyond,
        overlap=network.overlap,
        where=where,
        temperature=network.card.temperature,
        mirrored=network.mirrored,
        device=network.device,
    )
