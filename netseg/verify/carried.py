"""Lesions of the planning scan in the control scan's frame, with their sub-voxel surface.

Carried as voxels, a lesion's surface is known to half a voxel of the control scan again: it is cut a
second time, which takes its bumps and its poles away and makes the margin too long. So the field whose
zero level is its surface is made on the planning scan's own voxels, and looked up through the
registration on a fine grid of its own. For lesions with bumps that about halves the error and ends its
bias from slices of 2.5 to 5 mm (0.49 to 0.21 mm at 5 mm, experiment margin_benchmark); smooth balls
gain nothing by it (experiment margin_accuracy).
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
        number millimetres from its surface, negative inside. Lesions outside `onto` are missing
        in both.

    Raises:
        FrameMismatchError: If lesions or grid lie in another frame than their scan.
        StudyRejectedError: If the lesions' grid is sheared (GANTRY_TILT).
    """
    numbered = carry_lesions(registration, lesions, onto)
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
