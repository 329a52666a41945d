"""Files to a Study: the one door, with everything refused or remarked on the way."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from netseg.domain.codes import Code
from netseg.domain.errors import FrameMismatchError, GridMismatchError, StudyRejectedError
from netseg.domain.study import Modality, Series, Study
from netseg.domain.volume import Quantity
from netseg.study.document import read_document
from netseg.study.files import STUDY_FILE, empty_file, image_suffix, is_dicom, look_through, stem
from netseg.study.hints import NO_HINTS
from netseg.study.image_file import read_image_file, require_enough_slices
from netseg.study.naming import apply_hints, named, require_overlap
from netseg.study.privacy import clean_notice, require_neutral_case_id
from netseg.study.remarks import Remarks
from netseg.study.values import looks_like_hounsfield, volume_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from netseg.domain.errors import Notice
    from netseg.domain.grid import Grid
    from netseg.domain.volume import LabelMap, Mask
    from netseg.study.document import ScanEntry, StudyDocument
    from netseg.study.hints import ReadHints
    from netseg.study.image_file import ImageFile

_Image = TypeVar("_Image", "Mask", "LabelMap")
_UNIT_OF = {Modality.CT: Quantity.HU, Modality.MR: Quantity.ARBITRARY}
_CASE_ID = re.compile(r"[^/\\\x00-\x1f\x7f]{1,120}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Inspection:
    """What reading a study says, for `netseg validate`.

    Attributes:
        study: What would be used; None when the study is refused.
        errors: Why it is refused; empty when it is not.
        warnings: What was accepted and should be known.
    """

    study: Study | None
    errors: tuple[Notice, ...]
    warnings: tuple[Notice, ...]


def read_study(path: Path, hints: ReadHints = NO_HINTS) -> Study:
    """Read one examination.

    Args:
        path: A DICOM tree of any nesting, one image file (.nii, .nii.gz, .nrrd, .mha), or a folder
            with a study.yaml.
        hints: What the user says where the headers are silent.

    Returns:
        Every usable series in patient coordinates. Nothing the notices say names the patient.

    Raises:
        StudyRejectedError: With the code of the first rule that was broken.
    """
    remarks = Remarks()
    return _read(path, hints, remarks)


def inspect_study(path: Path, hints: ReadHints = NO_HINTS) -> Inspection:
    """Say what would be used, what refused and why; reads everything, runs nothing."""
    remarks = Remarks()
    try:
        study = _read(path, hints, remarks)
    except StudyRejectedError as refusal:
        warnings = tuple(clean_notice(n, remarks.secrets) for n in remarks.notices)
        return Inspection(study=None, errors=(refusal.notice,), warnings=warnings)
    return Inspection(study=study, errors=(), warnings=study.warnings)


def _read(path: Path, hints: ReadHints, remarks: Remarks) -> Study:
    try:
        study = _dispatch(path, hints, remarks)
        require_neutral_case_id(study.case_id, remarks.secrets)
    except StudyRejectedError as refusal:
        raise _cleaned(refusal, remarks) from None
    except OSError as error:
        raise StudyRejectedError(
            Code.INPUT_CHANGED,
            f"A file of the study cannot be read ({error.strerror or type(error).__name__}).",
            hint="Check its permissions and whether the transfer has finished.",
        ) from None
    notices = tuple(clean_notice(n, remarks.secrets) for n in remarks.notices)
    return replace(study, warnings=notices, secrets=frozenset(remarks.secrets))


def _dispatch(path: Path, hints: ReadHints, remarks: Remarks) -> Study:
    if not path.exists():
        raise StudyRejectedError(Code.NO_INPUT, "The input path does not exist.")
    if path.is_file() and path.name != STUDY_FILE:
        return _read_file(path, hints, remarks)
    folder = path.parent if path.is_file() else path
    if (folder / STUDY_FILE).is_file():
        return _read_document(folder, hints, remarks)
    files = look_through(folder, remarks)
    if files.dicom:
        for image in files.images:
            remarks.warn(
                Code.SERIES_SKIPPED,
                "An image file beside DICOM was left out; a study.yaml or a mask argument names it.",
                file=image.relative_to(folder).as_posix(),
            )
        return _read_dicom(folder, files.dicom, hints, remarks)
    if len(files.images) == 1:
        return _read_bare(files.images[0], hints, remarks)
    if files.images:
        raise StudyRejectedError(
            Code.SERIES_AMBIGUOUS,
            f"The folder holds {len(files.images)} image files and no study.yaml says what they "
            "are.",
            detail={"files": len(files.images)},
            hint="Write a study.yaml, give one file, or use --many to take each as a study.",
        )
    raise StudyRejectedError(
        Code.NO_DICOM,
        "The folder holds no DICOM image, no image file and no study.yaml.",
        hint="Give the folder that holds the image files.",
    )


def _read_file(path: Path, hints: ReadHints, remarks: Remarks) -> Study:
    if path.stat().st_size == 0:
        raise empty_file(path.name)
    if image_suffix(path):
        return _read_bare(path, hints, remarks)
    if is_dicom(path, path.name):
        return _read_dicom(path.parent, (path,), hints, remarks)
    raise StudyRejectedError(
        Code.UNSUPPORTED_FORMAT,
        "The file is neither DICOM nor NIfTI, NRRD, MetaImage or study.yaml.",
        file=path.name,
    )


def _read_dicom(root: Path, paths: Sequence[Path], hints: ReadHints, remarks: Remarks) -> Study:
    from netseg.study.dicom_study import read_dicom_study

    read = read_dicom_study(root, paths, remarks)
    if hints.modality is not None and all(s.modality is not hints.modality for s in read):
        raise StudyRejectedError(
            Code.UNSUPPORTED_MODALITY,
            f"The study holds {', '.join(sorted({s.modality for s in read}))}; "
            f"{hints.modality} was expected.",
        )
    case_id = hints.case_id or (stem(paths[0]) if len(paths) == 1 else root.resolve().name)
    return _finished(case_id, read, hints, remarks)


def _read_bare(path: Path, hints: ReadHints, remarks: Remarks) -> Study:
    image = _scan_file(path, path.name, remarks)
    modality = hints.modality or _assumed_modality(image, remarks)
    quantity = _UNIT_OF.get(modality)
    if quantity is None:
        raise StudyRejectedError(
            Code.SUV_UNAVAILABLE,
            "A bare PT file does not say whether it holds SUV or Bq/ml.",
            file=path.name,
            hint="Write a study.yaml with `quantity: suvbw` or `quantity: bqml`.",
        )
    volume = volume_of(image, quantity, image.derived_frame_uid)
    series = Series(key="", modality=modality, volume=volume, input_sha256=image.sha256)
    return _finished(hints.case_id or stem(path), (series,), hints, remarks)


def _assumed_modality(image: ImageFile, remarks: Remarks) -> Modality:
    if not looks_like_hounsfield(image.values):
        raise StudyRejectedError(
            Code.MODALITY_UNKNOWN,
            "The file does not say its modality, and its values do not look like HU.",
            file=image.name,
            hint="State it: --modality CT or --modality MR, or write a study.yaml.",
        )
    remarks.warn(
        Code.MODALITY_ASSUMED,
        "The values look like HU and are taken as CT.",
        file=image.name,
        hint="State it: --modality CT.",
    )
    return Modality.CT


def _read_document(folder: Path, hints: ReadHints, remarks: Remarks) -> Study:
    document = read_document(folder)
    images = [_scan_file(scan.path, scan.name, remarks) for scan in document.scans]
    shared = images[0].derived_frame_uid
    read = tuple(
        _from_entry(
            scan, image, shared if document.same_frame else image.derived_frame_uid, remarks
        )
        for scan, image in zip(document.scans, images, strict=True)
    )
    if document.same_frame:
        require_overlap(read)
    case_id = hints.case_id or document.case or folder.resolve().name
    return _finished(case_id, read, _with_masks(document, hints), remarks)


def _from_entry(scan: ScanEntry, image: ImageFile, frame_uid: str, remarks: Remarks) -> Series:
    volume = volume_of(image, scan.quantity, frame_uid)
    factor = 1.0 if scan.quantity is Quantity.SUVBW else None
    if scan.quantity is Quantity.BQML and scan.factors:
        from netseg.study.suv import suv_factor_from

        factor = suv_factor_from(**scan.factors)
        volume = replace(volume, values=volume.values * factor, quantity=Quantity.SUVBW)
    elif scan.quantity is Quantity.BQML:
        remarks.warn(
            Code.SUV_UNAVAILABLE,
            "No SUV: dose_bq, weight_kg, half_life_s and delay_s are not stated.",
            file=scan.name,
        )
    return Series(
        key="",
        modality=scan.modality,
        volume=volume,
        phase=scan.phase,
        sequence=scan.sequence,
        b_value=scan.b_value,
        tracer=scan.tracer,
        suv_factor=factor,
        input_sha256=image.sha256,
    )


def _with_masks(document: StudyDocument, hints: ReadHints) -> ReadHints:
    """The hints with the document's masks where the user named none."""
    given = {mask.role: f"{mask.path}{mask.suffix}" for mask in document.masks}
    if len(given) < len(document.masks):
        raise StudyRejectedError(
            Code.SERIES_AMBIGUOUS, "study.yaml names two masks of one role.", file=STUDY_FILE
        )
    return replace(
        hints,
        liver=hints.liver or given.get("liver_mask"),
        lesions=hints.lesions or given.get("lesion_mask"),
        spleen=hints.spleen or given.get("spleen_mask"),
    )


def _scan_file(path: Path, name: str, remarks: Remarks) -> ImageFile:
    image = read_image_file(path, name)
    require_enough_slices(image.values.shape, name)
    remarks.notices.extend(image.notices)
    return image


def _finished(case_id: str, read: Sequence[Series], hints: ReadHints, remarks: Remarks) -> Study:
    if not _CASE_ID.fullmatch(case_id) or case_id in (".", ".."):
        raise StudyRejectedError(
            Code.CONFIG_RANGE,
            "The case's name must be 1 to 120 characters without slashes or control characters.",
        )
    series = named(apply_hints(read, hints), remarks)
    return Study(
        case_id=case_id,
        series=series,
        liver=_on_a_scan(hints.liver, series, _mask_reader()),
        lesions=_on_a_scan(hints.lesions, series, _instances_reader()),
        spleen=_on_a_scan(hints.spleen, series, _mask_reader()),
    )


def _mask_reader() -> Callable[[str, Grid | None], Mask]:
    from netseg.study.masks import read_mask

    return read_mask


def _instances_reader() -> Callable[[str, Grid | None], LabelMap]:
    from netseg.study.masks import read_lesions

    return read_lesions


def _on_a_scan(
    spec: str | None, series: Sequence[Series], reader: Callable[[str, Grid | None], _Image]
) -> _Image | None:
    """The mask on the grid of the first series it fits."""
    if spec is None:
        return None
    mismatches: list[StudyRejectedError] = []
    for one in series:
        try:
            return reader(spec, one.volume.grid)
        except (GridMismatchError, FrameMismatchError) as error:
            mismatches.append(error)
    raise mismatches[0]


def _cleaned(refusal: StudyRejectedError, remarks: Remarks) -> StudyRejectedError:
    notice = clean_notice(refusal.notice, remarks.secrets)
    return type(refusal)(
        notice.code,
        notice.message,
        file=notice.file,
        detail=notice.detail,
        hint=notice.hint,
    )
