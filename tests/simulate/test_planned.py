"""The planner with the simulator behind it: a cryo device by configuration, without edits to either."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from netseg.findings import measure
from netseg.plan import Planner
from netseg.simulate import BioheatModel, load_device, protocols
from tests.plan.bodies import X, Y, Z, body, segmentation_of, study_of

CONFIGS = Path(__file__).parents[2] / "configs" / "plan"
NAMES = ("single_probe_mwa", "single_probe_rfa", "single_probe_cryo")


def read(name):
    settings = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text("utf-8"))
    assert settings.pop("_target_") == "planner"
    return settings


@pytest.mark.parametrize("name", NAMES)
def test_a_planners_needle_has_the_length_of_its_device(name):
    settings = read(name)
    device = load_device(settings["device"])
    assert settings["active_length_mm"] == device.active_length_mm
    assert device.protocols


def radial_margin(lesion, zone, liver):  # noqa: ARG001
    """Smallest way out of a small lesion in a zone, by equal volumes: enough to choose by."""
    radius = [(m.volume_ml * 750 / np.pi) ** (1 / 3) for m in (zone.mask, lesion)]
    return radius[0] - radius[1]


@pytest.mark.slow
def test_a_cryo_needle_is_planned_for_a_small_lesion():
    settings = read("single_probe_cryo")
    planner = Planner(
        **{**settings, "required_mm": 1.0},
        protocols=protocols(settings["device"]),
        margin_of=radial_margin,
    )
    lesions = (X**2 + Y**2 + Z**2 <= 4**2).astype(int)
    study, segmentation = study_of(body()), segmentation_of(lesions)
    model = BioheatModel(device="cpu", spacing_mm=3.0, margin_mm=30, step_s=4.0)
    plan = planner.plan(study, segmentation, measure(study, segmentation), model)
    (ablation,) = plan.ablations
    assert ablation.protocol.modality == "cryo"
    assert ablation.protocol.power_w is None
    zone = model.zone(ablation, segmentation.lesions.grid)
    assert zone.mask.volume_ml > 1.0
    assert any("CRYO for" in why for why in ablation.why)
