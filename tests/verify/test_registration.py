"""A margin that rests on a registration: its gates, its error, and lesions carried through it."""

import numpy as np
import pytest

from netseg.domain.ablation import AblationZone, Evidence
from netseg.domain.errors import FrameMismatchError, StudyRejectedError
from netseg.domain.margin import Verdict
from netseg.domain.registration import Gate, Registration
from netseg.domain.volume import LabelMap, Mask, Quantity, Volume
from netseg.verify.carried import carried_lesions
from tests.geometry.shapes import ball, block, grid, turned
from tests.verify.checking import A0, zone_of

PASSED = Gate(value=0.97, limit="at least 0.95", passed=True)
FAILED = Gate(value=0.81, limit="at least 0.95", passed=False)
UNKNOWN = Gate(value=None, limit="at most 3 mm", passed=None)


def registration(error_mm=1.5, on=None, **gates):
    on = on or grid()
    return Registration(
        method="rigid on the liver",
        fixed=on,
        moving=on,
        matrix=np.eye(4),
        error_mm=error_mm,
        gates=gates,
    )


def check(**more):
    return A0.check(block(15, 25), zone_of(block(8, 32)), observed=True, **more)


def test_a_failed_gate_makes_the_margin_not_assessable_and_is_named():
    report = check(registration=registration(liver_overlap=FAILED, vessels=PASSED))
    (found,) = report.lesions
    assert found.verdict is Verdict.NOT_ASSESSABLE
    assert found.smallest_margin_mm is None
    assert found.interval_mm is None
    assert report.smallest_mm is None
    assert not report.is_a0
    assert "liver overlap 0.81 (at least 0.95 is expected)" in found.why[0]
    assert any("smallest margin 7.00 mm" in sentence for sentence in found.why)
    assert "proves nothing" in found.why[0]


@pytest.mark.parametrize(
    "gate", [PASSED, UNKNOWN, Gate(value=9.0, limit="at most 3 mm", passed=False, decides=False)]
)
def test_a_gate_that_passed_was_not_measured_or_does_not_decide_withholds_nothing(gate):
    (found,) = check(registration=registration(gate=gate)).lesions
    assert found.verdict is Verdict.A0
    assert found.smallest_margin_mm == 7.0


def test_the_report_carries_the_registration():
    document = check(registration=registration(liver_overlap=PASSED, vessels=UNKNOWN)).registration
    assert document["error_mm"] == 1.5
    assert document["gates"] == {"liver_overlap": True, "vessels": None}
    assert document["gate_values"]["vessels"]["limit"] == "at most 3 mm"
    assert document["trusted"] is True


def test_a_zone_in_another_frame_than_the_fixed_scan_is_refused():
    elsewhere = registration(on=grid(frame_uid="9.9"))
    with pytest.raises(FrameMismatchError, match="never registered"):
        check(registration=elsewhere)


def test_the_error_model_follows_registration_zone_and_segmentation():
    zone = AblationZone(mask=block(8, 32), evidence=Evidence.CONTROL_SCAN, boundary_sd_mm=0.7)
    errors = A0.errors_of(registration(1.5), zone, {1: 0.4})
    assert errors.registration_mm == 1.5
    assert errors.zone_boundary_sd_mm == 0.7
    assert errors.lesion_sd_mm(1) == 0.4
    assert errors.lesion_sd_mm(2) == A0.outline_sd_mm
    assert errors.assumed == ()


def test_what_was_assumed_is_said():
    errors = A0.errors_of(registration(1.5), zone_of(block(8, 32)))
    assert errors.assumed == ("lesion outline", "zone outline")
    (found,) = check(errors=errors).lesions
    assert any(s.startswith("Assumed") and "zone outline" in s for s in found.why)


def test_a_registration_of_unknown_error_gives_no_error_model():
    assert A0.errors_of(registration(None), zone_of(block(8, 32))) is None


def test_a_lesion_may_be_given_as_its_signed_distance():
    """A ball of 8.3 mm on voxels of 2 mm: the field knows the 0.3 mm."""
    coarse, fine = grid((28, 28, 28), (2.0, 2.0, 2.0)), grid((40, 40, 40))
    index = np.moveaxis(np.indices(fine.shape), 0, -1)
    away = np.linalg.norm(fine.to_mm(index), axis=-1) - 8.3
    field = Volume(away.astype(np.float32), fine, Quantity.ARBITRARY)
    lesion, zone = ball(coarse, (0, 0, 0), 8.3), ball(grid((60, 60, 60)), (0, 0, 0), 14)
    report = A0.check(
        LabelMap(lesion.inside.astype(np.uint8), coarse), zone_of(zone), observed=True,
        lesion_fields={1: field},
    )  # fmt: skip
    assert report.lesions[0].median_margin_mm == pytest.approx(5.7, abs=0.3)


def test_a_lesion_may_be_given_as_its_probability():
    on = grid((44, 44, 44))
    index = np.moveaxis(np.indices(on.shape), 0, -1)
    away = np.linalg.norm(on.to_mm(index) - (0.3, -0.2, 0.1), axis=-1) - 8.0
    soft = Volume(np.clip(0.5 - away / 2, 0, 1).astype(np.float32), on, Quantity.PROBABILITY)
    report = A0.check(
        Mask(away <= 0, on), zone_of(ball(on, (0.3, -0.2, 0.1), 13)), observed=True,
        lesion_fields={1: soft},
    )  # fmt: skip
    assert report.smallest_mm == pytest.approx(5.0, abs=0.3)


def test_a_field_of_no_lesion_is_refused():
    field = Volume(np.zeros((40, 40, 40), np.float32), grid(), Quantity.ARBITRARY)
    with pytest.raises(StudyRejectedError, match=r"LABEL_UNKNOWN.*lesion 5; the lesions are 1"):
        check(lesion_fields={5: field})
    with pytest.raises(StudyRejectedError, match=r"MASK_EMPTY.*field of lesion 1"):
        check(lesion_fields={1: field})


def test_a_field_of_another_frame_is_refused():
    elsewhere = grid(frame_uid="9.9")
    field = Volume(-np.ones((40, 40, 40), np.float32), elsewhere, Quantity.ARBITRARY)
    with pytest.raises(FrameMismatchError, match="never registered"):
        check(lesion_fields={1: field})


def carried_error_mm(seed, spacing_mm, control_mm):
    """Error of the margin of a ball carried by a turn of 7 degrees and a shift of 30 mm."""
    rng = np.random.default_rng(seed)
    centre, r, off = rng.uniform(-3, 3, 3), rng.uniform(8, 12), rng.uniform(-1.5, 1.5, 3)
    planning = grid(tuple(int(56 / s) for s in spacing_mm), spacing_mm, frame_uid="plan")
    at = np.array((30.0, -20.0, 5.0)) + rng.uniform(-1, 1, 3)
    size = tuple(int(64 / s) for s in control_mm)
    control = grid(
        size, control_mm, axes=turned(12), centre_mm=(30.0, -20.0, 5.0), frame_uid="post"
    )
    matrix = np.eye(4)
    matrix[:3, :3] = turned(7, (1, 0, 2))
    matrix[:3, 3] = centre - matrix[:3, :3] @ at
    both = Registration(method="rigid", fixed=control, moving=planning, matrix=matrix)
    lesion = LabelMap(ball(planning, centre, r).inside.astype(np.uint8), planning)
    zone = AblationZone(
        mask=ball(control, at + off, r + 5 + float(np.linalg.norm(off))),
        evidence=Evidence.CONTROL_SCAN,
    )
    numbered, fields = carried_lesions(both, lesion, control)
    report = A0.check(numbered, zone, observed=True, lesion_fields=fields, details=False)
    return report.smallest_mm - 5.0, fields


@pytest.mark.parametrize(
    ("planning_mm", "control_mm", "bar_mm"),
    [
        ((0.8, 0.8, 3.0), (0.8, 0.8, 1.0), 0.3),  # much finer
        ((0.8, 0.8, 2.0), (0.8, 0.8, 1.0), 0.2),
        ((0.9, 0.9, 1.2), (1.0, 1.0, 1.5), 0.2),  # both are fine
        ((0.8, 0.8, 2.5), (1.0, 1.0, 2.0), 0.4),  # both are cut by slices
        ((0.9, 0.9, 5.0), (0.9, 0.9, 5.0), 0.5),
    ],
)
def test_the_sub_voxel_surface_survives_a_registration(planning_mm, control_mm, bar_mm):
    found = [carried_error_mm(seed, planning_mm, control_mm) for seed in range(4)]
    errors = np.array([error for error, _ in found])
    assert all(fields for _, fields in found)
    assert np.abs(errors).mean() < bar_mm
    assert np.abs(errors).max() < 2.25 * bar_mm


def test_a_lesion_outside_the_control_scan_is_missing_among_the_carried():
    here = grid((30, 30, 30), frame_uid="plan")
    there = grid((30, 30, 30), centre_mm=(500.0, 0.0, 0.0), frame_uid="post")
    both = Registration(method="rigid", fixed=there, moving=here, matrix=np.eye(4))
    lesion = LabelMap(block(10, 20, here).inside.astype(np.uint8), here)
    numbered, fields = carried_lesions(both, lesion, there)
    assert numbered.values == ()
    assert fields == {}


def test_a_registration_of_unknown_error_certifies_nothing_and_says_so():
    """The distance of 7 mm is known, how far off it is is not."""
    unknown = registration(error_mm=None)
    errors = A0.errors_of(unknown, zone_of(block(8, 32)))
    (found,) = check(registration=unknown, errors=errors).lesions
    assert found.smallest_margin_mm == 7.0
    assert found.p_a0 is None
    assert found.verdict is Verdict.A0_UNCERTAIN
    assert any("nobody knows how exact the registration is" in sentence for sentence in found.why)


def test_a_registration_of_unknown_error_can_still_deny_a0():
    (found,) = A0.check(
        block(15, 25), zone_of(block(12, 28)), observed=True, registration=registration(None)
    ).lesions
    assert found.verdict is Verdict.NOT_A0
