"""What the user says about a study that its files do not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netseg.domain.study import Modality, Phase


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadHints:
    """The user's word where the headers are silent; it is never needed where they speak.

    Attributes:
        modality: Modality of a bare image file; of a DICOM tree, the one that must be in it.
        phase: Contrast phase of the one CT or MR series whose tags name none.
        tracer: Tracer of the one PT series whose tags name none, such as "lu177_dotatate".
        case_id: Name of the case; the path's own name when absent.
        liver: Mask of the liver, "FILE", "FILE:1,2" (see `netseg.study.masks`).
        lesions: Mask of the lesions, "FILE:2" or "FILE:instances".
        spleen: Mask of the spleen, which receptor uptake is compared with.
    """

    modality: Modality | None = None
    phase: Phase | None = None
    tracer: str | None = None
    case_id: str | None = None
    liver: str | None = None
    lesions: str | None = None
    spleen: str | None = None


NO_HINTS = ReadHints()
