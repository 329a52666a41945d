"""The last look before results leave: no identifier of the patient stands in any of them."""

from __future__ import annotations

import gzip
import html
import re
from typing import TYPE_CHECKING

from netseg.domain import Code, StudyRejectedError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

TEXTS = (".json", ".jsonl", ".csv", ".html", ".txt", ".yaml", ".yml", ".md", ".log")
IMAGES = (".nii.gz", ".nii")
HEADER_BYTES = 65_536  # a NIfTI header with extensions; voxels are numbers and hold no names
PNG_TEXT = (".png", ".jpg", ".jpeg")
SHORTEST = 4  # shorter identifiers ("1", "M", "CT") stand in every document by chance
SHORTEST_NUMBER = 5  # so do numbers of four digits ("2020")
PICTURE = re.compile(r"data:image/[a-z]+;base64,[A-Za-z0-9+/=]+")


def require_no_secrets(folder: Path, secrets: Collection[str]) -> None:
    """Refuse a result folder in which an identifier of the patient stands.

    File names, texts (pictures embedded in them left out), NIfTI headers and the readable parts of
    picture files are searched without regard to case; a name is also found in its other
    spellings ("DOE^JANE": "Doe Jane", "Jane Doe", "Doe, Jane"). An identifier counts only as a
    word of its own, so that a number inside a checksum is no hit. Identifiers of fewer than four
    characters, or five digits, are not searched for: they stand in every document by chance.

    Raises:
        StudyRejectedError: IDENTIFIER_IN_OUTPUT, naming the files but never the identifier.
    """
    pattern = _pattern(secrets)
    if pattern is None:
        return
    found = sorted({path.name for path, text in _readable(folder) if pattern.search(text)})
    if found:
        raise _refusal([pattern.sub("***", name) for name in found])


def require_text_without_secrets(name: str, content: bytes, secrets: Collection[str]) -> None:
    """Refuse a text before it is written; see `require_no_secrets`.

    Raises:
        StudyRejectedError: IDENTIFIER_IN_OUTPUT, naming the file but never the identifier.
    """
    pattern = _pattern(secrets)
    if pattern is not None and pattern.search(_text(content)):
        raise _refusal([pattern.sub("***", name)])


def _refusal(names: list[str]) -> StudyRejectedError:
    return StudyRejectedError(
        Code.IDENTIFIER_IN_OUTPUT,
        f"an identifier of the patient stands in {', '.join(names)}; nothing of it may be passed on.",
        file=names[0],
        hint="Rename the case or use `--case-ids hash`, and take identifiers out of the clinical "
        "document, series names and free texts.",
    )


def _pattern(secrets: Collection[str]) -> re.Pattern[str] | None:
    spellings = sorted({s for secret in secrets for s in _spellings(secret)})
    if not spellings:
        return None
    words = "|".join(re.escape(s) for s in spellings)
    return re.compile(
        rf"(?<![A-Za-z0-9])(?<![0-9]\.)(?:{words})(?![A-Za-z0-9])(?!\.[0-9])", re.IGNORECASE
    )


def _spellings(secret: str) -> Iterator[str]:
    secret = " ".join(secret.split())
    shortest = SHORTEST_NUMBER if secret.isdigit() else SHORTEST
    if len(secret) < shortest:
        return
    yield secret
    parts = [p for p in re.split(r"[\^\s,]+", secret) if p]
    if len(parts) > 1:
        for separator in (" ", "_", "-", "^", ", "):
            yield separator.join(parts)
            yield separator.join(reversed(parts))


def _readable(folder: Path) -> Iterator[tuple[Path, str]]:
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        yield path, path.relative_to(folder).as_posix()
        name = path.name.lower()
        if name.endswith(IMAGES):
            yield path, _text(_header(path))
        elif name.endswith(PNG_TEXT) or name.endswith(TEXTS):
            yield path, _text(path.read_bytes())


def _header(path: Path) -> bytes:
    with path.open("rb") as file:
        if path.name.lower().endswith(".gz"):
            with gzip.GzipFile(fileobj=file) as packed:
                return packed.read(HEADER_BYTES)
        return file.read(HEADER_BYTES)


def _text(content: bytes) -> str:
    text = html.unescape(PICTURE.sub("", content.decode("utf-8", errors="replace")))
    return f"{text}\n{' '.join(text.replace(chr(0), ' ').split())}"
