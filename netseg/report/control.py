"""A control scan for its reader: what was seen, how sure it is, and what it rests on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from netseg.report.control_pictures import ControlPictures, control_pictures
from netseg.report.view import Bar, histogram_bars, tone_of
from netseg.report.wording import term, title, verdict_text

if TYPE_CHECKING:
    from netseg.domain import LesionMargin
    from netseg.domain.control import ControlCheck

ANSWERS = {True: "passed", False: "failed", None: "could not be checked"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlledLesion:
    """One lesion in its control scan.

    Attributes:
        margin: What was measured.
        verdict: The verdict in words.
        tone: "good", "unsure", "bad" or "unknown".
        bars: The margin's histogram.
        pictures: None for a lesion outside the control scan, or beyond the number pictured.
    """

    margin: LesionMargin
    verdict: str
    tone: str
    bars: tuple[Bar, ...]
    pictures: ControlPictures | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlView:
    """A control scan, prepared so that the template only places it.

    Attributes:
        check: What was found.
        series: Planning and control series in words.
        lesions: The thinnest margin first.
        gates: Checks of the registration as (name, value, limit, answer, whether it decides).
    """

    check: ControlCheck
    series: tuple[str, str]
    lesions: tuple[ControlledLesion, ...]
    gates: tuple[tuple[str, float | None, str, str, bool], ...]


def control_view(check: ControlCheck, most: int) -> ControlView:
    """Prepare a control scan's section.

    Args:
        check: What was found.
        most: How many lesions get pictures, the thinnest margin first.
    """
    ordered = sorted(check.margin.lesions, key=_thinnest_first)
    seen = set(check.lesions.values)
    pictured = {m.id for m in [m for m in ordered if m.id in seen][:most]}
    return ControlView(
        check=check,
        series=(_named(check.planning), _named(check.control)),
        lesions=tuple(
            ControlledLesion(
                margin=m,
                verdict=verdict_text(check.margin, m),
                tone=tone_of(m),
                bars=histogram_bars(m.histogram_mm),
                pictures=control_pictures(check, m) if m.id in pictured else None,
            )
            for m in ordered
        ),
        gates=tuple(
            (title(name), gate.value, gate.limit, ANSWERS[gate.passed], gate.decides)
            for name, gate in check.registration.gates.items()
        ),
    )


def _thinnest_first(margin: LesionMargin) -> tuple[float, int]:
    smallest = margin.smallest_margin_mm
    return (float("-inf") if smallest is None else smallest, margin.id)


def _named(series: object) -> str:
    known = (getattr(series, name, None) for name in ("modality", "phase", "sequence"))
    return ", ".join(term(word) for word in known if word is not None)
