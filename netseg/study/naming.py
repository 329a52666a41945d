"""Keys of series, and what the user's word adds to them."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.domain.study import Modality, MrSequence
from netseg.study.words import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netseg.domain.study import Series
    from netseg.study.hints import ReadHints
    from netseg.study.remarks import Remarks

_TRACER = re.compile(r"[a-z0-9]+(_[a-z0-9]+)*")


def apply_hints(series: Sequence[Series], hints: ReadHints) -> tuple[Series, ...]:
    """Add phase and tracer as stated by the user to the one series that lacks them.

    With a single series that could have one, the user's word wins over its tags.

    Raises:
        StudyRejectedError: SERIES_AMBIGUOUS if several series lack it, or none can take it.
    """
    changed = list(series)
    if hints.phase is not None:
        scans = [n for n, s in enumerate(series) if s.modality is not Modality.PT]
        chosen = _the_one("phase", scans, [n for n in scans if series[n].phase is None])
        changed[chosen] = replace(changed[chosen], phase=hints.phase)
    if hints.tracer is not None:
        scans = [n for n, s in enumerate(series) if s.modality is Modality.PT]
        chosen = _the_one("tracer", scans, [n for n in scans if series[n].tracer is None])
        tracer = plain(hints.tracer).replace(" ", "_")
        if not _TRACER.fullmatch(tracer):
            raise StudyRejectedError(
                Code.CONFIG_RANGE, "A tracer is named like ga68_dotatate or f18_fdg."
            )
        changed[chosen] = replace(changed[chosen], tracer=tracer)
    return tuple(changed)


def named(series: Sequence[Series], remarks: Remarks) -> tuple[Series, ...]:
    """The series with unique keys; what nobody named is remarked on.

    "ct_portal_venous", "mr_t1_hepatobiliary", "pt_ga68_dotatate", "ct" when the phase is unknown;
    repeated keys get _2, _3, in the order of the series.
    """
    seen: Counter[str] = Counter()
    result: list[Series] = []
    for one in series:
        base = _key(one)
        seen[base] += 1
        key = base if seen[base] == 1 else f"{base}_{seen[base]}"
        result.append(replace(one, key=key))
        _remark(key, one, remarks)
    for base, count in seen.items():
        if count > 1:
            remarks.warn(
                Code.SERIES_AMBIGUOUS,
                f"{count} series could serve as {base}; they are numbered in the order of their "
                "series numbers and the first is used.",
                detail={"key": base, "series": count},
                hint="State phase or tracer, or give a study with one of them.",
            )
    return tuple(result)


def require_overlap(series: Sequence[Series]) -> None:
    """Doubt the claim that scans share a frame if their fields of view do not even touch.

    Raises:
        StudyRejectedError: FRAME_MISMATCH.
    """
    first = series[0].volume.grid.corners_mm()
    for other in series[1:]:
        corners = other.volume.grid.corners_mm()
        apart = (corners.min(axis=0) > first.max(axis=0)) | (
            corners.max(axis=0) < first.min(axis=0)
        )
        if apart.any():
            raise StudyRejectedError(
                Code.FRAME_MISMATCH,
                "The files are said to share a frame, but their fields of view do not overlap.",
                hint="Say `same_frame: false`, or correct the headers.",
            )


def _the_one(what: str, could: Sequence[int], lacking: Sequence[int]) -> int:
    if len(lacking) == 1:
        return lacking[0]
    if len(could) == 1:
        return could[0]
    raise StudyRejectedError(
        Code.SERIES_AMBIGUOUS,
        f"The {what} was stated, but {len(lacking)} of {len(could)} series lack it.",
        detail={"lacking": len(lacking), "series": len(could)},
        hint="Give a study with one such series, or write a study.yaml.",
    )


def _key(one: Series) -> str:
    parts = [one.modality.value.lower()]
    if one.sequence is not None:
        parts.append(one.sequence.value)
    if one.b_value is not None:
        parts.append(f"b{one.b_value:g}")
    if one.phase is not None:
        parts.append(one.phase.value)
    if one.tracer is not None:
        parts.append(plain(one.tracer).replace(" ", "_"))
    return "_".join(parts)


def _remark(key: str, one: Series, remarks: Remarks) -> None:
    if one.modality is Modality.PT:
        if one.tracer is None:
            remarks.warn(
                Code.TRACER_UNKNOWN,
                f"{key}: no tag names the tracer; a nuclide alone is none.",
                hint="State it: --tracer ga68_dotatate.",
            )
    elif one.phase is None and one.sequence not in (MrSequence.T2, MrSequence.DWI, MrSequence.ADC):
        remarks.warn(
            Code.PHASE_UNKNOWN,
            f"{key}: no tag names the contrast phase.",
            hint="State it: --phase portal_venous.",
        )
