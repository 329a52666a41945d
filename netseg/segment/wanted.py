"""Which series of a study another model wants to see, in its own order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netseg.domain import Code, StudyRejectedError, UsageError, Volume
from netseg.geometry.resample import resample
from netseg.segment.channels import CHANNELS
from netseg.segment.inputs import REFERENCE, choose
from netseg.segment.intensity import outside

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netseg.domain import Notice, Series, Study

KINDS = ("ct", "mr", "pet")
"""Any series of that modality, the one netseg would draw outlines on first."""


def channels_of(word: str) -> tuple[str, ...]:
    """The channels a word stands for, best first.

    Args:
        word: A channel such as "ct_portal", or "ct", "mr" or "pet" for any of them.

    Raises:
        UsageError: If it is neither.
    """
    if word in CHANNELS:
        return (word,)
    if word in KINDS:
        return tuple(c for c in REFERENCE if c.startswith(f"{word}_"))
    raise UsageError(
        Code.CONFIG_RANGE,
        f"{word!r} is no channel; known are {', '.join((*KINDS, *CHANNELS))}.",
    )


def series_for(
    study: Study, words: Sequence[str], who: str
) -> tuple[tuple[Series, ...], tuple[Notice, ...]]:
    """One series per word, all in one frame of reference.

    Args:
        study: The scans.
        words: What the model wants, in its order; see `channels_of`.
        who: Name of the model, for the message.

    Returns:
        The series in that order, and what was assumed about them.

    Raises:
        StudyRejectedError: NO_USABLE_SERIES if the study lacks one of them.
        UsageError: If a word names no channel.
    """
    wanted = [channels_of(word) for word in words]
    inputs = choose(study, [c for channels in wanted for c in channels])
    found = []
    for word, channels in zip(words, wanted, strict=True):
        channel = next((c for c in channels if c in inputs.series), None)
        if channel is None:
            there = ", ".join(f"{s.key} ({s.modality})" for s in study.series)
            raise StudyRejectedError(
                Code.NO_USABLE_SERIES,
                f"{who} wants {word}; the study has {there}.",
                detail={"wanted": list(words), "series": [s.key for s in study.series]},
                hint="State what the series are (--modality, --phase, study.yaml), or use another "
                "model.",
            )
        found.append(inputs.series[channel])
    return tuple(found), inputs.notices


def on_first_grid(series: Sequence[Series], words: Sequence[str]) -> tuple[Volume, ...]:
    """The volumes on the grid of the first; what lies elsewhere is interpolated linearly."""
    grid = series[0].volume.grid
    volumes = []
    for one, word in zip(series, words, strict=True):
        moved = resample(one.volume, grid, outside=outside(channels_of(word)[0]))
        volumes.append(Volume(np.asarray(moved.values), grid, one.volume.quantity))
    return tuple(volumes)
