"""How much of the liver is tumour: as a whole, per lobe and per segment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from netseg.domain import Lobe
from netseg.findings.partition import ROMAN

if TYPE_CHECKING:
    from netseg.domain import LabelMap, Mask, SegmentSource
    from netseg.findings.record import Record

LOBES = {"I": Lobe.CAUDATE} | dict.fromkeys(("II", "III", "IV"), Lobe.LEFT)


def segment_name(segments: LabelMap, number: int) -> str:
    """What a label of a segment map is called."""
    return segments.names.get(number, ROMAN.get(number, str(number)))


def lobe_of(segment: str) -> Lobe:
    """The lobe of a Couinaud segment."""
    return LOBES.get(segment, Lobe.RIGHT)


def burden(
    liver: Mask | None,
    lesions: LabelMap,
    segments: LabelMap | None,
    source: SegmentSource | None,
    record: Record,
) -> None:
    """Note lesion volume and share of tumour of the liver and of its parts.

    Args:
        liver: The liver, lesions included; None leaves all shares unknown.
        lesions: On the same grid.
        segments: Couinaud segments on the same grid, None when unknown.
        source: Where the segments are from, for the regions' names.
        record: Takes `burden_pct`, and for each lobe and segment that holds liver `lesion_ml_<part>`
            and `burden_pct_<part>`, such as `burden_pct_left`, `burden_pct_segment_vi`.
    """
    voxel_ml = lesions.grid.voxel_volume_ml
    if liver is None or liver.is_empty:
        record.cannot_tell(["burden_pct"], "no liver mask")
    else:
        count, total = int(np.count_nonzero(lesions.labels)), int(np.count_nonzero(liver.inside))
        whole = {"burden_pct": 100 * count / total}
        record.note(whole, "liver with its lesions", voxels=total, volume_ml=total * voxel_ml)
    if segments is None:
        return
    parts: dict[str, tuple[int, int]] = {}
    for number, box in enumerate(ndimage.find_objects(segments.labels), start=1):
        if box is not None:  # counted in boxes: a count over a long scan takes eight bytes a voxel
            own = segments.labels[box] == number
            total = int(np.count_nonzero(own))
            count = int(np.count_nonzero(lesions.labels[box][own]))
            name = segment_name(segments, number)
            for part in (f"segment_{name.lower()}", str(lobe_of(name))):
                before = parts.get(part, (0, 0))
                parts[part] = (before[0] + total, before[1] + count)
    for part, (total, count) in parts.items():
        values = {f"lesion_ml_{part}": count * voxel_ml, f"burden_pct_{part}": 100 * count / total}
        name = f"{part.replace('_', ' ')} ({str(source or 'segments').replace('_', ' ')})"
        record.note(values, name, voxels=total, volume_ml=total * voxel_ml)
