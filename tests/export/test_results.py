"""A study's files: complete, valid, the same on every run, and none of them when one is refused."""

import json
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from jsonschema import Draft202012Validator

from netseg.domain import StudyRejectedError
from netseg.export import schema, write_batch, write_results
from tests.export.made_results import a_notice, result_of

DOCUMENTS = {"findings": {"ki67": [1, 3]}, "allocation": {"status": "determined"}}


def test_every_file_of_a_study_is_written(tmp_path):
    written = write_results(result_of(), tmp_path / "p01", DOCUMENTS)
    assert [p.name for p in written] == [
        "allocation.json", "findings.json", "lesions.csv", "lesions.nii.gz", "liver.nii.gz",
        "margin.json", "plan.json", "zone.json", "zone.nii.gz",
    ]  # fmt: skip
    assert sorted(p.name for p in (tmp_path / "p01").iterdir()) == [p.name for p in written]
    for name in ("margin", "plan", "zone"):
        document = json.loads((tmp_path / "p01" / f"{name}.json").read_text())
        Draft202012Validator(schema(name)).validate(document)
    findings = json.loads((tmp_path / "p01" / "findings.json").read_text())
    assert findings == {"schema_version": "1", "ki67": [1, 3]}


def test_a_rerun_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        write_results(result_of(), tmp_path / name, DOCUMENTS)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


def test_lesions_keep_their_numbers_in_the_file(tmp_path):
    result = result_of()
    write_results(result, tmp_path, {})
    labels = np.asarray(nib.load(tmp_path / "lesions.nii.gz").dataobj)
    assert np.array_equal(labels, result.segmentation.lesions.labels)
    assert labels.dtype == np.uint8


def test_what_no_station_made_is_not_written(tmp_path):
    bare = replace(result_of(), plan=None, zones={}, margin=None)
    bare = replace(bare, segmentation=replace(bare.segmentation, liver=None))
    written = write_results(bare, tmp_path, {})
    assert [p.name for p in written] == ["lesions.csv", "lesions.nii.gz"]


def test_an_identifier_stops_everything_before_the_first_file(tmp_path):
    result = result_of(secrets=frozenset({"PAT-00917"}))
    with pytest.raises(StudyRejectedError, match=r"IDENTIFIER_IN_OUTPUT.*findings\.json"):
        write_results(result, tmp_path / "p01", {"findings": {"histology_text": "of PAT-00917"}})
    assert not (tmp_path / "p01").exists()


def test_a_document_that_would_replace_exports_own_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"got \['margin'\]"):
        write_results(result_of(), tmp_path, {"margin": {}})


def test_a_batch_names_every_study_and_every_refusal(tmp_path):
    write_batch(
        tmp_path,
        {"p02": "rejected", "p01": "ok"},
        [{"case": "p02", "state": "rejected"}, {"case": "p01", "state": "ok", "lesions": 2}],
        {"p02": (a_notice("two\nlines"),)},
    )
    status = json.loads((tmp_path / "status.json").read_text())
    assert (status["state"], status["studies"]) == ("warn", {"p01": "ok", "p02": "rejected"})
    (line,) = (tmp_path / "errors.jsonl").read_text().splitlines()
    Draft202012Validator(schema("error")).validate(json.loads(line))
    header, first, second = (tmp_path / "summary.csv").read_text().splitlines()
    assert header.startswith("case,state,lesions,")
    assert first.startswith("p01,ok,2,")
    assert (second.startswith("p02,rejected,"), second.endswith(",1,")) == (True, True)
