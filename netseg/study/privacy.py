"""Identifiers of the patient: collected where they are met, kept out of everything said."""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import TYPE_CHECKING, Any

from netseg.domain.codes import Code
from netseg.domain.errors import Notice, StudyRejectedError
from netseg.study.dicom_header import items_of, text_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet

    from netseg.study.dicom_header import Header

_NAMES = ("PatientName", "OtherPatientNames", "PatientBirthName", "PatientMotherBirthName")
_PHYSICIANS = ("ReferringPhysicianName", "PerformingPhysicianName", "OperatorsName")
_IDS = ("PatientID", "OtherPatientIDs", "AccessionNumber", "StudyID")
_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")
_LEAST_LETTERS = 3
_LEAST_DIGITS = 4
_NOBODY = {
    "anon", "anonymous", "anonymized", "anonymised", "case", "doctor", "liver", "none", "patient",
    "phantom", "series", "study", "subject", "test", "unknown", "dr.", "prof", "prof.",
}  # fmt: skip
"""Words that stand in name tags and name nobody."""
_UID = re.compile(r"\d+(?:\.\d+){5,}")
_WITHHELD = "[withheld]"


def identifiers(header: Header) -> set[str]:
    """Names, numbers, birth date and UIDs of one header that are long enough to identify.

    Short words ("CT", "1") are left out: they stand in any text.
    """
    found: set[str] = set()
    for keyword in _NAMES + _PHYSICIANS:
        text = header.text(keyword)
        found.add(text)
        found.update(re.split(r"[\^=,\s\\]+", text))
    for keyword in _IDS + _UIDS:
        found.update(_values(header, keyword))
    found.update(_values(header, "PatientBirthDate"))
    found.update(text_of(i, "PatientID") for i in items_of(header.tags, "OtherPatientIDsSequence"))
    return {text for text in found if _tells(text)}


def holds(text: str, secrets: AbstractSet[str]) -> bool:
    """Whether `text` holds an identifier, in any case and with any separators, or any UID."""
    if _UID.search(text):
        return True
    return any(_pattern(secret).search(text) for secret in secrets if not _UID.fullmatch(secret))


def withheld(text: str, secrets: Iterable[str]) -> str:
    """The text with every identifier, and anything that looks like a UID, replaced."""
    text = _UID.sub(_WITHHELD, text)
    for secret in sorted((s for s in secrets if not _UID.fullmatch(s)), key=len, reverse=True):
        text = _pattern(secret).sub(_WITHHELD, text)
    return text


def clean_notice(notice: Notice, secrets: AbstractSet[str]) -> Notice:
    """The notice with every identifier replaced, in its file name and details too."""
    return Notice(
        code=notice.code,
        message=withheld(notice.message, secrets),
        file=None if notice.file is None else withheld(notice.file, secrets),
        detail=_cleaned(dict(notice.detail), secrets),
        hint=withheld(notice.hint, secrets),
    )


def require_neutral_case_id(case_id: str, secrets: AbstractSet[str]) -> None:
    """Refuse a case name that holds an identifier found in the headers.

    Raises:
        StudyRejectedError: CASE_ID_IDENTIFIES; the message does not repeat the name.
    """
    if holds(case_id, secrets):
        raise StudyRejectedError(
            Code.CASE_ID_IDENTIFIES,
            "The case's name holds a name or number of the patient that stands in its headers.",
            hint="Rename the folder, or run with --case-ids hash, which keeps the mapping outside "
            "the output.",
        )


def hashed_case_id(name: str, key: bytes) -> str:
    """A neutral case name that only the holder of `key` can connect with `name`.

    Args:
        name: The folder's or file's own name.
        key: A secret of this site, kept outside the output.
    """
    return f"case-{hmac.new(key, name.encode(), hashlib.sha256).hexdigest()[:12]}"


def _values(header: Header, keyword: str) -> Iterable[str]:
    return (text for text in re.split(r"\\|', '|[\[\]']", header.text(keyword)) if text)


def _tells(text: str) -> bool:
    least = _LEAST_DIGITS if text.isdigit() else _LEAST_LETTERS
    return len(re.sub(r"[\W_]", "", text)) >= least and text.lower() not in _NOBODY


def _pattern(secret: str) -> re.Pattern[str]:
    """The identifier with any separators between its words; short ones as whole words only."""
    words = [re.escape(w) for w in re.findall(r"[^\W_]+", secret)]
    body = r"[\W_]*".join(words)
    if len("".join(words)) < 6:
        body = rf"(?<![^\W_]){body}(?![^\W_])"
    return re.compile(body, re.IGNORECASE)


def _cleaned(value: Any, secrets: AbstractSet[str]) -> Any:
    if isinstance(value, str):
        return withheld(value, secrets)
    if isinstance(value, dict):
        return {key: _cleaned(item, secrets) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(item, secrets) for item in value]
    return value
