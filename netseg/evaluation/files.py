"""Outlines in files: which file belongs to which case.

A FILE is one case. In a DIR, a file is a case by its stem (`p01.nii.gz` is p01, in whatever format),
and a folder is a case by its name: one that netseg wrote (`lesions.nii.gz` with `liver.nii.gz`, the
probability and the confidences beside it), or one that holds a single mask file.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from netseg.domain import Code, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

RESULT = "lesions.nii.gz"
RESULT_LIVER = "liver.nii.gz"
RESULT_PROBABILITY = "lesion_probability.nii.gz"
RESULT_TABLE = "lesions.csv"
_SUFFIX = re.compile(r"^(.+):(instances|\d+(?:,\d+)*)$")
_DICOM = (".dcm", ".dicom")


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFiles:
    """The files of one case on one side.

    Attributes:
        id: The case's name.
        labels: The label map, or netseg's lesion instances.
        is_result: Whether netseg wrote them: then the numbers are instances, and the liver, the
            confidences and the probability lie beside it.
        probability: Probability of lesion per voxel, where there is one.
    """

    id: str
    labels: Path
    is_result: bool = False
    probability: Path | None = None

    @property
    def liver(self) -> Path | None:
        """The liver beside a result of netseg."""
        return self._beside(RESULT_LIVER)

    @property
    def table(self) -> Path | None:
        """The lesion table beside a result of netseg."""
        return self._beside(RESULT_TABLE)

    @property
    def is_dicom(self) -> bool:
        """Whether the labels are a DICOM SEG, which knows its frame of reference."""
        from netseg.study.files import image_suffix

        return image_suffix(self.labels) is None

    @property
    def all(self) -> tuple[Path, ...]:
        """Every file that a score of this case rests on."""
        found = (self.labels, self.liver, self.table, self.probability)
        return tuple(path for path in found if path is not None)

    def _beside(self, name: str) -> Path | None:
        path = self.labels.with_name(name)
        return path if self.is_result and path.is_file() else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """All cases of one side.

    Attributes:
        cases: By name.
        is_file: Whether a single file was given; its case goes by the other side's name.
        suffix: What stood behind the file's name: ":2", ":1,2", ":instances"; empty otherwise.
    """

    cases: Mapping[str, CaseFiles]
    is_file: bool = False
    suffix: str = ""

    def sha256(self) -> str:
        """Hash over the names of the cases and the bytes of their files.

        Raises:
            UsageError: INPUT_CHANGED if a file vanished or cannot be read.
        """
        digest = hashlib.sha256()
        for case in sorted(self.cases):
            for path in self.cases[case].all:
                digest.update(f"{case}\0{path.name}\0".encode())
                digest.update(_sha256(path))
        return digest.hexdigest()


def find_side(where: str, probability: Path | None = None) -> Side:
    """The cases of one side.

    Args:
        where: FILE, FILE:2, FILE:1,2, FILE:instances or DIR.
        probability: A probability map, or a folder with one per case by its stem.

    Raises:
        UsageError: NO_INPUT if there is nothing, CONFIG_RANGE if two files claim one case.
    """
    found = _SUFFIX.match(where)
    path = Path(where)
    suffix = ""
    if found is not None and not path.exists():
        path, suffix = Path(found.group(1)), found.group(2)
    if path.is_file():
        return _single(path, suffix, probability)
    if not path.is_dir():
        raise UsageError(
            Code.NO_INPUT, f"{path.name} does not exist.", hint="Name a file or folder."
        )
    cases = _in_folder(path)
    if not cases:
        raise UsageError(
            Code.NO_INPUT,
            f"{path.name} holds no label map.",
            hint="Files end in .nii, .nii.gz, .nrrd, .mha or .dcm; a case may be a folder.",
        )
    return Side(cases=_with_probability(cases, probability))


def _sha256(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        raise UsageError(
            Code.INPUT_CHANGED,
            f"{path.name} cannot be read any more: {error.strerror}.",
            file=path.name,
            hint="Leave the files in place until the evaluation is done.",
        ) from error


def _single(path: Path, suffix: str, probability: Path | None) -> Side:
    name = _stem(path)
    if probability is not None and not probability.is_file():
        raise UsageError(
            Code.NO_INPUT,
            f"{probability.name} is no file; one label map has one probability map.",
            hint="Give the file itself.",
        )
    one = CaseFiles(id=name, labels=path, probability=probability)
    return Side(cases={name: one}, is_file=True, suffix=suffix)


def _in_folder(folder: Path) -> dict[str, CaseFiles]:
    cases: dict[str, CaseFiles] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        one = _of_folder(path) if path.is_dir() else _of_file(path)
        if one is None:
            continue
        if one.id in cases:
            raise UsageError(
                Code.CONFIG_RANGE,
                f"{cases[one.id].labels.name} and {one.labels.name} are both case {one.id}.",
                hint="Keep one file per case.",
            )
        cases[one.id] = one
    return cases


def _of_file(path: Path) -> CaseFiles | None:
    return CaseFiles(id=_stem(path), labels=path) if _is_mask(path) else None


def _of_folder(folder: Path) -> CaseFiles | None:
    result = folder / RESULT
    if result.is_file():
        probability = folder / RESULT_PROBABILITY
        return CaseFiles(
            id=folder.name,
            labels=result,
            is_result=True,
            probability=probability if probability.is_file() else None,
        )
    masks = [path for path in sorted(folder.iterdir()) if path.is_file() and _is_mask(path)]
    return CaseFiles(id=folder.name, labels=masks[0]) if len(masks) == 1 else None


def _with_probability(
    cases: Mapping[str, CaseFiles], probability: Path | None
) -> dict[str, CaseFiles]:
    if probability is None:
        return dict(cases)
    if not probability.is_dir():
        raise UsageError(
            Code.NO_INPUT,
            f"{probability.name} is no folder; many cases have one probability map each.",
            hint="Give a folder with one map per case, named like the case.",
        )
    maps = {_stem(path): path for path in _masks_of(probability)}
    return {n: replace(one, probability=maps.get(n, one.probability)) for n, one in cases.items()}


def _masks_of(folder: Path) -> Iterable[Path]:
    return (path for path in sorted(folder.iterdir()) if path.is_file() and _is_mask(path))


def _is_mask(path: Path) -> bool:
    from netseg.study.files import image_suffix

    return image_suffix(path) is not None or path.suffix.lower() in _DICOM


def _stem(path: Path) -> str:
    from netseg.study.files import stem

    return stem(path)
