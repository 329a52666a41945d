"""Two dates of one patient, from masks to the course of the disease."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from netseg.domain import Code, FrameMismatchError, Notice
from netseg.domain.comparison import Alignment
from netseg.findings import measure
from netseg.findings.course import RECIST_LIKE, Criteria, Dates, follow
from netseg.findings.size import slice_axis
from netseg.findings.timeline import match_lesions
from netseg.pipeline.same_patient import strangers
from netseg.segment import MasksBackend

if TYPE_CHECKING:
    from collections.abc import Iterable

    from netseg.domain import Segmentation, Study
    from netseg.domain.comparison import Comparison

GATE_MM = 15.0
"""A rigid alignment leaves breathing and bending of up to a centimetre inside the liver."""


def compare_dates(
    first: Study,
    second: Study,
    *,
    gate_mm: float = GATE_MM,
    criteria: Criteria = RECIST_LIKE,
    same_frame: bool = False,
) -> Comparison:
    """Follow every lesion from one date to the next.

    Args:
        first: The earlier study with its lesion mask and, unless the frames agree, its liver mask.
        second: The later one likewise.
        gate_mm: Two lesions of one size whose centres lie farther apart are not the same.
        criteria: When sizes differ and courses change.
        same_frame: The user's word that the two scans were registered to each other.

    Returns:
        The comparison, with the warnings of both studies.

    Raises:
        StudyRejectedError: Without lesion masks, or if the livers do not fit each other.
        FrameMismatchError: If the frames differ and a liver is missing.
    """
    masks = MasksBackend()
    one, other = masks.segment(first), masks.segment(second)
    alignment = _align(one, other, same_frame=same_frame)
    groups = match_lesions(one.lesions, other.lesions, alignment, gate_mm=gate_mm)
    grids = (one.lesions.grid, other.lesions.grid)
    dates = Dates(
        first=measure(first, one),
        second=measure(second, other),
        voxel_mm=max(max(grid.spacing_mm) for grid in grids),
        slice_mm=max(grid.spacing_mm[slice_axis(grid)] for grid in grids),
    )
    found = follow(dates, groups, alignment, gate_mm=gate_mm, criteria=criteria)
    said = [
        *strangers(first, second),
        *_dated("first", (*first.warnings, *one.warnings, *found.first.warnings)),
        *_dated("second", (*second.warnings, *other.warnings, *found.second.warnings)),
    ]
    return replace(found, warnings=tuple(said))


def _dated(date: str, notices: Iterable[Notice]) -> Iterable[Notice]:
    return (replace(n, message=f"{date} date: {n.message}") for n in notices)


def _align(one: Segmentation, other: Segmentation, *, same_frame: bool) -> Alignment:
    same = one.lesions.grid.frame_uid == other.lesions.grid.frame_uid
    if same_frame or same:
        return Alignment(method="same_frame", matrix=np.eye(4))
    if one.liver is None or other.liver is None:
        missing = [name for name, s in (("first", one), ("second", other)) if s.liver is None]
        raise FrameMismatchError(
            Code.FRAME_MISMATCH,
            "comparison: the two scans do not share a frame of reference, and no liver is known at "
            f"the {' and the '.join(missing)} date by which they could be aligned.",
            hint="Give --liver1 MASK and --liver2 MASK; or say --same-frame if the scans were "
            "registered to each other.",
        )
    from netseg.register.livers import align_livers

    return align_livers(one.liver, other.liver)
