"""`netseg evaluate` on files, as its user runs it, and everything it refuses."""

import csv
import json

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from netseg.cli.main import main
from netseg.domain import Grid, LabelMap, Quantity, Volume
from netseg.evaluation.document import evaluation_schema
from netseg.export import write_image
from netseg.study import ReadHints, read_study
from tests.evaluation.shapes import GRID, numbered
from tests.study.dicom_files import write_series
from tests.study.test_dicom_seg import write_seg

LABELS = ["--label", "lesion=2", "--label", "liver=1"]
LIVER = (1, 19, 1)


def write(folder, case, *bars, grid=GRID):
    """A label map: a liver (1) with bars of other numbers laid over it."""
    folder.mkdir(parents=True, exist_ok=True)
    write_image(folder / f"{case}.nii.gz", numbered(LIVER, *bars, grid=grid))
    return folder / f"{case}.nii.gz"


def write_probability(folder, case, *, inside=0.9, outside=0.1, grid=GRID):
    folder.mkdir(parents=True, exist_ok=True)
    values = np.full(grid.shape, outside, np.float32)
    values[4:8, 5:9, 5:9] = inside
    write_image(folder / f"{case}.nii.gz", Volume(values, grid, Quantity.PROBABILITY))


def run(capsys, *words, code=0):
    """What the command says as JSON, checked against its schema."""
    assert main(["evaluate", *map(str, words), "--format", "json"]) == code
    document = json.loads(capsys.readouterr().out)
    Draft202012Validator(evaluation_schema()).validate(document)
    return document


def refused(capsys, *words, code=2):
    assert main(["evaluate", *map(str, words)]) == code
    return capsys.readouterr().err


@pytest.fixture
def sides(tmp_path):
    """Two cases: in `a` one of two lesions is found and one is false, `b` is exact."""
    truth, pred = tmp_path / "truth", tmp_path / "pred"
    write(truth, "a", (2, 6, 2), (10, 12, 2))
    write(pred, "a", (4, 8, 2), (15, 17, 2))
    write(truth, "b", (4, 8, 2))
    write(pred, "b", (4, 8, 2))
    return pred, truth


def test_the_contract_by_hand(sides, capsys):
    pred, truth = sides
    document = run(capsys, "--pred", pred, "--truth", truth, *LABELS)
    a, b = document["cases"]
    assert a["dice"] == pytest.approx(2 * 32 / (96 + 96))
    assert a["liver"]["dice"] == 1.0
    assert a["false_positives"] == 1
    assert [one["detected"] for one in a["lesions"]] == [
        {"any": True, "iou_0.1": True, "iou_0.5": False},
        {"any": False, "iou_0.1": False, "iou_0.5": False},
    ]
    assert (b["dice"], b["nsd_2mm"], b["hd95_mm"]) == (1.0, 1.0, 0.0)
    summary = document["summary"]
    assert summary["dice"]["mean"] == pytest.approx((1 / 3 + 1) / 2)
    assert summary["lesion_recall"] == summary["lesion_precision"] == pytest.approx(2 / 3)
    by_size = {"<10": pytest.approx(2 / 3), "10-20": None, ">20": None}
    assert summary["recall_by_diameter_mm"] == by_size, "as balls they are 7.9 and 9.9 mm wide"
    assert document["errors"] == []


def test_two_files_are_one_case_whatever_they_are_called(tmp_path, capsys):
    first = write(tmp_path / "x", "mine", (2, 6, 2))
    second = write(tmp_path / "y", "theirs", (2, 6, 2))
    document = run(capsys, "--pred", f"{first}:2", "--truth", f"{second}:2")
    assert [c["id"] for c in document["cases"]] == ["theirs"]
    assert document["summary"]["dice"]["mean"] == 1.0


def test_numbers_are_named_per_side(tmp_path, capsys):
    first = write(tmp_path / "x", "a", (2, 6, 7))
    second = write(tmp_path / "y", "a", (2, 6, 2))
    words = ["--pred", first, "--truth", second, "--pred-label", "lesion=7"]
    document = run(capsys, *words, "--truth-label", "lesion=2", "--truth-label", "liver=1")
    assert document["cases"][0]["dice"] == 1.0
    assert "liver" not in document["cases"][0], "only one side named it"


def test_a_map_with_many_numbers_and_no_meaning_is_refused_by_case(sides, capsys):
    pred, truth = sides
    document = run(capsys, "--pred", pred, "--truth", truth, code=4)
    assert {e["code"] for e in document["errors"]} == {"LABEL_AMBIGUOUS"}
    assert "holds the values 1, 2" in document["errors"][0]["message"]
    assert document["summary"] is None


def test_a_bad_case_does_not_stop_the_others(sides, capsys):
    pred, truth = sides
    write(pred, "a", (4, 8, 2), grid=GRID.crop((1, 0, 0), GRID.shape))
    document = run(capsys, "--pred", pred, "--truth", truth, *LABELS, code=3)
    assert [c["id"] for c in document["cases"]] == ["b"]
    (error,) = document["errors"]
    assert (error["case"], error["code"]) == ("a", "GRID_MISMATCH")
    assert "--resample nearest" in error["hint"]


def test_another_grid_is_brought_onto_the_truths_when_asked(tmp_path, capsys):
    """The prediction on voxels half as wide: the nearest neighbour gives the same bars back."""
    truth = write(tmp_path / "truth", "a", (4, 8, 2))
    affine = np.diag((1.0, 1.0, 1.0, 1.0))
    affine[:3, 3] = -0.5
    fine = Grid(shape=(40, 40, 40), affine_lps=affine, frame_uid="1.2")
    labels = np.repeat(np.repeat(np.repeat(numbered(LIVER, (4, 8, 2)).labels, 2, 0), 2, 1), 2, 2)
    write_image(tmp_path / "p.nii.gz", LabelMap(labels, fine))
    words = ["--pred", tmp_path / "p.nii.gz", "--truth", truth, *LABELS]
    assert run(capsys, *words, "--resample", "nearest")["cases"][0]["dice"] == 1.0
    assert run(capsys, *words, code=4)["errors"][0]["code"] == "GRID_MISMATCH"


def test_the_same_voxels_in_another_order_are_the_same_place(tmp_path, capsys):
    truth = write(tmp_path / "truth", "a", (4, 8, 2))
    labels = numbered(LIVER, (4, 8, 2)).labels[::-1].transpose(1, 0, 2)
    affine = GRID.affine_lps[:, [1, 0, 2, 3]].copy()
    affine[0, 1], affine[0, 3] = -2.0, 38.0
    turned = Grid(shape=(20, 20, 20), affine_lps=affine, frame_uid="1.2")
    write_image(tmp_path / "p.nii.gz", LabelMap(labels.copy(), turned))
    write_probability(tmp_path / "prob", "a", grid=GRID)
    words = ["--pred", tmp_path / "p.nii.gz", "--truth", truth, *LABELS]
    told = run(capsys, *words, "--probability", tmp_path / "prob" / "a.nii.gz")["cases"][0]
    assert told["dice"] == 1.0
    assert told["predictions"][0]["confidence"] == pytest.approx(0.9)


def test_an_absent_lesion_is_believed_when_every_number_has_a_name(tmp_path, capsys):
    pred, truth = (write(tmp_path / side, "clean") for side in ("pred", "truth"))
    told = run(capsys, "--pred", pred, "--truth", truth, *LABELS)
    assert told["cases"][0]["dice"] == 1.0
    assert told["summary"]["empty_cases"] == {"both_empty": 1, "false_alarms": 0}


def test_a_number_nobody_named_where_lesions_are_missing_is_refused(tmp_path, capsys):
    pred, truth = (write(tmp_path / side, "a", (2, 6, 3)) for side in ("pred", "truth"))
    document = run(capsys, "--pred", pred, "--truth", truth, *LABELS, code=4)
    (error,) = document["errors"]
    assert error["code"] == "LABEL_UNKNOWN"
    assert "holds no lesion=2, but 3, which nobody named" in error["message"]
    assert "--label ignore=3" in error["hint"]
    told = run(capsys, "--pred", pred, "--truth", truth, *LABELS, "--label", "ignore=3")
    assert told["cases"][0]["lesions"] == []


@pytest.mark.parametrize(
    ("labels", "met"),
    [
        (["leison=2"], "no label names the lesions.*Did you mean lesion"),
        (["liver=1"], "no label names the lesions"),
        (["lesion=two"], "'lesion=two' cannot be read"),
        (["lesion=2", "lesion=3"], "each name once"),
        (["lesion=0"], "cannot be read"),
        (["lesion=instances", "liver=1"], "none is left for liver"),
        (["lesion=2", "ignore=2"], "cannot be both lesion and ignore"),
    ],
)
def test_labels_that_mean_nothing_are_refused(sides, capsys, labels, met):
    import re

    pred, truth = sides
    words = [w for label in labels for w in ("--label", label)]
    said = refused(capsys, "--pred", pred, "--truth", truth, *words)
    assert "CONFIG_RANGE" in said
    assert re.search(met, said)


@pytest.mark.parametrize("missing", ["pred", "truth"])
def test_a_case_on_one_side_only_is_named(sides, capsys, missing):
    pred, truth = sides
    ((pred if missing == "pred" else truth) / "a.nii.gz").unlink()
    words = ["--pred", pred, "--truth", truth, *LABELS]
    document = run(capsys, *words, code=3)
    (error,) = document["errors"]
    assert (error["case"], error["code"]) == ("a", "UNPAIRED_CASE")
    document = run(capsys, *words, "--unpaired", "skip")
    assert [w["code"] for w in document["warnings"]] == ["UNPAIRED_CASE"]
    document = run(capsys, *words, "--unpaired", "empty")
    summary = document["summary"]
    if missing == "pred":
        assert summary["missing_predictions"] == ["a"]
        assert summary["lesion_recall"] == pytest.approx(1 / 3), "both lesions of a count as missed"
        assert document["cases"][0]["liver"]["dice"] == 0.0
    else:
        assert summary["cases"] == 1


def test_two_files_that_claim_one_case_are_refused(sides, capsys):
    pred, truth = sides
    (pred / "a.nii").write_bytes(b"x")
    assert "a.nii and a.nii.gz are both case a" in refused(
        capsys, "--pred", pred, "--truth", truth, *LABELS
    )


def test_nothing_to_read_is_refused(sides, tmp_path, capsys):
    _, truth = sides
    (tmp_path / "void").mkdir()
    assert "NO_INPUT" in refused(capsys, "--pred", tmp_path / "none", "--truth", truth)
    assert "holds no label map" in refused(capsys, "--pred", tmp_path / "void", "--truth", truth)


def test_a_suffix_and_a_label_contradict_each_other(tmp_path, capsys):
    first = write(tmp_path, "a", (2, 6, 2))
    said = refused(capsys, "--pred", f"{first}:2", "--truth", first, *LABELS)
    assert "both :2 and --label" in said


@pytest.mark.parametrize(
    ("words", "met"),
    [
        (["--tolerance", "-1"], "--tolerance -1"),
        (["--draws", "0"], "--draws 0"),
        (["--seed", "-3"], "--seed -3"),
        (["--against-label", "lesion=2"], "--against-label without --against"),
    ],
)
def test_settings_out_of_range_are_refused(sides, capsys, words, met):
    pred, truth = sides
    assert met in refused(capsys, "--pred", pred, "--truth", truth, *LABELS, *words)


def test_a_probability_gives_calibration_froc_and_confidence(sides, tmp_path, capsys):
    pred, truth = sides
    for case in "ab":
        write_probability(tmp_path / "prob", case)
    words = ["--pred", pred, "--truth", truth, *LABELS, "--probability", tmp_path / "prob"]
    document = run(capsys, *words)
    sure = [one["confidence"] for one in document["cases"][0]["predictions"]]
    assert sure == [pytest.approx(0.9), pytest.approx(0.1)]
    assert document["summary"]["froc"]["any"]["sensitivity_at"]["0.125"] == pytest.approx(2 / 3)
    told = document["summary"]["calibration"]
    assert set(told) == {"whole", "liver", "lesion"}
    assert told["whole"]["voxels"] == 16000
    assert told["whole"]["bins"][1]["observed"] == pytest.approx(64 / (16000 - 128))


def test_a_probability_in_per_cent_or_on_another_grid_is_refused(sides, tmp_path, capsys):
    pred, truth = sides
    write_probability(tmp_path / "prob", "a", inside=90.0)
    write_probability(tmp_path / "prob", "b", grid=GRID.crop((1, 0, 0), GRID.shape))
    words = ["--pred", pred, "--truth", truth, *LABELS, "--probability", tmp_path / "prob"]
    codes = {e["case"]: e["code"] for e in run(capsys, *words, code=4)["errors"]}
    assert codes == {"a": "PROBABILITY_RANGE", "b": "GRID_MISMATCH"}


def test_a_second_model_is_compared_on_the_same_cases(sides, tmp_path, capsys):
    pred, truth = sides
    write(tmp_path / "other", "a", (2, 6, 2), (10, 12, 2))
    write(tmp_path / "other", "b", (4, 8, 2))
    words = ["--pred", pred, "--truth", truth, "--against", tmp_path / "other", *LABELS]
    told = run(capsys, *words)["comparison"]
    assert told["dice"]["second"] == 1.0
    assert told["dice"]["difference"] == pytest.approx(1 / 3)
    assert told["lesion_recall"]["difference"] == pytest.approx(1 / 3)
    assert told["liver_dice"]["p_value"] == 1.0


def test_folders_that_netseg_wrote_are_cases_with_liver_and_confidence(tmp_path, capsys):
    truth = write(tmp_path / "truth", "p01", (4, 8, 2), (12, 14, 2)).parent
    folder = tmp_path / "out" / "p01"
    folder.mkdir(parents=True)
    write_image(folder / "lesions.nii.gz", numbered((4, 8, 1), (12, 14, 2)))
    write_image(folder / "liver.nii.gz", numbered((1, 19, 1)))
    (folder / "lesions.csv").write_text("id,volume_ml,confidence\n1,0.5,0.95\n2,0.2,\n")
    words = ["--pred", tmp_path / "out", "--truth", truth, "--truth-label", "lesion=2"]
    told = run(capsys, *words, "--truth-label", "liver=1")["cases"][0]
    assert (told["dice"], told["liver"]["dice"]) == (1.0, 1.0)
    assert [one["confidence"] for one in told["predictions"]] == [0.95, None]


def test_files_are_written_whole_and_the_same_every_time(sides, tmp_path):
    pred, truth = sides
    names = set()
    for out in ("one", "two"):
        words = ["--pred", pred, "--truth", truth, *LABELS, "-o", tmp_path / out]
        assert main(["evaluate", *map(str, words)]) == 0
        names = {p.name for p in (tmp_path / out).iterdir()}
    assert names >= {
        "evaluation.json", "cases.csv", "lesions.csv", "predictions.csv", "summary.csv",
        "evaluation.txt", "evaluation.html", "recall_by_size.png", "volume_agreement.png",
    }  # fmt: skip
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    page = (tmp_path / "one" / "evaluation.html").read_text()
    assert "http" not in page, "the page loads nothing"
    rows = list(csv.DictReader((tmp_path / "one" / "lesions.csv").read_text().splitlines()))
    assert [r["found_any"] for r in rows] == ["true", "false", "true"]


def test_scans_of_one_patient_count_once(sides, tmp_path, capsys):
    pred, truth = sides
    table = tmp_path / "patients.csv"
    table.write_text("case,patient\na,x\nb,x\n")
    words = ["--pred", pred, "--truth", truth, *LABELS, "--patients", table]
    summary = run(capsys, *words)["summary"]
    assert (summary["cases"], summary["patients"]) == (2, 1)
    assert summary["dice"]["ci95"] is None


@pytest.mark.parametrize(
    ("content", "met"),
    [
        ("name,patient\na,x\n", "case and patient are expected"),
        ("case,patient\na,x\na,y\n", "row 3"),
        ("case,patient\na,\n", "row 2"),
    ],
)
def test_a_table_of_patients_that_makes_no_sense_is_refused(sides, tmp_path, capsys, content, met):
    pred, truth = sides
    table = tmp_path / "patients.csv"
    table.write_text(content)
    said = refused(capsys, "--pred", pred, "--truth", truth, *LABELS, "--patients", table)
    assert "TABLE_VALUE" in said
    assert met in said
    gone = refused(capsys, "--pred", pred, "--truth", truth, "--patients", tmp_path / "no.csv")
    assert "NO_INPUT" in gone


def test_a_run_is_recorded_with_hashes_figures_and_files(sides, tmp_path, capsys):
    pred, truth = sides
    words = ["--pred", pred, "--truth", truth, *LABELS, "-o", tmp_path / "out", "--model", "m@3"]
    run(capsys, *words, "--track", "spool", "--track-root", tmp_path / "runs")
    (events,) = (tmp_path / "runs").rglob("events.jsonl")
    told = [json.loads(line) for line in events.read_text().splitlines()]
    params = next(e["values"] for e in told if e["kind"] == "params")
    assert params["model"] == "m@3"
    assert len(params["dataset_sha256"]) == 64
    metrics = next(e["values"] for e in told if e["kind"] == "metrics")
    assert metrics["lesion_recall.any"] == pytest.approx(2 / 3)
    assert metrics["lesion_recall.below_10mm.any"] == pytest.approx(2 / 3)
    assert sum(e["kind"] == "artifact" for e in told) == len(list((tmp_path / "out").iterdir()))


def test_the_hash_of_the_data_follows_its_bytes_and_not_its_place(sides, tmp_path):
    from netseg.evaluation.files import find_side

    _, truth = sides
    before = find_side(str(truth)).sha256()
    moved = tmp_path / "elsewhere"
    truth.rename(moved)
    assert find_side(str(moved)).sha256() == before
    write(moved, "a", (2, 7, 2))
    assert find_side(str(moved)).sha256() != before


def test_a_file_that_vanished_is_named(sides):
    from netseg.domain import UsageError
    from netseg.evaluation.files import find_side

    _, truth = sides
    found = find_side(str(truth))
    (truth / "a.nii.gz").unlink()
    with pytest.raises(UsageError, match=r"INPUT_CHANGED.*a\.nii\.gz cannot be read any more"):
        found.sha256()


def test_segments_of_a_dicom_seg_may_overlap(tmp_path, capsys):
    """The liver of a SEG includes its lesions; the truth is a bare label map on the scan's voxels."""
    paths = write_series(tmp_path / "ct")
    liver, lesions = np.zeros((2, 16, 12, 8), bool)
    liver[2:12, 2:10, 1:6], lesions[4:8, 4:6, 2:5] = True, True
    (tmp_path / "pred").mkdir()
    write_seg(tmp_path / "pred", paths, [liver, lesions]).rename(tmp_path / "pred" / "p.dcm")
    grid = read_study(tmp_path / "ct", ReadHints(case_id="c")).series[0].volume.grid
    (tmp_path / "truth").mkdir()
    truth = LabelMap((liver.astype(np.uint8) + lesions).astype(np.uint8), grid)
    write_image(tmp_path / "truth" / "p.nii.gz", truth)
    words = ["--pred", tmp_path / "pred", "--truth", tmp_path / "truth"]
    told = run(capsys, *words, *LABELS)["cases"][0]
    assert (told["dice"], told["liver"]["dice"]) == (1.0, 1.0)
    back = ["--pred", tmp_path / "truth", "--truth", tmp_path / "pred"]
    assert run(capsys, *back, *LABELS)["cases"][0]["dice"] == 1.0
    (error,) = run(capsys, *words, code=4)["errors"]
    assert (error["code"], error["case"]) == ("LABEL_AMBIGUOUS", "p")
    far = GRID.crop((0, 0, 0), (16, 12, 8))
    write_image(tmp_path / "truth" / "p.nii.gz", LabelMap(truth.labels, far))
    (error,) = run(capsys, *words, *LABELS, code=4)["errors"]
    assert error["code"] == "GRID_MISMATCH"
    (tmp_path / "pred" / "p.dcm").write_bytes(b"not DICOM at all" * 20)
    (error,) = run(capsys, *words, *LABELS, code=4)["errors"]
    assert (error["code"], error["case"]) == ("MALFORMED_HEADER", "p")


def in_frame(uid):
    def edit(dataset, _):
        dataset.FrameOfReferenceUID = uid

    return edit


def test_two_scans_with_frames_of_their_own_never_meet(tmp_path, capsys):
    """Two SEGs of two scans, voxel for voxel the same, in two frames of reference."""
    region = np.zeros((16, 12, 8), bool)
    region[4:8, 4:6, 2:5] = True
    for side, frame in (("pred", "1.2.3.4"), ("truth", "1.2.3.5")):
        paths = write_series(tmp_path / side / "ct", edit=in_frame(frame))
        write_seg(tmp_path / side, paths, [region]).rename(tmp_path / side / "p.dcm")
    words = ["--pred", tmp_path / "pred" / "p.dcm", "--truth", tmp_path / "truth" / "p.dcm"]
    (error,) = run(capsys, *words, code=4)["errors"]
    assert error["code"] == "FRAME_MISMATCH"
    same = ["--pred", tmp_path / "pred" / "p.dcm", "--truth", tmp_path / "pred" / "p.dcm"]
    assert run(capsys, *same)["cases"][0]["dice"] == 1.0


def test_a_case_called_by_the_patients_name_is_refused_and_not_repeated(tmp_path, capsys):
    def named(dataset, _):
        dataset.PatientName = "Musterfrau^Erika"

    region = np.zeros((16, 12, 8), bool)
    region[4:8, 4:6, 2:5] = True
    paths = write_series(tmp_path / "ct", edit=named)
    for side in ("pred", "truth"):
        (tmp_path / side).mkdir()
        write_seg(tmp_path / side, paths, [region]).rename(tmp_path / side / "musterfrau.dcm")
    words = ["--pred", tmp_path / "pred", "--truth", tmp_path / "truth"]
    assert main(["evaluate", *map(str, words), "--format", "json"]) == 4
    said = capsys.readouterr()
    assert "CASE_ID_IDENTIFIES" in said.out
    assert "musterfrau" not in (said.out + said.err).lower()
