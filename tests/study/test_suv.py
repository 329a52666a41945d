"""SUVbw = Bq/ml x weight in g / dose decayed to the scan: numbers one can work out by hand."""

from __future__ import annotations

import tarfile

import numpy as np
import pytest

from netseg.domain import Code, Quantity
from netseg.study import ReadHints, read_study
from tests.real_data import real_data
from tests.study.dicom_files import add_injection, write_series

HINTS = ReadHints(case_id="case")


def pet(folder, *, peak=10000, **changes):
    """FDG, 200 MBq, 80 kg, scanned exactly one half-life after the injection."""

    def edit(dataset, _):
        dataset.SeriesDescription = "PET AC"
        add_injection(dataset, **changes)

    values = np.zeros((16, 12, 6), np.uint16)
    values[5, 5, 3] = peak
    write_series(folder, modality="PT", values=values, edit=edit)
    study = read_study(folder, HINTS)
    return study.series[0], [w.code for w in study.warnings]


def test_one_half_life_halves_the_dose(tmp_path):
    """80000 g / 100 MBq: 1 Bq/ml is 0.0008; the voxel of 10000 Bq/ml has SUV 8."""
    series, warnings = pet(tmp_path)
    assert series.key == "pt_f18_fdg"
    assert series.suv_factor == pytest.approx(0.0008, rel=1e-6)
    assert series.volume.quantity is Quantity.SUVBW
    assert series.volume.values.max() == pytest.approx(8.0, rel=1e-6)
    assert warnings == []


def test_images_corrected_to_the_injection_need_no_decay(tmp_path):
    series, _ = pet(tmp_path, DecayCorrection="ADMIN")
    assert series.suv_factor == pytest.approx(0.0004)


def test_the_start_date_time_wins_over_the_time(tmp_path):
    series, _ = pet(tmp_path, RadiopharmaceuticalStartDateTime="20240201104948.000000")
    assert series.suv_factor == pytest.approx(0.0004)


def test_a_series_time_after_the_acquisition_is_no_scan_start(tmp_path):
    """A copy written hours later: the acquisition time counts."""
    series, _ = pet(tmp_path, SeriesTime="180000")
    assert series.suv_factor == pytest.approx(0.0008, rel=1e-6)


def test_values_in_grams_per_ml_are_suv_already(tmp_path):
    series, _ = pet(tmp_path, peak=12, Units="GML")
    assert series.suv_factor == 1.0
    assert series.volume.values.max() == 12


def test_a_peak_no_tissue_has_is_not_an_suv(tmp_path):
    series, warnings = pet(tmp_path, peak=60000, PatientWeight="390", RadionuclideTotalDose="1e6")
    assert series.volume.quantity is Quantity.BQML
    assert warnings == [Code.SUV_IMPLAUSIBLE]


@pytest.mark.parametrize(
    "changes",
    [
        {"PatientWeight": None},
        {"PatientWeight": "0"},
        {"RadionuclideTotalDose": None},
        {"RadionuclideTotalDose": "0"},
        {"RadionuclideHalfLife": None},
        {"RadiopharmaceuticalStartTime": None},
        {"DecayCorrection": "NONE"},
        {"CorrectedImage": ["DECY"]},
        {"AcquisitionTime": "", "SeriesTime": ""},
    ],
)
def test_without_a_factor_the_values_stay_becquerels(tmp_path, changes):
    series, warnings = pet(tmp_path, **changes)
    assert series.suv_factor is None
    assert series.volume.quantity is Quantity.BQML
    assert series.volume.values.max() == 10000
    assert warnings == [Code.SUV_UNAVAILABLE]


@pytest.mark.parametrize(
    "changes",
    [
        {"RadionuclideTotalDose": "200"},  # MBq where Bq belongs
        {"PatientWeight": "80000"},  # grams
        {"RadionuclideHalfLife": "109.8"},  # minutes
        {"RadionuclideHalfLife": "4063"},  # gallium's, while the tags name fluorine
        {"RadiopharmaceuticalStartTime": "120000"},  # after the scan
        {"RadiopharmaceuticalStartDateTime": "20240129090000"},  # three days before
    ],
)
def test_an_impossible_factor_is_not_applied(tmp_path, changes):
    series, warnings = pet(tmp_path, **changes)
    assert series.volume.quantity is Quantity.BQML
    assert warnings == [Code.SUV_IMPLAUSIBLE]


def test_counts_are_no_becquerels(tmp_path):
    series, warnings = pet(tmp_path, Units="CNTS")
    assert series.volume.quantity is Quantity.ARBITRARY
    assert warnings == [Code.SUV_UNAVAILABLE]


def test_without_an_injection_there_is_no_suv_and_no_tracer(tmp_path):
    values = np.full((16, 12, 6), 7, np.uint16)

    def edit(dataset, _):
        dataset.SeriesDescription, dataset.Units = "PET AC", "BQML"
        dataset.PatientWeight = "80"

    write_series(tmp_path, modality="PT", values=values, edit=edit)
    codes = {w.code for w in read_study(tmp_path, HINTS).warnings}
    assert codes == {Code.SUV_UNAVAILABLE, Code.TRACER_UNKNOWN}


@pytest.mark.slow
def test_the_factor_of_a_real_pet_is_the_one_worked_out_by_hand(tmp_path):
    """From the tags of petct_fdg: 91 kg, 588802304 Bq at 07:21:00, scan at 09:59:47, T 6588 s.

    9527 s are 1.446114 half-lives, 2^-1.446114 = 0.3670083; 588802304 Bq x 0.3670083 =
    216095342 Bq; 91000 g / 216095342 Bq = 4.21110e-4.
    """
    with tarfile.open(real_data("dicom/petct_fdg.tar.xz")) as archive:
        archive.extractall(tmp_path, filter="data")
    study = read_study(tmp_path, HINTS)
    ct, pt = study.by_key()["ct"], study.by_key()["pt_f18_fdg"]
    assert pt.suv_factor == pytest.approx(4.21110e-4, rel=1e-5)
    assert pt.volume.quantity is Quantity.SUVBW
    assert ct.volume.grid.frame_uid == pt.volume.grid.frame_uid
    body = pt.volume.values[pt.volume.values > 0.2]
    assert 0.3 < np.median(body) < 2.0, "soft tissue one to three hours after FDG"
