"""Sets in nnU-Net's raw format, version 2."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 (resolved at run time by the registry's signatures)
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from netseg.training.datasets.case import (
    BACKGROUND,
    IGNORED,
    LESION,
    LIVER,
    ImageFiles,
    LabelFiles,
    RawCase,
    case_name,
    require_channels,
)
from netseg.training.datasets.listing import (
    images_in,
    listed,
    read_json,
    require_folder,
    require_pairs,
    wrong_set,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NnUNetRaw:
    """One dataset of nnU-Net v2 (documentation/dataset_format.md of MIC-DKFZ/nnUNet).

    ```
    root/                         nnUNet_raw/DatasetNNN_Name
    ├─ dataset.json               channel_names, labels, numTraining, file_ending
    ├─ imagesTr/ CASE_0000.nii.gz  CASE_0001.nii.gz …     one file per channel
    ├─ labelsTr/ CASE.nii.gz
    └─ imagesTs/ (not read)
    ```

    Labels are whole numbers, or lists of them for regions ("liver": [1, 2], "tumour": 2): a region
    is the union of its numbers. A label called `ignore` is taught nowhere. Version 1 (`modality`,
    numbers as keys of `labels`) is refused by name. The list of paths that some datasets carry under
    `dataset` is refused too: their files may lie anywhere.

    Licence: the set's own.

    Attributes:
        root: The folder of the dataset.
        channels: Our channel for every name under channel_names; None leaves one out.
        liver: Name of the liver's label; None where it is not outlined.
        lesions: Name of the lesions' label; None where they are not outlined.
        patients: Patient by case, for sets with several scans of one; a case not named is a
            patient of its own.
    """

    root: Path
    channels: Mapping[str, str | None]
    liver: str | None = "liver"
    lesions: str | None = None
    patients: Mapping[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        """Keep the channels known."""
        require_channels(*self.channels.values())

    def cases(self) -> tuple[RawCase, ...]:
        """The training cases, by name."""
        root = require_folder(Path(self.root), "Point layout.root at a folder DatasetNNN_Name.")
        document = self._document(root)
        ending, channels = str(document["file_ending"]), self._channels(root, document)
        meaning = self._meaning(root, document["labels"])
        images = images_in(require_folder(root / "imagesTr", "The dataset holds imagesTr."))
        outlines = images_in(require_folder(root / "labelsTr", "The dataset holds labelsTr."))
        odd = [
            p.name for p in (*images.values(), *outlines.values()) if not p.name.endswith(ending)
        ]
        if odd:
            raise wrong_set(root, f"file_ending is {ending}, and there are {listed(odd)}")
        _require_channels(root, set(images), set(outlines), len(document["channel_names"]))
        if document["numTraining"] != len(outlines):
            raise wrong_set(
                root,
                f"numTraining is {document['numTraining']}, and there are {len(outlines)} cases",
            )
        strangers = sorted(set(self.patients) - set(outlines))
        if strangers:
            raise wrong_set(root, f"patients names cases that are not there: {listed(strangers)}")
        return tuple(
            RawCase(
                name=case_name(name),
                patient=self.patients.get(name, name),
                images={
                    channel: ImageFiles(path=images[f"{name}_{number:04d}"])
                    for number, channel in channels.items()
                },
                labels=(LabelFiles(path=outlines[name], meaning=meaning),),
                liver_known=self.liver is not None,
                lesions_known=self.lesions is not None,
            )
            for name in sorted(outlines)
        )

    def _document(self, root: Path) -> dict[str, Any]:
        document = read_json(root / "dataset.json")
        if "modality" in document and "channel_names" not in document:
            raise wrong_set(
                root,
                "dataset.json is of nnU-Net 1 (modality instead of channel_names)",
                hint="nnUNetv2_convert_old_nnUNet_dataset writes version 2; MSD Task03 itself is "
                "read by the layout msd_task03.",
            )
        if "dataset" in document:
            raise wrong_set(root, "dataset.json lists paths under 'dataset'; they are not followed")
        for key in ("channel_names", "labels", "numTraining", "file_ending"):
            if key not in document:
                raise wrong_set(root, f"dataset.json states no {key}")
        return document

    def _channels(self, root: Path, document: Mapping[str, Any]) -> dict[int, str]:
        names = {int(number): str(name) for number, name in document["channel_names"].items()}
        if sorted(names) != list(range(len(names))):
            raise wrong_set(root, f"channel_names are numbered {sorted(names)}")
        unnamed = sorted(set(names.values()) - set(self.channels))
        strangers = sorted(set(self.channels) - set(names.values()))
        if unnamed or strangers:
            raise wrong_set(
                root,
                f"its channels are {listed(list(names.values()))}, and `channels` names "
                f"{listed(list(self.channels))}",
                hint="Give each a channel of ours, or null to leave it out.",
            )
        chosen = {n: c for n, name in names.items() if (c := self.channels[name]) is not None}
        if len(set(chosen.values())) < len(chosen):
            raise wrong_set(root, f"two of its channels fill one of ours: {list(chosen.values())}")
        return chosen

    def _meaning(self, root: Path, labels: Mapping[str, Any]) -> dict[int, int]:
        """Number in the label map to our label; lesions are liver too."""
        asked = [name for name in (self.liver, self.lesions) if name is not None]
        absent = [name for name in asked if name not in labels]
        if absent or not asked:
            raise wrong_set(root, f"its labels are {listed(list(labels))}; asked for {asked}")
        meaning: dict[int, int] = {0: BACKGROUND}
        for value in labels.values():
            meaning |= dict.fromkeys(_numbers(value), BACKGROUND)
        if self.liver is not None:
            meaning |= dict.fromkeys(_numbers(labels[self.liver]), LIVER)
        if self.lesions is not None:
            meaning |= dict.fromkeys(_numbers(labels[self.lesions]), LESION)
        if "ignore" in labels:
            meaning |= dict.fromkeys(_numbers(labels["ignore"]), IGNORED)
        return meaning


def _numbers(value: Any) -> list[int]:
    return [int(v) for v in (value if isinstance(value, list) else [value])]


def _require_channels(root: Path, images: set[str], outlines: set[str], count: int) -> None:
    """Refuse cases that have not exactly one file per channel, by name."""
    require_pairs(root, {name[:-5] for name in images}, outlines)
    expected = {f"{name}_{number:04d}" for name in outlines for number in range(count)}
    missing, extra = sorted(expected - images), sorted(images - expected)
    if missing or extra:
        raise wrong_set(
            root,
            f"dataset.json names {count} channels; missing: {listed(missing) or 'none'}; extra: "
            f"{listed(extra) or 'none'}",
        )
