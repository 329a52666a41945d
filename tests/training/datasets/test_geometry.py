"""Millimetres survive: other spacings, oblique grids, a PET beside its CT."""

import numpy as np
import pytest

from netseg.domain import StudyRejectedError
from netseg.training.datasets import Amos, Atlas, ImageFiles, LabelFiles, RawCase, Recipe, read_case
from netseg.training.datasets.cubic import cube
from tests.real_data import real_data
from tests.training.datasets import trees

MEANING = {0: 0, 1: 1, 2: 2}


def centre_lps_mm(case, mask):
    """Centre of mass in the patient."""
    return np.array(case.facts["first_voxel_lps_mm"]) + case.spacing_mm * np.argwhere(mask).mean(0)


def anisotropic(tmp_path, radius_mm=18.0, axes="RAS"):
    """A ball of liver with a ball of lesion on a grid of 1.2 x 0.9 x 4 mm; its centre in LPS mm."""
    spacing = (1.2, 0.9, 4.0)
    affine = trees.affine_lps(spacing)
    shape = (50, 66, 15)
    centre = affine[:3, 3] + np.array(spacing) * (np.array(shape) - 1) / 2
    at = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1) * spacing
    distance = np.linalg.norm(at + affine[:3, 3] - centre, axis=-1)
    labels = ((distance < radius_mm).astype(np.uint8)) + (distance < radius_mm / 2)
    hu = np.select([labels == 2, labels == 1], [50, 110], -100).astype(np.int16)
    image = trees.save(tmp_path / "ct.nii.gz", hu, axes, affine)
    outlines = trees.save(tmp_path / "labels.nii.gz", labels.astype(np.uint8), axes, affine)
    case = RawCase(
        name="ball",
        patient="ball",
        images={"ct_portal": ImageFiles(path=image)},
        labels=(LabelFiles(path=outlines, meaning=MEANING),),
    )
    return case, centre


@pytest.mark.parametrize("spacing_mm", [1.0, 1.5, 3.0])
@pytest.mark.parametrize("axes", ["RAS", "LPS", "ASL", "PIR"])
def test_a_ball_keeps_its_place_and_volume_on_cubic_voxels(spacing_mm, axes, tmp_path):
    """24.4 ml of a ball of 18 mm; slices of 4 mm allow 3 %."""
    raw, centre = anisotropic(tmp_path, axes=axes)
    case = read_case(raw, Recipe(spacing_mm=spacing_mm, margin_mm=10.0))
    assert centre_lps_mm(case, case.liver_truth() == 1) == pytest.approx(centre, abs=0.1)
    before, after = case.facts["liver_ml"]
    assert before == pytest.approx(24.4, rel=0.03)
    assert after == pytest.approx(before, rel=0.03)


def test_the_margin_is_kept_in_millimetres_and_ends_where_the_scan_ends(tmp_path):
    raw, _ = anisotropic(tmp_path)
    case = read_case(raw, Recipe(spacing_mm=1.0, margin_mm=5.0))
    inside = np.argwhere(case.liver_truth() == 1)
    assert (inside.min(0) <= 6).all()
    assert (np.array(case.labels.shape) - inside.max(0) <= 7).all()
    whole = read_case(raw, Recipe(spacing_mm=1.0, margin_mm=None))
    assert whole.labels.shape == (60, 59, 60)  # 60.0 x 59.4 x 60.0 mm


def test_an_oblique_scan_is_turned_to_the_nearest_axes_and_not_resampled_twice(tmp_path):
    """10 degrees about the body's axis: volumes stay, and the grid keeps its obliqueness."""
    angle = np.radians(10.0)
    affine = trees.affine_lps()
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    oblique = turn @ affine
    root = tmp_path / "atlas"
    signal = (trees.scan() + 1024).astype(np.int16)
    trees.save(root / "imagesTr" / "im0.nii.gz", signal, "RAS", oblique)
    trees.save(root / "labelsTr" / "lb0.nii.gz", trees.outlines(), "RAS", oblique)
    case = read_case(Atlas(root=root).cases()[0], Recipe(spacing_mm=2.0, margin_mm=6.0))
    assert case.facts["liver_ml"] == [7.68, 7.68]
    first = oblique @ [4, 1, 1, 1]
    assert case.facts["first_voxel_lps_mm"] == pytest.approx(first[:3], abs=1e-3)


def pet_beside_ct(tmp_path, *, origin_lps_mm=(-38.0, -32.0, 92.0), shape=(16, 15, 14), angle=0.0):
    """A PET of 4 x 4 x 3 mm whose hottest voxel lies at the CT's landmark."""
    image = trees.save(tmp_path / "ct.nii.gz", trees.scan(), "RAS")
    outlines = trees.save(tmp_path / "labels.nii.gz", trees.outlines(), "RAS")
    affine = np.diag([4.0, 4.0, 3.0, 1.0])
    affine[:3, 3] = origin_lps_mm
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    suv = np.full(shape, 1.0, np.float32)
    index = np.linalg.inv(affine) @ [*trees.LANDMARK_LPS_MM, 1.0]
    suv[tuple(np.rint(index[:3]).astype(int))] = 30.0
    pet = trees.save(tmp_path / "pet.nii.gz", suv, "LAS", turn @ affine)
    return RawCase(
        name="petct",
        patient="petct",
        images={"ct_portal": ImageFiles(path=image), "pet_sstr": ImageFiles(path=pet, factor=0.5)},
        labels=(LabelFiles(path=outlines, meaning=MEANING),),
    )


def test_a_pet_on_its_own_grid_meets_the_ct_in_the_patient(tmp_path):
    """The PET's voxel centre is 1.3 mm off the landmark along k at most: half a slice."""
    case = read_case(pet_beside_ct(tmp_path), Recipe(spacing_mm=2.0, margin_mm=6.0))
    hot = np.unravel_index(int(np.argmax(case.images["pet_sstr"])), case.labels.shape)
    bright = np.unravel_index(int(np.argmax(case.images["ct_portal"])), case.labels.shape)
    assert np.abs(np.subtract(hot, bright)).max() * 2.0 <= 2.0
    assert float(case.images["pet_sstr"].min()) == pytest.approx(0.5)


def test_a_pet_that_does_not_see_the_whole_liver_is_refused(tmp_path):
    """Nothing is made up beyond a scan's edge: its uptake there is not its last slice's."""
    raw = pet_beside_ct(tmp_path, origin_lps_mm=(-38.0, -32.0, 110.0))
    with pytest.raises(StudyRejectedError, match=r"INCOMPLETE_SERIES: pet.nii.gz: pet_sstr does"):
        read_case(raw, Recipe(spacing_mm=2.0))


def test_a_pet_that_is_rotated_against_the_ct_is_refused(tmp_path):
    raw = pet_beside_ct(tmp_path, angle=np.radians(5.0))
    with pytest.raises(StudyRejectedError, match=r"rotated by 5.0 degrees against .*labels.nii.gz"):
        read_case(raw, Recipe(spacing_mm=2.0))


def test_outlines_of_nothing_give_no_region_to_cut_to(tmp_path):
    raw = pet_beside_ct(tmp_path)
    trees.save(tmp_path / "labels.nii.gz", np.zeros(trees.SHAPE, np.uint8), "RAS")
    with pytest.raises(StudyRejectedError, match=r"MASK_EMPTY.*margin_mm: null"):
        read_case(raw, Recipe(spacing_mm=2.0))
    whole = read_case(raw, Recipe(spacing_mm=2.0, margin_mm=None))
    assert not whole.labels.any()


def test_a_cube_fills_its_box_to_half_a_voxel():
    i, j, k = cube(((0.0, 10.0), (0.0, 11.0), (-1.0, 0.2)), 2.0)
    assert (i.count, i.first_mm) == (5, 1.0)
    assert (j.count, j.first_mm) in {(5, 1.5), (6, 0.5)}
    assert (k.count, k.first_mm) == (1, pytest.approx(-0.4))


def test_a_real_mr_with_thirteen_organs_gives_its_liver(tmp_path):
    """AMOS, liver 6: the volume before and after differ by less than 1 %."""
    folder = real_data("mr_amos")
    for part, name in (("imagesTr", "mr.nii.gz"), ("labelsTr", "organs.nii.gz")):
        (tmp_path / part).mkdir()
        (tmp_path / part / "amos_0507.nii.gz").symlink_to(folder / name)
    case = read_case(Amos(root=tmp_path, mr="mr_portal").cases()[0], Recipe(spacing_mm=3.0))
    before, after = case.facts["liver_ml"]
    assert 600 < before < 3000
    assert after == pytest.approx(before, rel=0.01)
    assert not (case.lesion_truth() == 1).any()
