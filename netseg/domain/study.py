"""The examination of one patient, as read: series in patient coordinates."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netseg.domain.errors import Notice
    from netseg.domain.volume import LabelMap, Mask, Volume


class Modality(StrEnum):
    """How an image was taken, in DICOM's letters."""

    CT = "CT"
    MR = "MR"
    PT = "PT"


class Phase(StrEnum):
    """Contrast phase. A phase that nobody stated is `None`, never a guess."""

    NATIVE = "native"
    LATE_ARTERIAL = "late_arterial"
    PORTAL_VENOUS = "portal_venous"
    DELAYED = "delayed"
    HEPATOBILIARY = "hepatobiliary"


class MrSequence(StrEnum):
    """Weighting of an MR series."""

    T1 = "t1"
    T2 = "t2"
    DWI = "dwi"
    ADC = "adc"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Series:
    """One image series with what is known about it.

    Attributes:
        key: Short name, unique in its study, such as "ct_portal_venous" or "pt_ga68_dotatate".
        modality: CT, MR or PT.
        volume: The image; CT in HU, PT in SUVbw (or Bq/ml where no SUV can be computed).
        phase: Contrast phase, None when unknown.
        sequence: MR weighting, None for CT and PT or when unknown.
        b_value: Diffusion weighting in s/mm², for DWI only.
        tracer: PET or SPECT tracer such as "ga68_dotatate", None when unknown.
        suv_factor: SUVbw per Bq/ml that was applied, for PT only.
        input_sha256: Hash over the bytes of the series' files in slice order.
    """

    key: str
    modality: Modality
    volume: Volume
    phase: Phase | None = None
    sequence: MrSequence | None = None
    b_value: float | None = None
    tracer: str | None = None
    suv_factor: float | None = None
    input_sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Study:
    """One examination: every series in the same frame of reference unless its grid says otherwise.

    Attributes:
        case_id: Name of the case; holds no identifier of the patient.
        series: At least one series, keys unique.
        liver: Liver mask that came with the study, lesions included.
        lesions: Lesion instances that came with the study.
        spleen: Spleen mask that came with the study, on any of its grids.
        warnings: What the reader accepted but wants known.
        secrets: Identifiers met in the headers (names, ids, UIDs). Never written anywhere; outputs
            are searched for them before they leave.
    """

    case_id: str
    series: tuple[Series, ...]
    liver: Mask | None = None
    lesions: LabelMap | None = None
    warnings: tuple[Notice, ...] = ()
    secrets: frozenset[str] = frozenset()
    spleen: Mask | None = None

    def __post_init__(self) -> None:
        """Keep the keys unique."""
        keys = [s.key for s in self.series]
        if not keys or len(set(keys)) != len(keys):
            raise ValueError(f"a study needs series with unique keys; got {keys}.")

    def by_key(self) -> Mapping[str, Series]:
        """The series by their key."""
        return {s.key: s for s in self.series}

    def first(self, modality: Modality, *phases: Phase) -> Series | None:
        """The first series of `modality` in the order of `phases`; any phase when none is named."""
        of_kind = [s for s in self.series if s.modality is modality]
        if not phases:
            return of_kind[0] if of_kind else None
        return next((s for phase in phases for s in of_kind if s.phase is phase), None)
