"""Lesions of the planning scan in the control scan's frame, with their sub-voxel surface.

Carried as voxels, a lesion's surface is known to half a voxel of the control scan again. So the
field whose zero level is its surface is made on the planning scan's own voxels, and looked up
through the registration on a fine grid of its own. That pays where both scans are fine, for a
lesion's bumps are not cut a second time (experiment margin_benchmark), and where the control scan is
much finer than the planning scan. In thick slices a lesion on the control scan's voxels is as good or
better, since zone and lesion are then cut by the same slices (experiment margin_accuracy); then no
field is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netseg.domain.grid import Grid
from netseg.domain.volume import Quantity, Volume
from netseg.register.transport import carry_lesions, to_fixed, to_moving
from netseg.verify.inputs import each
from netseg.verify.lesion import grown_box
from netseg.verify.surface import keeping_volume, smooth_field, surface_of, window

if TYPE_CHECKING:
    from netseg.domain.registration import Registration
    from netseg.domain.volume import LabelMap, Mask

FINEST_MM, COARSEST_MM = 0.5, 1.5  # of the carried field's own grid
ROOM_VOXELS = 3  # around the lesion
WORTH_IT = 0.5  # control scan's widest voxel edge in those of the planning scan
FINE_MM = 2.0  # or both scans' widest voxel edge
ALMOST = 1.001  # headers round


def carried_lesions(
    registration: Registration, lesions: LabelMap, onto: Grid
) -> tuple[LabelMap, dict[int, Volume]]:
    """The lesions on the control scan's voxels, and each one's field on a fine grid.

    Args:
        registration: Of the two scans.
        lesions: Numbered lesions of the planning scan.
        onto: The control scan's grid.

    Returns:
        Both for `MarginRule.check(lesions, zone, lesion_fields=…)`: the numbered lesions, and by
        number millimetres from its surface, negative inside; none unless both scans' widest voxel
        edge is at most 2 mm, or the control scan's at most half the planning scan's. Lesions
        outside `onto` are missing.

    Raises:
        FrameMismatchError: If lesions or grid lie in another frame than their scan.
        StudyRejectedError: If the lesions' grid is sheared (GANTRY_TILT).
    """
    numbered = carry_lesions(registration, lesions, onto)
    ours, theirs = max(onto.spacing_mm), max(lesions.grid.spacing_mm)
    if max(ours, theirs) > FINE_MM * ALMOST and ours > WORTH_IT * theirs:
        return numbered, {}
    there = set(numbered.values)
    fields = {n: carried_field(registration, m) for n, m in each(lesions) if n in there}
    return numbered, fields


def carried_field(registration: Registration, lesion: Mask) -> Volume:
    """Millimetres from one lesion's surface in the control scan's frame, negative inside.

    Args:
        registration: Of the two scans.
        lesion: In the planning scan's frame; at least one voxel.
    """
    spacing = lesion.grid.spacing_mm
    part = window(lesion, *grown_box(lesion, 3 * max(spacing) + COARSEST_MM))
    source = keeping_volume(smooth_field(part), part)
    surface_mm = to_fixed(registration, surface_of(source).points_mm)
    step = float(np.clip(min(spacing), FINEST_MM, COARSEST_MM))
    low = surface_mm.min(axis=0) - ROOM_VOXELS * step
    shape = np.ceil((surface_mm.max(axis=0) - low) / step).astype(int) + 1 + ROOM_VOXELS
    affine = np.diag([step, step, step, 1.0])
    affine[:3, 3] = low
    size = (int(shape[0]), int(shape[1]), int(shape[2]))
    grid = Grid(size, affine, registration.fixed.frame_uid)
    nodes = grid.to_mm(np.moveaxis(np.indices(size), 0, -1).reshape(-1, 3))
    values = source.at(to_moving(registration, nodes)).reshape(size)
    return Volume(values.astype(np.float32), grid, Quantity.ARBITRARY)
