"""What a lesion is made of, voxel by voxel: dead parts, bright material, and a bright ring.

Single voxels are noisy, so that shares are taken of values smoothed within the lesion (Gaussian,
2 mm standard deviation; nothing from outside enters), and the ring is judged by direction.

- Necrotic: enhances by 10 HU or less from native to portal venous; without a native phase, below
  30 HU in the portal venous phase, where viable tumour and liver lie above 60 (both assumptions; the
  10 HU are the usual limit of "no enhancement", Bosniak's for instance).
- Bright material (calcification, iodised oil, clips): at least 130 HU in every CT phase if one of them
  is native, else at least 250 HU, which contrast in liver and vessels of a portal phase does not reach
  (assumptions). Values of unsmoothed voxels, since clips are small.
- Ring: the outer 3 mm of the lesion, in 26 directions around its centre; the share of its voxels whose
  direction is brighter than the liver by 10 HU. `ring_enhancement` is a share of half or more with the
  ring 20 HU brighter than the core, the inner half of the depth (assumptions). A lesion less than 5 mm
  deep has no core to compare with.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from netseg.findings.enhancement import ARTERIAL, NATIVE, PORTAL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Bool, Float

    from netseg.findings.level import Level
    from netseg.findings.record import Record
    from netseg.findings.region import Region

    Samples = Mapping[str, Float[np.ndarray, " n"]]

SMOOTH_MM = 2.0
NO_ENHANCEMENT_HU = 10.0
NECROTIC_PORTAL_HU = 30.0
BRIGHT_NATIVE_HU, BRIGHT_CONTRAST_HU = 130.0, 250.0
RING_MM, SHALLOWEST_MM = 3.0, 5.0
RING_OVER_LIVER_HU, RING_OVER_CORE_HU, RING_SHARE = 10.0, 20.0, 0.5
DIRECTIONS = np.array([d for d in product((-1, 0, 1), repeat=3) if any(d)], np.float64)
DIRECTIONS /= np.linalg.norm(DIRECTIONS, axis=1, keepdims=True)
NECROSIS, BRIGHT, RING = "necrosis_share", "bright_material_share", "ring_enhancement"


def necrosis(found: Samples, region: Region, record: Record) -> None:
    """Note the share of the lesion that is necrotic, or why it is unknown."""
    if PORTAL not in found:
        record.cannot_tell([NECROSIS], "no portal venous CT shows the whole lesion")
        return
    if NATIVE in found:
        gain = smoothed(found[PORTAL], region) - smoothed(found[NATIVE], region)
        dead = gain <= NO_ENHANCEMENT_HU
        name = f"whole lesion; necrotic: {NO_ENHANCEMENT_HU:.0f} HU or less from native to portal venous"
    else:
        dead = smoothed(found[PORTAL], region) < NECROTIC_PORTAL_HU
        name = f"whole lesion; necrotic: below {NECROTIC_PORTAL_HU:.0f} HU portal venous"
    _note(record, {NECROSIS: float(dead.mean())}, name, region)


def bright_material(found: Samples, region: Region, record: Record) -> None:
    """Note the share of the lesion that is brighter than contrast makes it, or why it is unknown."""
    ct = {name: values for name, values in found.items() if name.startswith("hu_")}
    if not ct:
        record.cannot_tell([BRIGHT], "no CT shows the whole lesion")
        return
    threshold = BRIGHT_NATIVE_HU if NATIVE in ct else BRIGHT_CONTRAST_HU
    least = np.min(list(ct.values()), axis=0)
    name = f"whole lesion; bright: {threshold:.0f} HU or more in every CT phase"
    _note(record, {BRIGHT: float((least >= threshold).mean())}, name, region)


def ring(found: Samples, liver: Mapping[str, Level], region: Region, record: Record) -> None:
    """Note how much of the lesion's ring enhances, and the sign `ring_enhancement`.

    Measured in the late arterial phase, else in the portal venous one: `ring_share_<phase>` and
    `ring_over_core_hu_<phase>`.
    """
    name = next((n for n in (ARTERIAL, PORTAL) if n in found and n in liver), None)
    if name is None:
        why = "no late arterial or portal venous CT shows the whole lesion and lesion-free liver"
        record.cannot_tell([RING], why)
        return
    depth = region.depth_mm()[region.inside] if region.grid.is_orthogonal else np.zeros(1)
    deepest = float(depth.max())
    if deepest < SHALLOWEST_MM:
        why = f"the lesion is {deepest:.1f} mm deep; {SHALLOWEST_MM:.0f} mm are needed for a core"
        record.cannot_tell([RING], why)
        return
    outer, core = depth <= RING_MM, depth > deepest / 2
    values, phase = found[name], name.removeprefix("hu_")
    over_core = float(values[outer].mean() - values[core].mean())
    share = _bright_share(values, outer, region, liver[name].median + RING_OVER_LIVER_HU)
    record.note(
        {f"ring_share_{phase}": share, f"ring_over_core_hu_{phase}": over_core},
        f"outer {RING_MM:.0f} mm of the lesion, by direction, against its core and the liver",
        voxels=int(outer.sum()),
        volume_ml=float(outer.sum()) * region.grid.voxel_volume_ml,
    )
    record.sign(RING, seen=share >= RING_SHARE and over_core >= RING_OVER_CORE_HU)


def smoothed(values: Float[np.ndarray, " n"], region: Region) -> Float[np.ndarray, " n"]:
    """Values at the region's voxels, smoothed among themselves."""
    sigma = [SMOOTH_MM / s for s in region.grid.spacing_mm]
    image = np.zeros(region.inside.shape)
    image[region.inside] = values
    total = ndimage.gaussian_filter(image, sigma, mode="constant")
    weight = ndimage.gaussian_filter(region.inside.astype(np.float64), sigma, mode="constant")
    return (total / np.maximum(weight, 1e-12))[region.inside]


def _bright_share(
    values: Float[np.ndarray, " n"],
    outer: Bool[np.ndarray, " n"],
    region: Region,
    threshold_hu: float,
) -> float:
    """Share of the ring's voxels that lie in directions whose mean reaches the threshold."""
    points = region.points_mm()
    away = (points - points.mean(axis=0))[outer]
    which = np.argmax(away @ DIRECTIONS.T, axis=1)
    count = np.bincount(which, minlength=len(DIRECTIONS))
    mean = np.bincount(which, values[outer], len(DIRECTIONS)) / np.maximum(count, 1)
    return float(count[mean >= threshold_hu].sum() / count.sum())


def _note(record: Record, values: dict[str, float], name: str, region: Region) -> None:
    record.note(values, name, voxels=region.voxels, volume_ml=region.volume_ml)
