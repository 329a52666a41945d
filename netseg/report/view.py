"""What the page says, prepared so that the template only places it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from netseg.domain import Modality, Quantity, SegmentSource, Verdict
from netseg.report.wording import OPTION_STATUSES, measure_label, term, title, verdict_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from netseg.domain import Ablation, Lesion, LesionMargin, Unplanned
    from netseg.domain.allocation import Option, OptionStatus
    from netseg.domain.result import StudyResult
    from netseg.report.lesion_pictures import LesionPictures

MOST_COLUMNS = 6
CARD_MEASURES = ("mean_hu", "suv_max", "suv_mean", "mean_adc", "arterial_enhancement")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar of a margin histogram, in the drawing's units (0 to 100 high).

    Attributes:
        from_mm: Lower edge of the bin.
        share_pct: Share of the lesion's surface.
        height: Height of the bar, 100 for the tallest.
        band: "below_0", "0_to_5", "5_to_10" or "above_10".
    """

    from_mm: float
    share_pct: float
    height: float
    band: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionView:
    """One lesion with everything the report says about it."""

    lesion: Lesion
    ablation: Ablation | None
    unplanned: Unplanned | None
    margin: LesionMargin | None
    verdict: str
    tone: str
    bars: tuple[Bar, ...]
    pictures: LesionPictures | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Everything the template needs beside the result itself.

    Attributes:
        lesions: All lesions in descending volume.
        columns: Measured quantities shown in the lesion table, as (name, head).
        groups: Options by status, strongest first, as (status, head, options).
        missing: What nobody looked at or said, in sentences.
        unpictured: Number of lesions without pictures.
        series: Series of the study in words, as (key, description, whether it was outlined on).
    """

    lesions: tuple[LesionView, ...]
    columns: tuple[tuple[str, str], ...]
    groups: tuple[tuple[str, str, tuple[Option, ...]], ...]
    missing: tuple[str, ...]
    unpictured: int
    series: tuple[tuple[str, str, bool], ...]


def page_of(result: StudyResult, pictures: Mapping[int, LesionPictures]) -> Page:
    """Prepare a study's page."""
    lesions = sorted(result.findings.lesions, key=lambda x: (-x.volume_ml, x.id))
    return Page(
        lesions=tuple(_lesion_view(result, lesion, pictures.get(lesion.id)) for lesion in lesions),
        columns=_columns(result),
        groups=_groups(result),
        missing=tuple(_missing(result)),
        unpictured=len(lesions) - len(pictures),
        series=tuple(_series(result)),
    )


def _lesion_view(
    result: StudyResult, lesion: Lesion, pictures: LesionPictures | None
) -> LesionView:
    plan, report = result.plan, result.margin
    margin = (
        None if report is None else next((m for m in report.lesions if m.id == lesion.id), None)
    )
    ablations = () if plan is None else plan.ablations
    unplanned = () if plan is None else plan.unplanned
    return LesionView(
        lesion=lesion,
        ablation=next((a for a in ablations if a.lesion_id == lesion.id), None),
        unplanned=next((u for u in unplanned if u.lesion_id == lesion.id), None),
        margin=margin,
        verdict="" if report is None or margin is None else verdict_text(report, margin),
        tone=_tone(margin),
        bars=() if margin is None else histogram_bars(margin.histogram_mm),
        pictures=pictures,
    )


def histogram_bars(histogram_mm: Mapping[float, float]) -> tuple[Bar, ...]:
    """Bars of 1 mm from the lowest to the highest bin in use; shares are taken of their sum."""
    used = {edge: share for edge, share in histogram_mm.items() if share > 0}
    if not used:
        return ()
    total, tallest = sum(used.values()), max(used.values())
    return tuple(
        Bar(
            from_mm=edge,
            share_pct=100.0 * share / total,
            height=100.0 * share / tallest,
            band=_band(edge),
        )
        for edge, share in sorted(used.items())
    )


def _band(edge: float) -> str:
    if edge < 0:
        return "below_0"
    return "0_to_5" if edge < 5 else "5_to_10" if edge < 10 else "above_10"


def _tone(margin: LesionMargin | None) -> str:
    if margin is None or margin.verdict is Verdict.NOT_ASSESSABLE:
        return "unknown"
    good = {Verdict.A0: "good", Verdict.A0_UNCERTAIN: "unsure"}
    return good.get(margin.verdict, "bad")


def _columns(result: StudyResult) -> tuple[tuple[str, str], ...]:
    names = sorted({name for lesion in result.findings.lesions for name in lesion.measures})
    shown = [name for start in CARD_MEASURES for name in names if name.startswith(start)]
    return tuple((name, measure_label(name)) for name in shown[:MOST_COLUMNS])


def _groups(result: StudyResult) -> tuple[tuple[str, str, tuple[Option, ...]], ...]:
    by_status: dict[OptionStatus, list[Option]] = {status: [] for status in OPTION_STATUSES}
    for option in result.allocation.options:
        by_status[option.status].append(option)
    return tuple(
        (str(status), OPTION_STATUSES[status], tuple(options))
        for status, options in by_status.items()
        if options
    )


def _missing(result: StudyResult) -> list[str]:
    """What the reader might take for granted and nobody has looked at."""
    return [
        *_missing_images(result),
        *_missing_plan(result),
        *(
            f"{title(name)} is not known{_would_decide(result, name)}."
            for name in result.allocation.must_ask
        ),
    ]


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
    plan, margin = result.plan, result.margin
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


def _would_decide(result: StudyResult, name: str) -> str:
    decides = result.allocation.ask_because.get(name, ())
    return f"; it would decide {', '.join(term(d) for d in decides)}" if decides else ""


def _series(result: StudyResult) -> list[tuple[str, str, bool]]:
    rows: list[tuple[str, str, bool]] = []
    for s in result.study.series:
        spacing = " x ".join(f"{mm:.2f}" for mm in s.volume.grid.spacing_mm)
        size = " x ".join(str(n) for n in s.volume.grid.shape)
        known = [term(x) for x in (s.phase, s.sequence, s.tracer) if x is not None]
        what = ", ".join([str(s.modality), *(known or ["phase or tracer unknown"])])
        rows.append(
            (
                s.key,
                f"{what}; {size} voxels of {spacing} mm",
                s.key == result.segmentation.series_key,
            )
        )
    return rows
