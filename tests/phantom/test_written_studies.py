"""Files on disk say what the phantom says: the voxel at one point has one value."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pydicom
import pytest
import yaml

from netseg.domain import MrSequence, Phase
from netseg.phantom import (
    LesionSpec,
    Phantom,
    Protocol,
    WrittenStudy,
    make_phantom,
    series_of,
    write_dicom_study,
    write_nifti_study,
)

if TYPE_CHECKING:
    from pathlib import Path

TWO_SERIES = Protocol(ct_phases=(Phase.PORTAL_VENOUS,))


@pytest.fixture(scope="module")
def small() -> Phantom:
    spec = LesionSpec(diameter_mm=20.0, segment="VI", suv=30.0)
    return make_phantom(21, spacing_mm=(4.0, 3.0, 5.0), lesions=[spec])


@pytest.fixture(scope="module")
def dicom(small: Phantom, tmp_path_factory: pytest.TempPathFactory) -> WrittenStudy:
    return write_dicom_study(small, tmp_path_factory.mktemp("dicom"), protocol=TWO_SERIES)


def slices(study: Path, key: str) -> list[pydicom.Dataset]:
    return [pydicom.dcmread(p) for p in sorted(next(study.glob(f"*_{key}")).glob("*.dcm"))]


def value_at(images: list[pydicom.Dataset], point_mm: np.ndarray) -> float:
    """By hand: nearest slice, then rows along y and columns along x."""
    image = min(images, key=lambda d: abs(float(d.ImagePositionPatient[2]) - point_mm[2]))
    assert [float(v) for v in image.ImageOrientationPatient] == [1, 0, 0, 0, 1, 0]
    x, y, _ = (float(v) for v in image.ImagePositionPatient)
    between_rows, between_columns = (float(v) for v in image.PixelSpacing)
    row, column = (
        round((point_mm[1] - y) / between_rows),
        round((point_mm[0] - x) / between_columns),
    )
    stored = image.pixel_array[row, column]
    return float(stored) * float(image.RescaleSlope) + float(image.RescaleIntercept)


def test_the_dicom_ct_has_the_same_hu_at_the_landmark(small: Phantom, dicom: WrittenStudy) -> None:
    series = next(iter(series_of(small, TWO_SERIES)))
    images = slices(dicom.study, "ct_portal_venous")
    for index in ((30, 50, 20), (60, 40, 30), (int(small.grid.shape[0]) - 1, 0, 0)):
        point = small.grid.to_mm(np.array(index, float))
        assert value_at(images, point) == series.volume.values[index]


def test_suv_follows_from_the_tags_by_hand(small: Phantom, dicom: WrittenStudy) -> None:
    """SUVbw = Bq/ml x weight in g / (dose x 2^(-uptake/half-life)); 1 h after injection."""
    images = slices(dicom.study, "pt_ga68_dotatate")
    first = images[0]
    tracer = first.RadiopharmaceuticalInformationSequence[0]
    uptake_s = 3600.0
    assert (tracer.RadiopharmaceuticalStartTime, first.SeriesTime) == ("090000.00", "100000.00")
    assert (first.Units, first.DecayCorrection) == ("BQML", "START")
    decayed = float(tracer.RadionuclideTotalDose) * 2 ** (
        -uptake_s / float(tracer.RadionuclideHalfLife)
    )
    factor = float(first.PatientWeight) * 1000 / decayed
    pet = list(series_of(small, TWO_SERIES))[1].volume
    index = tuple(int(i) for i in np.unravel_index(int(pet.values.argmax()), pet.values.shape))
    point = pet.grid.to_mm(np.array(index, float))
    assert value_at(images, point) * factor == pytest.approx(float(pet.values[index]), rel=1e-3)
    assert tracer.RadiopharmaceuticalCodeSequence[0].CodeValue == "724025002"
    assert float(tracer.RadionuclideHalfLife) == pytest.approx(67.71 * 60)


def test_dicom_is_one_study_in_one_frame_with_unique_uids(dicom: WrittenStudy) -> None:
    images = slices(dicom.study, "ct_portal_venous") + slices(dicom.study, "pt_ga68_dotatate")
    assert len({i.StudyInstanceUID for i in images}) == 1
    assert len({i.FrameOfReferenceUID for i in images}) == 1
    assert len({i.SeriesInstanceUID for i in images}) == 2
    assert len({i.SOPInstanceUID for i in images}) == len(images)
    assert all(pydicom.uid.UID(i.SOPInstanceUID).is_valid for i in images)
    assert {str(i.PatientName) for i in images} == {"SYNTHETIC^PHANTOM"}
    assert "portal venous" in images[0].SeriesDescription


def test_neither_truth_nor_identity_lies_in_the_dicom_folder(dicom: WrittenStudy) -> None:
    assert all(p.suffix == ".dcm" for p in dicom.study.rglob("*") if p.is_file())
    assert "SYNTHETIC" not in dicom.study.name.upper()
    assert {p.name for p in dicom.truth.iterdir()} == {
        "liver.nii.gz", "lesions.nii.gz", "segments.nii.gz", "vessels.nii.gz", "tissues.nii.gz", "truth.json",
    }  # fmt: skip


def test_the_same_seed_writes_the_same_bytes(
    small: Phantom, dicom: WrittenStudy, tmp_path: Path
) -> None:
    again = write_dicom_study(small, tmp_path, protocol=TWO_SERIES)
    nifti = [
        write_nifti_study(small, tmp_path / n, protocol=TWO_SERIES, with_masks=True) for n in "ab"
    ]
    for first, second in (
        (dicom.study.parent, again.study.parent),
        (tmp_path / "a", tmp_path / "b"),
    ):
        files = sorted(p.relative_to(first) for p in first.rglob("*") if p.is_file())
        assert files
        for file in files:
            assert (first / file).read_bytes() == (second / file).read_bytes(), file
    assert nifti[0].study.name == nifti[1].study.name == "case-0021"


def test_nifti_and_dicom_hold_the_same_voxel(
    small: Phantom, dicom: WrittenStudy, tmp_path: Path
) -> None:
    import nibabel

    written = write_nifti_study(small, tmp_path, protocol=TWO_SERIES)
    image = nibabel.Nifti1Image.from_filename(written.study / "ct_portal_venous.nii.gz")
    affine = image.affine
    assert affine is not None
    point = small.truth[0].centre_mm.as_array()
    ras = np.array((-point[0], -point[1], point[2], 1.0))
    i, j, k = np.rint(np.linalg.inv(affine) @ ras).astype(int)[:3]
    nearest = small.grid.to_mm(np.array((i, j, k), float))
    assert np.abs(nearest - point).max() <= 2.5
    in_dicom = value_at(slices(dicom.study, "ct_portal_venous"), nearest)
    assert float(np.asanyarray(image.dataobj)[i, j, k]) == in_dicom


def test_study_yaml_names_every_series_in_the_contracts_words(
    small: Phantom, tmp_path: Path
) -> None:
    protocol = Protocol(
        ct_phases=(Phase.LATE_ARTERIAL,),
        mr=((MrSequence.T1, Phase.HEPATOBILIARY), (MrSequence.DWI, None)),
    )
    written = write_nifti_study(small, tmp_path, protocol=protocol, with_masks=True)
    document = yaml.safe_load((written.study / "study.yaml").read_text())
    series = {s["file"]: s for s in document["series"]}
    assert all((written.study / name).exists() for name in series)
    assert series["ct_late_arterial.nii.gz"]["phase"] == "late_arterial"
    assert series["pt_ga68_dotatate.nii.gz"]["quantity"] == "suvbw"
    assert series["mr_t1_hepatobiliary.nii.gz"]["phase"] == "hepatobiliary"
    assert series["mr_dwi.nii.gz"]["b_value"] == 800.0
    assert series["liver_mask.nii.gz"]["role"] == "liver_mask"


def test_truth_json_lists_what_was_planted(small: Phantom, dicom: WrittenStudy) -> None:
    document = json.loads((dicom.truth / "truth.json").read_text())
    lesion = document["lesions"][0]
    assert lesion["segment"] == "VI"
    assert lesion["diameter_mm"] == 20.0
    assert lesion["centre_mm"] == pytest.approx(tuple(small.truth[0].centre_mm), abs=1e-3)
    assert sum(document["segment_volume_ml"].values()) == pytest.approx(
        document["liver_volume_ml"], abs=0.01
    )


def test_mr_is_not_written_as_dicom(small: Phantom, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="DICOM is written for CT and PT"):
        write_dicom_study(small, tmp_path, protocol=Protocol(mr=((MrSequence.T2, None),)))
