"""CHAOS 2019: healthy livers in portal CT and in MR, as DICOM slices with PNG outlines."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from netseg.training.datasets.case import (
    BACKGROUND,
    LIVER,
    ImageFiles,
    LabelFiles,
    RawCase,
)
from netseg.training.datasets.listing import require_folder, wrong_set

_ORGANS = {LIVER: [range(55, 71)], BACKGROUND: [range(110, 136), range(175, 201), range(240, 256)]}
MR_MEANING = {0: BACKGROUND} | {
    grey: label for label, greys in _ORGANS.items() for part in greys for grey in part
}
"""Grey 55-70 is the liver (63 as written), 110-135 and 175-200 the kidneys, 240-255 the spleen."""
CT_MEANING = {0: BACKGROUND, 1: LIVER, 255: LIVER}


@dataclass(frozen=True, slots=True, kw_only=True)
class Chaos:
    """CHAOS, training part: 20 CT of liver donors and 20 MR, other people in both.

    ```
    root/                         Train_Sets
    ├─ CT/<n>/  DICOM_anon/*.dcm              Ground/liver_GT_000.png …
    └─ MR/<n>/
       ├─ T1DUAL/ DICOM_anon/InPhase/*.dcm    Ground/IMG-….png     (OutPhase/ is not read)
       └─ T2SPIR/ DICOM_anon/*.dcm            Ground/IMG-….png
    ```

    Every slice carries a series UID of its own, so the slices are ordered by their positions alone.
    A picture belongs to the slice of its name; where the names differ (CT), to the slice of its place
    in the order of file names, which must be the order of instance numbers too.

    No lesion is outlined, so `lesions_known` is false. The organisers say that the CT donors' livers
    hold no tumour, lesion or other disease (chaos.grand-challenge.org/Data); `healthy_ct` takes
    their word for it, cysts of a few millimetres included. T1 in phase and T2 are two cases of one
    patient: they lie on different grids and the patient has moved between them.

    Licence: CC BY-NC-SA 4.0 (chaos.grand-challenge.org/Rules).

    Attributes:
        root: The folder Train_Sets.
        ct: Read the CT.
        mr: Read the MR.
        healthy_ct: The CT livers are known to be without lesions.
    """

    root: Path
    ct: bool = True
    mr: bool = True
    healthy_ct: bool = False

    def cases(self) -> tuple[RawCase, ...]:
        """CT, T1 and T2 cases, by name."""
        root = require_folder(Path(self.root), "Unpack CHAOS and point layout.root at Train_Sets.")
        found: list[RawCase] = []
        if self.ct:
            found += [self._ct(root, folder) for folder in _patients(root / "CT")]
        if self.mr:
            for folder in _patients(root / "MR"):
                found += [
                    _mr(root, folder, "T1DUAL", "InPhase", "mr_t1"),
                    _mr(root, folder, "T2SPIR", "", "mr_t2"),
                ]
        return tuple(sorted(found, key=lambda case: case.name))

    def _ct(self, root: Path, folder: Path) -> RawCase:
        slices, outlines = _pair(root, folder, folder / "DICOM_anon")
        return RawCase(
            name=f"chaos-ct-{folder.name}",
            patient=f"chaos-ct-{folder.name}",
            images={"ct_portal": ImageFiles(path=slices)},
            labels=(LabelFiles(path=outlines, meaning=CT_MEANING, slices_of=slices),),
            lesions_known=self.healthy_ct,
        )


def _mr(root: Path, folder: Path, sequence: str, below: str, channel: str) -> RawCase:
    slices, outlines = _pair(root, folder / sequence, folder / sequence / "DICOM_anon" / below)
    return RawCase(
        name=f"chaos-mr-{folder.name}-{channel.removeprefix('mr_')}",
        patient=f"chaos-mr-{folder.name}",
        images={channel: ImageFiles(path=slices)},
        labels=(LabelFiles(path=outlines, meaning=MR_MEANING, slices_of=slices),),
        lesions_known=False,
    )


def _patients(folder: Path) -> list[Path]:
    hint = "root is Train_Sets, with CT and MR below it; ct=false or mr=false leaves one out."
    require_folder(folder, hint)
    found = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    if not found:
        raise wrong_set(folder, "no patient at all")
    return found


def _pair(root: Path, folder: Path, slices: Path) -> tuple[Path, Path]:
    """The slices and their pictures, as many of the one as of the other."""
    outlines = folder / "Ground"
    where = folder.relative_to(root).as_posix()
    images = _files(slices, ".dcm")
    pictures = _files(outlines, ".png")
    if not images or len(images) != len(pictures):
        raise wrong_set(root, f"{where}: {len(images)} slices and {len(pictures)} outlines")
    return slices, outlines


def _files(folder: Path, suffix: str) -> list[str]:
    if not folder.is_dir():
        return []
    return [p.name for p in folder.iterdir() if p.suffix == suffix and not p.name.startswith(".")]
