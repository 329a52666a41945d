"""No identifier of the patient leaves with the results."""

import gzip

import nibabel as nib
import numpy as np
import pytest

from netseg.domain import StudyRejectedError
from netseg.export import require_no_secrets

SECRETS = {"DOE^JANE", "1.2.840.113619.2.55", "PAT-00917"}


@pytest.mark.parametrize(
    "text",
    [
        "case PAT-00917",
        "case pat-00917",
        '{"case": "PAT-00917"}',
        "Doe Jane",
        "JANE DOE",
        "doe, jane",
        "Doe_Jane",
        "Doe\n  Jane",
        "<b>Doe&#94;Jane</b>",
        "frame 1.2.840.113619.2.55,",
    ],
)
@pytest.mark.parametrize("name", ["a.json", "report.html", "lesions.csv"])
def test_an_identifier_in_a_text_is_refused_and_not_repeated(text, name, tmp_path):
    (tmp_path / name).write_text(f"before {text} after")
    with pytest.raises(StudyRejectedError, match=f"IDENTIFIER_IN_OUTPUT.*{name}") as refused:
        require_no_secrets(tmp_path, SECRETS)
    said = str(refused.value).lower()
    assert not any(part in said for part in ("jane", "00917", "113619"))


@pytest.mark.parametrize(
    "text",
    [
        "nothing here",
        "XPAT-009170",
        "1.2.840.113619.2.551",
        "31.2.840.113619.2.55",
        "0.1.2.840.113619.2.55",
        "Jane alone",
        "data:image/png;base64,PAT-00917==",
    ],
)
def test_what_only_looks_alike_passes(text, tmp_path):
    (tmp_path / "a.html").write_text(text.replace("PAT-00917", "AAADOEJANE"))
    require_no_secrets(tmp_path, SECRETS)


def test_short_identifiers_stand_everywhere_by_chance_and_are_not_searched(tmp_path):
    (tmp_path / "a.json").write_text("CT 7 2020 F seed-2020")
    require_no_secrets(tmp_path, {"CT", "7", "2020", "F", ""})


def test_a_number_inside_a_checksum_is_no_identifier(tmp_path):
    (tmp_path / "a.json").write_text('"sha256": "ab12345cd", "volume_ml": 0.12345')
    require_no_secrets(tmp_path, {"12345"})
    (tmp_path / "b.json").write_text('"case": "12345"')
    with pytest.raises(StudyRejectedError, match=r"b\.json"):
        require_no_secrets(tmp_path, {"12345"})


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_an_identifier_in_an_image_header_is_refused(name, tmp_path):
    image = nib.Nifti1Image(np.zeros((4, 4, 4), np.uint8), np.eye(4))
    image.header["descrip"] = b"PAT-00917"
    nib.save(image, tmp_path / name)
    with pytest.raises(StudyRejectedError, match="IDENTIFIER_IN_OUTPUT"):
        require_no_secrets(tmp_path, SECRETS)


def test_an_identifier_in_a_file_name_is_refused_and_hidden(tmp_path):
    with gzip.open(tmp_path / "PAT-00917.nii.gz", "wb") as file:
        file.write(bytes(352))
    with pytest.raises(StudyRejectedError, match=r"\*\*\*\.nii\.gz") as refused:
        require_no_secrets(tmp_path, SECRETS)
    assert "00917" not in str(refused.value)


def test_without_secrets_nothing_is_searched(tmp_path):
    (tmp_path / "a.json").write_text("PAT-00917")
    require_no_secrets(tmp_path, frozenset())
