"""ATLAS 2023: contrast-enhanced T1 MR of livers with hepatocellular carcinoma."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from netseg.training.datasets.case import ImageFiles, LabelFiles, RawCase, require_channels
from netseg.training.datasets.listing import (
    images_in,
    listed,
    require_folder,
    require_pairs,
    wrong_set,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Atlas:
    """ATLAS 2023 (MICCAI), training part: 60 patients, 0 background, 1 liver, 2 tumour.

    ```
    root/                         atlas-train-dataset-1.0.1/train
    ├─ imagesTr/ im0.nii.gz …     └─ labelsTr/ lb0.nii.gz … lb59.nii.gz
    ```

    The liver is labels 1 and 2 together. The scans are of different contrast phases, which a table
    of the set names and this layout does not read: say which channel they shall fill. The tumours
    are carcinomas before radioembolisation, large and necrotic, not metastases. The names of the
    files were read in others' code, not in the set itself.

    Licence: CC BY-NC-SA 4.0, data paper doi.org/10.3390/data8050079 (as others' code states it).

    Attributes:
        root: The folder that holds imagesTr and labelsTr.
        channel: Channel of the scans.
    """

    root: Path
    channel: str = "mr_portal"

    def __post_init__(self) -> None:
        """Keep the channels known."""
        require_channels(self.channel)

    def cases(self) -> tuple[RawCase, ...]:
        """The 60 scans, by number."""
        root = require_folder(Path(self.root), "Unpack the ATLAS training set.")
        hint = "root is the folder that holds imagesTr and labelsTr."
        images = _numbered(root, images_in(require_folder(root / "imagesTr", hint)), "im")
        outlines = _numbered(root, images_in(require_folder(root / "labelsTr", hint)), "lb")
        require_pairs(root, images, outlines)
        return tuple(
            RawCase(
                name=f"atlas-{number}",
                patient=f"atlas-{number}",
                images={self.channel: ImageFiles(path=images[number])},
                labels=(LabelFiles(path=outlines[number], meaning={0: 0, 1: 1, 2: 2}),),
            )
            for number in sorted(images, key=int)
        )


def _numbered(root: Path, files: dict[str, Path], letters: str) -> dict[str, Path]:
    found = {m.group(1): p for n, p in files.items() if (m := re.fullmatch(rf"{letters}(\d+)", n))}
    if len(found) < len(files):
        odd = sorted(n for n in files if not re.fullmatch(rf"{letters}\d+", n))
        raise wrong_set(root, f"names other than {letters}N: {listed(odd)}")
    return found
