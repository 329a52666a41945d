"""Sets of one's own: studies as `netseg run` reads them, or files that follow a pattern."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from netseg.domain import Code, Quantity, UsageError
from netseg.segment.channels import channel_of
from netseg.study.document import read_document
from netseg.study.files import STUDY_FILE
from netseg.training.datasets.case import (
    BACKGROUND,
    LESION,
    LIVER,
    ImageFiles,
    LabelFiles,
    RawCase,
    case_name,
)
from netseg.training.datasets.listing import (
    listed,
    require_folder,
    require_pairs,
    wrong_set,
)
from netseg.training.datasets.pattern import Pattern, read_pattern

if TYPE_CHECKING:
    from netseg.domain import Series
    from netseg.study.document import MaskEntry, ScanEntry

DESCRIPTION = "dataset.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnFolder:
    """A folder of one's own, in one of two forms.

    ```
    root/                                    root/
    ├─ patient_01/                           ├─ dataset.yaml
    │  ├─ study.yaml                         ├─ anna_ct.nii.gz    anna_labels.nii.gz
    │  ├─ ct.nii.gz  liver.nii.gz …          ├─ bert_ct.nii.gz    bert_labels.nii.gz
    └─ patient_02/ …                         └─ …
    ```

    Left: each study.yaml names its scans and its masks, as for `netseg run`. A study with a liver
    mask and without a lesion mask says nothing about lesions; an empty lesion mask says that there
    are none. Right: dataset.yaml says which files belong together and what the labels mean:

    ```yaml
    images: {ct_portal: "*_ct.nii.gz"}       # channel: pattern; * is the case's name
    labels: "*_labels.nii.gz"
    liver: [1]                               # numbers of the label map; [] if not outlined
    lesions: [2]                             # [] if not outlined
    other: [3]                               # optional: other organs, background here
    ignored: [255]                           # optional: neither taught as liver nor as not
    patients: {anna: p1, anna_later: p1}     # optional: cases of one patient
    ```

    Attributes:
        root: The folder.
        description: The dataset.yaml, where it does not lie in `root`.
    """

    root: Path
    description: Path | None = None

    def cases(self) -> tuple[RawCase, ...]:
        """The cases, by name."""
        root = require_folder(Path(self.root), "Point layout.root at your folder.")
        described = Path(self.description) if self.description else root / DESCRIPTION
        if described.is_file():
            return _by_pattern(root, read_pattern(described))
        if self.description:
            raise UsageError(Code.TRAINING_SET, f"there is no description {described.name}.")
        return _by_study(root)


def _by_pattern(root: Path, pattern: Pattern) -> tuple[RawCase, ...]:
    images = {channel: pattern.find(root, text) for channel, text in pattern.images.items()}
    outlines = pattern.find(root, pattern.labels)
    for found in images.values():
        require_pairs(root, found, outlines)
    strangers = sorted(set(pattern.patients) - set(outlines))
    if strangers:
        raise wrong_set(root, f"patients names cases that are not there: {listed(strangers)}")
    return tuple(
        RawCase(
            name=case_name(name),
            patient=pattern.patients.get(name, name),
            images={channel: ImageFiles(path=found[name]) for channel, found in images.items()},
            labels=(LabelFiles(path=outlines[name], meaning=pattern.meaning),),
            liver_known=bool(pattern.liver),
            lesions_known=bool(pattern.lesions),
        )
        for name in sorted(outlines)
    )


def _by_study(root: Path) -> tuple[RawCase, ...]:
    folders = sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
    bare = [p.name for p in folders if not (p / STUDY_FILE).is_file()]
    if not folders or bare:
        raise wrong_set(
            root,
            f"no {DESCRIPTION}, and folders without study.yaml: {listed(bare) or 'no folder at all'}",
            hint=f"Write a {DESCRIPTION}, or a study.yaml into every folder.",
        )
    return tuple(_study(folder) for folder in folders)


def _study(folder: Path) -> RawCase:
    document = read_document(folder)
    if not document.same_frame:
        raise wrong_set(
            folder, "its scans share no frame, so that one label map cannot fit them all"
        )
    images: dict[str, ImageFiles] = {}
    for scan in document.scans:
        channel = channel_of(cast("Series", scan))  # of a series it asks what a scan's entry has
        if channel is None:
            raise wrong_set(folder, f"no channel is made for {scan.name}")
        if channel in images:
            raise wrong_set(folder, f"two scans fill {channel}")
        images[channel] = ImageFiles(path=scan.path, factor=_factor(folder, scan))
    roles = {mask.role: mask for mask in document.masks}
    if len(roles) < len(document.masks):
        raise wrong_set(folder, "two masks of one role")
    meaning = {"liver_mask": LIVER, "lesion_mask": LESION}  # other organs teach nothing
    labels = [_mask(mask, meaning[role]) for role, mask in roles.items() if role in meaning]
    if not labels:
        raise wrong_set(folder, "study.yaml names no mask to learn from")
    return RawCase(
        name=case_name(folder.name),
        patient=document.case or folder.name,
        images=images,
        labels=tuple(labels),
        liver_known="liver_mask" in roles,
        lesions_known="lesion_mask" in roles,
    )


def _factor(folder: Path, scan: ScanEntry) -> float:
    if scan.quantity is not Quantity.BQML:
        return 1.0
    if not scan.factors:
        raise wrong_set(folder, f"{scan.name} is in Bq/ml and states no dose and weight for an SUV")
    from netseg.study.suv import suv_factor_from

    return suv_factor_from(**scan.factors)


def _mask(mask: MaskEntry, label: int) -> LabelFiles:
    """What a mask's numbers mean: those of its suffix, or any one number without a suffix."""
    chosen = mask.suffix.removeprefix(":")
    if chosen in ("", "instances"):
        return LabelFiles(
            path=mask.path, meaning={0: BACKGROUND}, otherwise=label, single=chosen == ""
        )
    meaning = {int(value): label for value in chosen.split(",")}
    return LabelFiles(path=mask.path, meaning=meaning, otherwise=BACKGROUND)
