"""PET/CT with outlined lesions of the whole body: the autoPET challenges and sets laid out alike."""

from __future__ import annotations

import re
from collections.abc import Mapping  # noqa: TC003 (resolved at run time by the registry's signatures)
from dataclasses import dataclass, field
from pathlib import Path

from netseg.training.datasets.case import (
    ImageFiles,
    LabelFiles,
    RawCase,
    case_name,
    require_channels,
)
from netseg.training.datasets.listing import (
    images_in,
    listed,
    require_folder,
    require_pairs,
    wrong_set,
)

LESION_MAP = {0: 0, 1: 2}
LIVER_MAP = {0: 0, 1: 1}
_PET, _CT, _SEG = "SUV.nii.gz", "CTres.nii.gz", "SEG.nii.gz"


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoPet:
    """FDG-PET-CT-Lesions as its NIfTI conversion lays it out (autoPET I and II).

    ```
    root/                         FDG-PET-CT-Lesions
    └─ PETCT_<patient>/<study>/   SUV.nii.gz   CTres.nii.gz   SEG.nii.gz
                                  (CT.nii.gz and PET.nii.gz, on other grids or in Bq/ml, are not read)
    ```

    SEG is 1 on every FDG-avid tumour of the body; half of the studies hold none. No liver is
    outlined. Without `livers` the cases say nothing about the liver (`liver_known` is false) and
    lesions of any organ count; with them, lesions that lie mostly outside the liver are background.
    The CT has contrast and was resampled to the PET. A set of somatostatin-receptor PET laid out
    alike is read with `pet: pet_sstr`.

    The tree is that of fdat.uni-tuebingen.de/records/wf9fy-txq84. Licence: not verified here, read
    it where you download it (TCIA, doi.org/10.7937/gkr0-xv29).

    Attributes:
        root: The folder with one folder per patient.
        livers: Folder of liver masks (0, 1) on the PET's grid, `<patient>_<study>.nii.gz`, from any
            organ network or reader.
        pet: Channel of the PET.
        ct: Channel of the CT; None leaves it out.
    """

    root: Path
    livers: Path | None = None
    pet: str = "pet_fdg"
    ct: str | None = "ct_portal"

    def __post_init__(self) -> None:
        """Keep the channels known."""
        require_channels(self.pet, self.ct)

    def cases(self) -> tuple[RawCase, ...]:
        """One case per study, by patient."""
        root = require_folder(Path(self.root), "Point layout.root at FDG-PET-CT-Lesions.")
        studies = [
            study
            for patient in sorted(root.iterdir())
            if patient.is_dir() and not patient.name.startswith(".")
            for study in sorted(patient.iterdir())
            if study.is_dir() and not study.name.startswith(".")
        ]
        wanted = (_PET, _SEG) if self.ct is None else (_PET, _SEG, _CT)
        lacking = [
            f"{study.parent.name}/{study.name}/{name}"
            for study in studies
            for name in wanted
            if not (study / name).is_file()
        ]
        if lacking or not studies:
            raise wrong_set(root, f"not there: {listed(lacking) or 'any study'}")
        livers = _livers(self.livers, {_name(s) for s in studies})
        return tuple(self._case(study, livers) for study in studies)

    def _case(self, study: Path, livers: Mapping[str, Path]) -> RawCase:
        images = {self.pet: ImageFiles(path=study / _PET)}
        if self.ct is not None:
            images[self.ct] = ImageFiles(path=study / _CT)
        return _whole_body(_name(study), study.parent.name, images, study / _SEG, livers)


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoPetRaw:
    """PSMA-FDG-PET-CT-Lesions (autoPET III and later), and DOTATATE sets laid out alike.

    ```
    root/
    ├─ imagesTr/ <tracer>_<patient>_<study>_0000.nii.gz     CT, resampled to the PET
    │            <tracer>_<patient>_<study>_0001.nii.gz     PET in SUV
    ├─ labelsTr/ <tracer>_<patient>_<study>.nii.gz          1 on every lesion of the body
    └─ dataset.json   (not read)
    ```

    What `AutoPet` says of livers holds here too. A tracer that `tracers` gives no channel is left
    out: PSMA is not a tracer of this project. A set of DOTATATE scans is read with
    `tracers: {dotatate: pet_sstr}`.

    The tree is that of fdat.uni-tuebingen.de/records/6gjsg-zcg93. Licence: not verified here.

    Attributes:
        root: The folder that holds imagesTr and labelsTr.
        livers: Folder of liver masks (0, 1) on the PET's grid, named like the labels.
        tracers: Channel by the file name's first word; None leaves the tracer out.
        ct: Channel of the CT; None leaves it out.
    """

    root: Path
    livers: Path | None = None
    tracers: Mapping[str, str | None] = field(
        default_factory=lambda: {"fdg": "pet_fdg", "psma": None}
    )
    ct: str | None = "ct_portal"

    def __post_init__(self) -> None:
        """Keep the channels known."""
        require_channels(self.ct, *self.tracers.values())

    def cases(self) -> tuple[RawCase, ...]:
        """One case per study of a tracer that has a channel, by name."""
        root = require_folder(Path(self.root), "root holds imagesTr and labelsTr.")
        images = images_in(require_folder(root / "imagesTr", "root holds imagesTr."))
        outlines = images_in(require_folder(root / "labelsTr", "root holds labelsTr."))
        every = {name[:-5] for name in images if re.search(r"_\d{4}$", name)}
        require_pairs(root, every, outlines)
        expected = {f"{name}_{channel}" for name in every for channel in ("0000", "0001")}
        missing, extra = sorted(expected - set(images)), sorted(set(images) - expected)
        if missing or extra:
            raise wrong_set(
                root,
                f"two images per case, _0000 and _0001, are expected; missing: "
                f"{listed(missing) or 'none'}; extra: {listed(extra) or 'none'}",
            )
        chosen = [name for name in sorted(every) if self._channel(root, name) is not None]
        livers = _livers(self.livers, set(chosen))
        return tuple(self._case(root, name, images, outlines[name], livers) for name in chosen)

    def _channel(self, root: Path, name: str) -> str | None:
        tracer = name.split("_", maxsplit=1)[0]
        if tracer not in self.tracers:
            raise wrong_set(
                root,
                f"{name} is of the tracer {tracer}; tracers names {', '.join(self.tracers)}",
                hint=f"Give it a channel, or leave it out with tracers: {{{tracer}: null}}.",
            )
        return self.tracers[tracer]

    def _case(
        self,
        root: Path,
        name: str,
        images: Mapping[str, Path],
        outlines: Path,
        livers: Mapping[str, Path],
    ) -> RawCase:
        pet, words = self._channel(root, name), name.split("_")
        if len(words) < 3 or pet is None:
            raise wrong_set(root, f"{name} is not called TRACER_PATIENT_STUDY")
        chosen = {pet: ImageFiles(path=images[f"{name}_0001"])}
        if self.ct is not None:
            chosen[self.ct] = ImageFiles(path=images[f"{name}_0000"])
        return _whole_body(name, "_".join(words[:2]), chosen, outlines, livers)


def _whole_body(
    name: str,
    patient: str,
    images: Mapping[str, ImageFiles],
    outlines: Path,
    livers: Mapping[str, Path],
) -> RawCase:
    lesions = LabelFiles(path=outlines, meaning=LESION_MAP)
    if name not in livers:
        return RawCase(
            name=case_name(name),
            patient=patient,
            images=images,
            labels=(lesions,),
            liver_known=False,
            whole_body=True,
        )
    liver = LabelFiles(path=livers[name], meaning=LIVER_MAP)
    return RawCase(
        name=case_name(name),
        patient=patient,
        images=images,
        labels=(liver, lesions),
        whole_body=True,
    )


def _livers(folder: Path | None, cases: set[str]) -> dict[str, Path]:
    """Liver masks by case; one for every case, or none at all."""
    if folder is None:
        return {}
    masks = images_in(require_folder(Path(folder), "livers is a folder of masks, one per case."))
    missing = sorted(cases - set(masks))
    if missing:
        raise wrong_set(Path(folder), f"no liver mask for {listed(missing)}")
    return masks


def _name(study: Path) -> str:
    return f"{study.parent.name}_{study.name}"
