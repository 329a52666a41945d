"""Segments on voxels: a whole liver into the network's patch, its answer back to the scan.

Everything happens on arrays turned to L, P, S. The answer returns slab by slab, and each segment
stays one piece.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.ndimage
import torch

from netseg.segment.couinaud_network import SEGMENTS, network_input
from netseg.segment.sampling import Axis, apply, resize, weights

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, UInt8

    from netseg.segment.couinaud_network import SegmentsSpec

ndi: Any = scipy.ndimage  # its stubs promise unions that these calls never return
Axes = tuple[Axis, Axis, Axis]
Box = tuple[slice, slice, slice]
ROOM_VOXELS = 4  # kept free between the liver and the patch's faces, both sides together
SMOOTH_VOXELS = 0.7  # the probabilities are smoothed by this before segments are named
SLAB = 16  # scan slices that are brought back at a time


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SegmentProbability:
    """How likely each segment is, on the patch that holds the liver.

    Attributes:
        values: (8, a, b, c) float32; they sum to one in every voxel, beyond the liver's edge as in
            the nearest voxel of it.
        liver: Which voxels of the patch are liver.
        axes: Where they lie, in the turned scan's axis millimetres.
    """

    values: Float[np.ndarray, "8 a b c"]
    liver: Bool[np.ndarray, "a b c"]
    axes: Axes

    @property
    def mean_confidence(self) -> float:
        """Mean over the liver of the likeliest segment's probability."""
        return float(self.values.max(axis=0)[self.liver].mean())


def patch_axes(inside: Bool[np.ndarray, "i j k"], axes: Axes, spec: SegmentsSpec) -> Axes:
    """The patch's voxels: around the liver, widened where it would not fit."""
    ends = []
    for n, axis in enumerate(axes):
        hit = np.flatnonzero(inside.any(axis=tuple(m for m in range(3) if m != n)))
        ends.append(axis.centres_mm[hit[[0, -1]]])
    needed = [
        (high - low) / (count - ROOM_VOXELS)
        for (low, high), count in zip(ends, spec.patch, strict=True)
    ]
    spacing = max(spec.spacing_mm, *needed)
    i, j, k = (
        _centred(spec.count(axis, high - low, spacing), spacing, 0.5 * (low + high))
        for axis, (low, high) in enumerate(ends)
    )
    return i, j, k


def _centred(count: int, spacing_mm: float, middle_mm: float) -> Axis:
    first_mm = float(middle_mm - 0.5 * (count - 1) * spacing_mm)
    return Axis(count=count, spacing_mm=float(spacing_mm), first_mm=first_mm)


def predict(
    image: np.ndarray,
    inside: Bool[np.ndarray, "i j k"],
    axes: Axes,
    network: torch.nn.Module,
    spec: SegmentsSpec,
) -> SegmentProbability:
    """What the network says of a liver.

    Args:
        image: Brightness, axes along L, P, S; any unit.
        inside: The liver on the same voxels; at least one voxel.
        axes: Where the voxels lie.
        network: In evaluation mode.
        spec: What it was built from.
    """
    patch = patch_axes(inside, axes, spec)
    box = _around(patch, axes)
    part = _part(axes, box)
    bright = torch.from_numpy(resize(image[box], part, patch))
    share = resize(inside[box].astype(np.float32), part, patch)
    liver = (share >= 0.5) & _covered(axes, patch)
    if not liver.any():
        liver = share >= share.max()
    device = next(network.parameters()).device
    with torch.inference_mode():
        given = network_input(bright, torch.from_numpy(liver))[None].to(device)
        values = torch.softmax(network(given)[0].float(), dim=0).cpu().numpy()
    return SegmentProbability(values=_tidied(values, liver), liver=liver, axes=patch)


def name_voxels(
    found: SegmentProbability, inside: Bool[np.ndarray, "i j k"], axes: Axes
) -> UInt8[np.ndarray, "i j k"]:
    """The likeliest segment of every liver voxel of the scan, each segment in one piece.

    Args:
        found: What the network says.
        inside: The liver, axes along L, P, S.
        axes: Its voxels.

    Returns:
        1 ... 8 in the liver, 0 outside.
    """
    labels = np.zeros(inside.shape, np.uint8)
    (box,) = ndi.find_objects(inside.astype(np.uint8))
    target = _part(axes, box)
    along = [weights(s, t) for s, t in zip(found.axes, target, strict=True)]
    out = labels[box]
    for start in range(0, out.shape[2], SLAB):
        place = slice(start, min(start + SLAB, out.shape[2]))
        best = np.full(out[:, :, place].shape, -1.0, np.float32)
        for number, values in enumerate(found.values, 1):
            here = apply(values, (along[0], along[1], along[2][place]))
            out[:, :, place][here > best] = number
            np.maximum(best, here, out=best)
    out[~inside[box]] = 0
    _one_piece(out)
    return labels


def shares_of(
    found: SegmentProbability, lesion: Bool[np.ndarray, "i j k"], axes: Axes
) -> Float[np.ndarray, "8"]:
    """Mean probability of each segment over a lesion and what lies within a voxel of the patch.

    Args:
        found: What the network says.
        lesion: One lesion, axes along L, P, S; at least one voxel.
        axes: Its voxels.
    """
    (box,) = ndi.find_objects(lesion.astype(np.uint8))
    part = _part(axes, box)
    weight = np.zeros([axis.count for axis in found.axes], np.float32)
    near = _around(part, found.axes, margin=2)
    covered = [weights_within(s, t) for s, t in zip(part, _part(found.axes, near), strict=True)]
    weight[near] = apply(lesion[box].astype(np.float32), (covered[0], covered[1], covered[2]))
    total = float(weight.sum())
    if total <= 0:
        raise ValueError("the lesion lies outside the patch that holds the liver.")
    return np.array([float((weight * values).sum()) / total for values in found.values])


def weights_within(source: Axis, target: Axis) -> Float[np.ndarray, "target source"]:
    """How much each source voxel gives to each target voxel, by a triangle of one target voxel.

    Unlike `netseg.segment.sampling.weights` nothing is held beyond the ends, and the columns rather
    than the rows have one sum: every voxel of a lesion counts alike.
    """
    reach = max(source.spacing_mm, target.spacing_mm)
    distance = np.abs(target.centres_mm[:, None] - source.centres_mm[None, :]) / reach
    kernel = np.clip(1.0 - distance, 0.0, None)
    return kernel.astype(np.float32)


def _tidied(values: np.ndarray, liver: np.ndarray) -> np.ndarray:
    """Smoothed inside the liver, continued beyond it, no segment in two places."""
    size = [0.0, *[SMOOTH_VOXELS] * 3]
    mass = ndi.gaussian_filter(liver.astype(np.float32), SMOOTH_VOXELS)
    values = ndi.gaussian_filter(values * liver, size) / np.maximum(mass, 1e-6)
    for _ in range(4):
        named = np.where(liver, values.argmax(axis=0) + 1, 0)
        strays = _strays(named)
        if not strays.any():
            break
        for number in range(1, len(SEGMENTS) + 1):
            values[number - 1][strays & (named == number)] = 0.0
    nearest = ndi.distance_transform_edt(~liver, return_distances=False, return_indices=True)
    values = values[(slice(None), *nearest)]
    return (values / np.maximum(values.sum(axis=0), 1e-6)).astype(np.float32)


def _strays(named: np.ndarray) -> np.ndarray:
    """Voxels that do not hang together with the largest part of their segment.

    A part that touches no other segment is an island of the liver itself and stays.
    """
    strays = np.zeros(named.shape, bool)
    for number, box in enumerate(ndi.find_objects(named), 1):
        if box is None:
            continue
        parts, count = ndi.label(named[box] == number, np.ones((3, 3, 3)))
        if count < 2:
            continue
        largest = 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
        for part in range(1, count + 1):
            if part == largest:
                continue
            small = parts == part
            if _neighbours(named, box, small).size:
                strays[box] |= small
    return strays


def _neighbours(named: np.ndarray, box: Box, small: np.ndarray) -> np.ndarray:
    """Numbers of the voxels around a part, without background and its own."""
    (inner,) = ndi.find_objects(small.astype(np.uint8))
    outer = tuple(
        slice(max(0, b.start + s.start - 1), min(n, b.start + s.stop + 1))
        for b, s, n in zip(box, inner, named.shape, strict=True)
    )
    own = np.zeros([s.stop - s.start for s in outer], bool)
    at = tuple(
        slice(b.start + s.start - o.start, b.start + s.stop - o.start)
        for b, s, o in zip(box, inner, outer, strict=True)
    )
    own[at] = small[inner]
    ring = ndi.binary_dilation(own, np.ones((3, 3, 3))) & ~own
    around = named[outer][ring]
    return around[around > 0]


def _one_piece(labels: np.ndarray) -> None:
    """Give every stray part the segment that most of its neighbours have."""
    for number, box in enumerate(ndi.find_objects(labels), 1):
        if box is None:
            continue
        parts, count = ndi.label(labels[box] == number, np.ones((3, 3, 3)))
        if count < 2:
            continue
        largest = 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
        for part in range(1, count + 1):
            small = parts == part
            around = _neighbours(labels, box, small) if part != largest else np.empty(0, np.uint8)
            if around.size:
                labels[box][small] = np.bincount(around).argmax()


def _around(inner: Axes, outer: Axes, margin: int = 1) -> Box:
    """The voxels of `outer` that cover `inner`, and `margin` more on each side."""
    box = []
    for small, large in zip(inner, outer, strict=True):
        low, high = small.centres_mm[[0, -1]]
        first = int(np.searchsorted(large.centres_mm, low)) - margin
        last = int(np.searchsorted(large.centres_mm, high)) + margin
        start = min(max(first, 0), large.count - 1)
        box.append(slice(start, max(start + 1, min(last + 1, large.count))))
    return box[0], box[1], box[2]


def _part(axes: Axes, box: Box) -> Axes:
    i, j, k = (axis.part(s.start, s.stop - s.start) for axis, s in zip(axes, box, strict=True))
    return i, j, k


def _covered(source: Axes, target: Axes) -> Bool[np.ndarray, "a b c"]:
    """Which target voxels lie within the source's outermost voxels."""
    seen = []
    for own, wanted in zip(source, target, strict=True):
        low, high = own.centres_mm[[0, -1]] + np.array((-0.5, 0.5)) * own.spacing_mm
        seen.append((wanted.centres_mm >= low) & (wanted.centres_mm <= high))
    return seen[0][:, None, None] & seen[1][None, :, None] & seen[2][None, None, :]
