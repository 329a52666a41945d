"""A batch: one study that fails never takes the others along."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from netseg.domain import Code, EnvironmentFaultError, StudyRejectedError
from netseg.pipeline import StudyOutcome, run_batch
from netseg.pipeline.output import staged
from netseg.study import FoundStudy

if TYPE_CHECKING:
    from pathlib import Path


def studies(*names: str) -> list[FoundStudy]:
    from pathlib import Path

    return [FoundStudy(case_id=name, path=Path(name)) for name in names]


class Job:
    """Writes one file per study; fails as told."""

    def __init__(self, **failures: Exception) -> None:
        self.failures = failures

    def __call__(self, found: FoundStudy, folder: Path) -> StudyOutcome:
        """Write half, fail if told so, write the rest."""
        with staged(folder) as part:
            (part / "half.txt").write_text("half")
            if found.case_id in self.failures:
                raise self.failures[found.case_id]
            (part / "whole.txt").write_text("whole")
        return StudyOutcome(case_id=found.case_id, state="ok", row={"case": found.case_id})


REFUSAL = StudyRejectedError(Code.MISSING_SLICES, "a gap of 10 mm where 5 mm were expected.")


def test_the_studies_around_a_broken_one_are_written(tmp_path: Path):
    outcome = run_batch(studies("a", "b", "c"), tmp_path, Job(b=REFUSAL))
    assert [s.state for s in outcome.studies] == ["ok", "rejected", "ok"]
    assert (tmp_path / "a" / "whole.txt").exists()
    assert (tmp_path / "c" / "whole.txt").exists()
    assert outcome.exit_code == 3


def test_a_rejected_study_leaves_its_status_and_nothing_else(tmp_path: Path):
    run_batch(studies("a"), tmp_path, Job())
    outcome = run_batch(studies("a"), tmp_path, Job(a=REFUSAL))
    assert [f.name for f in (tmp_path / "a").iterdir()] == ["status.json"]
    status = json.loads((tmp_path / "a" / "status.json").read_text())
    assert status["state"] == "rejected"
    assert status["errors"][0]["code"] == "MISSING_SLICES"
    assert outcome.exit_code == 4


def test_all_written_leaves_zero_and_a_table(tmp_path: Path):
    assert run_batch(studies("a", "b"), tmp_path, Job()).exit_code == 0
    assert json.loads((tmp_path / "status.json").read_text())["studies"] == {"a": "ok", "b": "ok"}
    assert (tmp_path / "summary.csv").read_text().splitlines()[1].startswith("a,")
    assert (tmp_path / "errors.jsonl").read_text() == ""


def test_a_bug_is_named_as_such_and_the_next_study_goes_on(tmp_path: Path):
    outcome = run_batch(studies("a", "b"), tmp_path, Job(a=ZeroDivisionError("oops")))
    assert outcome.exit_code == 1
    assert outcome.studies[0].errors[0].code is Code.INTERNAL
    assert (tmp_path / "b" / "whole.txt").exists()


def test_too_little_memory_rejects_one_study(tmp_path: Path):
    outcome = run_batch(studies("a", "b"), tmp_path, Job(a=MemoryError()))
    assert outcome.studies[0].errors[0].code is Code.OUT_OF_MEMORY
    assert outcome.exit_code == 3


def test_a_full_disk_stops_the_batch_and_leaves_no_half_study(tmp_path: Path):
    full = EnvironmentFaultError(Code.DISK_FULL, "the disk is full.")
    with pytest.raises(EnvironmentFaultError, match="disk is full"):
        run_batch(studies("a", "b"), tmp_path, Job(b=full))
    assert (tmp_path / "a" / "whole.txt").exists()
    assert not (tmp_path / "b").exists()
    assert not list(tmp_path.glob(".*"))


def test_an_interrupted_study_leaves_nothing(tmp_path: Path):
    with pytest.raises(KeyboardInterrupt):
        run_batch(studies("a"), tmp_path, Job(a=KeyboardInterrupt()))  # pyright: ignore[reportArgumentType]
    assert not list(tmp_path.iterdir())


def test_a_name_that_identifies_is_written_nowhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    """The folder was called by the patient's id; the refusal must not repeat it."""
    refusal = StudyRejectedError(Code.CASE_ID_IDENTIFIES, "the name holds an identifier.")
    with caplog.at_level("INFO"):
        outcome = run_batch(studies("a", "JOHN-DOE"), tmp_path, Job(**{"JOHN-DOE": refusal}))
    assert outcome.studies[1].case_id == "study-2"
    assert sorted(p.name for p in tmp_path.iterdir() if p.is_dir()) == ["a", "study-2"]
    written = "".join(p.read_text() for p in tmp_path.rglob("*") if p.is_file())
    assert "JOHN" not in written + caplog.text
