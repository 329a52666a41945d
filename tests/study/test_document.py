"""study.yaml: what its owner says is taken word by word, and a slip is called by its name."""

from __future__ import annotations

import numpy as np
import pytest

from netseg.domain import Code, Modality, Phase, Quantity, StudyRejectedError
from netseg.study import ReadHints, read_study
from tests.study.nifti_files import hounsfield, ras, write_nifti


@pytest.fixture
def folder(tmp_path):
    write_nifti(tmp_path / "portal.nii.gz")
    write_nifti(tmp_path / "pet.nii.gz", np.abs(hounsfield()).astype(np.float32))
    labels = np.zeros((12, 10, 8), np.uint8)
    labels[2:10, 2:8, 1:7] = 1
    labels[3:5, 3:5, 2:4] = 2
    write_nifti(tmp_path / "labels.nii.gz", labels)
    return tmp_path


def write(folder, text: str):
    (folder / "study.yaml").write_text(text, encoding="utf-8")
    return folder


def code_of(folder, text: str) -> Code:
    with pytest.raises(StudyRejectedError) as caught:
        read_study(write(folder, text))
    return caught.value.notice.code


PORTAL = "case: p01\nseries:\n  - {file: portal.nii.gz, modality: CT, phase: portal_venous}\n"


def test_the_contract_is_read(folder):
    text = (
        PORTAL
        + "  - {file: pet.nii.gz, modality: PT, tracer: ga68_dotatate, quantity: suvbw}\n"
        + "  - {file: pet.nii.gz, modality: MR, sequence: dwi, b_value: 800}\n"
        + "  - {file: labels.nii.gz, role: liver_mask, label: [1, 2]}\n"
        + "  - {file: labels.nii.gz, role: lesion_mask, label: 2}\n"
        + "same_frame: true\n"
    )
    study = read_study(write(folder, text))
    assert study.case_id == "p01"
    assert [s.key for s in study.series] == ["ct_portal_venous", "pt_ga68_dotatate", "mr_dwi_b800"]
    assert study.series[0].phase is Phase.PORTAL_VENOUS
    assert study.series[1].volume.quantity is Quantity.SUVBW
    assert len({s.volume.grid.frame_uid for s in study.series}) == 1
    assert study.liver is not None
    assert study.lesions is not None
    assert study.liver.volume_ml == pytest.approx(8 * 6 * 6 * 12 / 1000)
    assert study.lesions.values == (1,)
    assert study.warnings == ()


def test_a_spleen_comes_as_a_role_or_by_the_user_s_word(folder):
    entry = PORTAL + "  - {file: labels.nii.gz, role: spleen_mask, label: 2}\n"
    spleen = read_study(write(folder, entry)).spleen
    assert spleen is not None
    hints = ReadHints(spleen=f"{folder / 'labels.nii.gz'}:2")
    said = read_study(write(folder, PORTAL), hints).spleen
    assert said is not None
    assert np.array_equal(said.inside, spleen.inside)
    assert read_study(write(folder, PORTAL)).spleen is None


def test_without_same_frame_every_file_has_its_own(folder):
    text = PORTAL + "  - {file: pet.nii.gz, modality: MR, sequence: t2}\nsame_frame: false\n"
    study = read_study(write(folder, text))
    assert len({s.volume.grid.frame_uid for s in study.series}) == 2


def test_a_shared_frame_without_a_shared_millimetre_is_doubted(folder):
    affine = ras()
    affine[2, 3] += 5000
    write_nifti(folder / "far.nii.gz", affine=affine)
    text = PORTAL + "  - {file: far.nii.gz, modality: CT, phase: native}\n"
    assert code_of(folder, text) is Code.FRAME_MISMATCH


def test_becquerels_become_suv_with_all_factors(folder):
    """200 MBq, 80 kg, one half-life: 1 Bq/ml is 80000 g / 100 MBq = 0.0008."""
    text = (
        "case: p\nseries:\n  - {file: pet.nii.gz, modality: PT, tracer: f18_fdg, quantity: bqml, "
        "dose_bq: 200000000, weight_kg: 80, half_life_s: 6588, delay_s: 6588}\n"
    )
    series = read_study(write(folder, text)).series[0]
    assert series.suv_factor == pytest.approx(0.0008)
    assert series.volume.quantity is Quantity.SUVBW
    assert series.volume.values.max() == pytest.approx(1000 * 0.0008)


def test_becquerels_without_factors_stay_becquerels(folder):
    text = "case: p\nseries:\n  - {file: pet.nii.gz, modality: PT, quantity: bqml}\n"
    study = read_study(write(folder, text))
    assert study.series[0].volume.quantity is Quantity.BQML
    assert [w.code for w in study.warnings] == [Code.SUV_UNAVAILABLE, Code.TRACER_UNKNOWN]


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (Code.CONFIG_UNKNOWN_KEY, PORTAL + "same_frames: true\n"),
        (Code.CONFIG_UNKNOWN_KEY, "series:\n  - {file: portal.nii.gz, modallity: CT}\n"),
        (Code.CONFIG_UNKNOWN_KEY, "series:\n  - {file: labels.nii.gz, role: liver_mask, modality: CT}\n"),
        (Code.CONFIG_TYPE, "series:\n  - {file: portal.nii.gz, modality: NO}\n"),
        (Code.CONFIG_TYPE, "case: 12\nseries:\n  - {file: portal.nii.gz, modality: CT}\n"),
        (Code.CONFIG_TYPE, "series: portal.nii.gz\n"),
        (Code.CONFIG_TYPE, "series: [portal.nii.gz]\n"),
        (Code.CONFIG_TYPE, "- a\n- b\n"),
        (Code.CONFIG_TYPE, PORTAL + "same_frame: maybe\n"),
        (Code.CONFIG_TYPE, "series:\n  - {file: portal.nii.gz, modality: MR, b_value: high}\n"),
        (Code.CONFIG_TYPE, "series:\n  - {file: pet.nii.gz, modality: PT, quantity: bqml, dose_bq: 1e8}\n"),
        (Code.CONFIG_TYPE, PORTAL + "  - {file: labels.nii.gz, role: liver_mask, label: two}\n"),
        (Code.CONFIG_RANGE, "series:\n  - {file: portal.nii.gz, modality: US}\n"),
        (Code.CONFIG_RANGE, "series:\n  - {file: portal.nii.gz, modality: CT, phase: venous}\n"),
        (Code.CONFIG_RANGE, "series:\n  - {file: portal.nii.gz, modality: CT, b_value: 800}\n"),
        (Code.CONFIG_RANGE, "series:\n  - {file: portal.nii.gz, modality: MR, b_value: -1}\n"),
        (Code.CONFIG_RANGE, "series:\n  - {file: pet.nii.gz, modality: PT}\n"),
        (Code.CONFIG_RANGE, "series:\n  - {file: pet.nii.gz, modality: PT, quantity: bqml, dose_bq: 100000000}\n"),
        (Code.CONFIG_RANGE, PORTAL + "  - {file: labels.nii.gz, role: kidney_mask}\n"),
        (Code.MODALITY_UNKNOWN, "series:\n  - {file: portal.nii.gz}\n"),
        (Code.NO_INPUT, "series:\n  - {file: nowhere.nii.gz, modality: CT}\n"),
        (Code.NO_INPUT, "series:\n  - {file: labels.nii.gz, role: liver_mask}\n"),
        (Code.PATH_OUTSIDE_ROOT, "series:\n  - {file: ../../etc/passwd, modality: CT}\n"),
        (Code.PATH_OUTSIDE_ROOT, "series:\n  - {file: /etc/passwd, modality: CT}\n"),
        (Code.CONFIG_SYNTAX, "series:\n\t- {file: portal.nii.gz, modality: CT}\n"),
        (Code.CONFIG_SYNTAX, PORTAL + "case: p02\n"),
        (Code.UNSAFE_CONFIG, "case: !!python/object/apply:os.system ['true']\n"),
        (Code.ALLOCATION_LIMIT, "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"),
        (Code.ALLOCATION_LIMIT, "[" * 30 + "]" * 30),
        (Code.LABEL_AMBIGUOUS, PORTAL + "  - {file: labels.nii.gz, role: lesion_mask}\n"),
        (Code.LABEL_UNKNOWN, PORTAL + "  - {file: labels.nii.gz, role: lesion_mask, label: 5}\n"),
        (Code.SERIES_AMBIGUOUS, PORTAL + "  - {file: labels.nii.gz, role: liver_mask, label: 1}\n" * 2),
    ],
)  # fmt: skip
def test_a_slip_is_called_by_its_name(folder, code, text):
    assert code_of(folder, text) is code


def test_a_misspelt_key_is_answered_with_the_likely_one(folder):
    with pytest.raises(StudyRejectedError, match=r"'modallity'.*Did you mean modality\?"):
        read_study(write(folder, "series:\n  - {file: portal.nii.gz, modallity: CT}\n"))


def test_the_norway_trap_is_explained(folder):
    with pytest.raises(StudyRejectedError, match="YAML reads a bare NO"):
        read_study(write(folder, "series:\n  - {file: portal.nii.gz, modality: NO}\n"))


def test_a_tab_is_refused_with_its_line(folder):
    with pytest.raises(StudyRejectedError, match="line 2"):
        read_study(write(folder, "series:\n\t- {file: portal.nii.gz}\n"))


def test_utf16_is_refused(folder):
    (folder / "study.yaml").write_bytes(PORTAL.encode("utf-16"))
    with pytest.raises(StudyRejectedError, match="CONFIG_SYNTAX"):
        read_study(folder)


def test_a_link_out_of_the_folder_is_refused(folder, tmp_path_factory):
    outside = write_nifti(tmp_path_factory.mktemp("outside") / "a.nii.gz")
    (folder / "link.nii.gz").symlink_to(outside)
    text = "series:\n  - {file: link.nii.gz, modality: CT}\n"
    assert code_of(folder, text) is Code.PATH_OUTSIDE_ROOT


def test_several_files_without_a_document_are_ambiguous(folder):
    with pytest.raises(StudyRejectedError, match=r"SERIES_AMBIGUOUS.*study\.yaml"):
        read_study(folder)


def test_the_users_mask_wins_over_the_documents(folder):
    text = PORTAL + "  - {file: labels.nii.gz, role: lesion_mask, label: 2}\n"
    hints = ReadHints(lesions=f"{folder / 'labels.nii.gz'}:1", modality=Modality.CT)
    study = read_study(write(folder, text), hints)
    assert study.lesions is not None
    assert study.lesions.region().volume_ml == pytest.approx((8 * 6 * 6 - 8) * 12 / 1000)
