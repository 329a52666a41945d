"""One point of the patient has one value, whichever reader brought it and however it was stored."""

from __future__ import annotations

import nibabel
import numpy as np
import pytest

from netseg.domain import Modality, PointMm
from netseg.study import ReadHints, read_study
from tests.study.dicom_files import write_series

POINT = PointMm(12.5, -20.25, 35.0)
SHAPE = (14, 11, 9)
INDEX = (9, 3, 6)
LANDMARK_HU = 777


def _directions(name: str) -> np.ndarray:
    x, y, z = np.eye(3)
    if name == "oblique":
        a, b = np.radians(23.0), np.radians(-14.0)
        about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
        about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
        return about_z @ about_x
    planes = {
        "axial": (x, y, z),
        "axial feet first": (x, y, -z),
        "prone": (-x, -y, z),
        "sagittal": (y, -z, -x),
        "sagittal reversed": (y, -z, x),
        "coronal": (x, -z, y),
        "coronal reversed": (x, -z, -y),
    }
    return np.array(planes[name]).T


def affine_with_landmark(directions: np.ndarray, spacing_mm: tuple[float, ...]) -> np.ndarray:
    """An affine that puts the voxel INDEX at POINT."""
    affine = np.eye(4)
    affine[:3, :3] = directions * np.array(spacing_mm)
    affine[:3, 3] = POINT.as_array() - affine[:3, :3] @ INDEX
    return affine


def hounsfield() -> np.ndarray:
    values = np.full(SHAPE, -1000, np.int16)
    values[2:-2, 2:-2, 1:-1] = 50
    values[INDEX] = LANDMARK_HU
    return values


def value_at(study, point: PointMm) -> float:
    volume = study.series[0].volume
    index = volume.grid.to_index(point.as_array())
    assert index == pytest.approx(np.rint(index), abs=1e-3), "the voxel's centre lies at the point"
    return volume.values[tuple(int(n) for n in np.rint(index))]


@pytest.mark.parametrize("spacing_mm", [(2.0, 2.0, 5.0), (2.0, 3.5, 5.0), (3.5, 2.0, 1.25)])
@pytest.mark.parametrize(
    "plane",
    [
        "axial", "axial feet first", "prone", "sagittal", "sagittal reversed", "coronal",
        "coronal reversed", "oblique",
    ],
)  # fmt: skip
def test_a_dicom_landmark_lies_where_its_tags_say(tmp_path, plane, spacing_mm):
    affine = affine_with_landmark(_directions(plane), spacing_mm)
    write_series(tmp_path, values=(hounsfield() + 1024).astype(np.uint16), affine=affine)
    study = read_study(tmp_path, ReadHints(case_id="c"))
    assert value_at(study, POINT) == LANDMARK_HU
    assert np.count_nonzero(study.series[0].volume.values == LANDMARK_HU) == 1
    assert sorted(study.series[0].volume.grid.spacing_mm) == pytest.approx(sorted(spacing_mm))


@pytest.mark.parametrize("axes", ["RAS", "LAS", "LPS", "PSR", "AIL", "SLP", "oblique"])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_nifti_landmark_lies_where_its_header_says(tmp_path, axes, suffix):
    if axes == "oblique":
        directions_lps = _directions("oblique")
    else:
        vector = {"L": (1, 0, 0), "R": (-1, 0, 0), "P": (0, 1, 0), "A": (0, -1, 0), "S": (0, 0, 1),
                  "I": (0, 0, -1)}  # fmt: skip
        directions_lps = np.array([vector[a] for a in axes], dtype=float).T
    affine_lps = affine_with_landmark(directions_lps, (2.0, 3.5, 1.25))
    affine_ras = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine_lps
    image = nibabel.Nifti1Image(hounsfield(), affine_ras)
    image.header.set_xyzt_units("mm")
    image.set_qform(affine_ras, code=1)
    nibabel.save(image, tmp_path / f"scan{suffix}")
    study = read_study(tmp_path / f"scan{suffix}", ReadHints(modality=Modality.CT))
    assert value_at(study, POINT) == LANDMARK_HU


def test_the_reading_order_of_the_files_changes_nothing(tmp_path):
    """Names and instance numbers run against the slices: only positions count."""
    affine = affine_with_landmark(_directions("axial"), (2.0, 2.0, 5.0))
    stored = (hounsfield() + 1024).astype(np.uint16)
    write_series(tmp_path / "a", values=stored, affine=affine)
    for n, path in enumerate(write_series(tmp_path / "b", values=stored, affine=affine)):
        path.rename(path.with_name(f"{(n * 5) % 9}.dcm"))
    first, second = (read_study(tmp_path / f, ReadHints(case_id="c")).series[0] for f in ("a", "b"))
    assert np.array_equal(first.volume.values, second.volume.values)
    assert first.volume.grid.is_same_as(second.volume.grid)
    assert first.input_sha256 == second.input_sha256
