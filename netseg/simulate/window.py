"""The piece of tissue that is simulated: a box along the needle.

Its third axis runs along the first probe. In one homogeneous tissue the outcome then depends on
device and protocol alone, not on where and how the needle lies, and need be computed only once.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from netseg.domain.grid import Grid

if TYPE_CHECKING:
    from jaxtyping import Float

    from netseg.simulate.scene import PlacedProbe


def window_for(
    probes: tuple[PlacedProbe, ...], *, spacing_mm: float, margin_mm: float, frame_uid: str
) -> Grid:
    """A grid around the active parts of the probes.

    Args:
        probes: At least one.
        spacing_mm: Cell size.
        margin_mm: Tissue on every side of the active parts.
        frame_uid: The patient's frame of reference.
    """
    axes = _frame(np.array(probes[0].direction))
    ends = []
    for probe in probes:
        tip = probe.tip_mm.as_array()
        ends += [tip, tip + np.array(probe.direction) * probe.active_length_mm]
    local = np.array(ends) @ axes
    low, high = local.min(0) - margin_mm, local.max(0) + margin_mm
    shape = np.array([math.ceil(float(e) / spacing_mm - 1e-6) for e in high - low])
    first = 0.5 * (low + high) - 0.5 * (shape - 1) * spacing_mm
    affine = np.eye(4)
    affine[:3, :3] = axes * spacing_mm
    affine[:3, 3] = axes @ first
    return Grid(
        shape=(int(shape[0]), int(shape[1]), int(shape[2])), affine_lps=affine, frame_uid=frame_uid
    )


def _frame(along: np.ndarray) -> Float[np.ndarray, "3 3"]:
    """A right-handed orthonormal frame whose last column is `along`."""
    along = along / np.linalg.norm(along)
    helper = np.eye(3)[int(np.argmin(np.abs(along)))]
    first = np.cross(helper, along)
    first /= np.linalg.norm(first)
    return np.column_stack((first, np.cross(along, first), along))
