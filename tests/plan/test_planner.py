"""What the planner refuses, what it cannot tell, and its configuration."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from netseg.domain import Code, FrameMismatchError, LabelMap, Modality, UsageError
from netseg.findings import measure
from netseg.plan import AccessRules, Planner
from tests.plan.bodies import (
    GRID,
    IN_LESION,
    X,
    Y,
    Z,
    body,
    grid_of,
    plan_on,
    planner,
    segmentation_of,
    study_of,
)

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "plan"


def plan_of(study, segmentation, obstacles=None, **changes):
    findings = measure(study, segmentation)
    return planner(**changes).plan(study, segmentation, findings, None, obstacles)


def test_obstacles_of_another_frame_are_refused():
    labels = LabelMap(np.ones(GRID.shape, np.uint8), grid_of("9.9"))
    with pytest.raises(FrameMismatchError, match="never registered"):
        plan_on(body(), obstacles=labels)


def test_a_ct_of_another_frame_is_not_planned_on():
    plan = plan_of(study_of(body(), grid_of("9.9")), segmentation_of())
    assert plan.ablations == ()
    assert [u.lesion_id for u in plan.unplanned] == [1]
    assert [n.code for n in plan.warnings] == [Code.FRAME_MISMATCH]


def test_bone_and_lung_cannot_be_told_on_mr():
    plan = plan_of(study_of(body(), modality=Modality.MR), segmentation_of())
    assert [n.code for n in plan.warnings] == [Code.NO_USABLE_SERIES]
    assert "CT only" in plan.unplanned[0].why


def test_without_a_liver_mask_no_needle_is_proposed():
    plan = plan_of(study_of(body()), segmentation_of(liver=None))
    assert [n.code for n in plan.warnings] == [Code.NO_LIVER]
    assert len(plan.unplanned) == 1


def test_no_lesion_no_needle():
    plan = plan_of(study_of(body()), segmentation_of(0 * IN_LESION))
    assert plan.ablations == plan.unplanned == ()


def test_a_planner_without_protocols_is_refused():
    with pytest.raises(UsageError, match="no protocol"):
        plan_on(body(), protocols=())


def test_a_model_without_a_judge_is_refused():
    study, segmentation = study_of(body()), segmentation_of()
    with pytest.raises(UsageError, match="judges the margin"):
        planner().plan(study, segmentation, measure(study, segmentation), object())


def test_an_active_part_longer_than_the_needle_is_refused():
    with pytest.raises(ValueError, match=r"active_length_mm must lie in \(0, 150"):
        planner(active_length_mm=150.0)


@pytest.mark.parametrize("change", [{"aiming_mm": 0.0}, {"max_axial_angle_deg": 91.0}])
def test_impossible_rules_are_refused(change):
    with pytest.raises(ValueError, match=r"positive|90 degrees"):
        AccessRules(**change)


def test_every_lesion_has_its_own_needle():
    lesions = np.where(IN_LESION, 1, np.where((X - 25) ** 2 + (Y - 25) ** 2 + Z**2 <= 36, 2, 0))
    plan = plan_on(body(), lesions)
    assert [a.lesion_id for a in plan.ablations] == [1, 2]
    assert [a.probes[0].id for a in plan.ablations] == ["A", "B"]


def test_organs_nobody_outlined_are_named():
    plan = plan_on(body())
    assert {"stomach", "gallbladder", "kidneys", "heart"} <= set(plan.not_considered)


@pytest.mark.parametrize("name", ["single_probe_mwa", "single_probe_rfa"])
def test_every_configuration_builds_a_planner_for_a_device_that_exists(name):
    settings = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text())
    assert settings.pop("_target_") == "planner"
    built = Planner(**settings)
    assert built.required_mm == 5.0
    assert built.rules == AccessRules()
