"""LiTS and its re-release in the Medical Segmentation Decathlon: portal CT with liver and tumours."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from netseg.training.datasets.case import ImageFiles, LabelFiles, RawCase
from netseg.training.datasets.listing import (
    images_in,
    listed,
    read_json,
    require_folder,
    require_pairs,
    wrong_set,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

LIVER_AND_TUMOUR = {0: 0, 1: 1, 2: 2}
MSD_LABELS = {"0": "background", "1": "liver", "2": "cancer"}
IRCADB_IN_LITS = tuple(range(28, 49))
"""LiTS training volumes that are, or are said to be, 3D-IRCADb.

Users of LiTS name 28-47; one who compared the volumes found 28-44 and 46-48, patient n of 3D-IRCADb
being 27 + n up to 17 and 28 + n from 18 on (issues 21 and 33 of assassint2017/MICCAI-LITS2017; 27 is
named nowhere but in that project's own text, and found wrong there). The union is left out: one
volume too many costs less than a patient that is trained and scored on.
"""
SAME_PATIENT = (("0", "1"),)
"""Volumes 0 and 1 show one patient at two dates. Others may too: LiTS does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lits:
    """LiTS 2017, training part: 131 CT of seven centres, 0 background, 1 liver, 2 tumour.

    ```
    root/                         both batches, in one folder or in folders below it
    ├─ volume-0.nii   segmentation-0.nii        (or .nii.gz)
    └─ …  volume-130.nii  segmentation-130.nii        (test-volume-N.nii has no outlines: not read)
    ```

    Licence: CC BY-SA 4.0 in the Decathlon's re-release; the challenge's own terms were not verified
    here, read them where you download it.

    Volumes 28-48 are left out unless `with_ircadb`: they are 3D-IRCADb, on which this project scores
    itself, and their headers were rewritten to voxels of 1 mm along every axis (JunMa11/AbdomenCT-1K, issue
    27), which is not their true size.

    Attributes:
        root: Folder of the files.
        with_ircadb: Keep the volumes that are 3D-IRCADb.
        same_patient: Groups of volume numbers that show one patient.
    """

    root: Path
    with_ircadb: bool = False
    same_patient: tuple[tuple[str, ...], ...] = SAME_PATIENT

    def cases(self) -> tuple[RawCase, ...]:
        """The volumes that may be trained on, by number."""
        root = require_folder(Path(self.root), "Unpack LiTS and point layout.root at it.")
        files = images_in(root, deep=True)
        volumes = _numbered(files, r"volume-(\d+)")
        outlines = _numbered(files, r"segmentation-(\d+)")
        files = {n: p for n, p in files.items() if not n.startswith("test-volume-")}
        known = {f"volume-{n}" for n in volumes} | {f"segmentation-{n}" for n in outlines}
        odd = sorted(set(files) - known)
        if odd:
            raise wrong_set(root, f"neither volume-N nor segmentation-N: {listed(odd)}")
        require_pairs(root, volumes, outlines)
        return tuple(
            _case(f"lits-{n}", n, self.same_patient, volumes[n], outlines[n])
            for n in _numbers(volumes, with_ircadb=self.with_ircadb)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MsdTask03:
    """Decathlon, Task03_Liver: the LiTS training volumes under the same numbers.

    ```
    root/                         Task03_Liver
    ├─ dataset.json               modality, labels, the list of pairs under "training"
    ├─ imagesTr/ liver_0.nii.gz … ├─ labelsTr/ liver_0.nii.gz …   └─ imagesTs/ (not read)
    ```

    Licence: CC BY-SA 4.0 (its dataset.json). What `Lits` says of 3D-IRCADb holds here too: the
    numbers are taken to be the same, which was not checked volume by volume.

    Attributes:
        root: The folder Task03_Liver.
        with_ircadb: Keep the volumes that are 3D-IRCADb.
        same_patient: Groups of volume numbers that show one patient.
    """

    root: Path
    with_ircadb: bool = False
    same_patient: tuple[tuple[str, ...], ...] = SAME_PATIENT

    def cases(self) -> tuple[RawCase, ...]:
        """The volumes that may be trained on, by number."""
        root = require_folder(
            Path(self.root), "Unpack Task03_Liver.tar and point layout.root at it."
        )
        document = read_json(root / "dataset.json")
        if document.get("labels") != MSD_LABELS:
            raise wrong_set(root, f"labels are {document.get('labels')}, {MSD_LABELS} is expected")
        images = images_in(require_folder(root / "imagesTr", "Task03_Liver holds imagesTr."))
        outlines = images_in(require_folder(root / "labelsTr", "Task03_Liver holds labelsTr."))
        require_pairs(root, images, outlines)
        named = {_name_of(entry.get("image", "")) for entry in document.get("training", [])}
        _require_listed(root, set(images), named)
        volumes = _numbered(images, r"liver_(\d+)")
        odd = sorted(set(images) - {f"liver_{n}" for n in volumes})
        if odd:
            raise wrong_set(root, f"names other than liver_N: {listed(odd)}")
        return tuple(
            _case(f"liver_{n}", n, self.same_patient, volumes[n], outlines[f"liver_{n}"])
            for n in _numbers(volumes, with_ircadb=self.with_ircadb)
        )


def _require_listed(root: Path, present: set[str], named: set[str]) -> None:
    """Refuse a folder that holds other cases than its dataset.json names.

    Raises:
        UsageError: TRAINING_SET.
    """
    missing, extra = sorted(named - present), sorted(present - named)
    if missing:
        raise wrong_set(root, f"dataset.json names cases that are not there: {listed(missing)}")
    if extra:
        raise wrong_set(root, f"cases that dataset.json does not name: {listed(extra)}")


def _case(
    name: str, number: str, same: tuple[tuple[str, ...], ...], image: Path, outlines: Path
) -> RawCase:
    group = next((g for g in same if number in g), (number,))
    return RawCase(
        name=name,
        patient=f"lits-{group[0]}",
        images={"ct_portal": ImageFiles(path=image)},
        labels=(LabelFiles(path=outlines, meaning=LIVER_AND_TUMOUR),),
    )


def _numbered(files: Mapping[str, Path], pattern: str) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for name, path in files.items():
        match = re.fullmatch(pattern, name)
        if match:
            found[match.group(1)] = path
    return found


def _numbers(volumes: Mapping[str, Path], *, with_ircadb: bool) -> list[str]:
    gone = () if with_ircadb else IRCADB_IN_LITS
    return sorted((n for n in volumes if int(n) not in gone), key=int)


def _name_of(path: str) -> str:
    name = path.rsplit("/", maxsplit=1)[-1]
    return name.removesuffix(".gz").removesuffix(".nii")
