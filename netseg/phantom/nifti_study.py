"""A phantom as a folder of NIfTI files with its `study.yaml`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netseg.domain import Modality, MrSequence
from netseg.geometry.nifti import to_nifti
from netseg.phantom.protocol import CT_AND_PET, Protocol, series_of
from netseg.phantom.truth_files import WrittenStudy, case_name, write_case, write_truth

if TYPE_CHECKING:
    from pathlib import Path

    from netseg.domain import Series
    from netseg.phantom.phantom import Phantom


def write_nifti_study(
    phantom: Phantom, folder: Path, *, protocol: Protocol = CT_AND_PET, with_masks: bool = False
) -> WrittenStudy:
    """Write `case-…/` with images and `study.yaml`, and beside it `truth/` and `case.yaml`.

    Args:
        phantom: The patient.
        folder: Made where it is absent; files of the same names are replaced.
        protocol: Which series to render.
        with_masks: Whether `study.yaml` also names the true liver and lesions as given masks
            (copied into the study's folder).
    """
    import nibabel
    import yaml

    case = case_name(phantom)
    study = folder / case
    study.mkdir(parents=True, exist_ok=True)
    entries: list[dict[str, Any]] = []
    for series in series_of(phantom, protocol):
        name = f"{series.key}.nii.gz"
        nibabel.save(to_nifti(series.volume), study / name)
        entries.append({"file": name, **_described(series)})
    if with_masks:
        for name, role, image in (
            ("liver_mask", "liver_mask", phantom.liver),
            ("lesion_instances", "lesion_mask", phantom.lesions),
        ):
            nibabel.save(to_nifti(image), study / f"{name}.nii.gz")
            entry: dict[str, Any] = {"file": f"{name}.nii.gz", "role": role}
            entries.append(entry | ({"label": "instances"} if role == "lesion_mask" else {}))
    document = {"case": case, "series": entries, "same_frame": True}
    (study / "study.yaml").write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    write_truth(phantom, folder / "truth")
    write_case(folder / "case.yaml")
    return WrittenStudy(study=study, truth=folder / "truth", case=folder / "case.yaml")


def _described(series: Series) -> dict[str, Any]:
    """Modality and what else is known, in the words of `study.yaml`."""
    entry: dict[str, Any] = {"modality": str(series.modality)}
    if series.sequence is not None:
        entry["sequence"] = str(series.sequence)
    if series.phase is not None:
        entry["phase"] = str(series.phase)
    if series.sequence is MrSequence.DWI:
        entry["b_value"] = series.b_value
    if series.modality is Modality.PT:
        entry |= {"tracer": series.tracer, "quantity": "suvbw"}
    return entry
