"""Studies, findings and segmentations cannot contradict themselves."""

import numpy as np
import pytest

from netseg.domain.errors import GridMismatchError
from netseg.domain.findings import Findings, Lesion
from netseg.domain.grid import Grid
from netseg.domain.point import PointMm
from netseg.domain.segmentation import ModelProvenance, Segmentation
from netseg.domain.study import Modality, Phase, Series, Study
from netseg.domain.volume import LabelMap, Mask, Quantity, Volume

GRID = Grid((4, 4, 4), np.eye(4), "1.2.3")


def series(key, modality=Modality.CT, phase=None):
    volume = Volume(np.zeros(GRID.shape, np.int16), GRID, Quantity.HU)
    return Series(key=key, modality=modality, volume=volume, phase=phase)


ARTERIAL = series("ct_late_arterial", phase=Phase.LATE_ARTERIAL)
PORTAL = series("ct_portal_venous", phase=Phase.PORTAL_VENOUS)
PET = series("pt", Modality.PT)


def test_the_first_wanted_phase_wins():
    study = Study(case_id="p01", series=(ARTERIAL, PORTAL, PET))
    assert study.first(Modality.CT, Phase.PORTAL_VENOUS, Phase.LATE_ARTERIAL) is PORTAL
    assert study.first(Modality.CT) is ARTERIAL
    assert study.first(Modality.CT, Phase.NATIVE) is None
    assert study.first(Modality.MR) is None
    assert study.by_key()["pt"] is PET


def test_two_series_of_one_name_are_refused():
    with pytest.raises(ValueError, match="unique keys"):
        Study(case_id="p01", series=(PORTAL, PORTAL))
    with pytest.raises(ValueError, match="unique keys"):
        Study(case_id="p01", series=())


def measured(**change):
    numbers = {
        "id": 1,
        "volume_ml": 10.0,
        "longest_axial_diameter_mm": 25.0,
        "longest_diameter_mm": 28.0,
    }
    return Lesion(centroid_mm=PointMm(0.0, 0.0, 0.0), **{**numbers, **change})


@pytest.mark.parametrize("change", [{"volume_ml": 0.0}, {"longest_diameter_mm": -1.0}])
def test_a_lesion_has_an_extent(change):
    with pytest.raises(ValueError, match="must be positive"):
        measured(**change)


def test_lesion_numbers_begin_at_one():
    with pytest.raises(ValueError, match="begin at 1; got 0"):
        measured(id=0)


def test_burden_is_the_share_of_the_liver_that_includes_the_lesions():
    findings = Findings(lesions=(measured(),), liver_volume_ml=1500.0, lesion_volume_ml=150.0)
    assert findings.liver_burden_pct == pytest.approx(10.0)


def test_without_a_liver_the_burden_is_unknown():
    findings = Findings(lesions=(), liver_volume_ml=None, lesion_volume_ml=0.0)
    assert findings.liver_burden_pct is None


def test_a_liver_on_other_voxels_is_no_part_of_the_segmentation():
    other = Grid((5, 5, 5), np.eye(4), "1.2.3")
    with pytest.raises(GridMismatchError):
        Segmentation(
            series_key="ct",
            liver=Mask(np.zeros((5, 5, 5), bool), other),
            lesions=LabelMap.empty(GRID),
            provenance=ModelProvenance(backend="masks", name="liver.nii.gz"),
        )
