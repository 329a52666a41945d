"""One study or a batch."""

from __future__ import annotations

import pytest

from netseg.domain import Code, NetsegError
from netseg.study import find_studies
from tests.study.dicom_files import write_series
from tests.study.nifti_files import write_nifti


def cases(path, how="auto") -> list[str]:
    return [f.case_id for f in find_studies(path, how)]


def own_study(name):
    def edit(dataset, _):
        dataset.StudyInstanceUID = f"1.2.3.{name}"

    return edit


def yaml_study(folder):
    folder.mkdir(parents=True)
    write_nifti(folder / "ct.nii.gz")
    (folder / "study.yaml").write_text("series:\n  - {file: ct.nii.gz, modality: CT}\n")


def test_a_file_is_one_study_named_after_it(tmp_path):
    assert cases(write_nifti(tmp_path / "p01.nii.gz")) == ["p01"]


def test_a_folder_with_images_of_its_own_is_one_study(tmp_path):
    write_series(tmp_path / "exam")
    write_series(tmp_path / "exam" / "more", uid_seed="more")
    assert cases(tmp_path / "exam") == ["exam"]


def test_a_folder_with_a_document_is_one_study(tmp_path):
    yaml_study(tmp_path / "p01")
    (tmp_path / "p01" / "extra").mkdir()
    assert cases(tmp_path / "p01") == ["p01"]


def test_folders_of_different_examinations_are_a_batch(tmp_path):
    for n in (2, 1, 3):
        write_series(tmp_path / f"p0{n}", uid_seed=str(n), edit=own_study(n))
    assert cases(tmp_path) == ["p01", "p02", "p03"]


def test_the_series_folders_of_one_examination_are_one_study(tmp_path):
    for name in ("CT", "PT", "SCOUT"):
        write_series(tmp_path / "exam" / name, uid_seed=name)
    assert cases(tmp_path / "exam") == ["exam"]
    assert cases(tmp_path / "exam", "many") == ["CT", "PT", "SCOUT"]


def test_a_nested_tree_of_one_examination_is_one_study(tmp_path):
    write_series(tmp_path / "exam" / "PAT0" / "ST0" / "SE0")
    assert cases(tmp_path / "exam") == ["exam"]


def test_folders_with_documents_are_a_batch_even_a_single_one(tmp_path):
    yaml_study(tmp_path / "p01")
    assert cases(tmp_path) == ["p01"]
    yaml_study(tmp_path / "p02")
    assert cases(tmp_path) == ["p01", "p02"]
    assert cases(tmp_path, "one") == [tmp_path.name]


def test_a_broken_child_stays_in_the_batch_and_is_refused_there(tmp_path):
    yaml_study(tmp_path / "p01")
    (tmp_path / "p02").mkdir()
    (tmp_path / "p02" / "README").write_text("nothing")
    assert cases(tmp_path) == ["p01", "p02"]


def test_image_files_beside_each_other_are_a_batch_only_if_the_user_says_so(tmp_path):
    for name in ("p02.nii.gz", "p01.nii.gz"):
        write_nifti(tmp_path / name)
    assert cases(tmp_path) == [tmp_path.name]
    assert cases(tmp_path, "many") == ["p01", "p02"]


def test_a_manifest_is_a_batch(tmp_path):
    yaml_study(tmp_path / "data" / "a")
    (tmp_path / "list.csv").write_text("case,path\nfirst,data/a\nsecond,data/b\n")
    found = find_studies(tmp_path / "list.csv")
    assert [f.case_id for f in found] == ["first", "second"]
    assert found[0].path == tmp_path / "data" / "a"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"case,path\na,x\na,y\n", Code.TABLE_DUPLICATE),
        (b"name,folder\na,x\n", Code.TABLE_VALUE),
        (b"case,path\na,\n", Code.TABLE_VALUE),
        (b"case,path\n", Code.TABLE_MISSING),
        ("case,path\na,x\n".encode("utf-16"), Code.TABLE_ENCODING),
    ],
)
def test_a_manifest_that_cannot_be_followed_is_refused(tmp_path, text, code):
    (tmp_path / "list.csv").write_bytes(text)
    with pytest.raises(NetsegError) as caught:
        find_studies(tmp_path / "list.csv")
    assert caught.value.notice.code is code
    assert caught.value.exit_code == 2


def test_a_path_that_does_not_exist_is_no_input(tmp_path):
    with pytest.raises(NetsegError, match="NO_INPUT"):
        find_studies(tmp_path / "nowhere")
