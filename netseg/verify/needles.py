"""Needles still in place in a control CT: where they lie, and how far from where they were planned.

Metal saturates a CT and lights up rays around it; bone is bright as well, and vessels full of
contrast. A needle is told from them by being straight, thin, long and far brighter along its middle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.ndimage  # pyright: ignore[reportMissingTypeStubs]

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.domain.grid import require_same_frame
from netseg.domain.point import PointMm
from netseg.domain.volume import Quantity
from netseg.geometry.extent import bounding_box, crop
from netseg.verify.needle_lines import Line, lines_through

if TYPE_CHECKING:
    from jaxtyping import Float

    from netseg.domain.volume import Mask, Volume

ndimage: Any = scipy.ndimage  # scipy carries no types, and the guessed ones are wrong

DOING = "needles"
METAL_HU = 2000.0  # cortical bone ends at about 1800
SHAFT_HU = 1000.0  # a thin needle fills its voxels in part
LEAST_MM = 25.0  # shorter is a clip, a stent or a marker
AROUND_MM = 60.0  # of the liver: where a needle's shaft is looked for
INTO_MM = 10.0  # of the liver: a needle's tip lies at least so near to it
STEP_MM = 0.25
DISC_MM = 0.8  # the shaft is read as an average over a disc of this radius
END_MM = 6.0  # beyond what was seen of a shaft, its end is looked for so far


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundNeedle:
    """A needle seen in a scan.

    Attributes:
        tip_mm: Its end in or at the liver (LPS).
        seen_to_mm: Where it leaves the image or the surroundings of the liver.
        off_line_mm: Root mean square distance of its metal from a straight line.
    """

    tip_mm: PointMm
    seen_to_mm: PointMm
    off_line_mm: float

    @property
    def length_mm(self) -> float:
        """How much of it was seen."""
        return float(np.linalg.norm(self.seen_to_mm.as_array() - self.tip_mm.as_array()))

    @property
    def direction(self) -> tuple[float, float, float]:
        """Unit vector from the tip towards the handle."""
        x, y, z = (self.seen_to_mm.as_array() - self.tip_mm.as_array()) / self.length_mm
        return float(x), float(y), float(z)


def find_needles(control: Volume, liver: Mask) -> tuple[FoundNeedle, ...]:
    """The needles whose tips lie in the liver or within 10 mm of it.

    Args:
        control: A CT in HU, on any grid.
        liver: The liver in its frame.

    Returns:
        One entry per needle, the longest first; empty where there is none.

    Raises:
        FrameMismatchError: If the liver lies in another frame.
        StudyRejectedError: UNSUPPORTED_MODALITY for an image without HU, MASK_EMPTY.
    """
    require_same_frame(DOING, control.grid, liver.grid)
    if control.quantity is not Quantity.HU:
        raise StudyRejectedError(
            Code.UNSUPPORTED_MODALITY,
            f"{DOING}: the scan holds {control.quantity.value}; needles are found by their HU.",
            hint="Give the CT of the session.",
        )
    part = _around(control, liver)
    values = part.values.astype(np.float32)
    metal = _metal(values)
    if not metal.any():
        return ()
    index = np.argwhere(metal)
    weight = np.clip(values[metal], 0.0, 3000.0) / 3000.0
    found = lines_through(part.grid.to_mm(index), weight, max(part.grid.spacing_mm))
    depth = _depth_of(liver)
    needles = [_needle(line, part, depth) for line in found]
    kept = [n for n in needles if n is not None and n.length_mm >= LEAST_MM]
    return tuple(sorted(kept, key=lambda n: -n.length_mm))


def _around(control: Volume, liver: Mask) -> Volume:
    """The scan in the liver's surroundings."""
    if liver.grid.is_same_as(control.grid):
        return crop(control, *bounding_box(liver, AROUND_MM))
    start, shape = bounding_box(liver, 0.0)
    corners = control.grid.to_index(liver.grid.crop(start, shape).corners_mm())
    more = AROUND_MM / np.array(control.grid.spacing_mm)
    low = np.clip(np.floor(corners.min(axis=0) - more), 0, np.array(control.grid.shape) - 1)
    high = np.clip(np.ceil(corners.max(axis=0) + more) + 1, low + 1, control.grid.shape)
    first, size = low.astype(int), (high - low).astype(int)
    return crop(
        control,
        (int(first[0]), int(first[1]), int(first[2])),
        (int(size[0]), int(size[1]), int(size[2])),
    )


def _metal(values: Float[np.ndarray, "i j k"]) -> np.ndarray:
    """Bright voxels that hang together with saturated ones."""
    bright = values > SHAFT_HU
    parts, _ = ndimage.label(bright, np.ones((3, 3, 3)))
    saturated = np.unique(parts[values > METAL_HU])
    return np.isin(parts, saturated[saturated > 0])


def _depth_of(liver: Mask) -> Any:
    """How deep points lie in the liver; negative outside."""
    spacing = liver.grid.spacing_mm
    inside = ndimage.distance_transform_edt(liver.inside, sampling=spacing)
    depth = inside - ndimage.distance_transform_edt(~liver.inside, sampling=spacing)

    def at(points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
        index = liver.grid.to_index(points)
        last = np.array(liver.grid.shape) - 1
        beyond = np.maximum(np.maximum(-index, index - last), 0.0) * np.array(spacing)
        found = ndimage.map_coordinates(depth, index.T, order=1, mode="nearest")
        return found - np.linalg.norm(beyond, axis=1)

    return at


def _needle(line: Line, part: Volume, depth: Any) -> FoundNeedle | None:
    """A line of metal as a needle, its ends put where the metal ends; None if it misses the liver."""
    reach = (line.first_mm - END_MM, line.last_mm + END_MM)
    t = np.arange(reach[0], reach[1], STEP_MM)
    shaft = _shaft_values(line, t, part)
    full = float(np.median(shaft[(t > line.first_mm + 2.0) & (t < line.last_mm - 2.0)]))
    present = shaft > full / 2
    middle = int(np.argmin(np.abs(t - (line.first_mm + line.last_mm) / 2)))
    low = _end(t, shaft, present, full / 2, middle, step=-1)
    high = _end(t, shaft, present, full / 2, middle, step=1)
    ends = line.at(np.array([low, high]))
    deep = depth(ends)
    if deep.max() < -INTO_MM:
        return None
    tip, other = (0, 1) if deep[0] >= deep[1] else (1, 0)
    return FoundNeedle(
        tip_mm=PointMm.of(ends[tip]),
        seen_to_mm=PointMm.of(ends[other]),
        off_line_mm=line.off_line_mm,
    )


def _shaft_values(line: Line, t: Float[np.ndarray, " n"], part: Volume) -> np.ndarray:
    """HU along a line, averaged over a disc across it."""
    aside = np.cross(line.way, np.eye(3)[int(np.argmin(np.abs(line.way)))])
    aside /= np.linalg.norm(aside)
    up = np.cross(line.way, aside)
    turns = np.linspace(0.0, 2 * np.pi, 6, endpoint=False)
    ring = [DISC_MM * (np.cos(a) * aside + np.sin(a) * up) for a in turns]
    values = part.values.astype(np.float32)
    found = [
        ndimage.map_coordinates(
            values, part.grid.to_index(line.at(t) + off).T, order=1, mode="constant", cval=-1024.0
        )
        for off in (np.zeros(3), *ring)
    ]
    return np.mean(found, axis=0)


def _end(
    t: Float[np.ndarray, " n"],
    shaft: Float[np.ndarray, " n"],
    present: np.ndarray,
    half: float,
    start: int,
    *,
    step: int,
) -> float:
    """Where, from the middle outwards, the shaft falls to half; short gaps are stepped over."""
    gap = round(4.0 / STEP_MM)
    at = last = start
    while 0 <= at < len(t) and abs(at - last) <= gap:
        if present[at]:
            last = at
        at += step
    beyond = last + step
    if not 0 <= beyond < len(t):
        return float(t[last])
    drop = float(shaft[last] - shaft[beyond])
    share = 0.0 if drop <= 0 else float((shaft[last] - half) / drop)
    return float(t[last] + step * STEP_MM * np.clip(share, 0.0, 1.0))
