"""No identifier of the headers leaves through a message, a file name or a case's name."""

from __future__ import annotations

import json
import logging

import pytest

from netseg.domain import Code, StudyRejectedError
from netseg.study import ReadHints, hashed_case_id, inspect_study, read_study
from netseg.study.privacy import holds, withheld
from tests.study.dicom_files import write_series

NAME, NUMBER, BIRTH = "Zebra", "PID-778899", "19510203"


def everything_said(report) -> str:
    notices = [n.to_document() for n in (*report.errors, *report.warnings)]
    return json.dumps(notices).lower()


def test_a_file_named_after_the_patient_is_not_named(tmp_path):
    paths = write_series(tmp_path, prefix="zebra_quill_")
    paths[3].unlink()
    report = inspect_study(tmp_path, ReadHints(case_id="case"))
    assert report.errors[0].code is Code.MISSING_SLICES
    assert "withheld" in everything_said(report)
    assert "zebra" not in everything_said(report)
    assert "quill" not in everything_said(report)


def test_a_file_named_by_its_uid_is_not_named(tmp_path):
    import pydicom

    for path in write_series(tmp_path):
        uid = pydicom.dcmread(path).SOPInstanceUID
        path.rename(tmp_path / f"{uid}.dcm")
    sorted(tmp_path.iterdir())[3].write_bytes(b"")
    report = inspect_study(tmp_path, ReadHints(case_id="case"))
    assert report.errors[0].code is Code.EMPTY_FILE
    assert "1.2.826" not in everything_said(report)


def test_a_name_hidden_in_a_description_is_not_repeated(tmp_path):
    def hostile(dataset, _):
        dataset.SeriesDescription = "<script>Zebra</script> =cmd \x1b[31m"
        dataset.ProtocolName = "PID-778899"

    write_series(tmp_path, edit=hostile)
    report = inspect_study(tmp_path, ReadHints(case_id="case"))
    assert report.study is not None
    said = everything_said(report) + report.study.series[0].key
    assert not any(word in said for word in ("zebra", "778899", "script", "cmd", "\x1b"))


def test_the_identifiers_are_handed_on_for_the_search_of_the_outputs(tmp_path):
    write_series(tmp_path)
    secrets = read_study(tmp_path, ReadHints(case_id="case")).secrets
    assert {NAME, "Quill", NUMBER, BIRTH} <= secrets
    assert "CT" not in secrets


def test_a_parser_that_quotes_a_tag_is_not_heard(tmp_path, caplog, recwarn):
    def broken(dataset, _):
        dataset.PatientBirthDate = "Zebra born 1951"

    write_series(tmp_path, edit=broken)
    caplog.clear()
    with caplog.at_level(logging.DEBUG):
        inspect_study(tmp_path, ReadHints(case_id="case"))
    assert "zebra" not in caplog.text.lower()
    assert not recwarn.list


@pytest.mark.parametrize(
    "case", ["zebra", "p01_Quill_ct", "pid778899", "x-19510203", "1.2.3.4.5.6.7"]
)
def test_a_case_named_after_the_patient_is_refused(tmp_path, case):
    write_series(tmp_path / case)
    with pytest.raises(StudyRejectedError, match="--case-ids hash") as caught:
        read_study(tmp_path / case)
    assert caught.value.notice.code is Code.CASE_ID_IDENTIFIES
    assert case not in str(caught.value)


def test_a_neutral_name_is_accepted(tmp_path):
    write_series(tmp_path / "p01")
    assert read_study(tmp_path / "p01").case_id == "p01"
    assert read_study(tmp_path / "p01", ReadHints(case_id="other")).case_id == "other"


@pytest.mark.parametrize("case", ["", "a/b", "..", "a\nb", "x" * 200])
def test_a_case_name_is_a_folder_name(tmp_path, case):
    write_series(tmp_path / "p01")
    hints = ReadHints(case_id=case)
    if case == "":
        assert read_study(tmp_path / "p01", hints).case_id == "p01"
        return
    with pytest.raises(StudyRejectedError, match="CONFIG_RANGE"):
        read_study(tmp_path / "p01", hints)


def test_hashed_names_need_the_key():
    first = hashed_case_id("Zebra", b"key one")
    assert first == hashed_case_id("Zebra", b"key one")
    assert first != hashed_case_id("Zebra", b"key two")
    assert "zebra" not in first


def test_short_names_count_as_whole_words_only():
    assert holds("ct_ann_2", {"Ann"})
    assert not holds("planning", {"Ann"})
    assert withheld("seen by Ann", {"Ann"}) == "seen by [withheld]"
