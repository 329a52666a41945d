"""Standardised uptake values by body weight, from the tags alone.

SUVbw = activity concentration [Bq/ml] x body weight [g] / dose at the scan's reference time [Bq],
after the QIBA FDG-PET/CT profile's pseudo-code (vendor-neutral part): where the images are decay
corrected to the scan's start (START), so is the dose; where to the injection (ADMIN), it is not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from netseg.domain.codes import Code
from netseg.study.dicom_header import items_of, number_of, text_of
from netseg.study.words import HALF_LIFE_S, nuclide_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydicom import Dataset

    from netseg.study.dicom_header import Header

_INJECTIONS = "RadiopharmaceuticalInformationSequence"
_DOSE_BQ = (1e6, 2e10)
_WEIGHT_KG = (1.0, 400.0)
_MOST_HALF_LIVES = 8.0
_HALF_LIFE_AGREES = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class SuvAnswer:
    """What the tags allow.

    Attributes:
        factor: SUVbw per stored Bq/ml; None where there is none.
        code: Why there is none.
        why: The same in words.
        delay_s: Time from injection to the scan's reference time that was used.
    """

    factor: float | None
    code: Code | None = None
    why: str = ""
    delay_s: float | None = None


def suv_factor(headers: Sequence[Header]) -> SuvAnswer:
    """SUVbw per Bq/ml for one PT series.

    Args:
        headers: All its images; their earliest acquisition time is the scan's start where the
            series time was rewritten.
    """
    first = headers[0]
    units = first.text("Units").upper()
    if units == "GML" and first.text("SUVType").upper() in ("", "BW"):
        return SuvAnswer(factor=1.0)
    if units != "BQML":
        return _none(f"Units is {units or 'absent'}; BQML is expected")
    corrected = first.words("CorrectedImage")
    if corrected and not {"ATTN", "DECY"} <= set(corrected):
        return _none("the images are not corrected for attenuation and decay")
    weight_kg = first.number("PatientWeight")
    if weight_kg is None or weight_kg <= 0:
        return _none("PatientWeight is absent or 0")
    if not _WEIGHT_KG[0] <= weight_kg <= _WEIGHT_KG[1]:
        return _impossible(f"PatientWeight is {weight_kg:g} kg")
    injection = _injection(first)
    if injection is None:
        return _none("RadiopharmaceuticalInformationSequence is absent or holds several")
    return _decayed(headers, injection, weight_kg)


def suv_factor_from(
    *, dose_bq: float, weight_kg: float, half_life_s: float, delay_s: float
) -> float:
    """SUVbw per Bq/ml of images corrected to a time `delay_s` after the injection.

    >>> round(suv_factor_from(dose_bq=2e8, weight_kg=80, half_life_s=6588, delay_s=6588), 7)
    0.0008
    """
    return weight_kg * 1000.0 / (dose_bq * 2.0 ** (-delay_s / half_life_s))


def _decayed(headers: Sequence[Header], injection: Dataset, weight_kg: float) -> SuvAnswer:
    dose_bq = number_of(injection, "RadionuclideTotalDose")
    if dose_bq is None or dose_bq <= 0:
        return _none("RadionuclideTotalDose is absent or 0")
    if not _DOSE_BQ[0] <= dose_bq <= _DOSE_BQ[1]:
        return _impossible(f"RadionuclideTotalDose is {dose_bq:g} Bq: another unit was written")
    correction = headers[0].text("DecayCorrection").upper()
    if correction == "ADMIN":
        factor = suv_factor_from(dose_bq=dose_bq, weight_kg=weight_kg, half_life_s=1.0, delay_s=0.0)
        return SuvAnswer(factor=factor, delay_s=0.0)
    if correction != "START":
        return _none(f"DecayCorrection is {correction or 'absent'}; START or ADMIN is expected")
    half_life_s = number_of(injection, "RadionuclideHalfLife")
    if half_life_s is None or half_life_s <= 0:
        return _none("RadionuclideHalfLife is absent or 0")
    nuclide = nuclide_of(radionuclide_texts(headers[0]))
    known = HALF_LIFE_S.get(nuclide or "")
    if known and abs(half_life_s - known) > _HALF_LIFE_AGREES * known:
        return _impossible(f"RadionuclideHalfLife is {half_life_s:g} s; {nuclide} has {known:g} s")
    start = _scan_start(headers)
    injected = _injected_at(injection, start)
    if start is None or injected is None:
        return _none("the time of the injection or of the scan is absent")
    delay_s = (start - injected).total_seconds()
    if not 0 <= delay_s <= _MOST_HALF_LIVES * half_life_s:
        return _impossible(f"the scan begins {delay_s:.0f} s after the injection")
    factor = suv_factor_from(
        dose_bq=dose_bq, weight_kg=weight_kg, half_life_s=half_life_s, delay_s=delay_s
    )
    return SuvAnswer(factor=factor, delay_s=delay_s)


def radionuclide_texts(header: Header) -> tuple[str, ...]:
    """What the tags say about nuclide and compound, radiopharmaceutical sequence only."""
    texts: list[str] = []
    for item in items_of(header.tags, _INJECTIONS):
        texts.append(text_of(item, "Radiopharmaceutical"))
        for keyword in ("RadionuclideCodeSequence", "RadiopharmaceuticalCodeSequence"):
            texts += [text_of(code, "CodeMeaning") for code in items_of(item, keyword)]
    return tuple(t for t in texts if t)


def _injection(header: Header) -> Dataset | None:
    items = items_of(header.tags, _INJECTIONS)
    return items[0] if len(items) == 1 else None


def _scan_start(headers: Sequence[Header]) -> datetime | None:
    """The time START refers to: the series' time, unless a later copy rewrote it."""
    acquired = [
        moment
        for h in headers
        if (moment := _moment(h.text("AcquisitionDate"), h.text("AcquisitionTime")))
    ]
    series = _moment(headers[0].text("SeriesDate"), headers[0].text("SeriesTime"))
    earliest = min(acquired, default=None)
    if series is not None and (earliest is None or series <= earliest):
        return series
    return earliest


def _injected_at(injection: Dataset, start: datetime | None) -> datetime | None:
    stated = text_of(injection, "RadiopharmaceuticalStartDateTime")
    if len(stated) >= 14:
        return _moment(stated[:8], re.split(r"[+-]", stated[8:])[0])
    clock = text_of(injection, "RadiopharmaceuticalStartTime")
    return _moment(start.strftime("%Y%m%d"), clock) if start and clock else None


def _moment(date: str, time: str) -> datetime | None:
    """A scanner's date and time; its own clock serves as UTC, for only differences count."""
    digits = re.fullmatch(r"(\d{2})(\d{2})(\d{2})?(?:\.(\d{1,6}))?", time.replace(":", "").strip())
    if not re.fullmatch(r"\d{8}", date) or not digits:
        return None
    hours, minutes, seconds, fraction = digits.groups()
    try:
        whole = datetime(
            int(date[:4]), int(date[4:6]), int(date[6:]), int(hours), int(minutes),
            min(int(seconds or 0), 59), tzinfo=UTC,
        )  # fmt: skip
    except ValueError:
        return None
    return whole.replace(microsecond=int((fraction or "0").ljust(6, "0")))


def _none(why: str) -> SuvAnswer:
    return SuvAnswer(factor=None, code=Code.SUV_UNAVAILABLE, why=why)


def _impossible(why: str) -> SuvAnswer:
    return SuvAnswer(factor=None, code=Code.SUV_IMPLAUSIBLE, why=why)
