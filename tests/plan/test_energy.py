"""The least energy that keeps the margin, from a model whose zones are balls of known radius."""

from __future__ import annotations

import re

import numpy as np
import pytest

from netseg.domain import (
    Ablation,
    AblationModality,
    AblationProtocol,
    AblationZone,
    Evidence,
    Grid,
    Mask,
)
from netseg.findings import measure
from tests.plan.bodies import (
    IN_LESION,
    IN_LIVER,
    X,
    Y,
    Z,
    body,
    planner,
    segmentation_of,
    study_of,
)

RADIUS_MM = {20.0: 8.0, 40.0: 12.0, 60.0: 16.0, 80.0: 20.0, 100.0: 24.0}
PROTOCOLS = tuple(
    AblationProtocol(modality=AblationModality.MWA, duration_s=300, power_w=w) for w in RADIUS_MM
)


class Balls:
    """A model: a ball around the active centre, larger with more power. Counts its calls."""

    def __init__(self) -> None:
        self.asked: list[float | None] = []

    def zone(self, ablation: Ablation, grid: Grid) -> AblationZone:
        """The ball of the ablation's power on `grid`."""
        self.asked.append(ablation.protocol.power_w)
        probe = ablation.probes[0]
        centre = probe.tip_mm.as_array() + probe.active_length_mm / 2 * np.array(probe.direction)
        points = grid.to_mm(np.moveaxis(np.indices(grid.shape), 0, -1))
        radius = RADIUS_MM[float(ablation.protocol.power_w or 0)]
        inside = ((points - centre) ** 2).sum(axis=-1) <= radius**2
        return AblationZone(mask=Mask(inside, grid), evidence=Evidence.SIMULATED)


def radial_margin(lesion: Mask, zone: AblationZone, liver: Mask | None) -> float:
    """Difference of the radii of two concentric balls of equal voxels."""
    assert liver is not None
    assert liver.grid is not None

    def radius(ml: float) -> float:
        return (ml * 1000 * 3 / (4 * np.pi)) ** (1 / 3)

    return radius(zone.mask.volume_ml) - radius(lesion.volume_ml)


def plan_with(model, lesions: np.ndarray = IN_LESION, **changes: object):
    study, segmentation = study_of(body()), segmentation_of(lesions)
    settings = {"protocols": PROTOCOLS, "margin_of": radial_margin} | changes
    made = planner(**settings)
    return made.plan(study, segmentation, measure(study, segmentation), model)


def test_a_lesion_of_twenty_millimetres_needs_a_ball_of_thirty():
    """Radius 10 + 5 mm: of 12, 16, 20, 24 mm the second is the smallest that keeps 5 mm."""
    model = Balls()
    (ablation,) = plan_with(model).ablations
    assert ablation.protocol.power_w == 60.0
    assert any(
        re.search(r"plan predicts a smallest margin of (5\.9|6\.[01]) mm", why)
        for why in ablation.why
    )
    assert len(model.asked) <= 3


def test_a_smaller_margin_needs_less_energy():
    (ablation,) = plan_with(Balls(), required_mm=1.5).ablations
    assert ablation.protocol.power_w == 40.0


def test_a_lesion_beyond_one_probe_gets_the_largest_protocol_and_a_plain_word():
    """Radius 22 + 5 mm is more than 24 mm."""
    model = Balls()
    (ablation,) = plan_with(model, X**2 + Y**2 + Z**2 <= 22**2).ablations
    assert ablation.protocol.power_w == 100.0
    assert any("one probe cannot reach 5 mm" in why for why in ablation.why)
    assert model.asked == [60.0, 100.0]


def test_a_protocol_known_to_be_too_small_is_not_simulated_again():
    """The zone of 60 W was 17 ml; lesion and margin take a ball of 19 mm, 29 ml."""
    first = (X + 22) ** 2 + Y**2 + Z**2 <= 14**2
    second = (X - 22) ** 2 + Y**2 + Z**2 <= 14**2
    model = Balls()
    plan = plan_with(model, np.where(first, 1, np.where(second, 2, 0)))
    assert [a.protocol.power_w for a in plan.ablations] == [80.0, 80.0]
    assert model.asked == [60.0, 100.0, 80.0, 100.0, 80.0]


def test_without_a_model_nothing_is_predicted_and_that_is_said():
    (ablation,) = plan_with(None).ablations
    assert ablation.protocol == PROTOCOLS[-1]
    assert any("no zone was predicted" in why for why in ablation.why)
    assert not any("plan predicts" in why for why in ablation.why)


def test_a_margin_that_cannot_be_told_is_not_reached():
    (ablation,) = plan_with(Balls(), margin_of=lambda *_: None).ablations
    assert ablation.protocol.power_w == 100.0
    assert any("cannot reach" in why for why in ablation.why)


def test_the_demand_is_the_lesion_and_the_margin_inside_the_liver():
    """A ball of 10 mm with 5 mm around it is a ball of 15 mm: 14.1 ml; half of it in half a liver."""
    from netseg.plan.energy import demanded_ml

    grid = Grid((45, 45, 45), np.diag([1.0, 1.0, 1.0, 1.0]), "1.2")
    points = grid.to_mm(np.moveaxis(np.indices(grid.shape), 0, -1)) - 22.0
    lesion = Mask((points**2).sum(axis=-1) <= 10**2, grid)
    whole = Mask(np.ones(grid.shape, bool), grid)
    assert demanded_ml(lesion, None, 5.0) == pytest.approx(14.1, rel=0.1)
    assert demanded_ml(lesion, whole, 5.0) == pytest.approx(14.1, rel=0.1)
    half = Mask(points[..., 0] < 0, grid)
    lesion_half = 4.19 / 2
    assert demanded_ml(lesion, half, 5.0) == pytest.approx(7.07 + lesion_half, rel=0.1)


def test_lesions_are_inside_the_made_up_liver():
    assert not (IN_LESION & ~IN_LIVER).any()
