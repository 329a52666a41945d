"""Series that must not become a volume, each with the reason a person can act on."""

from __future__ import annotations

import numpy as np
import pytest

from netseg.domain import Code, StudyRejectedError
from netseg.study import ReadHints, inspect_study, read_study
from tests.study.dicom_files import axial, body, set_pixels, write_series

HINTS = ReadHints(case_id="case")


def refusal(path) -> StudyRejectedError:
    with pytest.raises(StudyRejectedError) as caught:
        read_study(path, HINTS)
    return caught.value


def setter(**tags):
    """An edit that sets (or with None removes) tags in every slice."""

    def edit(dataset, _k):
        for keyword, value in tags.items():
            if value is None:
                delattr(dataset, keyword)
            else:
                setattr(dataset, keyword, value)

    return edit


def only(k_edited, **tags):
    def edit(dataset, k):
        if k == k_edited:
            setter(**tags)(dataset, k)

    return edit


def moved(positions):
    """An edit that puts slice k at z = positions[k]."""

    def edit(dataset, k):
        x, y, _ = dataset.ImagePositionPatient
        dataset.ImagePositionPatient = [x, y, f"{positions[k]:.6f}"]

    return edit


def test_a_sound_series_is_read(tmp_path):
    """The twin of all refusals below."""
    write_series(tmp_path)
    study = read_study(tmp_path, HINTS)
    assert [s.key for s in study.series] == ["ct_portal_venous"]
    assert study.warnings == ()
    assert study.series[0].volume.values.dtype == np.int16


@pytest.mark.parametrize(
    ("code", "tags"),
    [
        (Code.GEOMETRY_MISSING, {"ImagePositionPatient": None}),
        (Code.GEOMETRY_MISSING, {"ImageOrientationPatient": None}),
        (Code.GEOMETRY_MISSING, {"PixelSpacing": None}),
        (Code.GEOMETRY_INVALID, {"PixelSpacing": [0, 0]}),
        (Code.GEOMETRY_INVALID, {"PixelSpacing": [-3, -3]}),
        (Code.GEOMETRY_INVALID, {"PixelSpacing": ["nan", "nan"]}),
        (Code.GEOMETRY_INVALID, {"ImageOrientationPatient": [1, 0, 0, 0.5, 0.866, 0]}),
        (Code.GEOMETRY_INVALID, {"ImageOrientationPatient": [2, 0, 0, 0, 2, 0]}),
        (Code.HU_UNDEFINED, {"RescaleSlope": None}),
        (Code.HU_UNDEFINED, {"RescaleIntercept": None}),
        (Code.HU_UNDEFINED, {"RescaleType": "OD"}),
        (Code.VALUE_SCALING_INVALID, {"RescaleSlope": 0}),
        (Code.HU_IMPLAUSIBLE, {"RescaleIntercept": 60000}),
        (Code.HU_IMPLAUSIBLE, {"RescaleSlope": 100, "RescaleIntercept": -102400}),
        (Code.DERIVED_IMAGE, {"ImageType": ["DERIVED", "SECONDARY", "MIP"]}),
        (Code.DERIVED_IMAGE, {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}),
        (Code.DERIVED_IMAGE, {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}),
        (Code.NOT_MONOCHROME, {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}),
        (Code.UNSUPPORTED_IOD, {"NumberOfFrames": 8}),
        (Code.UNSUPPORTED_IOD, {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2.1"}),
        (Code.UNSUPPORTED_MODALITY, {"Modality": "US"}),
        (Code.NO_PIXEL_DATA, {"PixelData": None}),
        (Code.MALFORMED_HEADER, {"BitsStored": 32}),
    ],
)
def test_a_tag_that_is_wrong_in_every_slice_refuses_the_series(tmp_path, code, tags):
    write_series(tmp_path, edit=setter(**tags))
    assert refusal(tmp_path).notice.code is code


@pytest.mark.parametrize(
    ("code", "tags"),
    [
        (Code.MIXED_SERIES, {"PixelSpacing": [2.1, 2.1]}),
        (Code.MIXED_SERIES, {"ImageOrientationPatient": [0.8, 0.6, 0, -0.6, 0.8, 0]}),
        (Code.MIXED_SERIES, {"FrameOfReferenceUID": "1.2.3.4.5.6.7"}),
        (Code.STUDY_MISMATCH, {"StudyInstanceUID": "1.2.3.4.5.6.7"}),
        (Code.PATIENT_MISMATCH, {"PatientID": "SOMEBODY-ELSE"}),
        (Code.PATIENT_MISMATCH, {"PatientBirthDate": "19700101"}),
        (Code.GEOMETRY_INVALID, {"ImagePositionPatient": ["nan", "-30", "50"]}),
        (Code.GEOMETRY_MISSING, {"ImagePositionPatient": None}),
        (Code.HU_UNDEFINED, {"RescaleSlope": None}),
        (Code.NO_PIXEL_DATA, {"PixelData": None}),
        (Code.TRUNCATED_FILE, {"PixelData": b"\x00" * 100}),
    ],
)
def test_one_slice_unlike_the_others_refuses_the_series(tmp_path, code, tags):
    write_series(tmp_path, edit=only(2, **tags))
    assert refusal(tmp_path).notice.code is code


def test_a_slice_of_another_size_is_mixed(tmp_path):
    def smaller(dataset, k):
        if k == 2:
            dataset.Rows = 10
            set_pixels(dataset, np.zeros((16, 10), np.uint16))

    write_series(tmp_path, edit=smaller)
    assert refusal(tmp_path).notice.code is Code.MIXED_SERIES


def test_a_missing_slice_is_named_with_both_distances(tmp_path):
    paths = write_series(tmp_path)
    paths[3].unlink()
    notice = refusal(tmp_path).notice
    assert notice.code is Code.MISSING_SLICES
    assert notice.detail["expected_mm"] == pytest.approx(5.0)
    assert notice.detail["found_mm"] == pytest.approx(10.0)
    assert notice.detail["between"] == [paths[2].name, paths[4].name]
    assert notice.detail["missing"] == 1


def test_slices_up_to_a_tenth_of_a_millimetre_off_the_grid_are_accepted(tmp_path):
    z = 40 + 5.0 * np.arange(8)
    z += 0.1 * np.array([1, -1, -1, 1, -1, -1, 1, 1])
    write_series(tmp_path, edit=moved(z))
    assert read_study(tmp_path, HINTS).series[0].volume.grid.spacing_mm[2] == pytest.approx(
        5.0, abs=0.02
    )


def test_slices_further_off_the_grid_are_refused(tmp_path):
    z = 40 + 5.0 * np.arange(8)
    z += 0.12 * np.array([1, -1, -1, 1, -1, -1, 1, -1])
    write_series(tmp_path, edit=moved(z))
    notice = refusal(tmp_path).notice
    assert notice.code is Code.NONUNIFORM_SPACING
    assert 0.1 < notice.detail["found_mm"] <= 0.12


def test_one_slice_pushed_by_less_than_twice_the_tolerance_fits_a_shifted_grid(tmp_path):
    """0.19 mm off seven others is 0.095 mm off the grid between them."""
    z = 40 + 5.0 * np.arange(8)
    z[3] += 0.19
    write_series(tmp_path, edit=moved(z))
    assert read_study(tmp_path, HINTS).series[0].volume.grid.shape == (16, 12, 8)


def test_five_millimetres_below_and_seven_and_a_half_above_is_no_grid(tmp_path):
    write_series(tmp_path, edit=moved(40 + np.cumsum([0, 5, 5, 5, 7.5, 7.5, 7.5, 7.5])))
    assert refusal(tmp_path).notice.code is Code.NONUNIFORM_SPACING


def test_a_tilted_gantry_is_refused_with_its_angle(tmp_path):
    affine = axial()
    affine[1, 2] = 5.0 * np.tan(np.radians(15))
    write_series(tmp_path, affine=affine, edit=setter(ImageOrientationPatient=[1, 0, 0, 0, 1, 0]))
    notice = refusal(tmp_path).notice
    assert notice.code is Code.GANTRY_TILT
    assert notice.detail["found_degrees"] == pytest.approx(15.0, abs=0.01)


def test_a_slice_that_jumps_sideways_is_refused(tmp_path):
    write_series(tmp_path, edit=only(4, ImagePositionPatient=[-17, -30, 60]))
    assert refusal(tmp_path).notice.code is Code.GEOMETRY_INVALID


def test_two_different_images_at_one_position_are_ambiguous(tmp_path):
    write_series(tmp_path)
    write_series(tmp_path, values=body() + 1, prefix="SECOND")
    assert refusal(tmp_path).notice.code is Code.AMBIGUOUS_SLICES


def test_an_identical_copy_is_left_out_with_a_warning(tmp_path):
    paths = write_series(tmp_path)
    (tmp_path / "copy.dcm").write_bytes(paths[3].read_bytes())
    study = read_study(tmp_path, HINTS)
    assert study.series[0].volume.grid.shape == (16, 12, 8)
    assert [w.code for w in study.warnings] == [Code.DUPLICATE_IGNORED]


@pytest.mark.parametrize("count", [1, 2, 4])
def test_fewer_than_five_slices_are_no_volume(tmp_path, count):
    write_series(tmp_path, values=body((16, 12, count)))
    assert refusal(tmp_path).notice.code is Code.TOO_FEW_SLICES


def test_five_slices_are(tmp_path):
    write_series(tmp_path, values=body((16, 12, 5)))
    assert read_study(tmp_path, HINTS).series[0].volume.grid.shape == (16, 12, 5)


def test_a_slice_of_zero_bytes_is_a_failed_copy(tmp_path):
    write_series(tmp_path)[0].write_bytes(b"")
    notice = refusal(tmp_path).notice
    assert (notice.code, notice.file) == (Code.EMPTY_FILE, "IM0008.dcm")


def test_a_slice_cut_within_its_pixels_is_truncated(tmp_path):
    path = write_series(tmp_path)[2]
    path.write_bytes(path.read_bytes()[:-150])
    assert refusal(tmp_path).notice.code is Code.TRUNCATED_FILE


def test_a_header_of_garbage_is_malformed(tmp_path):
    write_series(tmp_path)[2].write_bytes(b"\xff\x00garbage" * 40)
    assert refusal(tmp_path).notice.code is Code.MALFORMED_HEADER


def test_an_element_that_claims_four_gigabytes_is_malformed(tmp_path):
    path = write_series(tmp_path)[2]
    content = bytearray(path.read_bytes())
    at = content.find(b"\x20\x00\x32\x00DS")  # ImagePositionPatient: its length becomes 0xFFFFFFF0
    content[at + 4 : at + 12] = b"UN\x00\x00\xf0\xff\xff\xff"
    path.write_bytes(bytes(content))
    notice = refusal(tmp_path).notice
    assert (notice.code, notice.file) == (Code.MALFORMED_HEADER, path.name)


@pytest.mark.parametrize(
    ("syntax", "code"),
    [
        ("1.2.840.10008.1.2.4.90", Code.DECODE_FAILED),
        ("1.2.840.10008.1.2.5", Code.DECODE_FAILED),
        ("1.2.840.10008.1.2.4.70", Code.DECODE_FAILED),
        ("1.2.840.10008.1.2.4.100", Code.UNSUPPORTED_TRANSFER_SYNTAX),
        ("1.2.3.4.5.6.7.8", Code.UNSUPPORTED_TRANSFER_SYNTAX),
    ],
)
def test_a_stream_nobody_can_decode_is_refused(tmp_path, syntax, code):
    from pydicom.encaps import encapsulate

    for path in write_series(tmp_path):
        import pydicom

        dataset = pydicom.dcmread(path)
        dataset.PixelData = encapsulate([b"no stream at all" * 8])
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = True
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.save_as(path, implicit_vr=False, little_endian=True, enforce_file_format=True)
    assert refusal(tmp_path).notice.code is code


def test_an_empty_folder_holds_no_dicom(tmp_path):
    for name in ("README", ".DS_Store", "Thumbs.db", "notes.txt"):
        (tmp_path / name).write_bytes(b"nothing to see")
    assert refusal(tmp_path).notice.code is Code.NO_DICOM


def test_a_path_that_does_not_exist_is_no_input(tmp_path):
    assert refusal(tmp_path / "nowhere").notice.code is Code.NO_INPUT


def test_bystanders_and_other_objects_do_not_stop_a_study(tmp_path):
    write_series(tmp_path / "ct")
    write_series(
        tmp_path / "sr", values=body((16, 12, 5)), uid_seed="sr", edit=setter(Modality="SR")
    )
    for name in ("README", ".DS_Store", "DICOMDIR", "index.html"):
        (tmp_path / name).write_bytes(b"bystander")
    study = read_study(tmp_path, HINTS)
    assert [s.key for s in study.series] == ["ct_portal_venous"]
    assert [w.code for w in study.warnings] == [Code.SERIES_SKIPPED]
    assert study.warnings[0].detail["reason"] == "UNSUPPORTED_MODALITY"


def test_a_localizer_is_left_out_but_a_broken_acquisition_refuses_the_study(tmp_path):
    write_series(tmp_path / "ct")
    localizer = setter(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    write_series(tmp_path / "scout", values=body((16, 12, 2)), uid_seed="scout", edit=localizer)
    study = read_study(tmp_path, HINTS)
    assert [w.detail["reason"] for w in study.warnings] == ["DERIVED_IMAGE"]
    write_series(tmp_path / "arterial", uid_seed="arterial")[3].unlink()
    assert refusal(tmp_path).notice.code is Code.MISSING_SLICES


def test_two_phases_stay_two_series(tmp_path):
    write_series(tmp_path / "a")
    write_series(tmp_path, uid_seed="two", edit=setter(SeriesDescription="Abdomen late arterial"))
    study = read_study(tmp_path, HINTS)
    assert sorted(s.key for s in study.series) == ["ct_late_arterial", "ct_portal_venous"]


def test_two_series_of_unknown_phase_are_numbered_and_said_to_be_ambiguous(tmp_path):
    for seed in ("a", "b"):
        write_series(tmp_path / seed, uid_seed=seed, edit=setter(SeriesDescription="Abdomen"))
    study = read_study(tmp_path, HINTS)
    assert [s.key for s in study.series] == ["ct", "ct_2"]
    assert Code.SERIES_AMBIGUOUS in [w.code for w in study.warnings]


def test_a_series_that_announces_more_images_is_incomplete(tmp_path):
    write_series(tmp_path, edit=setter(ImagesInAcquisition=24))
    study = read_study(tmp_path, HINTS)
    assert [w.code for w in study.warnings] == [Code.INCOMPLETE_SERIES]
    assert study.warnings[0].detail == {"expected": 24, "found": 8}


def test_links_out_of_the_study_are_not_followed(tmp_path):
    write_series(tmp_path / "study")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "secret.dcm").write_bytes(b"canary")
    (tmp_path / "study" / "link.dcm").symlink_to(tmp_path / "elsewhere" / "secret.dcm")
    (tmp_path / "study" / "loop").symlink_to(tmp_path / "study")
    study = read_study(tmp_path / "study", HINTS)
    assert [w.code for w in study.warnings] == [Code.SYMLINK_IGNORED] * 2


def test_a_preamble_that_carries_bytes_is_remarked_on(tmp_path):
    path = write_series(tmp_path)[0]
    path.write_bytes(b"\x7fELF" + path.read_bytes()[4:])
    assert [w.code for w in read_study(tmp_path, HINTS).warnings] == [Code.PREAMBLE_NOT_EMPTY]


def test_pixel_data_longer_than_the_image_are_remarked_on(tmp_path):
    def longer(dataset, k):
        if k == 1:
            dataset.PixelData = dataset.PixelData + b"\x00" * 64

    write_series(tmp_path, edit=longer)
    study = read_study(tmp_path, HINTS)
    assert [w.code for w in study.warnings] == [Code.PIXELDATA_LENGTH]
    assert (
        study.warnings[0].detail["found_bytes"] - study.warnings[0].detail["expected_bytes"] == 64
    )


def test_inspecting_tells_what_reading_would_refuse(tmp_path):
    write_series(tmp_path)[3].unlink()
    report = inspect_study(tmp_path, HINTS)
    assert report.study is None
    assert [n.code for n in report.errors] == [Code.MISSING_SLICES]


def test_a_disk_that_fails_is_input_changed_and_names_no_path(tmp_path, monkeypatch):
    write_series(tmp_path / "zebra")

    def broken(self):
        raise OSError(5, "Input/output error", str(self))

    monkeypatch.setattr("os.walk", lambda *_, **__: broken(tmp_path / "zebra"))
    error = refusal(tmp_path / "zebra")
    assert error.notice.code is Code.INPUT_CHANGED
    assert "zebra" not in str(error)


def test_a_file_that_vanishes_while_it_is_read_is_input_changed(tmp_path, monkeypatch):
    from netseg.study import dicom_series

    paths = write_series(tmp_path)
    stack = dicom_series.stack

    def slow(*args):
        found = stack(*args)
        paths[4].unlink()
        return found

    monkeypatch.setattr(dicom_series, "stack", slow)
    assert refusal(tmp_path).notice.code is Code.INPUT_CHANGED
