"""The planner on a real portal venous CT with outlined vessels and bones (3D-IRCADb 17)."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from netseg.domain import Modality, Phase
from netseg.findings import measure
from netseg.segment import MasksBackend
from netseg.study import ReadHints, read_study
from netseg.study.masks import read_mask
from tests.plan.bodies import planner, points_of
from tests.real_data import real_data


@pytest.mark.slow
def test_both_lesions_are_reached_without_meeting_outlined_bones():
    """The bones were outlined by hand and are not shown to the planner."""
    folder = real_data("ct_ircadb17")
    hints = ReadHints(
        modality=Modality.CT,
        phase=Phase.PORTAL_VENOUS,
        liver=f"{folder / 'liver_lesion.nii.gz'}:1,2",
        lesions=f"{folder / 'lesion_instances.nii.gz'}:instances",
    )
    study = read_study(folder / "ct.nii.gz", hints)
    segmentation = MasksBackend().segment(study)
    plan = planner().plan(study, segmentation, measure(study, segmentation), None)
    assert [a.lesion_id for a in plan.ablations] == [1, 2]
    bones = read_mask(f"{folder / 'vessels_bone.nii.gz'}:4")
    tree = cKDTree(bones.grid.to_mm(np.argwhere(bones.inside)))
    hu = study.series[0].volume
    for ablation in plan.ablations:
        points = points_of(ablation.probes[0])
        assert tree.query(points)[0].min() > 3.0
        index = np.rint(hu.grid.to_index(points[:-8])).astype(int)
        assert hu.values[tuple(index.T)].min() > -300
