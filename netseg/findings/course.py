"""What became of the lesions between two dates, and the course of the disease.

Sizes are compared with a tolerance: outlines of one lesion drawn twice differ by a few millimetres,
and a diameter cannot be known better than the voxels allow. The course follows RECIST 1.1
(Eisenhauer et al., Eur J Cancer 2009;45:228-247) as far as two dates can: the first date stands for
the baseline and the nadir, the liver is the only organ, and lesions are measured, not chosen by eye.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netseg.domain.clinical import DiseaseCourse
from netseg.domain.comparison import Change, Comparison, Fate, LesionCourse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netseg.domain import Findings, Lesion
    from netseg.domain.comparison import Alignment, LesionGroup

Sizes = tuple[float | None, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """When sizes differ, and when the disease progresses or responds.

    Attributes:
        tolerance_mm: A diameter must change by more than this; at least the larger voxel edge of
            the two scans is taken.
        measurable_mm: Longest axial diameter from which a lesion can be a target; twice the slice
            distance where slices are thicker than 5 mm (RECIST 1.1).
        targets: Most lesions in the sum of diameters; two per organ (RECIST 1.1).
        progress_pct: Rise of the sum of diameters that is progress,
        progress_mm: with at least this much in millimetres.
        response_pct: Fall of the sum of diameters that is response.
        load_progress_pct: Rise of the tumour volume that is progress of all lesions together: that
            of balls whose diameters rise by `progress_pct`.
    """

    tolerance_mm: float = 3.0
    measurable_mm: float = 10.0
    targets: int = 2
    progress_pct: float = 20.0
    progress_mm: float = 5.0
    response_pct: float = 30.0
    load_progress_pct: float = 72.8

    def __post_init__(self) -> None:
        """Keep the numbers positive."""
        for name in self.__slots__:
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive; got {getattr(self, name)}.")


RECIST_LIKE = Criteria()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dates:
    """The measures of two dates, and how coarse their voxels are.

    Attributes:
        first: Measures of the first date.
        second: Measures of the second date.
        voxel_mm: Largest voxel edge of both lesion images.
        slice_mm: Larger slice distance of both.
    """

    first: Findings
    second: Findings
    voxel_mm: float
    slice_mm: float


def follow(
    dates: Dates,
    groups: Sequence[LesionGroup],
    alignment: Alignment,
    *,
    gate_mm: float,
    criteria: Criteria = RECIST_LIKE,
) -> Comparison:
    """Say what became of every lesion and of the disease.

    Args:
        dates: The measures of both dates.
        groups: Which lesion is which, from `netseg.findings.timeline.match_lesions`.
        alignment: How places were brought together, for the record.
        gate_mm: The gate the groups were made with, for the record.
        criteria: When sizes differ and courses change.

    Returns:
        Every group with its sizes, the sum of diameters of the targets, and the course: None, with
        the reason, where these two dates cannot tell it.
    """
    tolerance_mm = max(criteria.tolerance_mm, dates.voxel_mm)
    chosen = _targets(dates, groups, criteria)
    lesions = tuple(_course(dates, g, tolerance_mm, target=g in chosen) for g in groups)
    sums = _sums([one for one in lesions if one.target])
    course, why = _disease(lesions, dates, sums, criteria)
    return Comparison(
        lesions=lesions,
        alignment=alignment,
        first=dates.first,
        second=dates.second,
        gate_mm=gate_mm,
        tolerance_mm=tolerance_mm,
        sum_of_diameters_mm=sums,
        disease_course=course,
        why=why,
    )


def _measured(findings: Findings, numbers: Sequence[int]) -> list[Lesion]:
    return [one for one in findings.lesions if one.id in numbers]


def _targets(
    dates: Dates, groups: Sequence[LesionGroup], criteria: Criteria
) -> tuple[LesionGroup, ...]:
    """The largest measurable tumours of the first date that both scans show whole."""
    least_mm = criteria.measurable_mm
    if dates.slice_mm > 5.0 + 1e-3:
        least_mm = max(least_mm, 2 * dates.slice_mm)
    sizes = {}
    for group in groups:
        before = _measured(dates.first, group.first)
        diameter_mm = max((one.longest_axial_diameter_mm for one in before), default=0.0)
        whole = group.fate is not Fate.NOT_IMAGED and not _is_cut(dates, group)
        if diameter_mm >= least_mm and whole:
            sizes[group] = diameter_mm
    return tuple(sorted(sizes, key=lambda g: (-sizes[g], g.first))[: criteria.targets])


def _is_cut(dates: Dates, group: LesionGroup) -> bool:
    """Whether the border of either image cuts one of its lesions off."""
    both = (*_measured(dates.first, group.first), *_measured(dates.second, group.second))
    return any(one.at_border for one in both)


def _course(dates: Dates, group: LesionGroup, tolerance_mm: float, *, target: bool) -> LesionCourse:
    before = _measured(dates.first, group.first)
    after = _measured(dates.second, group.second)
    absent = None if group.fate is Fate.NOT_IMAGED else 0.0
    volume_ml = (_volume(before, absent), _volume(after, absent))
    diameter_mm = (_diameter(before, absent), _diameter(after, absent))
    change, why = None, []
    if _is_cut(dates, group):
        why.append("cut off by the image's border: its size is a lower bound")
    elif before and after:
        change, why = _change(volume_ml, diameter_mm, tolerance_mm)
    if group.fate is Fate.NOT_IMAGED:
        why.append(f"its place lies outside the {'second' if before else 'first'} scan")
    return LesionCourse(
        group=group,
        volume_ml=volume_ml,
        diameter_mm=diameter_mm,
        change=change,
        target=target,
        why=tuple(why),
    )


def _volume(lesions: Sequence[Lesion], absent: float | None) -> float | None:
    return sum(one.volume_ml for one in lesions) if lesions else absent


def _diameter(lesions: Sequence[Lesion], absent: float | None) -> float | None:
    return sum(one.longest_axial_diameter_mm for one in lesions) if lesions else absent


def _change(
    volume_ml: Sizes, diameter_mm: Sizes, tolerance_mm: float
) -> tuple[Change | None, list[str]]:
    """Grown or shrunk by diameter or by volume; None where the two contradict each other.

    Volumes are compared as the diameters of balls, so that one tolerance in millimetres serves
    both.
    """
    steps = [
        b - a
        for a, b in (diameter_mm, tuple(_ball_mm(v) for v in volume_ml))
        if a is not None and b is not None
    ]
    words = {np.sign(step) for step in steps if abs(step) > tolerance_mm}
    if len(words) == 2:
        return None, ["diameter and volume changed in opposite directions"]
    if not words:
        return Change.UNCHANGED, []
    return (Change.GROWN if words == {1.0} else Change.SHRUNK), []


def _ball_mm(volume_ml: float | None) -> float | None:
    return None if volume_ml is None else float(np.cbrt(6000.0 * volume_ml / np.pi))


def _sums(targets: Sequence[LesionCourse]) -> tuple[float, float] | None:
    pairs = [one.diameter_mm for one in targets]
    known = [(a, b) for a, b in pairs if a is not None and b is not None]
    if not known or len(known) < len(pairs):
        return None
    return sum(a for a, _ in known), sum(b for _, b in known)


def _disease(
    lesions: Sequence[LesionCourse],
    dates: Dates,
    sums: tuple[float, float] | None,
    criteria: Criteria,
) -> tuple[DiseaseCourse | None, tuple[str, ...]]:
    """The course, and the sentences that lead to it; progress is looked for first."""
    progress = _progress(lesions, dates, sums, criteria)
    if progress:
        return DiseaseCourse.PROGRESSIVE, tuple(progress)
    doubts = _doubts(lesions, dates)
    if doubts:
        return None, tuple(doubts)
    if not dates.second.lesions:
        return DiseaseCourse.RESPONSE, ("no lesion is left",)
    if sums is None:
        told = f"no lesion of at least {criteria.measurable_mm:.0f} mm that could be a target"
        return DiseaseCourse.STABLE, (told, "no new lesion, and no progress of the tumour volume")
    percent = 100.0 * (sums[1] / sums[0] - 1.0)
    told = f"sum of diameters {sums[0]:.1f} → {sums[1]:.1f} mm ({percent:+.0f} %)"
    if percent <= -criteria.response_pct:
        return DiseaseCourse.RESPONSE, (f"{told}: a fall of {criteria.response_pct:.0f} % or more",)
    return DiseaseCourse.STABLE, (f"{told}: neither progress nor response", "no new lesion")


def _progress(
    lesions: Sequence[LesionCourse],
    dates: Dates,
    sums: tuple[float, float] | None,
    criteria: Criteria,
) -> list[str]:
    found = []
    new = [one.diameter_mm[1] or 0.0 for one in lesions if one.group.fate is Fate.NEW]
    if new and max(new) >= criteria.measurable_mm:
        found.append(f"{_count(len(new), 'new lesion')}, the largest {max(new):.1f} mm")
    if sums is not None:
        rise_mm, percent = sums[1] - sums[0], 100.0 * (sums[1] / sums[0] - 1.0)
        if percent >= criteria.progress_pct and rise_mm >= criteria.progress_mm:
            found.append(
                f"sum of diameters {sums[0]:.1f} → {sums[1]:.1f} mm ({percent:+.0f} %): a rise of "
                f"{criteria.progress_pct:.0f} % and {criteria.progress_mm:.0f} mm or more"
            )
    before, after = dates.first.lesion_volume_ml, dates.second.lesion_volume_ml
    grown = [one for one in lesions if one.change is Change.GROWN]
    all_imaged = all(one.group.fate is not Fate.NOT_IMAGED for one in lesions)
    if grown and before and all_imaged:
        percent = 100.0 * (after / before - 1.0)
        if percent >= criteria.load_progress_pct:
            found.append(
                f"tumour volume {before:.1f} → {after:.1f} ml ({percent:+.0f} %) with "
                f"{_count(len(grown), 'lesion')} grown"
            )
    return found


def _doubts(lesions: Sequence[LesionCourse], dates: Dates) -> list[str]:
    """Why a course that is not progress cannot be told."""
    doubts = []
    if not (dates.first.lesions or dates.second.lesions):
        doubts.append("no lesion at either date")
    new = [one.diameter_mm[1] or 0.0 for one in lesions if one.group.fate is Fate.NEW]
    if new:
        doubts.append(
            f"{_count(len(new), 'new lesion')} of at most {max(new):.1f} mm: too small to rule out "
            "that it was there before"
        )
    hidden = [one for one in lesions if one.group.fate is Fate.NOT_IMAGED]
    if hidden:
        doubts.append(f"{_count(len(hidden), 'lesion')} not imaged at one of the dates")
    cut = [one for one in lesions if _is_cut(dates, one.group)]
    if cut:
        doubts.append(f"{_count(len(cut), 'lesion')} cut off by an image's border")
    return doubts


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
