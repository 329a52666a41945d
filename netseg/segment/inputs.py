"""Which series of a study fill which channels, and their values on the networks' voxels."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netseg.domain import Code, Notice, Quantity, StudyRejectedError, Volume
from netseg.geometry.resample import resample
from netseg.segment.channels import CHANNELS, channel_of
from netseg.segment.intensity import HIGHEST_HU, LOWEST_HU, outside
from netseg.segment.orient import Orientation
from netseg.segment.sampling import resize, weights

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch

    from netseg.domain import Grid, Series, Study
    from netseg.segment.sampling import Axes

logger = logging.getLogger(__name__)

REFERENCE = (
    "ct_portal",
    "ct_arterial",
    "ct_delayed",
    "mr_hepatobiliary",
    "mr_portal",
    "mr_arterial",
    "ct_native",
    "mr_t1",
    "mr_t2",
    "mr_dwi",
    "pet_sstr",
    "pet_fdg",
)
"""Whose voxels the outlines are drawn on: the first of these that a study has."""

UNNAMED = ("ct_portal", "mr_t1")
"""What a CT and a T1 without a stated phase are taken for."""

QUANTITIES = {"ct": Quantity.HU, "pet": Quantity.SUVBW}
SLAB = 16  # slices of the target that are averaged at a time


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Inputs:
    """The series that networks look at, all in the frame of one of them.

    Attributes:
        series: One series per channel.
        reference: The channel whose grid the outlines are drawn on.
        notices: What was left out or assumed.
    """

    series: Mapping[str, Series]
    reference: str
    notices: tuple[Notice, ...] = ()

    @property
    def grid(self) -> Grid:
        """The grid the outlines are drawn on."""
        return self.series[self.reference].volume.grid

    @property
    def turn(self) -> Orientation:
        """From the reference's array to L, P, S."""
        return Orientation.of(self.grid)

    @property
    def axes(self) -> Axes:
        """The reference's voxels, axes along L, P, S."""
        return self.turn.axes(self.grid)

    def images(self, target: Axes) -> dict[str, torch.Tensor]:
        """Every channel on cubic voxels, averaged where those are coarser than its own.

        Args:
            target: The voxels, in millimetres from the reference's first voxel.

        Returns:
            float32 by channel, in the order of `CHANNELS`.
        """
        import torch

        wanted = self.turn.grid(self.grid, target)
        made = {}
        for channel in (c for c in CHANNELS if c in self.series):
            volume = self.series[channel].volume
            if volume.grid.is_same_as(self.grid):
                values = _down(channel, self.turn.turn(volume.values), self.axes, target)
            else:
                values = _elsewhere(channel, volume, wanted, target[0].spacing_mm)
            made[channel] = torch.from_numpy(np.array(values, np.float32))
        return made


def choose(study: Study, channels: Sequence[str] | None = None) -> Inputs:
    """The series of a study that the networks can read.

    Of several series of one channel the one with the thinnest slices is taken. Series in another
    frame of reference than the one the outlines are drawn on are left out: no registration
    connects them.

    Args:
        study: Any study.
        channels: Read no others than these; None reads all.

    Raises:
        StudyRejectedError: If no series can be read.
    """
    found = _by_channel(study, channels)
    if not found:
        there = ", ".join(f"{s.key} ({s.modality})" for s in study.series)
        raise StudyRejectedError(
            Code.NO_USABLE_SERIES,
            f"the networks read CT in HU, T1, T2 or DWI MR, and SSTR or FDG PET in SUV; the study "
            f"has {there}.",
            detail={"series": [s.key for s in study.series]},
            hint="State what the series are (--modality, --phase, --tracer, or study.yaml), or give "
            "masks of another tool with --liver and --lesions.",
        )
    reference = next(c for c in REFERENCE if c in found)
    frame = found[reference].volume.grid.frame_uid
    kept = {c: s for c, s in found.items() if s.volume.grid.frame_uid == frame}
    logger.info("segmenting on %s with %s", found[reference].key, ", ".join(kept))
    return Inputs(series=kept, reference=reference, notices=_notices(kept, found))


def cubic(axes: Axes, spacing_mm: float) -> Axes:
    """Cubic voxels over the extent of others."""
    i, j, k = (axis.with_spacing(spacing_mm) for axis in axes)
    return i, j, k


def _by_channel(study: Study, channels: Sequence[str] | None) -> dict[str, Series]:
    """The best series of each channel; a phase nobody named counts only beside no named one."""
    named = {s.modality for s in study.series if s.phase is not None}
    found: dict[str, Series] = {}
    for series in study.series:
        channel = channel_of(series)
        if channel is None or (channels is not None and channel not in channels):
            continue
        if channel in UNNAMED and series.phase is None and series.modality in named:
            continue
        wanted = QUANTITIES.get(channel.split("_")[0])
        if wanted is not None and series.volume.quantity is not wanted:
            continue
        if channel not in found or _thickness(series) < _thickness(found[channel]):
            found[channel] = series
    return found


def _thickness(series: Series) -> float:
    return max(series.volume.grid.spacing_mm)


def _notices(kept: Mapping[str, Series], found: Mapping[str, Series]) -> tuple[Notice, ...]:
    told = [
        Notice(
            code=Code.PHASE_UNKNOWN,
            message=f"{series.key} was segmented although no tag names its contrast phase; it was "
            f"taken as {channel.split('_')[1]}.",
            hint="State it with --phase.",
        )
        for channel, series in kept.items()
        if series.phase is None and channel in UNNAMED
    ]
    left = [series for channel, series in found.items() if channel not in kept]
    told += [
        Notice(
            code=Code.SERIES_SKIPPED,
            message=f"{series.key} lies in another frame of reference and was left out.",
            hint="Register it to the others, or state same_frame: true where it is registered.",
        )
        for series in left
    ]
    return tuple(told)


def _down(channel: str, values: np.ndarray, axes: Axes, target: Axes) -> np.ndarray:
    """Values on other voxels of the same axes, a few slices at a time; CT in its window."""
    along = weights(axes[2], target[2])
    out = np.empty([axis.count for axis in target], np.float32)
    for start in range(0, target[2].count, SLAB):
        rows = along[start : start + SLAB]
        used = np.flatnonzero(rows.any(axis=0))
        source = slice(int(used[0]), int(used[-1]) + 1)
        part = values[:, :, source]
        if channel.startswith("ct_"):
            part = np.clip(part, LOWEST_HU, HIGHEST_HU)
        first = (axes[0], axes[1], axes[2].part(source.start, part.shape[2]))
        flat = resize(part, first, (target[0], target[1], first[2]))
        out[:, :, start : start + SLAB] = np.tensordot(flat, rows[:, source].T, axes=1)
    return out


def _elsewhere(channel: str, volume: Volume, wanted: Grid, spacing_mm: float) -> np.ndarray:
    """A volume of another grid on the wanted voxels: averaged on its own axes, then interpolated."""
    turn = Orientation.of(volume.grid)
    axes = turn.axes(volume.grid)
    i, j, k = (a.with_spacing(max(a.spacing_mm, spacing_mm)) for a in axes)
    coarse = _down(channel, turn.turn(volume.values), axes, (i, j, k))
    own = Volume(coarse, turn.grid(volume.grid, (i, j, k)), volume.quantity)
    return np.asarray(resample(own, wanted, outside=outside(channel)).values, np.float32)
