"""DICOM attributes of the synthetic series (PS3.3: CT Image IOD A.3, PET Image IOD A.21)."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRLittleEndian,
    PositronEmissionTomographyImageStorage,
)

from netseg.domain import Modality

if TYPE_CHECKING:
    from pathlib import Path

    from netseg.domain import Series

PATIENT_NAME, STUDY_DATE = "SYNTHETIC^PHANTOM", "20200102"
WEIGHT_KG = 72.0
DOSE_BQ = 150.0e6
HALF_LIFE_S = 4062.6  # Ga-68: 67.71 min
INJECTION_TIME, SCAN_TIME, UPTAKE_S = "090000.00", "100000.00", 3600.0
# SUVbw = activity x weight / (dose decayed to the start of the scan); DecayCorrection START
BQML_PER_SUV = DOSE_BQ * 2.0 ** (-UPTAKE_S / HALF_LIFE_S) / (WEIGHT_KG * 1000.0)
CT_TIMES = {
    "native": "101000.00",
    "late_arterial": "101500.00",
    "portal_venous": "101535.00",
    "delayed": "101800.00",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """From what the UIDs of a study grow.

    Attributes:
        seed: The phantom's seed.
        frame_uid: Frame of Reference UID of every series.
    """

    seed: int
    frame_uid: str

    def uid(self, *parts: object) -> str:
        """A UUID-derived UID (PS3.5 B.2), the same for the same parts."""
        name = "-".join(("netseg-phantom", str(self.seed), *(str(p) for p in parts)))
        return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, name).int}"


def common_header(identity: Identity, series: Series, number: int) -> Dataset:
    """Patient, study, series, frame of reference and equipment."""
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.PatientName = PATIENT_NAME
    ds.PatientID = f"SYNTHETIC-{identity.seed:06d}"
    ds.PatientBirthDate = "19610101"
    ds.PatientSex = "F"
    ds.PatientAge = "058Y"
    ds.PatientSize = "1.68"
    ds.PatientWeight = f"{WEIGHT_KG:g}"
    ds.StudyInstanceUID = identity.uid("study")
    ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = STUDY_DATE
    ds.StudyTime = INJECTION_TIME
    ds.StudyID = "1"
    ds.AccessionNumber = ""
    ds.ReferringPhysicianName = ""
    ds.StudyDescription = "Synthetic abdomen, not a patient"
    ds.Modality = str(series.modality)
    ds.SeriesInstanceUID = identity.uid("series", series.key)
    ds.SeriesNumber = number
    time = SCAN_TIME if series.modality is Modality.PT else CT_TIMES[str(series.phase)]
    ds.SeriesTime = ds.AcquisitionTime = ds.ContentTime = time
    ds.SeriesDescription = _description(series)
    ds.FrameOfReferenceUID = identity.frame_uid
    ds.PositionReferenceIndicator = ""
    ds.Manufacturer = "netseg"
    ds.ManufacturerModelName = "procedural phantom"
    ds.PatientPosition = "HFS"
    ds.BodyPartExamined = "ABDOMEN"
    ds.BurnedInAnnotation = "NO"
    return ds


def _description(series: Series) -> str:
    if series.modality is Modality.PT:
        return "PET Ga-68 DOTATATE AC"
    return f"Abdomen {str(series.phase).replace('_', ' ')}"


def image_header(
    ds: Dataset, identity: Identity, series: Series, k: int, position_mm: np.ndarray
) -> None:
    """Where the slice lies: axial, rows to the left, columns to the back."""
    x, y, z = series.volume.grid.spacing_mm
    is_ct = series.modality is Modality.CT
    ds.SOPClassUID = CTImageStorage if is_ct else PositronEmissionTomographyImageStorage
    ds.SOPInstanceUID = identity.uid("image", series.key, k)
    ds.InstanceNumber = k + 1
    ds.ImagePositionPatient = [f"{p:.6f}".rstrip("0").rstrip(".") for p in position_mm]
    ds.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    ds.PixelSpacing = [f"{y:.6g}", f"{x:.6g}"]  # between rows, then between columns
    ds.SliceThickness = f"{z:.6g}"
    ds.SpacingBetweenSlices = f"{z:.6g}"
    ds.SliceLocation = f"{position_mm[2]:.4f}"


def ct_header(ds: Dataset) -> None:
    """Attributes of the CT Image module."""
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.AcquisitionNumber = 1
    ds.KVP = "120"
    ds.ConvolutionKernel = "SOFT"
    ds.RescaleType = "HU"
    ds.WindowCenter, ds.WindowWidth = "60", "360"
    ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 12, 11, 0
    if "native" not in ds.SeriesDescription:
        ds.ContrastBolusAgent = "iodinated contrast"


def pet_header(ds: Dataset, k: int, slices: int) -> None:
    """Attributes of the PET Series, PET Isotope and PET Image modules."""
    ds.ImageType = ["ORIGINAL", "PRIMARY"]
    ds.Units = "BQML"
    ds.CountsSource = "EMISSION"
    ds.SeriesType = ["WHOLE BODY", "IMAGE"]
    ds.NumberOfSlices = slices
    ds.ImageIndex = k + 1
    ds.CorrectedImage = ["DECY", "ATTN", "SCAT", "DTIM", "NORM"]
    ds.DecayCorrection = "START"
    ds.DecayFactor = "1"
    ds.FrameReferenceTime = "0"
    ds.ActualFrameDuration = "180000"
    ds.CollimatorType = "NONE"
    ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 15, 1
    ds.RadiopharmaceuticalInformationSequence = Sequence([_tracer()])


def _tracer() -> Dataset:
    item = Dataset()
    item.Radiopharmaceutical = "Ga-68 DOTATATE"
    item.RadiopharmaceuticalStartTime = INJECTION_TIME
    item.RadiopharmaceuticalStartDateTime = f"{STUDY_DATE}{INJECTION_TIME}"
    item.RadionuclideTotalDose = f"{DOSE_BQ:.0f}"
    item.RadionuclideHalfLife = f"{HALF_LIFE_S:g}"
    item.RadionuclidePositronFraction = "0.89"
    item.RadionuclideCodeSequence = Sequence([_code("35337001", "SCT", "^68^Gallium")])  # CID 4020
    item.RadiopharmaceuticalCodeSequence = Sequence(
        [_code("724025002", "SCT", "Dotatate Ga^68^")]
    )  # CID 4021
    return item


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code


def save(ds: Dataset, stored: np.ndarray, slope: float, intercept: float, path: Path) -> None:
    """Add the pixels and write the file."""
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = stored.shape
    ds.BitsAllocated = 16
    ds.RescaleSlope = f"{slope:.9e}" if slope != 1.0 else "1"
    ds.RescaleIntercept = f"{intercept:g}"
    ds.PixelData = (
        np.ascontiguousarray(stored).astype("<i2" if stored.dtype.kind == "i" else "<u2").tobytes()
    )
    ds["PixelData"].VR = "OW"
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = (
        ds.SOPClassUID,
        ds.SOPInstanceUID,
    )
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta = meta
    ds.save_as(path, enforce_file_format=True)
