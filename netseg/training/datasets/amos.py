"""AMOS 2022: abdominal CT and MR with fifteen organs, the liver among them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from netseg.training.datasets.case import (
    BACKGROUND,
    LIVER,
    ImageFiles,
    LabelFiles,
    RawCase,
    require_channels,
)
from netseg.training.datasets.listing import (
    images_in,
    listed,
    require_folder,
    require_pairs,
    wrong_set,
)

ORGANS = 15
LIVER_IS = 6
LAST_CT = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Amos:
    """AMOS22, training and validation part.

    ```
    root/                         amos22
    ├─ imagesTr/ amos_0001.nii.gz …   ├─ labelsTr/ amos_0001.nii.gz …     240 scans (200 CT, 40 MR)
    ├─ imagesVa/ …                    ├─ labelsVa/ …                      120 scans (100 CT, 20 MR)
    └─ imagesTs/ (not read)           └─ dataset.json (not read)
    ```

    Labels 0-15; 6 is the liver, the others are other organs. Numbers up to 500 are CT, higher ones MR
    (the set's readme; a "CT" whose values are no HU is refused when it is read). Lesions are not
    outlined, and the patients are patients: a liver without a lesion label is not a liver without
    lesions, so `lesions_known` is false. The phase of the CT and the weighting of the MR stand in a
    table of the set that is not read; say which channels they shall fill.

    Licence: stated as CC BY-SA 4.0 and as CC BY-NC-SA at different places; read it where you
    download it.

    Attributes:
        root: The folder amos22.
        parts: Which of "Tr" and "Va".
        ct: Channel of the CT; None leaves them out.
        mr: Channel of the MR; None leaves them out.
    """

    root: Path
    parts: tuple[str, ...] = ("Tr",)
    ct: str | None = "ct_portal"
    mr: str | None = "mr_t1"

    def __post_init__(self) -> None:
        """Keep the channels known."""
        require_channels(self.ct, self.mr)

    def cases(self) -> tuple[RawCase, ...]:
        """The scans of the chosen parts, by number."""
        root = require_folder(Path(self.root), "Unpack amos22.zip and point layout.root at it.")
        made: dict[str, RawCase] = {}
        for part in self.parts:
            hint = f"AMOS holds images{part} and labels{part}."
            images = images_in(require_folder(root / f"images{part}", hint))
            outlines = images_in(require_folder(root / f"labels{part}", hint))
            require_pairs(root, images, outlines)
            twice = sorted(set(images) & set(made))
            if twice:
                raise wrong_set(root, f"in two parts: {listed(twice)}")
            for name, path in images.items():
                channel = self.ct if _number(root, name) <= LAST_CT else self.mr
                if channel is not None:
                    made[name] = _case(name, channel, path, outlines[name])
        return tuple(made[name] for name in sorted(made))


def _case(name: str, channel: str, image: Path, outlines: Path) -> RawCase:
    meaning = {organ: LIVER if organ == LIVER_IS else BACKGROUND for organ in range(ORGANS + 1)}
    return RawCase(
        name=name,
        patient=name,
        images={channel: ImageFiles(path=image)},
        labels=(LabelFiles(path=outlines, meaning=meaning),),
        lesions_known=False,
    )


def _number(root: Path, name: str) -> int:
    match = re.fullmatch(r"amos_(\d{4})", name)
    if not match:
        raise wrong_set(root, f"{name} is not called amos_NNNN")
    return int(match.group(1))
