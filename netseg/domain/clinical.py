"""What is known about a patient: the clinician's facts and the measured ones, side by side.

`None` always means unknown, never "no". Names and values are those of the findings document.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netseg.domain.findings import Lobe, SegmentSource
    from netseg.domain.margin import Verdict

COUINAUD = ("I", "II", "III", "IV", "IVa", "IVb", "V", "VI", "VII", "VIII")


class Sex(StrEnum):
    """Sex as the findings document writes it."""

    FEMALE = "F"
    MALE = "M"


class Primary(StrEnum):
    """Site of the primary. `UNKNOWN` means searched and not found (CUP); not stated is None."""

    STOMACH = "stomach"
    DUODENUM = "duodenum"
    SMALL_INTESTINE = "small_intestine"
    PANCREAS = "pancreas"
    COLON = "colon"
    RECTUM = "rectum"
    APPENDIX = "appendix"
    LUNG = "lung"
    UNKNOWN = "unknown"
    OTHER = "other"


class Differentiation(StrEnum):
    """Differentiation by the pathologist."""

    WELL = "well"
    POOR = "poor"


class Grade(StrEnum):
    """Grade of proliferation."""

    G1 = "G1"
    G2 = "G2"
    G3 = "G3"


class LiverPattern(StrEnum):
    """How metastases are spread over the liver."""

    NONE = "none"
    SIMPLE = "simple"
    COMPLEX = "complex"
    DIFFUSE = "diffuse"


class ScanResult(StrEnum):
    """Answer of one nuclear medicine examination."""

    POSITIVE = "positive"
    NEGATIVE = "negative"
    NOT_DONE = "not_done"


class Receptor(StrEnum):
    """Somatostatin receptor status without a score."""

    POSITIVE = "positive"
    NEGATIVE = "negative"


class DiseaseCourse(StrEnum):
    """Course since the last treatment or visit."""

    STABLE = "stable"
    PROGRESSIVE = "progressive"
    RESPONSE = "response"


class MarkerCourse(StrEnum):
    """Course of the tumour markers."""

    STABLE = "stable"
    RISING = "rising"
    FALLING = "falling"


class SurgicalMargin(StrEnum):
    """Residual tumour after surgery."""

    R0 = "R0"
    R1 = "R1"
    R2 = "R2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ki67:
    """Proliferation index in percent, as sharp as the pathologist wrote it.

    A single number has `low_pct == high_pct`. "< 2" is everything from 0 up to, not including, 2.

    Attributes:
        low_pct: Lower end.
        high_pct: Upper end.
        low_included: Whether the lower end itself is possible.
        high_included: Whether the upper end itself is possible.
    """

    low_pct: float
    high_pct: float
    low_included: bool = True
    high_included: bool = True

    def __post_init__(self) -> None:
        """Keep it a part of 0 to 100 % that holds at least one value."""
        ends = (self.low_pct, self.high_pct)
        if not all(math.isfinite(end) and 0 <= end <= 100 for end in ends):
            raise ValueError(f"Ki-67 lies within 0 to 100 %; got {ends}.")
        point = self.low_pct == self.high_pct
        if self.low_pct > self.high_pct or (point and not self.is_closed):
            raise ValueError(f"the Ki-67 interval {self} holds no value.")

    def __str__(self) -> str:
        """As a pathologist writes it."""
        if self.low_pct == self.high_pct:
            return f"{self.low_pct:g} %"
        if not self.high_included and self.low_pct == 0:
            return f"< {self.high_pct:g} %"
        if not self.low_included and self.high_pct == 100:
            return f"> {self.low_pct:g} %"
        return f"{self.low_pct:g}-{self.high_pct:g} %"

    @property
    def is_closed(self) -> bool:
        """Whether both ends belong to it."""
        return self.low_included and self.high_included

    @classmethod
    def exactly(cls, pct: float) -> Ki67:
        """One number."""
        return cls(low_pct=pct, high_pct=pct)

    @classmethod
    def between(cls, low_pct: float, high_pct: float) -> Ki67:
        """An interval, both ends included."""
        return cls(low_pct=low_pct, high_pct=high_pct)

    @classmethod
    def below(cls, pct: float) -> Ki67:
        """Less than `pct`."""
        return cls(low_pct=0.0, high_pct=pct, high_included=False)

    @classmethod
    def above(cls, pct: float) -> Ki67:
        """More than `pct`."""
        return cls(low_pct=pct, high_pct=100.0, low_included=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiverLesion:
    """One liver metastasis as far as the rules need it.

    Attributes:
        segment: Couinaud segment, "I" … "VIII" or "IVa", "IVb".
        lobe: Lobe where only that is known; follows from `segment` otherwise.
        diameter_cm: Longest (axial) diameter in centimetres.
        confidence: Probability that it is a lesion.
        further: Further measured values of the document's lesion entry, kept as they came.
    """

    segment: str | None = None
    lobe: Lobe | None = None
    diameter_cm: float | None = None
    confidence: float | None = None
    further: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class PostAblation:
    """What a control scan showed after an ablation; a simulated margin has no place here.

    Attributes:
        min_margin_mm: Smallest margin over all lesions, negative = depth of lesion left.
        registration_error_mm: Error of that distance; None = unknown, then no A0 can be stated.
        evidence: "control_scan", the only kind that counts; None = unknown, then no A0 either.
        verdict: The margin check's own verdict, where netseg made it.
    """

    min_margin_mm: float | None = None
    registration_error_mm: float | None = None
    evidence: str | None = None
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PostSurgery:
    """What the pathologist saw after surgery.

    Attributes:
        margin: R0, R1 or R2.
        further: Procedure, site, date, as text; they drive no rule.
    """

    margin: SurgicalMargin | None = None
    further: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class PastTreatment:
    """One treatment that was given, with what came of it.

    Attributes:
        treatment: Option id of the allocation ("prrt"), or "other".
        outcome: Course under or after it.
        post_ablation: The control scan, where it was an ablation.
        further: Date, note, as text; they drive no rule.
    """

    treatment: str
    outcome: DiseaseCourse | None = None
    post_ablation: PostAblation | None = None
    further: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class ClinicalFindings:
    """Everything the rules may use. A field that is None is unknown.

    Attributes:
        sstr: "positive", "negative", or a Krenning score 0 to 4.
        lesions: Lesions that drive the rules (the measured ones, where netseg measured); an empty
            tuple means "looked, none found".
        lesions_reported: The clinician's own list, kept beside the measured one.
        segment_source: Where the lesions' segments come from; an approximate partition is flagged.
        r0_a0_possible: Whether resection can be R0 or ablation A0 in this patient.
        hepatopulmonary_shunt_pct: Share of arterial flow that reaches the lung.
        achievable_cytoreduction_pct: Share of the tumour that surgery could remove.
        history: Treatments in the order in which they were given. A treatment that is not in it
            was not given, as far as the rules go.
        staging: The pathologist's or clinician's TNM record, shown and kept; drives no rule.
        measured: What a station measured, as it wrote it; kept, drives no rule.
        provenance: Who wrote the document; kept, drives no rule.
    """

    age: float | None = None
    sex: Sex | None = None
    primary: Primary | None = None
    primary_part: str | None = None
    histology_text: str | None = None
    primary_resected: bool | None = None
    men1: bool | None = None
    intestinal_obstruction_risk: bool | None = None
    primary_diameter_mm: float | None = None
    gastric_type: int | None = None
    differentiation: Differentiation | None = None
    ki67: Ki67 | None = None
    mitoses_per_2mm2: float | None = None
    grade_reported: Grade | None = None
    functioning: bool | None = None
    symptomatic: bool | None = None
    sstr: Receptor | int | None = None
    planar_sstr_scintigraphy: ScanResult | None = None
    ga68_pet: ScanResult | None = None
    fdg_pet: ScanResult | None = None
    sstr_at_diagnosis: Receptor | None = None
    extrahepatic_disease: bool | None = None
    extrahepatic_sites: tuple[str, ...] | None = None
    lesions: tuple[LiverLesion, ...] | None = None
    lesions_reported: tuple[LiverLesion, ...] | None = None
    segment_source: SegmentSource | None = None
    lesion_count: int | None = None
    liver_pattern_reported: LiverPattern | None = None
    liver_burden_pct: float | None = None
    arterial_enhancement: bool | None = None
    r0_a0_possible: bool | None = None
    fit_for_local_treatment: bool | None = None
    general_anaesthesia_possible: bool | None = None
    liver_surgery_possible: bool | None = None
    portal_vein_thrombosis: bool | None = None
    hepatic_failure: bool | None = None
    prior_whipple: bool | None = None
    prior_operations: tuple[str, ...] | None = None
    hepatopulmonary_shunt_pct: float | None = None
    achievable_cytoreduction_pct: float | None = None
    other_drugs_available: bool | None = None
    imaging_done: tuple[str, ...] | None = None
    post_ablation: PostAblation | None = None
    post_surgery: PostSurgery | None = None
    disease_course: DiseaseCourse | None = None
    tumour_markers: MarkerCourse | None = None
    history: tuple[PastTreatment, ...] | None = None
    staging: Mapping[str, Any] | None = None
    measured: Mapping[str, Any] | None = None
    provenance: Mapping[str, Any] | None = None
