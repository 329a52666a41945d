"""DICOM files to series: grouped, judged, assembled, given their quantity."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.domain.grid import Grid
from netseg.domain.study import Modality, MrSequence, Series
from netseg.domain.volume import Quantity, Volume
from netseg.study.dicom_geometry import LEAST_SLICES, stack
from netseg.study.dicom_pixels import read_pixels, same_image
from netseg.study.dicom_split import volumes_of
from netseg.study.image_file import MAX_VOXELS, uid_from
from netseg.study.suv import SuvAnswer, radionuclide_texts, suv_factor
from netseg.study.words import phase_of, sequence_of, tracer_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netseg.study.dicom_geometry import Stack
    from netseg.study.dicom_header import Header
    from netseg.study.remarks import Remarks

_OBJECTS = {
    "SR", "KO", "PR", "SEG", "RTSTRUCT", "RTPLAN", "RTDOSE", "RTRECORD", "RTIMAGE", "REG", "FID",
    "DOC", "AU", "ECG", "HD", "PLAN", "ANN", "M3D", "SMR",
}  # fmt: skip
"""Modalities whose objects are no images."""
_PROJECTIONS = {
    "MIP", "MINIP", "LOCALIZER", "SCOUT", "PROJECTION IMAGE", "SCREEN SAVE", "SCREENSAVE",
    "RENDERED", "VRT", "MNIP", "CSA REPORT", "DOSE_INFO", "SCREEN CAPTURE",
}  # fmt: skip
_ENHANCED = {
    "1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2", "1.2.840.10008.5.1.4.1.1.4.1",
    "1.2.840.10008.5.1.4.1.1.4.4", "1.2.840.10008.5.1.4.1.1.130", "1.2.840.10008.5.1.4.1.1.128.1",
}  # fmt: skip
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_NOT_A_VOLUME = {
    Code.UNSUPPORTED_MODALITY, Code.UNSUPPORTED_IOD, Code.NOT_MONOCHROME, Code.DERIVED_IMAGE,
    Code.TOO_FEW_SLICES,
}  # fmt: skip
"""Reasons that leave out one series of a study; all others refuse the study."""
_MOST_PLAUSIBLE_SUV = 5000.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SeriesFiles:
    """The images that claim to be one series.

    Attributes:
        label: What to call it in messages: modality and series number.
        headers: Its files, or those of one of its volumes.
        total: Number of files of the whole series.
    """

    label: str
    headers: tuple[Header, ...]
    total: int


def group(headers: Sequence[Header]) -> tuple[SeriesFiles, ...]:
    """Files by SeriesInstanceUID and modality, in the order CT, MR, PT, then by series number."""
    by_uid: dict[tuple[str, str], list[Header]] = defaultdict(list)
    for header in headers:
        by_uid[header.text("SeriesInstanceUID"), header.text("Modality").upper()].append(header)

    def order(item: tuple[tuple[str, str], list[Header]]) -> tuple[str, float, str]:
        (uid, modality), members = item
        return modality, members[0].number("SeriesNumber") or 0.0, uid

    groups: list[SeriesFiles] = []
    for (_, modality), members in sorted(by_uid.items(), key=order):
        number = members[0].whole("SeriesNumber")
        label = f"{modality or 'unnamed'} series{'' if number is None else f' {number}'}"
        groups.append(SeriesFiles(label=label, headers=tuple(members), total=len(members)))
    return tuple(groups)


def read_series(groups: Sequence[SeriesFiles], remarks: Remarks) -> tuple[Series, ...]:
    """Every series that is a volume; what is clearly none is left out with a warning.

    A broken acquisition (missing slices, impossible geometry, damaged pixels) refuses the study:
    the others might stand in for it unnoticed.

    Returns:
        Series without their final keys.

    Raises:
        StudyRejectedError: If one volume is broken or no volume is left.
    """
    read: list[Series] = []
    refusals: list[StudyRejectedError] = []
    volumes = [replace(f, headers=part) for f in groups for part in volumes_of(f.headers)]
    for files in volumes:
        try:
            read.append(_read_one(files, remarks))
        except StudyRejectedError as refusal:
            if refusal.notice.code not in _NOT_A_VOLUME:
                raise
            refusals.append(refusal)
            remarks.skip(files.label, refusal)
    if not read:
        images = [r for r in refusals if r.notice.code is not Code.UNSUPPORTED_MODALITY]
        raise next(iter(images or refusals), _no_dicom())
    return tuple(read)


def _read_one(files: SeriesFiles, remarks: Remarks) -> Series:
    headers = files.headers
    modality = _require_volume(headers)
    _require_one_study(headers)
    found = stack(headers, same_image)
    _remark_on_stack(files, found, remarks)
    if int(np.prod(found.shape, dtype=np.int64)) > MAX_VOXELS:
        raise StudyRejectedError(
            Code.ALLOCATION_LIMIT, f"The series has more than {MAX_VOXELS} voxels."
        )
    values, sha256 = read_pixels(found, modality, remarks)
    grid = Grid(
        shape=found.shape, affine_lps=found.affine_lps, frame_uid=_frame_uid(headers, sha256)
    )
    first = found.slices[0]
    texts = (first.text("SeriesDescription"), first.text("ProtocolName"))
    if modality is Modality.PT:
        return _pt(files, found, values, grid, sha256, remarks)
    sequence = sequence_of(texts) if modality is Modality.MR else None
    quantity = Quantity.HU if modality is Modality.CT else Quantity.ARBITRARY
    if sequence is MrSequence.ADC:
        quantity = Quantity.ADC
    return Series(
        key="",
        modality=modality,
        volume=Volume(values, grid, quantity),
        phase=phase_of(texts),
        sequence=sequence,
        b_value=first.number("DiffusionBValue") if sequence is MrSequence.DWI else None,
        input_sha256=sha256,
    )


def _pt(
    files: SeriesFiles,
    found: Stack,
    values: np.ndarray,
    grid: Grid,
    sha256: str,
    remarks: Remarks,
) -> Series:
    answer = suv_factor(found.slices)
    if answer.factor is not None:
        highest = float(values.max()) * answer.factor
        if not 0 < highest <= _MOST_PLAUSIBLE_SUV:
            why = f"the highest SUV would be {highest:.3g}"
            answer = SuvAnswer(factor=None, code=Code.SUV_IMPLAUSIBLE, why=why)
    is_bqml = found.slices[0].text("Units").upper() == "BQML"
    if answer.factor is not None:
        values = np.float32(answer.factor) * values.astype(np.float32, copy=False)
        quantity = Quantity.SUVBW
    else:
        quantity = Quantity.BQML if is_bqml else Quantity.ARBITRARY
        remarks.warn(
            answer.code or Code.SUV_UNAVAILABLE,
            f"{files.label}: no SUV, for {answer.why}. The values stay as stored.",
            file=found.slices[0].name,
        )
    texts = (*radionuclide_texts(found.slices[0]), found.slices[0].text("SeriesDescription"))
    return Series(
        key="",
        modality=Modality.PT,
        volume=Volume(values.astype(np.float32, copy=False), grid, quantity),
        tracer=tracer_of(texts),
        suv_factor=answer.factor,
        input_sha256=sha256,
    )


def _require_volume(headers: Sequence[Header]) -> Modality:
    """The series' modality, if it holds acquired grey slices.

    Raises:
        StudyRejectedError: One of the reasons for leaving a series out.
    """
    first = headers[0]
    name = first.text("Modality").upper()
    if name in _OBJECTS or name not in {m.value for m in Modality}:
        what = "objects are no images" if name in _OBJECTS else "images are not read"
        raise StudyRejectedError(
            Code.UNSUPPORTED_MODALITY,
            f"{name or 'Unnamed'} {what}; CT, MR and PT are.",
            file=first.name,
        )
    for header in headers:
        _require_slice(header)
    if len(headers) < LEAST_SLICES:
        raise StudyRejectedError(
            Code.TOO_FEW_SLICES,
            f"A volume needs at least {LEAST_SLICES} slices; the series has {len(headers)}.",
            file=first.name,
            detail={"expected": LEAST_SLICES, "found": len(headers)},
        )
    return Modality(name)


def _require_slice(header: Header) -> None:
    sop_class, kind = header.text("SOPClassUID"), header.words("ImageType")
    if sop_class in _ENHANCED or (header.whole("NumberOfFrames") or 1) > 1:
        raise StudyRejectedError(
            Code.UNSUPPORTED_IOD,
            "Enhanced multi-frame images are not read yet.",
            file=header.name,
            hint="Export the series as classic single-frame images.",
        )
    colour = header.text("PhotometricInterpretation").upper()
    if (header.whole("SamplesPerPixel") or 1) != 1 or colour not in (
        "MONOCHROME1", "MONOCHROME2", "",
    ):  # fmt: skip
        raise StudyRejectedError(
            Code.NOT_MONOCHROME,
            f"The image is {colour}; MONOCHROME1 or MONOCHROME2 is expected.",
            file=header.name,
        )
    derived = sop_class.startswith(_SECONDARY_CAPTURE) or "SECONDARY" in kind[1:2]
    if (derived and "ADC" not in kind) or _PROJECTIONS & set(kind):
        raise StudyRejectedError(
            Code.DERIVED_IMAGE,
            "The image is a localizer, projection, capture or secondary image; an acquired slice "
            "is expected.",
            file=header.name,
            hint="Export the original axial series.",
        )


def _require_one_study(headers: Sequence[Header]) -> None:
    studies = {h.text("StudyInstanceUID") for h in headers}
    if len(studies) > 1:
        raise StudyRejectedError(
            Code.STUDY_MISMATCH,
            f"The images of one series name {len(studies)} different examinations.",
            file=headers[0].name,
            detail={"studies": len(studies)},
            hint="Export the study again from its source.",
        )


def _remark_on_stack(files: SeriesFiles, found: Stack, remarks: Remarks) -> None:
    for copy in found.copies:
        remarks.warn(
            Code.DUPLICATE_IGNORED, "An identical copy of a slice was left out.", file=copy.name
        )
    first = found.slices[0]
    announced = first.whole("NumberOfSlices") or first.whole("ImagesInAcquisition")
    if announced and announced > files.total:
        remarks.warn(
            Code.INCOMPLETE_SERIES,
            f"{files.label} announces {announced} images; {files.total} are present. What "
            "lies beyond its ends is missing.",
            detail={"expected": announced, "found": files.total},
        )
    marked = [h.name for h in found.slices if h.has_preamble]
    if marked:
        remarks.warn(
            Code.PREAMBLE_NOT_EMPTY,
            f"{len(marked)} file(s) of {files.label} carry bytes before the DICOM data.",
            file=marked[0],
        )


def _frame_uid(headers: Sequence[Header], sha256: str) -> str:
    """The frame the tags name; one of its own, by content, for a series that names none.

    Raises:
        StudyRejectedError: MIXED_SERIES if the slices name several.
    """
    frames = {h.text("FrameOfReferenceUID") for h in headers}
    if len(frames) > 1:
        raise StudyRejectedError(
            Code.MIXED_SERIES,
            f"The images of one series lie in {len(frames)} different frames of reference.",
            file=headers[0].name,
        )
    return frames.pop() or uid_from(f"content {sha256}")


def _no_dicom() -> StudyRejectedError:
    return StudyRejectedError(
        Code.NO_DICOM,
        "The folder holds no DICOM image.",
        hint="Give the folder that holds the image files.",
    )
