"""The recorded figures of other packages are reproduced (experiments/metric_agreement)."""

import json
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest

from netseg.domain import Grid, Mask
from netseg.evaluation import Overlap, score_lesions, score_region

FOLDER = Path(__file__).resolve().parents[2] / "experiments" / "metric_agreement"
SEEDS = (1, 2, 3, 5, 8, 19)


@pytest.fixture(scope="module")
def masks():
    spec = spec_from_file_location("metric_agreement_masks", FOLDER / "masks.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def reference():
    return json.loads((FOLDER / "reference.json").read_text())["pairs"]


@pytest.mark.parametrize("seed", SEEDS)
def test_surface_distance_and_panoptica_say_the_same(masks, reference, seed):
    found, truth, spacing_mm = masks.pair(seed)
    grid = Grid(found.shape, np.diag([*spacing_mm, 1.0]), "1.2")
    score = score_region(Mask(found, grid), Mask(truth, grid), (0.5, 2.0, 3.7))
    theirs = reference[seed]["surface_distance"]
    assert score.dice == pytest.approx(theirs["dice"], abs=1e-9)
    assert score.hd95_mm == pytest.approx(theirs["hd95_mm"], abs=1e-9)
    for mm, share in score.nsd.items():
        assert share == pytest.approx(theirs[f"nsd_{mm}"], abs=1e-9)
    lesions = score_lesions(Mask(found, grid), Mask(truth, grid))
    for overlap in (Overlap.IOU_10, Overlap.IOU_50):
        told = reference[seed]["panoptica"][str(overlap.least_iou)]
        assert lesions.found_at(overlap) >= told["tp"], "pieces put together can only find more"
        assert lesions.false_at(overlap) <= told["fp"]
        if lesions.found_at(overlap) == told["tp"] and told["tp"]:
            found_dice = [x.dice for x in lesions.lesions if x.found_at(overlap)]
            assert np.mean(found_dice) >= told["sq_dsc"] - 1e-9


def test_the_recorded_agreement_is_below_a_millionth():
    told = json.loads((FOLDER / "figures.json").read_text())["agreement"]
    assert {name.split(": ")[1].split(",")[0] for name in told} == {
        "surface-distance", "MONAI", "panoptica", "scikit-learn", "torchmetrics",
    }  # fmt: skip
    assert max(entry["largest_difference"] for entry in told.values()) < 1e-6
