"""A small body with a landmark, and the public layouts it can be written in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import nibabel
import numpy as np

from netseg.geometry.affine import ras_from_lps
from tests.study.dicom_files import write_series
from tests.study.nifti_files import write_nifti

if TYPE_CHECKING:
    from pathlib import Path

SPACING_MM = (2.0, 2.0, 2.0)
ORIGIN_LPS_MM = (-30.0, -20.0, 100.0)
SHAPE = (24, 20, 14)
LANDMARK = (15, 6, 9)  # inside the liver, off every centre
LANDMARK_LPS_MM = (0.0, -8.0, 118.0)  # origin + 2 mm times the index
LANDMARK_HU = 900
# 12 x 10 x 8 voxels of 8 mm3 are 7.68 ml; mirrored along any axis it lies elsewhere
LIVER = (slice(7, 19), slice(4, 14), slice(4, 12))
LESION = (slice(8, 12), slice(6, 10), slice(5, 9))  # 4 x 4 x 4 voxels: 0.512 ml


def affine_lps(spacing_mm: tuple[float, ...] = SPACING_MM) -> np.ndarray:
    affine = np.diag([*spacing_mm, 1.0])
    affine[:3, 3] = ORIGIN_LPS_MM
    return affine


def scan() -> np.ndarray:
    """Soft tissue in air, a brighter liver, a darker lesion, one landmark voxel; axes L, P, S."""
    hu = np.full(SHAPE, -1000, np.int16)
    hu[2:-2, 2:-2, :] = 40
    hu[LIVER], hu[LESION], hu[LANDMARK] = 110, 50, LANDMARK_HU
    return hu


def outlines(liver: int = 1, lesion: int = 2) -> np.ndarray:
    labels = np.zeros(SHAPE, np.uint8)
    labels[LIVER], labels[LESION] = liver, lesion
    return labels


def save(
    path: Path, values: np.ndarray, axes: str = "LPS", affine: np.ndarray | None = None
) -> Path:
    """Write values whose axes run along L, P, S as a file whose axes run along `axes`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    affine_ras = ras_from_lps(affine_lps() if affine is None else affine)
    image = nibabel.Nifti1Image(values, affine_ras)
    nib: Any = nibabel.orientations
    turn = nib.ornt_transform(nib.io_orientation(affine_ras), nib.axcodes2ornt(axes))
    turned = image.as_reoriented(turn)
    return write_nifti(path, np.asarray(turned.dataobj), turned.affine)


def write_lits(root: Path, numbers: tuple[int, ...], axes: str = "RAS") -> Path:
    for n in numbers:
        save(root / f"volume-{n}.nii", scan() + np.int16(n % 7), axes)
        save(root / f"segmentation-{n}.nii", outlines(), axes)
    return root


def write_msd(root: Path, numbers: tuple[int, ...]) -> Path:
    for n in numbers:
        save(root / "imagesTr" / f"liver_{n}.nii.gz", scan() + np.int16(n % 7), "RAS")
        save(root / "labelsTr" / f"liver_{n}.nii.gz", outlines(), "RAS")
    names = [
        {"image": f"./imagesTr/liver_{n}.nii.gz", "label": f"./labelsTr/liver_{n}.nii.gz"}
        for n in numbers
    ]
    document = {
        "name": "Liver",
        "modality": {"0": "CT"},
        "labels": {"0": "background", "1": "liver", "2": "cancer"},
        "training": names,
    }
    (root / "dataset.json").write_text(json.dumps(document))
    return root


def write_amos(root: Path, numbers: tuple[int, ...], part: str = "Tr") -> Path:
    organs = outlines(6, 6)
    organs[20:22, 4:8, 4:8] = 1  # the spleen
    for n in numbers:
        save(root / f"images{part}" / f"amos_{n:04d}.nii.gz", scan() + np.int16(n % 7), "LAS")
        save(root / f"labels{part}" / f"amos_{n:04d}.nii.gz", organs, "LAS")
    return root


def write_atlas(root: Path, count: int) -> Path:
    for n in range(count):
        signal = (scan() + 1024 + n).astype(np.int16)
        save(root / "imagesTr" / f"im{n}.nii.gz", signal, "LPI")
        save(root / "labelsTr" / f"lb{n}.nii.gz", outlines(), "LPI")
    return root


def write_png(path: Path, greys: np.ndarray) -> None:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(greys).save(path)


def write_slices(folder: Path, values: np.ndarray, modality: str) -> list[Path]:
    """DICOM slices, each with a series UID of its own, named from the head down."""
    top = values.shape[2] - 1

    def edit(dataset: Any, k: int) -> None:
        dataset.SeriesInstanceUID = f"1.2.3.{k + 1}"
        dataset.InstanceNumber = top - k + 1

    stored = (values + 1024).astype(np.uint16)
    return write_series(
        folder, values=stored, affine=affine_lps(), modality=modality, edit=edit, prefix="i"
    )


def write_chaos(root: Path) -> Path:
    """One CT whose pictures have names of their own, one MR whose pictures are named alike."""
    top = SHAPE[2] - 1
    folder = root / "CT" / "1"
    write_slices(folder / "DICOM_anon", scan(), "CT")
    for k in range(SHAPE[2]):
        picture = (outlines(255, 255)[:, :, k]).T
        write_png(folder / "Ground" / f"liver_GT_{top - k:03d}.png", picture)
    for sequence, below in (("T1DUAL", "InPhase"), ("T2SPIR", "")):
        folder = root / "MR" / "1" / sequence
        greys = outlines(63, 63)
        greys[20:22, 4:8, 4:8] = 252  # the spleen
        for k, path in enumerate(write_slices(folder / "DICOM_anon" / below, scan(), "MR")):
            write_png(folder / "Ground" / f"{path.stem}.png", greys[:, :, k].T)
    return root


def write_autopet(root: Path, patients: tuple[str, ...] = ("a", "b")) -> Path:
    for n, patient in enumerate(patients):
        study = root / f"PETCT_{patient}" / "01-02-2003-NA-PET-CT mit KM-1"
        suv = (scan().astype(np.float32) + 1000) / 300 + n
        save(study / "SUV.nii.gz", suv, "LAS")
        save(study / "CTres.nii.gz", scan() + np.int16(n), "LAS")
        save(study / "SEG.nii.gz", outlines(0, 1), "LAS")
    return root


def write_nnunet(
    root: Path, names: tuple[str, ...], *, labels: dict[str, Any], channels: dict[str, str]
) -> Path:
    for n, name in enumerate(names):
        for number in channels:
            image = scan() + np.int16(n + 10 * int(number))
            save(root / "imagesTr" / f"{name}_{int(number):04d}.nii.gz", image, "RAS")
        save(root / "labelsTr" / f"{name}.nii.gz", outlines(), "RAS")
    document = {
        "channel_names": channels,
        "labels": labels,
        "numTraining": len(names),
        "file_ending": ".nii.gz",
    }
    (root / "dataset.json").write_text(json.dumps(document))
    return root


def write_pairs(root: Path, names: tuple[str, ...]) -> Path:
    for n, name in enumerate(names):
        save(root / f"{name}_ct.nii.gz", scan() + np.int16(n), "RAS")
        save(root / f"{name}_labels.nii.gz", outlines(), "RAS")
    text = 'images: {ct_portal: "*_ct.nii.gz"}\nlabels: "*_labels.nii.gz"\nliver: 1\nlesions: 2\n'
    (root / "dataset.yaml").write_text(text)
    return root
