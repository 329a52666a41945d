"""What a lesion is made of, voxel by voxel: dead parts, bright material, and a bright ring.

Single voxels are noisy. Shares are taken of medians over 3 mm around each voxel, among the region's own
voxels: a median keeps an edge where it is, whatever the threshold, where a mean would shift it.

- Necrotic: enhances by 10 HU or less from native to portal venous; without a native phase, below
  30 HU in the portal venous phase, where viable tumour and liver lie above 60 (both assumptions; the
  10 HU are the usual limit of "no enhancement", Bosniak's for instance).
- Bright material (calcification, iodised oil, clips): at least 130 HU in every CT phase if one of them
  is native, else at least 250 HU, which contrast in liver and vessels of a portal phase does not reach
  (assumptions). Values of single voxels, since clips are small.
- Ring: the outer 3 mm of the lesion; the share of it that is brighter than the liver by 10 HU.
  `ring_enhancement` is a share of half or more with the ring 20 HU brighter than the core, the inner
  half of the depth (assumptions). A lesion less than 5 mm deep has no core to compare with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.ndimage

from netseg.findings.enhancement import ARTERIAL, NATIVE, PORTAL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Float

    from netseg.findings.level import Level
    from netseg.findings.record import Record
    from netseg.findings.region import Region

    Samples = Mapping[str, Float[np.ndarray, " n"]]

ndimage: Any = scipy.ndimage  # the types guessed for it are wrong

SMOOTH_MM = 3.0
NO_ENHANCEMENT_HU = 10.0
NECROTIC_PORTAL_HU = 30.0
BRIGHT_NATIVE_HU, BRIGHT_CONTRAST_HU = 130.0, 250.0
RING_MM, SHALLOWEST_MM = 3.0, 5.0
RING_OVER_LIVER_HU, RING_OVER_CORE_HU, RING_SHARE = 10.0, 20.0, 0.5
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
    shell = np.zeros(region.inside.shape, np.bool_)
    shell[region.inside] = outer
    calm = smoothed(values[outer], region.within(shell))
    share = float((calm >= liver[name].median + RING_OVER_LIVER_HU).mean())
    record.note(
        {f"ring_share_{phase}": share, f"ring_over_core_hu_{phase}": over_core},
        f"outer {RING_MM:.0f} mm of the lesion, against its core and the liver",
        voxels=int(outer.sum()),
        volume_ml=float(outer.sum()) * region.grid.voxel_volume_ml,
    )
    record.sign(RING, seen=share >= RING_SHARE and over_core >= RING_OVER_CORE_HU)


def smoothed(values: Float[np.ndarray, " n"], region: Region) -> Float[np.ndarray, " n"]:
    """Medians over a ball of 3 mm around each of the region's voxels.

    Beyond the region its nearest voxel's value stands in, so that nothing from outside enters.
    """
    spacing = region.grid.spacing_mm
    reach = [int(SMOOTH_MM / s) for s in spacing]
    steps = np.moveaxis(np.indices([2 * r + 1 for r in reach]), 0, -1) - reach
    ball = ((steps * spacing) ** 2).sum(axis=-1) <= SMOOTH_MM**2
    image = np.zeros(region.inside.shape, np.float32)
    image[region.inside] = values
    nearest = ndimage.distance_transform_edt(
        ~region.inside, sampling=spacing, return_distances=False, return_indices=True
    )
    return ndimage.median_filter(image[tuple(nearest)], footprint=ball, mode="nearest")[
        region.inside
    ]


def _note(record: Record, values: dict[str, float], name: str, region: Region) -> None:
    record.note(values, name, voxels=region.voxels, volume_ml=region.volume_ml)
