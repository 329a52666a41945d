"""What nobody looked at: the part of a report that its reader would otherwise assume."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netseg.domain import Modality, Quantity, SegmentSource
from netseg.report.wording import term

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netseg.domain.result import StudyResult


def what_is_missing(result: StudyResult) -> tuple[str, ...]:
    """What the reader might take for granted and nobody has looked at, in sentences."""
    unknown = len(result.allocation.must_ask)
    asked = [
        f"Clinical facts that are not known: {unknown}; a table above says what they would decide."
    ]
    return (*_missing_images(result), *_missing_plan(result), *(asked if unknown else []))


def _missing_images(result: StudyResult) -> Iterator[str]:
    findings = result.findings
    if result.segmentation.liver is None:
        yield "Nobody outlined the liver: its volume and the tumour burden are unknown."
    if findings.segment_source is SegmentSource.APPROXIMATE_PARTITION:
        yield "Liver segments are a geometric approximation, not read from the vessels."
    elif findings.segment_source is None and findings.lesions:
        yield "The liver segments of the lesions are unknown."
    for s in result.study.series:
        if s.modality is Modality.CT and s.phase is None:
            yield f"The contrast phase of {s.key} is unknown."
    pets = [s for s in result.study.series if s.modality is Modality.PT]
    if not pets:
        yield "No PET: somatostatin receptor uptake was not measured."
    for s in pets:
        if s.tracer is None:
            yield f"The tracer of {s.key} is unknown."
        if s.volume.quantity is not Quantity.SUVBW:
            yield f"{s.key} holds no SUV."
        if s.volume.grid.frame_uid != result.segmentation.lesions.grid.frame_uid:
            yield f"{s.key} was never registered to the lesions' series; it is not shown on them."


def _missing_plan(result: StudyResult) -> Iterator[str]:
    plan, margin = result.plan, result.judged
    if plan is None:
        yield "No ablation was planned."
    else:
        if plan.not_considered:
            organs = ", ".join(term(name) for name in plan.not_considered)
            yield f"Not outlined, so not kept clear of by the plan: {organs}."
        for u in plan.unplanned:
            yield f"Lesion {u.lesion_id} has no plan: {u.why}"
    if margin is None:
        yield "No ablation zone is known, so no margin was computed."
    elif not margin.observed:
        yield "No control scan: the margins are predictions and certify nothing."
