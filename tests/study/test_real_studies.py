"""What the reader makes of real examinations; each number stands in the files' own headers."""

from __future__ import annotations

import tarfile

import numpy as np
import pytest

from netseg.domain import Code, Modality, Quantity, StudyRejectedError
from netseg.study import ReadHints, find_studies, read_study
from tests.real_data import real_data

pytestmark = pytest.mark.slow


def unpacked(name: str, folder):
    with tarfile.open(real_data(f"dicom/{name}.tar.xz")) as archive:
        archive.extractall(folder / name, filter="data")
    return folder / name


def codes(study) -> list[Code]:
    return [w.code for w in study.warnings]


def test_thick_slices_with_padding(tmp_path):
    """41 slices of 5 mm; -3024 HU outside the field of view become the floor of -1024."""
    study = read_study(unpacked("ct_crlm_1004", tmp_path))
    (ct,) = study.series
    assert ct.volume.grid.shape == (512, 512, 41)
    assert ct.volume.grid.spacing_mm == pytest.approx((0.796875, 0.796875, 5.0))
    assert ct.volume.values.dtype == np.int16
    assert ct.volume.values.min() == -1024
    assert codes(study) == [Code.PHASE_UNKNOWN], "the description names no phase"


def test_pet_and_ct_of_one_session_share_a_frame(tmp_path):
    path = unpacked("petct_fdg", tmp_path)
    assert len(find_studies(path)) == 1, "its folders CT and PT are one examination"
    study = read_study(path)
    assert [s.key for s in study.series] == ["ct", "pt_f18_fdg"]
    assert len({s.volume.grid.frame_uid for s in study.series}) == 1


def test_slices_a_few_hundredths_off_a_regular_grid(tmp_path):
    """Steps from 3.19 to 3.29 mm, every slice within 0.04 mm of the best grid."""
    study = read_study(unpacked("pet_fdg_wholebody", tmp_path))
    (pet,) = study.series
    assert pet.volume.grid.shape == (128, 128, 267)
    assert pet.volume.grid.spacing_mm[2] == pytest.approx(3.26988, abs=1e-4)
    assert pet.volume.quantity is Quantity.SUVBW
    assert codes(study) == [Code.SERIES_SKIPPED], "the RTSTRUCT beside it"


def test_a_nuclide_is_no_tracer_until_the_user_says_it(tmp_path):
    """92.987 kg and 7210.4 MBq corrected to the injection: 92987 / 7.2104256e9 = 1.28962e-5."""
    path = unpacked("net_lu177_dotatate_spect", tmp_path)
    study = read_study(path)
    assert study.series[0].tracer is None
    assert Code.TRACER_UNKNOWN in codes(study)
    assert study.series[0].suv_factor == pytest.approx(1.289619e-5, rel=1e-5)
    said = read_study(path, ReadHints(tracer="lu177_dotatate"))
    assert said.series[0].key == "pt_lu177_dotatate"
    assert Code.TRACER_UNKNOWN not in codes(said)


def test_jpeg2000_slices_and_a_mask_stored_the_other_way_round():
    """The labels' rows run against the DICOM's; the voxels are the same."""
    labels = real_data("totalseg_examples/example_seg_dicom.nii.gz")
    study = read_study(
        real_data("totalseg_examples/example_ct_dicom"), ReadHints(liver=f"{labels}:5")
    )
    assert study.series[0].volume.grid.shape == (512, 512, 20)
    assert study.liver is not None
    liver_hu = study.series[0].volume.values[study.liver.inside]
    assert 60 < np.median(liver_hu) < 160, "enhanced liver, not its mirror image"


def test_the_main_study_with_its_masks():
    """Liver 1861 ml, lesions of 86 and 79 ml, by the data's own description."""
    folder = real_data("ct_ircadb17")
    hints = ReadHints(
        modality=Modality.CT,
        liver=f"{folder / 'liver_lesion.nii.gz'}:1,2",
        lesions=f"{folder / 'lesion_instances.nii.gz'}:instances",
    )
    study = read_study(folder / "ct.nii.gz", hints)
    assert study.liver is not None
    assert study.lesions is not None
    assert study.liver.volume_ml == pytest.approx(1861, abs=1)
    volumes = [study.lesions.region(n).volume_ml for n in study.lesions.values]
    assert volumes == pytest.approx([86, 79], abs=1)


def test_an_mr_file_must_be_named():
    path = real_data("mr_amos/mr.nii.gz")
    with pytest.raises(StudyRejectedError, match="MODALITY_UNKNOWN"):
        read_study(path)
    liver = f"{real_data('mr_amos/organs.nii.gz')}:6"
    study = read_study(path, ReadHints(modality=Modality.MR, liver=liver))
    assert study.series[0].volume.grid.spacing_mm == pytest.approx((1.953, 1.953, 2.0), abs=1e-3)
    assert study.liver is not None
    assert 800 < study.liver.volume_ml < 2500


def test_four_patients_are_not_one_study(tmp_path):
    for name in ("ct_crlm_1004", "petct_fdg"):
        unpacked(name, tmp_path)
    with pytest.raises(StudyRejectedError, match="PATIENT_MISMATCH"):
        read_study(tmp_path)
    assert len(find_studies(tmp_path)) == 2
