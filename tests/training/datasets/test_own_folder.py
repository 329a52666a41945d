"""One's own data: studies with study.yaml, or files that follow a pattern."""

import numpy as np
import pytest

from netseg.domain import StudyRejectedError, UsageError
from netseg.training.datasets import OwnFolder, Recipe, read_case
from netseg.training.datasets.source import DatasetSource
from tests.real_data import real_data
from tests.training.datasets import trees

RECIPE = Recipe(spacing_mm=2.0, margin_mm=6.0)
LITS = """
images: {ct_portal: "*_ct.nii.gz"}
labels: "*_liver_lesion.nii.gz"
liver: 1
lesions: 2
patients: {lits00: first, lits01: first}
"""


def write_study(folder, *, masks=("liver_mask", "lesion_mask"), extra="", case=""):
    trees.save(folder / "ct.nii.gz", trees.scan(), "RAS")
    trees.save(folder / "liver.nii.gz", trees.outlines(1, 1), "LPS")
    trees.save(folder / "lesions.nii.gz", trees.outlines(0, 7), "RAS")
    lines = [f"case: {case}"] if case else []
    lines += ["series:", "  - {file: ct.nii.gz, modality: CT, phase: late_arterial}"]
    names = {"liver_mask": "liver.nii.gz", "lesion_mask": "lesions.nii.gz"}
    lines += [f"  - {{file: {names[role]}, role: {role}}}" for role in masks]
    (folder / "study.yaml").write_text("\n".join(lines) + "\n" + extra)
    return folder


def test_a_study_gives_its_phase_and_both_masks(tmp_path):
    write_study(tmp_path / "anna")
    case = read_case(OwnFolder(root=tmp_path).cases()[0], RECIPE)
    assert set(case.images) == {"ct_arterial"}
    assert np.count_nonzero(case.lesion_truth() == 1) == 64
    assert np.count_nonzero(case.liver_truth() == 1) == 960


def test_a_study_without_a_lesion_mask_says_nothing_of_lesions(tmp_path):
    write_study(tmp_path / "anna", masks=("liver_mask",))
    case = read_case(OwnFolder(root=tmp_path).cases()[0], RECIPE)
    assert not case.lesions_known
    assert (case.lesion_truth()[case.labels == 1] == 255).all()


def test_an_empty_lesion_mask_says_that_there_are_none(tmp_path):
    folder = write_study(tmp_path / "anna")
    trees.save(folder / "lesions.nii.gz", np.zeros(trees.SHAPE, np.uint8), "RAS")
    case = read_case(OwnFolder(root=tmp_path).cases()[0], RECIPE)
    assert (case.lesion_truth() == 0).all()


def test_two_studies_of_one_patient_share_the_name_in_their_case(tmp_path):
    write_study(tmp_path / "first", case="anna")
    write_study(tmp_path / "second", case="anna")
    assert {case.patient for case in OwnFolder(root=tmp_path).cases()} == {"anna"}


def test_a_mask_of_several_values_needs_to_be_told_which(tmp_path):
    folder = write_study(tmp_path / "anna", masks=("lesion_mask",))
    two = trees.outlines(0, 3)
    two[14:16, 8:10, 8:10] = 4
    trees.save(folder / "lesions.nii.gz", two, "RAS")
    with pytest.raises(StudyRejectedError, match=r"LABEL_AMBIGUOUS.*\[3, 4\]"):
        read_case(OwnFolder(root=tmp_path).cases()[0], RECIPE)
    text = (folder / "study.yaml").read_text().replace("role: lesion", "label: 3, role: lesion")
    (folder / "study.yaml").write_text(text)
    case = read_case(OwnFolder(root=tmp_path).cases()[0], RECIPE)
    assert np.count_nonzero(case.lesion_truth() == 1) == 64


def test_becquerels_become_suv_or_are_refused(tmp_path):
    """200 MBq in 80 kg at the injection: 1 Bq/ml is 80000 g / 2e8 Bq = 0.0004 SUV."""
    pet = "  - {file: pet.nii.gz, modality: PT, tracer: ga68_dotatate, quantity: bqml%s}\n"
    dose = ", dose_bq: 200000000, weight_kg: 80, half_life_s: 4063, delay_s: 0"
    folder = write_study(tmp_path / "anna", extra=pet % dose)
    becquerels = np.full(trees.SHAPE, 10000.0, np.float32)
    trees.save(folder / "pet.nii.gz", becquerels, "RAS")
    case = read_case(OwnFolder(root=tmp_path).cases()[0], RECIPE)
    assert float(case.images["pet_sstr"].mean()) == pytest.approx(4.0)
    write_study(tmp_path / "anna", extra=pet % "")
    with pytest.raises(UsageError, match=r"pet.nii.gz is in Bq/ml and states no dose"):
        OwnFolder(root=tmp_path).cases()


def test_folders_without_study_yaml_are_named(tmp_path):
    write_study(tmp_path / "anna")
    (tmp_path / "bert").mkdir()
    with pytest.raises(
        UsageError, match=r"folders without study.yaml: bert\. Write a dataset.yaml"
    ):
        OwnFolder(root=tmp_path).cases()


def test_pairs_are_matched_by_what_the_star_stands_for(tmp_path):
    cases = OwnFolder(root=trees.write_pairs(tmp_path, ("anna", "bert"))).cases()
    assert [case.name for case in cases] == ["anna", "bert"]
    (tmp_path / "bert_labels.nii.gz").unlink()
    with pytest.raises(UsageError, match=r"1 without outlines \(bert\)"):
        OwnFolder(root=tmp_path).cases()


def test_a_set_without_outlined_lesions_says_so_in_its_description(tmp_path):
    root = trees.write_pairs(tmp_path, ("anna",))
    text = (root / "dataset.yaml").read_text().replace("lesions: 2", "lesions: []\nother: 2")
    (root / "dataset.yaml").write_text(text)
    assert not OwnFolder(root=root).cases()[0].lesions_known


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("liver: 1", "livers: 1"), "unknown key 'livers'"),
        (("lesions: 2", ""), r"lesions: which numbers of the label map\?"),
        (("lesions: 2", "lesions: 1"), "number 1 has two meanings"),
        (("liver: 1", "liver: yes"), "liver lists numbers"),
        (("*_ct.nii.gz", "../*_ct.nii.gz"), "below the folder has one star"),
        (("*_ct.nii.gz", "ct.nii.gz"), "below the folder has one star"),
        (("ct_portal", "ct_venous"), "channels are ct_native.*got ct_venous"),
        (("lesions: 2", "lesions: 2\npatients: {carl: p}"), "cases that are not there: carl"),
    ],
)
def test_a_description_that_says_nothing_or_too_much_is_refused(change, message, tmp_path):
    root = trees.write_pairs(tmp_path, ("anna",))
    (root / "dataset.yaml").write_text((root / "dataset.yaml").read_text().replace(*change))
    with pytest.raises((UsageError, StudyRejectedError), match=message):
        OwnFolder(root=root).cases()


def test_real_crops_of_lits_are_one_of_ones_own_sets(tmp_path):
    """Volumes are those of the label maps, and two dates of one patient stay together."""
    root = real_data("ct_lits_train")
    (tmp_path / "lits.yaml").write_text(LITS)
    layout = OwnFolder(root=root, description=tmp_path / "lits.yaml")
    source = DatasetSource(
        layout=layout, spacing_mm=3.0, cache=tmp_path / "cache", exclude=("lits03", "lits04")
    )
    cases = source.cases()
    assert [case.name for case in cases] == ["lits00", "lits01", "lits02", "lits05"]
    assert [case.patient for case in cases] == ["first", "first", "lits02", "lits05"]
    for case in cases:
        before, after = case.facts["liver_ml"]
        assert 700 < before < 3000
        assert after == pytest.approx(before, rel=0.01)
        liver = case.images["ct_portal"][case.labels == 1]
        assert 40 < float(np.median(liver)) < 180


def test_a_spleen_is_no_lesion_to_learn_from(tmp_path):
    """It comes with a study for the receptor score; taken for a label, it would teach lesions."""
    extra = "  - {file: lesions.nii.gz, role: spleen_mask, label: 7}\n"
    write_study(tmp_path / "anna", masks=("liver_mask",), extra=extra)
    (case,) = OwnFolder(root=tmp_path).cases()
    assert len(case.labels) == 1
    assert not read_case(case, RECIPE).lesions_known
