"""Surroundings for scans that end where the liver ends.

The LiTS crops are cut at the liver's top and bottom slice and 18 mm beside it. A network that only
saw those would not know lung above the dome, bowel below the tip, or spleen and stomach beside the
crop. These functions put crude but varied tissue there, including round things as bright as liver
that are not liver.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.ndimage

if TYPE_CHECKING:
    from netseg.training.scenes import Scene

ndi: Any = scipy.ndimage  # its stubs promise unions that these calls never return

AIR_HU, FAT_HU, SOFT_HU = -160.0, -95.0, 35.0


def extend(scene: Scene, shape: tuple[int, int, int], rng: np.random.Generator) -> Scene:
    """The scene in the middle of a larger body region.

    Args:
        scene: Cubic voxels.
        shape: Voxels of the region; no smaller than the scene.
        rng: Source of chance.
    """
    hu, labels = scene.hu.numpy(), scene.labels.numpy()
    above, below = rng.integers(6, 16, size=2)
    hu, labels = _add_slices(hu, labels, int(above), rng, top=True)
    hu, labels = _add_slices(hu, labels, int(below), rng, top=False)
    room = [max(0, n - m) for n, m in zip(shape, hu.shape, strict=True)]
    start = [int(rng.integers(0, r + 1)) if axis == 2 else r // 2 for axis, r in enumerate(room)]
    i, j, k = (max(n, m) for n, m in zip(shape, hu.shape, strict=True))
    full = (i, j, k)
    outside = tissue(full, float(np.median(hu[labels > 0])), rng)
    where = tuple(slice(s, s + n) for s, n in zip(start, hu.shape, strict=True))
    _clear_beyond_skin(outside, hu, where)
    outside[where] = hu
    named = np.zeros(full, np.uint8)
    named[where] = labels
    return scene.with_ct(outside, named)


def _clear_beyond_skin(outside: np.ndarray, hu: np.ndarray, where: tuple[slice, ...]) -> None:
    """Where a side of the crop already lies in air, what is beyond it is air too."""
    for axis in (0, 1):
        face = np.moveaxis(hu, axis, 0)
        beyond = np.moveaxis(outside, axis, 0)
        if face[0].mean() < -90.0:
            beyond[: where[axis].start] = AIR_HU
        if face[-1].mean() < -90.0:
            beyond[where[axis].stop :] = AIR_HU


def tissue(shape: tuple[int, int, int], liver_hu: float, rng: np.random.Generator) -> np.ndarray:
    """A body of fat, bowel-like patches and round organs in air; no liver in it."""
    kind = _noise(shape, 7, rng) + 0.5 * _noise(shape, 3, rng)
    hu = np.where(kind > 0.25, SOFT_HU + 20 * _noise(shape, 5, rng), FAT_HU)
    hu = np.where(kind > 1.5, rng.choice([AIR_HU, 150.0, 20.0]), hu)
    axes = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    for _ in range(int(rng.integers(5, 11))):
        centre, reach = rng.uniform(-0.9, 0.9, 3), rng.uniform(0.08, 0.28, 3)
        away = sum(((a - c) / r) ** 2 for a, c, r in zip(axes, centre, reach, strict=True))
        value = liver_hu + rng.uniform(-70, 60) if rng.random() < 0.7 else rng.uniform(-20, 240)
        hu = np.where(away < 1.0 + 0.25 * kind, value, hu)
    body = (axes[0] / rng.uniform(0.8, 1.2)) ** 2 + (axes[1] / rng.uniform(0.8, 1.2)) ** 2
    hu = np.where(body < 1.0, hu, AIR_HU)
    return ndi.gaussian_filter(hu, 0.5) + rng.normal(0, rng.uniform(3, 15), shape)


def _add_slices(
    hu: np.ndarray, labels: np.ndarray, count: int, rng: np.random.Generator, *, top: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Slices beyond the last one: the liver rounds off, the rest goes on and blurs."""
    if not top:
        hu, labels = hu[:, :, ::-1], labels[:, :, ::-1]
    last, named = hu[:, :, -1], labels[:, :, -1]
    depth = ndi.distance_transform_edt(named > 0)
    rate = rng.uniform(1.5, 3.5)
    if top:
        fill = np.full(last.shape, AIR_HU)
        if rng.random() < 0.5:  # the heart lies on the medial part of the dome
            heart = np.arange(last.shape[0])[:, None] > rng.uniform(0.5, 0.75) * last.shape[0]
            fill = np.where(heart, np.median(hu[labels > 0]) + rng.uniform(-30, 50), fill)
    else:
        kind = _noise(last.shape, 6, rng)
        fill = np.where(kind > 0.3, SOFT_HU, FAT_HU)
        fill = np.where(kind > 1.5, rng.choice([AIR_HU, 180.0]), fill)
    rows_hu, rows_named = [], []
    for step in range(1, count + 1):
        still = depth > rate * step
        mirrored = hu[:, :, -1 - min(step, hu.shape[2] - 1)]
        ground = ndi.gaussian_filter(last, min(1.5, 0.1 * step), mode="nearest")
        ground = np.where(named > 0, fill, ground)
        new = np.where(
            still,
            np.where(labels[:, :, -1 - min(step, hu.shape[2] - 1)] > 0, mirrored, last),
            ground,
        )
        rows_hu.append(new + rng.normal(0, 5, last.shape))
        rows_named.append(np.where(still, named, 0))
    hu = np.concatenate((hu, np.stack(rows_hu, axis=2)), axis=2)
    labels = np.concatenate((labels, np.stack(rows_named, axis=2).astype(np.uint8)), axis=2)
    return (hu, labels) if top else (hu[:, :, ::-1], labels[:, :, ::-1])


def transplant(host: Scene, donor: Scene, rng: np.random.Generator) -> Scene:
    """The donor's liver in the host's body, centred where the host's was.

    What was liver in the host and is not in the donor becomes fat, soft tissue or, in the upper
    third, lung.
    """
    hu, labels = host.hu.numpy().copy(), host.labels.numpy()
    old = labels > 0
    hu[old] = _hole(old, rng)[old]
    liver = donor.labels.numpy() > 0
    shift = np.round(_middle(old) - _middle(liver)).astype(int)
    into, out = _overlap(hu.shape, liver.shape, shift)
    inside = ndi.gaussian_filter(liver[out].astype(np.float32), 0.5)
    hu[into] = hu[into] * (1 - inside) + donor.hu.numpy()[out] * inside
    named = np.zeros(hu.shape, np.uint8)
    named[into] = donor.labels.numpy()[out]
    return replace(donor.with_ct(hu, named), name=f"{donor.name} in {host.name}")


def heal(scene: Scene, rng: np.random.Generator) -> Scene:
    """Fill compact dark areas of the liver with parenchyma, so that none passes for lesion-free.

    Dark means 14 HU below the liver's median after smoothing over 3 mm, inside areas of at least
    0.15 ml. Vessels are brighter than liver in the portal phase and stay.
    """
    hu, liver = scene.hu.numpy().copy(), scene.labels.numpy() > 0
    median = float(np.median(hu[liver]))
    sigma = 3.0 / scene.spacing_mm
    share = np.maximum(ndi.gaussian_filter(liver.astype(np.float32), sigma), 1e-3)
    smooth = ndi.gaussian_filter(np.where(liver, hu - median, 0.0), sigma) / share
    areas, _ = ndi.label(liver & (smooth < -14.0))
    sizes = np.bincount(areas.ravel())
    large = sizes * scene.spacing_mm**3 >= 150.0
    large[0] = False
    dark = ndi.binary_dilation(large[areas], iterations=max(1, round(3.0 / scene.spacing_mm)))
    dark &= liver
    parenchyma = hu[liver & ~dark]
    spread = float(np.subtract(*np.percentile(parenchyma, (75, 25)))) / 1.35
    grain = ndi.gaussian_filter(rng.normal(size=hu.shape), 0.6)
    fill = median + spread * grain / grain.std() - 2.0
    soft = ndi.gaussian_filter(dark.astype(np.float32), 0.7) * liver
    hu = hu * (1 - soft) + fill * soft
    return replace(scene.with_ct(hu), clean=True)


def _hole(old: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    kind = _noise(old.shape, 8, rng)
    fill = np.where(kind > 0.6, SOFT_HU, FAT_HU)
    ks = np.nonzero(old.any(axis=(0, 1)))[0]
    top = int(ks[0] + 0.66 * (ks[-1] - ks[0]))
    fill[:, :, top:] = np.where(kind[:, :, top:] > 1.2, fill[:, :, top:], AIR_HU)
    return ndi.gaussian_filter(fill, 0.5) + rng.normal(0, 8, old.shape)


def _middle(mask: np.ndarray) -> np.ndarray:
    where = np.argwhere(mask)
    return 0.5 * (where.min(axis=0) + where.max(axis=0))


def _overlap(
    big: tuple[int, ...], small: tuple[int, ...], shift: np.ndarray
) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    low = [max(0, int(s)) for s in shift]
    high = [min(n, m + int(s)) for n, m, s in zip(big, small, shift, strict=True)]
    into = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    out = tuple(slice(a - int(s), b - int(s)) for a, b, s in zip(low, high, shift, strict=True))
    return into, out


def _noise(shape: tuple[int, ...], grain: float, rng: np.random.Generator) -> np.ndarray:
    """Smooth noise of unit variance."""
    small = [max(3, int(n / grain) + 2) for n in shape]
    zoom = [n / m for n, m in zip(shape, small, strict=True)]
    noise = ndi.zoom(rng.normal(size=small), zoom, order=1)[tuple(slice(0, n) for n in shape)]
    return noise / max(float(noise.std()), 1e-6)
