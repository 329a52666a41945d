"""Lesions at a round capsule, outlined on two scans that differ by a known turn and shift.

Lesion and liver are outlined on the planning scan and carried onto the control scan's voxels, the
zone is outlined there, and each outline is up to 0.3 voxels wide or narrow: what real masks do at
the capsule. Cases and truth are those of experiments/margin_accuracy.
"""

import sys
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest

from netseg.domain.margin import Verdict
from tests.verify.checking import A0, zone_of

FILE = Path(__file__).parents[2] / "experiments" / "margin_accuracy" / "capsule_cases.py"


@pytest.fixture(scope="module")
def cases():
    spec = spec_from_file_location("capsule_cases", FILE)
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclass looks itself up there
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def small_scene(cases, seed, bare_mm=0.0):
    """Lesion of 5 to 7 mm from 1 mm under to 1.5 mm out of the liver, heat 2 to 7 mm beyond it."""
    rng = np.random.default_rng((seed, 6))
    way, off = (v / np.linalg.norm(v) for v in rng.normal(size=(2, 3)))
    liver_mm, lesion_mm, off_mm = rng.uniform(40, 90), rng.uniform(5, 7), rng.uniform(0, 2)
    at = way * (liver_mm - lesion_mm - rng.uniform(-1.5, 1))
    made = cases.Scene(
        liver_mm=liver_mm,
        lesion_at=at,
        lesion_mm=lesion_mm,
        heat_at=at + off_mm * off,
        heat_mm=lesion_mm + off_mm + rng.uniform(2, 7),
        bulges=bool(seed % 2),
    )
    return replace(made, bare_mm=bare_mm), rng


def checked(cases, made, spacing_mm, rng):
    lesion, zone, liver = cases.masks(made, spacing_mm, rng)
    report = A0.check(lesion, zone_of(zone), observed=True, liver=liver, details=False)
    (found,) = report.lesions
    return found


@pytest.mark.parametrize(
    ("spacing_mm", "within_mm"), [((1.0, 1.0, 1.0), 0.6), ((0.8, 0.8, 2.5), 1.0)]
)
@pytest.mark.parametrize("seed", range(3))
def test_the_nearest_liver_left_is_found_whatever_the_outlines_disagree(
    cases, seed, spacing_mm, within_mm
):
    made, rng = small_scene(cases, seed)
    found = checked(cases, made, spacing_mm, rng)
    assert found.smallest_margin_mm == pytest.approx(made.margin_mm(), abs=within_mm)


@pytest.mark.parametrize("seed", range(3))
def test_a_rim_of_two_millimetres_left_under_the_capsule_is_never_a0(cases, seed):
    """The twin: the same scenes, but heat did not reach the capsule."""
    made, rng = small_scene(cases, seed, bare_mm=2.0)
    found = checked(cases, made, (1.0, 1.0, 1.0), rng)
    assert made.margin_mm() < 0
    assert found.verdict is Verdict.RESIDUAL
    assert found.smallest_margin_mm == pytest.approx(made.margin_mm(), abs=0.8)
