"""TotalSegmentator as a program: two calls, two masks, and what is refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from netseg.domain import Code, EnvironmentFaultError, Modality, StudyRejectedError, UsageError
from netseg.segment.totalsegmentator import TotalSegmentatorBackend
from tests.segment.fake_programs import TOTALSEGMENTATOR, program, scan

if TYPE_CHECKING:
    from pathlib import Path


def backend(folder: Path, mischief: str = "", **more) -> TotalSegmentatorBackend:
    return TotalSegmentatorBackend(program=program(folder, TOTALSEGMENTATOR, mischief), **more)


def calls(folder: Path) -> list[list[str]]:
    return [json.loads(line) for line in (folder / "notes").read_text().splitlines()]


def test_liver_and_lesions_are_united(tmp_path):
    found = backend(tmp_path).segment(scan())
    assert (
        len(found.lesions.values) == 2
    )  # they are holes in the liver's mask; the third lies beside it
    assert np.all(found.liver.inside[found.lesions.labels != 0])
    assert found.provenance.name == "TotalSegmentator total, liver_lesions"


def test_it_is_called_for_the_organ_and_for_the_lesions(tmp_path):
    backend(tmp_path, fast=True, device="cuda:1").segment(scan())
    organ, lesions = calls(tmp_path)
    assert organ[organ.index("-ta") + 1] == "total"
    assert organ[organ.index("-rs") + 1] == "liver"
    assert "-f" in organ
    assert "-f" not in lesions
    assert lesions[lesions.index("-ta") + 1] == "liver_lesions"
    assert organ[organ.index("-d") + 1] == "gpu:1"


def test_mr_has_tasks_of_its_own(tmp_path):
    from dataclasses import replace

    from netseg.domain.study import MrSequence

    study = scan(None, Modality.MR)
    series = replace(study.series[0], sequence=MrSequence.T1)
    backend(tmp_path, channel="mr").segment(replace(study, series=(series,)))
    assert [c[c.index("-ta") + 1] for c in calls(tmp_path)] == ["total_mr", "liver_lesions_mr"]


REFUSED = {
    "empty": ("labels[:] = 0", Code.NO_LIVER, "found no liver"),
    "values": ("labels = labels * 5", Code.LABEL_UNKNOWN, "values 5; its labels are 1"),
    "no file": ("sys.exit(0)", Code.PROGRAM_FAILED, r"wrote no liver\.nii\.gz"),
    "exit": ("sys.exit('no license')", Code.PROGRAM_FAILED, "exit code 1; it said: no license"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_misbehaving_program_is_refused_by_name(tmp_path, name):
    mischief, code, why = REFUSED[name]
    with pytest.raises(StudyRejectedError, match=why) as refused:
        backend(tmp_path, mischief).segment(scan())
    assert refused.value.notice.code is code


def test_without_the_program_the_user_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EnvironmentFaultError, match="TotalSegmentator is not installed"):
        TotalSegmentatorBackend().segment(scan())


def test_pet_is_refused():
    with pytest.raises(UsageError, match="reads CT and MR"):
        TotalSegmentatorBackend(channel="pet_sstr")
