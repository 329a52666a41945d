"""Outlines of an RTSTRUCT on a scan's voxels: volumes on paper, holes, frames, names."""

from __future__ import annotations

import tarfile

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from netseg.domain import Code, FrameMismatchError, Grid, GridMismatchError, StudyRejectedError
from netseg.study import ReadHints, read_study
from netseg.study.masks import read_instances, read_mask
from netseg.study.rtstruct import read_structure_set
from tests.real_data import real_data

FRAME = "1.2.826.0.1.3680043.8.498.1"
_KIND = "1.2.840.10008.5.1.4.1.1.481.3"


def scan(shape=(60, 60, 40), spacing=(1.0, 1.0, 2.0), origin=(-30.0, -30.0, 100.0)) -> Grid:
    affine = np.diag((*spacing, 1.0))
    affine[:3, 3] = origin
    return Grid(shape=shape, affine_lps=affine, frame_uid=FRAME)


def square(z: float, low=(-10.0, -10.0), high=(10.0, 10.0)) -> np.ndarray:
    (a, b), (c, d) = low, high
    return np.array([[a, b, z], [c, b, z], [c, d, z], [a, d, z]])


def circle(z: float, radius: float, x: float = 0.0, y: float = 0.0) -> np.ndarray:
    t = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    return np.stack([x + radius * np.cos(t), y + radius * np.sin(t), np.full(200, z)], axis=1)


def write(path, regions, frame=FRAME, kind="CLOSED_PLANAR", sop=_KIND):
    """A structure set: contours by name, numbered from 1."""
    tags = Dataset()
    tags.SOPClassUID, tags.SOPInstanceUID, tags.Modality = sop, "1.2.3.4", "RTSTRUCT"
    tags.StructureSetROISequence, tags.ROIContourSequence = [], []
    for number, (name, contours) in enumerate(regions, start=1):
        head, body = Dataset(), Dataset()
        head.ROINumber, head.ROIName = number, name
        head.ReferencedFrameOfReferenceUID = frame
        body.ReferencedROINumber, body.ContourSequence = number, []
        for points in contours:
            item = Dataset()
            item.ContourGeometricType, item.NumberOfContourPoints = kind, len(points)
            item.ContourData = [f"{v:.5f}" for v in points.reshape(-1)]
            body.ContourSequence.append(item)
        tags.StructureSetROISequence.append(head)
        tags.ROIContourSequence.append(body)
    tags.file_meta = FileMetaDataset()
    tags.file_meta.MediaStorageSOPClassUID = sop
    tags.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    tags.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    pydicom.dcmwrite(path, tags, enforce_file_format=True)
    return str(path)


def refused(kind, *arguments):
    with pytest.raises(kind) as caught:
        read_mask(*arguments)
    return caught.value.notice


def test_a_box_of_20_mm_on_five_slices_holds_4_ml(tmp_path):
    """20 x 20 mm on five planes 2 mm apart: 20 x 20 x 10 mm."""
    path = write(tmp_path / "a.dcm", [("lesion", [square(z) for z in range(110, 120, 2)])])
    mask = read_mask(path, scan())
    assert mask.volume_ml == pytest.approx(4.0)
    k = np.flatnonzero(mask.inside.any(axis=(0, 1)))
    assert list(k) == [5, 6, 7, 8, 9]


def test_a_sphere_of_15_mm_holds_14_1_ml_and_lies_where_it_was_drawn(tmp_path):
    planes = range(126, 156, 2)
    contours = [
        circle(z, np.sqrt(15.0**2 - (z - 140) ** 2), 3.0, -2.0) for z in planes if abs(z - 140) < 15
    ]
    path = write(tmp_path / "a.dcm", [("lesion", contours)])
    mask = read_mask(path, scan())
    assert mask.volume_ml == pytest.approx(4 / 3 * np.pi * 1.5**3, rel=0.02)
    centre = mask.grid.to_mm(np.argwhere(mask.inside)).mean(axis=0)
    assert centre == pytest.approx((3.0, -2.0, 140.0), abs=0.1)


def test_a_contour_within_a_contour_is_a_hole(tmp_path):
    """20 x 20 mm around 10 x 10 mm on two planes: (400 - 100) x 4 mm."""
    rings = [c for z in (120.0, 122.0) for c in (square(z), square(z, (-5.0, -5.0), (5.0, 5.0)))]
    mask = read_mask(write(tmp_path / "a.dcm", [("ring", rings)]), scan())
    assert mask.volume_ml == pytest.approx(1.2)
    assert not mask.inside[30, 30].any()


def test_contours_on_thick_slices_fill_the_thin_ones_between(tmp_path):
    """Drawn every 6 mm, scanned every 2 mm: three slices each."""
    path = write(tmp_path / "a.dcm", [("lesion", [square(z) for z in (116.0, 122.0, 128.0)])])
    assert read_mask(path, scan()).volume_ml == pytest.approx(0.4 * 18)


def test_a_plane_left_out_stays_empty(tmp_path):
    planes = (110.0, 112.0, 116.0, 118.0)
    mask = read_mask(write(tmp_path / "a.dcm", [("lesion", [square(z) for z in planes])]), scan())
    assert list(np.flatnonzero(mask.inside.any(axis=(0, 1)))) == [5, 6, 8, 9]


def test_the_same_outline_on_a_flipped_scan_is_at_the_same_place(tmp_path):
    flipped = Grid(
        shape=(60, 60, 40),
        affine_lps=np.array([[-1.0, 0, 0, 29], [0, -1.0, 0, 29], [0, 0, -2.0, 178], [0, 0, 0, 1]]),
        frame_uid=FRAME,
    )
    planes = range(110, 120, 2)
    path = write(tmp_path / "a.dcm", [("l", [circle(z, 9.3, 5.0, -4.0) for z in planes])])
    one, other = read_mask(path, scan()), read_mask(path, flipped)
    assert np.array_equal(one.inside, other.inside[::-1, ::-1, ::-1])


def test_regions_are_named_by_number_by_name_or_all_as_instances(tmp_path):
    small = [square(z, (12.0, 12.0), (16.0, 16.0)) for z in (120.0, 122.0)]
    large = [square(z) for z in (120.0, 122.0)]
    path = write(tmp_path / "a.dcm", [("lesion 1, left", small), ("Lesion 2", large)])
    grid = scan()
    assert read_mask(f"{path}:1", grid).volume_ml == pytest.approx(0.064)
    assert read_mask(f"{path}:lesion 2", grid).volume_ml == pytest.approx(1.6)
    assert read_mask(f"{path}:1,2", grid).volume_ml == pytest.approx(1.664)
    instances = read_instances(f"{path}:instances", grid)
    assert [instances.region(n).volume_ml for n in (1, 2)] == pytest.approx([1.6, 0.064])


def test_two_regions_without_a_suffix_are_ambiguous(tmp_path):
    path = write(tmp_path / "a.dcm", [(n, [square(z) for z in (120.0, 122.0)]) for n in "ab"])
    assert refused(StudyRejectedError, path, scan()).code is Code.LABEL_AMBIGUOUS


def test_overlapping_regions_are_no_instances(tmp_path):
    path = write(tmp_path / "a.dcm", [(n, [square(z) for z in (120.0, 122.0)]) for n in "ab"])
    notice = refused(StudyRejectedError, f"{path}:instances", scan())
    assert notice.code is Code.LABEL_AMBIGUOUS
    assert "overlap" in notice.message


def test_a_name_that_is_not_there_or_there_twice_is_refused(tmp_path):
    contours = [square(z) for z in (120.0, 122.0)]
    path = write(tmp_path / "a.dcm", [("one", contours), ("one", contours)])
    assert refused(StudyRejectedError, f"{path}:liver", scan()).code is Code.LABEL_UNKNOWN
    assert refused(StudyRejectedError, f"{path}:one", scan()).code is Code.LABEL_AMBIGUOUS
    assert refused(StudyRejectedError, f"{path}:7", scan()).code is Code.LABEL_UNKNOWN


def test_a_region_of_another_frame_is_refused(tmp_path):
    path = write(tmp_path / "a.dcm", [("l", [square(120.0), square(122.0)])], frame="1.2.3.9")
    assert refused(FrameMismatchError, path, scan()).code is Code.FRAME_MISMATCH


def test_a_region_that_states_no_frame_is_refused(tmp_path):
    path = write(tmp_path / "a.dcm", [("l", [square(120.0), square(122.0)])], frame="")
    assert refused(FrameMismatchError, path, scan()).code is Code.FRAME_MISMATCH


def test_a_region_beyond_the_scan_is_refused(tmp_path):
    path = write(tmp_path / "a.dcm", [("l", [square(300.0), square(302.0)])])
    notice = refused(GridMismatchError, path, scan())
    assert "reaches beyond the scan" in notice.message


def test_a_region_drawn_across_the_slices_is_refused(tmp_path):
    tilted = square(130.0)
    tilted[2:, 2] += 12.0
    notice = refused(GridMismatchError, write(tmp_path / "a.dcm", [("l", [tilted])]), scan())
    assert "not drawn along the scan's slices" in notice.message


def test_contours_without_a_scan_are_no_mask(tmp_path):
    path = write(tmp_path / "a.dcm", [("l", [square(120.0), square(122.0)])])
    notice = refused(StudyRejectedError, path)
    assert notice.code is Code.GEOMETRY_MISSING
    assert "the scan it was drawn on" in notice.message


def test_points_are_no_region(tmp_path):
    path = write(tmp_path / "a.dcm", [("mark", [np.array([[0.0, 0.0, 120.0]])])], kind="POINT")
    assert refused(StudyRejectedError, path, scan()).code is Code.MASK_EMPTY


def test_half_a_file_is_refused(tmp_path):
    path = write(tmp_path / "a.dcm", [("l", [square(120.0), square(122.0)])])
    whole = (tmp_path / "a.dcm").read_bytes()
    (tmp_path / "a.dcm").write_bytes(whole[: len(whole) - 37])
    assert refused(StudyRejectedError, path, scan()).code in (
        Code.MALFORMED_HEADER,
        Code.UNSUPPORTED_FORMAT,
    )


def area_mm2(points: np.ndarray) -> float:
    x, y = points[:, 0], points[:, 1]
    return abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2


@pytest.mark.slow
def test_two_lesions_of_a_real_patient_have_the_volume_of_their_polygons(tmp_path):
    """Shoelace areas times 1.953 mm: 106.9 and 2.8 ml.

    With every voxel a contour merely passes through they would be 118.7 and 3.9 ml, as some tools
    count.
    """
    with tarfile.open(real_data("dicom/net_lu177_dotatate_spect.tar.xz")) as archive:
        archive.extractall(tmp_path, filter="data")
    (path,) = [p for p in tmp_path.rglob("*.dcm") if p.parent.name == "mask"]
    hints = ReadHints(tracer="lu177_dotatate", lesions=f"{path}:instances")
    lesions = read_study(tmp_path, hints).lesions
    for roi in read_structure_set(path).rois:
        drawn_ml = sum(area_mm2(p) for p in roi.polygons) * 1.95313 / 1000
        assert lesions.region(roi.number).volume_ml == pytest.approx(drawn_ml, rel=0.025)
