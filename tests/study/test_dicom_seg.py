"""A DICOM SEG names the same voxels as the scan it was drawn on."""

from __future__ import annotations

import numpy as np
import pytest

from netseg.domain import Code, FrameMismatchError, StudyRejectedError
from netseg.domain.grid import Grid
from netseg.study import ReadHints, read_study
from netseg.study.image_file import read_image_file
from netseg.study.masks import read_instances, read_mask
from tests.real_data import real_data
from tests.study.dicom_files import write_series


def write_seg(folder, scan_paths, regions):
    """One binary SEG with a segment per region (i, j, k), through highdicom."""
    import highdicom
    import pydicom
    from pydicom.sr.codedict import codes

    sources = sorted(
        (pydicom.dcmread(p) for p in scan_paths), key=lambda d: float(d.ImagePositionPatient[2])
    )
    described = [
        highdicom.seg.SegmentDescription(
            segment_number=n,
            segment_label=f"region {n}",
            segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
            segmented_property_type=codes.SCT.Lesion,
            algorithm_type="MANUAL",
        )
        for n in range(1, len(regions) + 1)
    ]
    for source in sources:
        source.AccessionNumber = source.StudyID = source.StudyDate = source.StudyTime = ""
        source.PatientSex = source.ReferringPhysicianName = ""
        source.SliceThickness = "5"
    seg = highdicom.seg.Segmentation(
        source_images=sources,
        pixel_array=np.stack([r.transpose(2, 1, 0) for r in regions], axis=-1).astype(np.uint8),
        segmentation_type="BINARY",
        segment_descriptions=described,
        series_instance_uid=highdicom.UID(),
        series_number=9,
        sop_instance_uid=highdicom.UID(),
        instance_number=1,
        manufacturer="test",
        manufacturer_model_name="test",
        software_versions="1",
        device_serial_number="1",
        omit_empty_frames=True,
    )
    seg.save_as(folder / "mask.dcm")
    return folder / "mask.dcm"


@pytest.fixture
def drawn(tmp_path):
    """Two segments that overlap; both end before the scan does."""
    paths = write_series(tmp_path / "ct")
    first, second = np.zeros((2, 16, 12, 8), bool)
    first[4:8, 4:6, 2:5] = True
    second[7:10, 5:7, 4:6] = True
    return tmp_path, write_seg(tmp_path, paths, [first, second]), first, second


def test_a_segment_lies_on_its_scan(drawn):
    folder, seg, first, second = drawn
    grid = read_study(folder / "ct", ReadHints(case_id="c")).series[0].volume.grid
    assert np.array_equal(read_mask(f"{seg}:1", on=grid).inside, first)
    assert np.array_equal(read_mask(f"{seg}:2", on=grid).inside, second)
    assert np.array_equal(read_mask(f"{seg}:1,2", on=grid).inside, first | second)
    assert read_instances(f"{seg}:1", on=grid).values == (1,)


def test_a_segment_finds_its_scan_among_several(drawn):
    """A PET of another frame comes with the study; the mask lies on the CT."""
    folder, seg, first, _ = drawn

    def elsewhere(dataset, _):
        dataset.FrameOfReferenceUID = "1.2.3.4.5.6.7.8"
        dataset.SeriesDescription, dataset.SeriesNumber = "Abdomen native", 1

    write_series(folder / "ct" / "other", uid_seed="other", edit=elsewhere)
    study = read_study(folder / "ct", ReadHints(case_id="c", lesions=f"{seg}:1"))
    assert [s.key for s in study.series] == ["ct_native", "ct_portal_venous"]
    assert study.lesions is not None
    assert study.lesions.grid is study.series[1].volume.grid
    assert np.array_equal(study.lesions.labels == 1, first)


def test_overlapping_segments_have_no_common_numbering(drawn):
    _, seg, _, _ = drawn
    for spec in (str(seg), f"{seg}:instances"):
        with pytest.raises(StudyRejectedError, match="LABEL_AMBIGUOUS"):
            read_instances(spec)
    with pytest.raises(StudyRejectedError, match="LABEL_UNKNOWN"):
        read_mask(f"{seg}:7")


def test_a_segment_of_another_frame_is_refused(drawn):
    folder, seg, _, _ = drawn
    grid = read_study(folder / "ct", ReadHints(case_id="c")).series[0].volume.grid
    other = Grid(shape=grid.shape, affine_lps=grid.affine_lps, frame_uid="9.9")
    with pytest.raises(FrameMismatchError, match="never registered"):
        read_mask(f"{seg}:1", on=other)


def test_a_ct_slice_is_no_mask(tmp_path):
    path = write_series(tmp_path)[0]
    with pytest.raises(StudyRejectedError) as caught:
        read_mask(str(path))
    assert caught.value.notice.code is Code.UNSUPPORTED_FORMAT


def test_a_real_segment_agrees_with_its_nrrd():
    """QIICR's liver: the same 107098 voxels in both formats."""
    folder = real_data("dicom_seg_liver")
    nrrd = read_image_file(folder / "liver_seg.nrrd")
    seg = read_mask(str(folder / "liver.dcm"))
    assert np.count_nonzero(seg.inside) == 107098
    grid = Grid(shape=nrrd.values.shape, affine_lps=nrrd.affine_lps, frame_uid=seg.grid.frame_uid)
    assert np.array_equal(read_mask(str(folder / "liver.dcm"), on=grid).inside, nrrd.values != 0)
