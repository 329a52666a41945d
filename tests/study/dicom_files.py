"""Writes small DICOM series of a known place and content, right or wrong on purpose."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SOP_CLASSES = {
    "CT": "1.2.840.10008.5.1.4.1.1.2",
    "MR": "1.2.840.10008.5.1.4.1.1.4",
    "PT": "1.2.840.10008.5.1.4.1.1.128",
}


def body(shape: tuple[int, int, int] = (16, 12, 8)) -> np.ndarray:
    """A box of soft tissue (50 HU) in air (-1000 HU), as stored values of a CT with -1024."""
    values = np.full(shape, 24, np.uint16)
    values[3:-3, 3:-3, :] = 1074
    return values


def axial(spacing_mm: tuple[float, float, float] = (2.0, 2.0, 5.0)) -> np.ndarray:
    """The usual affine: i to the left, j to the back, k to the head."""
    affine = np.diag([*spacing_mm, 1.0])
    affine[:3, 3] = -20, -30, 40
    return affine


def write_series(
    folder: Path,
    *,
    values: np.ndarray | None = None,
    affine: np.ndarray | None = None,
    modality: str = "CT",
    edit: Callable[[Dataset, int], None] | None = None,
    syntax: str = ExplicitVRLittleEndian,
    uid_seed: str = "series",
    prefix: str = "IM",
) -> list[Path]:
    """One file per slice k of `values` (i, j, k), placed by `affine` (LPS); `edit` spoils it.

    Files are numbered against the slice order, so that names help nobody.
    """
    values = body() if values is None else values
    affine = axial() if affine is None else affine
    folder.mkdir(parents=True, exist_ok=True)
    paths: list[Path] = []
    for k in range(values.shape[2]):
        dataset = _slice(values, affine, k, modality, uid_seed, syntax)
        path = folder / f"{prefix}{values.shape[2] - k:04d}.dcm"
        with warnings.catch_warnings():  # what is wrong here is wrong on purpose
            warnings.simplefilter("ignore")
            if edit is not None:
                edit(dataset, k)
            dataset.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def add_injection(dataset: Dataset, **changes: Any) -> None:
    """The tags of an FDG injection of 200 MBq in a patient of 80 kg, one half-life before."""
    item = Dataset()
    item.Radiopharmaceutical = "FDG -- fluorodeoxyglucose"
    item.RadiopharmaceuticalStartTime = "090000.00"
    item.RadionuclideTotalDose = "200000000"
    item.RadionuclideHalfLife = "6588"
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "C-111A1", "SRT", "^18^Fluorine"
    item.RadionuclideCodeSequence = Sequence([code])
    dataset.PatientWeight = "80"
    dataset.Units = "BQML"
    dataset.DecayCorrection = "START"
    dataset.CorrectedImage = ["ATTN", "DECY", "SCAT"]
    dataset.SeriesDate = dataset.AcquisitionDate = "20240201"
    dataset.SeriesTime = dataset.AcquisitionTime = "104948"  # 6588 s after 09:00:00
    for keyword, value in changes.items():
        target = item if keyword.startswith(("Radio", "radio")) else dataset
        if value is None:
            delattr(target, keyword)
        else:
            setattr(target, keyword, value)
    dataset.RadiopharmaceuticalInformationSequence = Sequence([item])


def _slice(
    values: np.ndarray, affine: np.ndarray, k: int, modality: str, uid_seed: str, syntax: str
) -> Dataset:
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    directions = affine[:3, :3] / spacing
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = SOP_CLASSES[modality]
    uid = generate_uid(entropy_srcs=[uid_seed, str(k)])
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = uid
    dataset.Modality = modality
    dataset.PatientName, dataset.PatientID = "Zebra^Quill", "PID-778899"
    dataset.PatientBirthDate = "19510203"
    dataset.StudyInstanceUID = generate_uid(entropy_srcs=["study"])
    dataset.SeriesInstanceUID = generate_uid(entropy_srcs=[uid_seed])
    dataset.FrameOfReferenceUID = generate_uid(entropy_srcs=["frame"])
    dataset.SeriesNumber, dataset.InstanceNumber = 3, 1 + (k * 7) % 97
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.SeriesDescription = "Abdomen portal venous"
    dataset.ImagePositionPatient = [f"{v:.10g}" for v in (affine @ [0, 0, k, 1])[:3]]
    dataset.ImageOrientationPatient = [f"{v:.12g}" for v in directions[:, :2].T.ravel()]
    dataset.PixelSpacing = [f"{spacing[1]:.10g}", f"{spacing[0]:.10g}"]  # rows first
    dataset.Rows, dataset.Columns = values.shape[1], values.shape[0]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PixelRepresentation = int(values.dtype == np.int16)
    if modality != "MR":
        dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1024 if modality == "CT" else 0
    set_pixels(dataset, values[:, :, k])
    return dataset


def set_pixels(dataset: Dataset, plane: np.ndarray) -> None:
    """Store a plane indexed (i, j): column, row."""
    big = dataset.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.2"
    rows = np.ascontiguousarray(plane.T)
    dataset["PixelData"] = _element(rows.astype(rows.dtype.newbyteorder(">" if big else "<")))


def _element(rows: np.ndarray) -> Any:
    from pydicom.dataelem import DataElement

    return DataElement(0x7FE00010, "OW", rows.tobytes())
