"""Each layout brings the landmark to its place in the patient, and refuses what is not whole."""

import json

import numpy as np
import pytest

from netseg.domain import EnvironmentFaultError, GridMismatchError, StudyRejectedError, UsageError
from netseg.training.datasets import (
    Amos,
    Atlas,
    AutoPet,
    AutoPetRaw,
    Chaos,
    Lits,
    MsdTask03,
    NnUNetRaw,
    OwnFolder,
    Recipe,
    read_case,
)
from tests.training.datasets import trees

EXACT = Recipe(spacing_mm=2.0, margin_mm=6.0)
LIVER_ML, LESION_ML = 7.68, 0.512


def brightest_lps_mm(case, channel):
    """Where the brightest voxel lies in the patient."""
    index = np.unravel_index(int(np.argmax(case.images[channel])), case.labels.shape)
    return tuple(np.array(case.facts["first_voxel_lps_mm"]) + case.spacing_mm * np.array(index))


def ml(mask, spacing_mm):
    return np.count_nonzero(mask) * spacing_mm**3 / 1000


def nnunet(root, **changes):
    settings = {
        "channels": {"CT": "ct_portal"},
        "liver": "liver",
        "lesions": "tumour",
    }
    return NnUNetRaw(root=root, **(settings | changes))


def two_regions(root, names=("a", "b"), channels=None):
    return trees.write_nnunet(
        root,
        names,
        labels={"background": 0, "liver": [1, 2], "tumour": 2},
        channels=channels or {"0": "CT"},
    )


def autopet_raw(root):
    for name in ("fdg_p1_s1", "fdg_p1_s2", "psma_p2_s1"):
        suv = (trees.scan().astype(np.float32) + 1000) / 300 + len(list(root.rglob("*")))
        trees.save(root / "imagesTr" / f"{name}_0000.nii.gz", trees.scan())
        trees.save(root / "imagesTr" / f"{name}_0001.nii.gz", suv)
        trees.save(root / "labelsTr" / f"{name}.nii.gz", trees.outlines(0, 1))
    return AutoPetRaw(root=root)


LAYOUTS = {
    "lits": (lambda root: Lits(root=trees.write_lits(root, (3,))), "ct_portal"),
    "msd": (lambda root: MsdTask03(root=trees.write_msd(root, (3,))), "ct_portal"),
    "amos ct": (lambda root: Amos(root=trees.write_amos(root, (12,))), "ct_portal"),
    "amos mr": (lambda root: Amos(root=trees.write_amos(root, (507,))), "mr_t1"),
    "atlas": (lambda root: Atlas(root=trees.write_atlas(root, 1)), "mr_portal"),
    "chaos ct": (lambda root: Chaos(root=trees.write_chaos(root), mr=False), "ct_portal"),
    "chaos mr": (lambda root: Chaos(root=trees.write_chaos(root), ct=False), "mr_t1"),
    "autopet": (lambda root: AutoPet(root=trees.write_autopet(root)), "pet_fdg"),
    "autopet iii": (autopet_raw, "pet_fdg"),
    "nnunet": (lambda root: nnunet(two_regions(root)), "ct_portal"),
    "pairs": (lambda root: OwnFolder(root=trees.write_pairs(root, ("a",))), "ct_portal"),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_landmark_lies_where_it_lies_in_the_patient(name, tmp_path):
    made, channel = LAYOUTS[name]
    case = read_case(made(tmp_path).cases()[0], Recipe(spacing_mm=2.0, margin_mm=12.0))
    assert brightest_lps_mm(case, channel) == pytest.approx(trees.LANDMARK_LPS_MM)


@pytest.mark.parametrize("name", [name for name in LAYOUTS if not name.startswith("autopet")])
def test_outlines_lie_on_what_they_outline(name, tmp_path):
    """Every voxel of the liver is brighter than every voxel beside it; no flip would leave it so."""
    made, channel = LAYOUTS[name]
    case = read_case(made(tmp_path).cases()[0], EXACT)
    inside = case.images[channel][case.liver_truth() == 1]
    assert float(inside.min()) > float(case.images[channel][case.liver_truth() == 0].max())


@pytest.mark.parametrize("name", ["lits", "msd", "atlas", "nnunet", "pairs"])
def test_liver_and_lesion_keep_their_volumes(name, tmp_path):
    case = read_case(LAYOUTS[name][0](tmp_path).cases()[0], EXACT)
    assert ml(case.liver_truth() == 1, 2.0) == pytest.approx(LIVER_ML)
    assert ml(case.lesion_truth() == 1, 2.0) == pytest.approx(LESION_ML)
    assert case.facts["lesions_ml"] == [LESION_ML, LESION_ML]
    dark = case.images["mr_portal" if name == "atlas" else "ct_portal"][case.labels == 2]
    assert float(np.ptp(dark)) == 0.0  # the lesion's own value and nothing beside it


@pytest.mark.parametrize("name", ["amos ct", "amos mr", "chaos ct", "chaos mr"])
def test_a_set_without_outlined_lesions_never_teaches_that_a_liver_has_none(name, tmp_path):
    case = read_case(LAYOUTS[name][0](tmp_path).cases()[0], EXACT)
    assert ml(case.liver_truth() == 1, 2.0) == pytest.approx(LIVER_ML)
    truth = case.lesion_truth()
    assert not (truth == 1).any()
    assert (truth[case.liver_truth() == 1] == 255).all()
    assert (truth[case.liver_truth() == 0] == 0).all()


def test_chaos_donors_are_healthy_only_when_the_user_says_so(tmp_path):
    layout = Chaos(root=trees.write_chaos(tmp_path), mr=False, healthy_ct=True)
    case = read_case(layout.cases()[0], EXACT)
    assert (case.lesion_truth() == 0).all()


@pytest.mark.parametrize("name", ["autopet", "autopet iii"])
def test_a_set_without_outlined_livers_teaches_no_liver(name, tmp_path):
    case = read_case(LAYOUTS[name][0](tmp_path).cases()[0], EXACT)
    assert (case.liver_truth() == 255).all()
    assert ml(case.lesion_truth() == 1, 2.0) == pytest.approx(LESION_ML)


def test_lesions_beyond_a_given_liver_are_background(tmp_path):
    """Three lesions: inside, outside, and one with a quarter of its volume inside."""
    root = trees.write_autopet(tmp_path / "set", ("a",))
    study = next(root.rglob("SEG.nii.gz")).parent
    lesions = trees.outlines(0, 1)
    lesions[20:22, 16:18, 12:14] = 1
    lesions[14:22, 8:10, 8:10] = 0
    lesions[18:22, 10:12, 9:11] = 1  # the liver ends before i = 19
    trees.save(study / "SEG.nii.gz", lesions, "LAS")
    name = f"{study.parent.name}_{study.name}"
    trees.save(tmp_path / "livers" / f"{name}.nii.gz", trees.outlines(1, 1), "RAS")
    layout = AutoPet(root=root, livers=tmp_path / "livers")
    case = read_case(layout.cases()[0], Recipe(spacing_mm=2.0, margin_mm=40.0))
    assert ml(case.lesion_truth() == 1, 2.0) == pytest.approx(LESION_ML)
    assert np.count_nonzero(case.labels == 255) == 4 * 2 * 2
    assert ml(case.liver_truth() == 1, 2.0) == pytest.approx(LIVER_ML - 1 * 2 * 2 * 0.008)


def test_psma_is_left_out_and_a_tracer_nobody_named_is_refused(tmp_path):
    layout = autopet_raw(tmp_path)
    assert [case.name for case in layout.cases()] == ["fdg_p1_s1", "fdg_p1_s2"]
    assert {case.patient for case in layout.cases()} == {"fdg_p1"}
    with pytest.raises(UsageError, match="of the tracer psma; tracers names fdg"):
        AutoPetRaw(root=tmp_path, tracers={"fdg": "pet_fdg"}).cases()
    as_sstr = AutoPetRaw(root=tmp_path, tracers={"fdg": None, "psma": "pet_sstr"})
    assert set(as_sstr.cases()[0].images) == {"pet_sstr", "ct_portal"}


def test_volumes_of_3d_ircadb_are_left_out_unless_asked_for(tmp_path):
    root = trees.write_lits(tmp_path, (27, 28, 44, 48, 49))
    assert [case.name for case in Lits(root=root).cases()] == ["lits-27", "lits-49"]
    assert len(Lits(root=root, with_ircadb=True).cases()) == 5
    msd = trees.write_msd(tmp_path / "msd", (27, 28, 48))
    assert [case.name for case in MsdTask03(root=msd).cases()] == ["liver_27"]


def test_two_dates_of_one_patient_are_one_patient(tmp_path):
    cases = Lits(root=trees.write_lits(tmp_path, (0, 1, 2))).cases()
    assert [case.patient for case in cases] == ["lits-0", "lits-0", "lits-2"]


def test_batches_in_folders_of_their_own_are_one_set(tmp_path):
    trees.write_lits(tmp_path / "Training Batch 1", (2,))
    trees.write_lits(tmp_path / "Training Batch 2", (10, 3))
    trees.save(tmp_path / "test-volume-0.nii", trees.scan())
    cases = Lits(root=tmp_path).cases()
    assert [case.name for case in cases] == ["lits-2", "lits-3", "lits-10"]
    trees.write_lits(tmp_path / "again", (3,))
    with pytest.raises(UsageError, match=r"TRAINING_SET.*segmentation-3.nii.* claim one case"):
        Lits(root=tmp_path).cases()


def test_a_volume_without_outlines_is_named(tmp_path):
    root = trees.write_lits(tmp_path, (2, 3))
    (root / "segmentation-3.nii").unlink()
    with pytest.raises(UsageError, match=r"1 without outlines \(3\)"):
        Lits(root=root).cases()
    (root / "segmentation-9.nii").touch()
    with pytest.raises(UsageError, match=r"1 outlines without an image \(9\)"):
        Lits(root=root).cases()


def test_a_set_that_is_not_there_is_an_environment_fault(tmp_path):
    with pytest.raises(EnvironmentFaultError, match="NO_INPUT: training set: there is no folder x"):
        Lits(root=tmp_path / "x").cases()


def test_a_case_that_dataset_json_does_not_name_is_refused_and_so_is_one_that_is_missing(tmp_path):
    root = trees.write_msd(tmp_path, (2, 3))
    document = json.loads((root / "dataset.json").read_text())
    one = {**document, "training": document["training"][:1]}
    (root / "dataset.json").write_text(json.dumps(one))
    with pytest.raises(UsageError, match=r"cases that dataset.json does not name: liver_3"):
        MsdTask03(root=root).cases()
    ghost = {"image": "./imagesTr/liver_4.nii.gz", "label": "./labelsTr/liver_4.nii.gz"}
    more = {**document, "training": [*document["training"], ghost]}
    (root / "dataset.json").write_text(json.dumps(more))
    with pytest.raises(UsageError, match="names cases that are not there: liver_4"):
        MsdTask03(root=root).cases()


def test_another_task_of_the_decathlon_is_refused_by_its_labels(tmp_path):
    root = trees.write_msd(tmp_path, (2,))
    document = json.loads((root / "dataset.json").read_text())
    document["labels"] = {"0": "background", "1": "Vessel", "2": "Tumour"}
    (root / "dataset.json").write_text(json.dumps(document))
    with pytest.raises(UsageError, match=r"labels are .*Vessel.* is expected"):
        MsdTask03(root=root).cases()


def test_hidden_files_of_a_mac_are_no_images(tmp_path):
    root = trees.write_msd(tmp_path, (2,))
    (root / "imagesTr" / "._liver_2.nii.gz").write_bytes(b"\x00\x05\x16\x07")
    assert len(MsdTask03(root=root).cases()) == 1


def test_ct_of_amos_may_be_read_without_its_mr(tmp_path):
    root = trees.write_amos(tmp_path, (12, 500, 507))
    assert [c.name for c in Amos(root=root, mr=None).cases()] == ["amos_0012", "amos_0500"]
    trees.write_amos(root, (600,), part="Va")
    both = Amos(root=root, parts=("Tr", "Va"), ct=None)
    assert [c.name for c in both.cases()] == ["amos_0507", "amos_0600"]


def test_a_channel_nobody_knows_is_refused_when_the_layout_is_written_down(tmp_path):
    with pytest.raises(ValueError, match=r"channels are .*; got ct_venous"):
        Amos(root=tmp_path, ct="ct_venous")


def test_regions_are_unions_and_an_ignored_label_is_not_taught(tmp_path):
    labels = {"background": 0, "liver": [1, 2], "tumour": 2, "spleen": 4, "ignore": 5}
    root = trees.write_nnunet(tmp_path, ("a",), labels=labels, channels={"0": "CT"})
    marked = trees.outlines()
    marked[20:22, 4:8, 4:8] = 4
    marked[17:19, 4:14, 4:12] = 5
    trees.save(root / "labelsTr" / "a.nii.gz", marked, "RAS")
    case = read_case(nnunet(root).cases()[0], EXACT)
    assert np.count_nonzero(case.liver_truth() == 255) == 2 * 10 * 8
    assert np.count_nonzero(case.liver_truth() == 1) == 10 * 10 * 8
    assert np.count_nonzero(case.lesion_truth() == 1) == 64


def test_a_channel_that_is_missing_or_too_many_is_named(tmp_path):
    root = two_regions(tmp_path, channels={"0": "T1", "1": "T2"})
    layout = nnunet(root, channels={"T1": "mr_t1", "T2": "mr_t2"})
    assert set(layout.cases()[0].images) == {"mr_t1", "mr_t2"}
    (root / "imagesTr" / "b_0001.nii.gz").rename(root / "imagesTr" / "b_0002.nii.gz")
    with pytest.raises(UsageError, match="2 channels; missing: b_0001; extra: b_0002"):
        layout.cases()


def test_every_channel_of_the_set_is_given_one_of_ours(tmp_path):
    root = two_regions(tmp_path, channels={"0": "T1", "1": "T2"})
    with pytest.raises(UsageError, match="its channels are T1, T2, and `channels` names CT"):
        nnunet(root).cases()
    one = nnunet(root, channels={"T1": "mr_t1", "T2": None}).cases()
    assert set(one[0].images) == {"mr_t1"}


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ({"numTraining": 3}, "numTraining is 3, and there are 2 cases"),
        ({"labels": {"background": 0, "leber": 1}}, "labels are background, leber; asked for"),
        ({"file_ending": ".nrrd"}, "file_ending is .nrrd, and there are a_0000.nii.gz"),
        ({"dataset": {}}, "lists paths under 'dataset'"),
        ({"channel_names": None}, "states no channel_names"),
    ],
)
def test_a_description_that_does_not_fit_its_files_is_refused(edit, message, tmp_path):
    root = two_regions(tmp_path)
    document = {**json.loads((root / "dataset.json").read_text()), **edit}
    document = {key: value for key, value in document.items() if value is not None}
    (root / "dataset.json").write_text(json.dumps(document))
    with pytest.raises(UsageError, match=message):
        nnunet(root).cases()


def test_a_label_map_on_another_grid_than_its_image_is_refused(tmp_path):
    root = trees.write_lits(tmp_path, (2,))
    moved = trees.affine_lps()
    moved[0, 3] += 2.0
    trees.save(root / "segmentation-2.nii", trees.outlines(), "RAS", moved)
    with pytest.raises(GridMismatchError, match=r"24x20x14 voxels .* of one image are expected"):
        read_case(Lits(root=root).cases()[0], EXACT)


def test_a_label_nobody_gave_a_meaning_is_refused(tmp_path):
    root = trees.write_lits(tmp_path, (2,))
    trees.save(root / "segmentation-2.nii", trees.outlines(1, 3), "RAS")
    with pytest.raises(StudyRejectedError, match=r"LABEL_UNKNOWN.*holds \[3\].*it knows 0, 1, 2"):
        read_case(Lits(root=root).cases()[0], EXACT)


def test_a_probability_map_is_no_outline(tmp_path):
    root = trees.write_lits(tmp_path, (2,))
    trees.save(root / "segmentation-2.nii", trees.outlines().astype(np.float32) / 2, "RAS")
    with pytest.raises(StudyRejectedError, match="LABEL_NOT_INTEGER"):
        read_case(Lits(root=root).cases()[0], EXACT)


def test_an_mr_under_a_number_of_a_ct_is_refused(tmp_path):
    root = trees.write_amos(tmp_path, (12,))
    signal = (trees.scan() + 1024).astype(np.int16)
    signal[5:10] = 3000
    trees.save(root / "imagesTr" / "amos_0012.nii.gz", signal, "LAS")
    with pytest.raises(StudyRejectedError, match="HU_IMPLAUSIBLE"):
        read_case(Amos(root=root).cases()[0], EXACT)


def test_pictures_of_another_order_than_the_slices_are_refused(tmp_path):
    """CT pictures are named by number: they follow file names, if instance numbers do too."""
    import pydicom

    root = trees.write_chaos(tmp_path)
    path = min((root / "CT" / "1" / "DICOM_anon").iterdir())
    dataset = pydicom.dcmread(path)
    dataset.InstanceNumber = 99
    dataset.save_as(path)
    with pytest.raises(StudyRejectedError, match=r"AMBIGUOUS_SLICES.*run in different orders"):
        read_case(Chaos(root=root, mr=False).cases()[0], EXACT)


def test_a_picture_too_few_and_a_grey_of_no_organ_are_refused(tmp_path):
    root = trees.write_chaos(tmp_path)
    ground = root / "MR" / "1" / "T2SPIR" / "Ground"
    first = min(ground.iterdir())
    trees.write_png(first, np.full((20, 24), 90, np.uint8))
    with pytest.raises(StudyRejectedError, match=r"LABEL_UNKNOWN.*\[90\]"):
        read_case(Chaos(root=root, ct=False).cases()[1], EXACT)
    first.unlink()
    with pytest.raises(UsageError, match="MR/1/T2SPIR: 14 slices and 13 outlines"):
        Chaos(root=root).cases()
