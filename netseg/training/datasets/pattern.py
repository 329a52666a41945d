"""dataset.yaml: which files of a folder belong together, in their owner's words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from netseg.segment.channels import CHANNELS
from netseg.study.files import image_suffix
from netseg.study.yaml_file import read_yaml, unknown_key
from netseg.training.datasets.case import BACKGROUND, IGNORED, LESION, LIVER
from netseg.training.datasets.listing import wrong_set

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from netseg.domain import UsageError

_KEYS = ("images", "labels", "liver", "lesions", "other", "ignored", "patients")
_NUMBERS = {"liver": LIVER, "lesions": LESION, "other": BACKGROUND, "ignored": IGNORED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """What a dataset.yaml says.

    Attributes:
        images: Pattern of the file names by channel; its star is the case's name.
        labels: Pattern of the label maps' names.
        liver: Numbers that are liver.
        lesions: Numbers that are lesion.
        meaning: All numbers and what they mean.
        patients: Patient by case, where they differ.
    """

    images: Mapping[str, str]
    labels: str
    liver: tuple[int, ...]
    lesions: tuple[int, ...]
    meaning: Mapping[int, int]
    patients: Mapping[str, str]

    def find(self, root: Path, pattern: str) -> dict[str, Path]:
        """Files below `root` by what the pattern's star stands for.

        Raises:
            UsageError: TRAINING_SET if two files stand for one case.
        """
        before, after = pattern.split("*")
        found: dict[str, Path] = {}
        for path in sorted(root.glob(pattern)):
            place = path.relative_to(root).as_posix()
            if path.name.startswith(".") or image_suffix(path) is None:
                continue
            name = place[len(before) : len(place) - len(after)]
            if name in found:
                raise wrong_set(root, f"{place} and {found[name].name} claim one case")
            found[name] = path
        return found


def read_pattern(path: Path) -> Pattern:
    """Read and check a dataset.yaml; unknown keys and wrong types are refused by name.

    Raises:
        StudyRejectedError: CONFIG_SYNTAX, CONFIG_UNKNOWN_KEY, UNSAFE_CONFIG, ALLOCATION_LIMIT.
        UsageError: TRAINING_SET for values that say nothing.
    """
    document = read_yaml(path, path.name)
    if not isinstance(document, dict):
        raise _refused(path, f"a mapping is expected; got {type(document).__name__}")
    for key in document:
        if key not in _KEYS:
            raise unknown_key(key, _KEYS, "The description", path.name)
    images = document.get("images")
    if not isinstance(images, dict) or not images:
        raise _refused(path, 'images: {ct_portal: "*_ct.nii.gz"} or the like is expected')
    strange = sorted(set(map(str, images)) - set(CHANNELS))
    if strange:
        raise _refused(path, f"channels are {', '.join(CHANNELS)}; got {', '.join(strange)}")
    patients = document.get("patients", {})
    if not isinstance(patients, dict):
        raise _refused(path, "patients: {case: patient} is expected")
    numbers = {key: _whole_numbers(path, document, key) for key in _NUMBERS}
    return Pattern(
        images={str(channel): _pattern(path, text) for channel, text in images.items()},
        labels=_pattern(path, document.get("labels")),
        liver=numbers["liver"],
        lesions=numbers["lesions"],
        meaning=_meaning(path, numbers),
        patients={str(case): str(patient) for case, patient in patients.items()},
    )


def _pattern(path: Path, text: Any) -> str:
    inside = isinstance(text, str) and not text.startswith("/") and ".." not in text
    if not inside or text.count("*") != 1 or any(c in text for c in "?["):
        raise _refused(
            path, f"a pattern below the folder has one star, the case's name; got {text!r}"
        )
    return text


def _whole_numbers(path: Path, document: Mapping[str, Any], key: str) -> tuple[int, ...]:
    if key not in document and key in ("liver", "lesions"):
        raise _refused(
            path, f"{key}: which numbers of the label map? [] says that it is not outlined"
        )
    value = document.get(key, [])
    listed: Any = value if isinstance(value, list) else [value]
    if any(isinstance(v, bool) or not isinstance(v, int) or v < 0 for v in listed):
        raise _refused(path, f"{key} lists numbers of the label map; got {value!r}")
    return tuple(listed)


def _meaning(path: Path, numbers: Mapping[str, tuple[int, ...]]) -> dict[int, int]:
    meaning: dict[int, int] = {0: BACKGROUND}
    for key, label in _NUMBERS.items():
        for number in numbers[key]:
            if number in meaning and not (number == 0 and label == BACKGROUND):
                raise _refused(path, f"number {number} has two meanings")
            meaning[number] = label
    if not numbers["liver"] and not numbers["lesions"]:
        raise _refused(path, "neither liver nor lesions are outlined: there is nothing to learn")
    return meaning


def _refused(path: Path, what: str) -> UsageError:
    return wrong_set(
        path.parent, f"{path.name}: {what}", hint="docs/how-to/train-on-your-own-data.md has one."
    )
