"""What the page says, prepared so that the template only places it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from netseg.domain import Phase, Verdict
from netseg.domain.allocation import OptionStatus
from netseg.report.missing import what_is_missing
from netseg.report.wording import OPTION_STATUSES, measure_label, term, verdict_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from netseg.domain import Ablation, Lesion, LesionMargin, Unplanned
    from netseg.domain.allocation import Option, Reason
    from netseg.domain.result import StudyResult
    from netseg.report.lesion_pictures import LesionPictures

MOST_COLUMNS = 6
RULED_OUT = frozenset({OptionStatus.NOT_SUPPORTED, OptionStatus.CONTRAINDICATED})
FREE_TEXTS = frozenset({"histology_text", "primary_part"})
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
class OptionRow:
    """One treatment in the short table.

    Attributes:
        option: The treatment with all its reasons.
        main: The reason to read first: what speaks for it, or against it where it is ruled out.
        depends: Unknown fields that would settle its status.
    """

    option: Option
    main: Reason | None
    depends: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Everything the template needs beside the result itself.

    Attributes:
        lesions: All lesions in descending volume.
        columns: Measured quantities shown in the lesion table, as (name, head).
        groups: Options by status, strongest first, as (status, head, rows).
        route_reasons: Rows of the rule table that decide the route.
        route_asks: Unknown fields that would settle the route.
        facts: Facts the rules used, as (name, value).
        staging: Known entries of the staging record, as (name, value).
        unstaged: Its entries that nobody knows.
        missing: What nobody looked at or said, in sentences.
        unpictured: Number of lesions without pictures.
        series: Series of the study in words, as (key, description, whether it was outlined on).
    """

    lesions: tuple[LesionView, ...]
    columns: tuple[tuple[str, str], ...]
    groups: tuple[tuple[str, str, tuple[OptionRow, ...]], ...]
    route_reasons: tuple[Reason, ...]
    route_asks: tuple[str, ...]
    facts: tuple[tuple[str, Any], ...]
    staging: tuple[tuple[str, Any], ...]
    unstaged: tuple[str, ...]
    missing: tuple[str, ...]
    unpictured: int
    series: tuple[tuple[str, str, bool], ...]


def page_of(result: StudyResult, pictures: Mapping[int, LesionPictures]) -> Page:
    """Prepare a study's page."""
    allocation = result.allocation
    lesions = sorted(result.findings.lesions, key=lambda x: (-x.volume_ml, x.id))
    return Page(
        lesions=tuple(_lesion_view(result, lesion, pictures.get(lesion.id)) for lesion in lesions),
        columns=_columns(result),
        groups=_groups(result),
        route_reasons=tuple(
            reason
            for step in allocation.trace
            if step.table == "route" and len(step.outcomes) == 1
            for reason, _ in step.rows
        ),
        route_asks=tuple(
            name for name in allocation.must_ask if "route" in allocation.ask_because.get(name, ())
        ),
        facts=_facts(result),
        staging=tuple(_staging(allocation.staging)),
        unstaged=tuple(k for k, v in allocation.staging.items() if v is None and k != "m_mismatch"),
        missing=what_is_missing(result),
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
        tone=tone_of(margin),
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


def tone_of(margin: LesionMargin | None) -> str:
    """How a verdict is coloured: "good", "unsure", "bad" or "unknown"."""
    if margin is None or margin.verdict is Verdict.NOT_ASSESSABLE:
        return "unknown"
    good = {Verdict.A0: "good", Verdict.A0_UNCERTAIN: "unsure"}
    return good.get(margin.verdict, "bad")


def _columns(result: StudyResult) -> tuple[tuple[str, str], ...]:
    names = sorted({name for lesion in result.findings.lesions for name in lesion.measures})
    names.sort(key=_phase_order)
    shown = [name for start in CARD_MEASURES for name in names if name.startswith(start)]
    return tuple((name, measure_label(name)) for name in shown[:MOST_COLUMNS])


def _phase_order(name: str) -> int:
    """Place of the phase that a measure names in the order contrast runs through the liver."""
    return next((n for n, phase in enumerate(Phase) if name.endswith(phase)), len(Phase))


def _groups(result: StudyResult) -> tuple[tuple[str, str, tuple[OptionRow, ...]], ...]:
    by_status: dict[OptionStatus, list[OptionRow]] = {status: [] for status in OPTION_STATUSES}
    for option in result.allocation.options:
        by_status[option.status].append(_option_row(result, option))
    return tuple(
        (str(status), OPTION_STATUSES[status], tuple(rows))
        for status, rows in by_status.items()
        if rows
    )


def _option_row(result: StudyResult, option: Option) -> OptionRow:
    allocation = result.allocation
    reasons = (*option.because, *option.against)
    if option.status in RULED_OUT:
        reasons = (*option.against, *option.because)
    return OptionRow(
        option=option,
        main=reasons[0] if reasons else None,
        depends=tuple(
            name
            for name in allocation.must_ask
            if option.id in allocation.ask_because.get(name, ())
        ),
    )


def _facts(result: StudyResult) -> tuple[tuple[str, Any], ...]:
    """Facts in one word each; free texts of the clinician are not repeated."""
    used = result.allocation.facts.items()
    short = (str, int, float, bool)
    return tuple((k, v) for k, v in used if isinstance(v, short) and k not in FREE_TEXTS)


def _staging(staging: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Known entries, a group such as the liver's metastases entry by entry."""
    for name, value in staging.items():
        if isinstance(value, dict):
            group = cast("dict[str, Any]", value)
            yield from ((f"{name}_{k}", v) for k, v in group.items() if v is not None)
        elif value is not None:
            yield name, value


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
