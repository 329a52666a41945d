"""Needles on a synthetic patient whose every organ is known: the plan does not see that truth."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest

from netseg.domain import (
    AblationPlan,
    Modality,
    ModelProvenance,
    Phase,
    Segmentation,
    Series,
    Study,
)
from netseg.findings import measure
from netseg.phantom import Tissue, make_phantom, render_ct
from tests.plan.bodies import planner, points_of

if TYPE_CHECKING:
    from netseg.phantom import Phantom

FORBIDDEN = (
    Tissue.LUNG,
    Tissue.GAS,
    Tissue.CORTICAL_BONE,
    Tissue.SPONGY_BONE,
    Tissue.INFERIOR_VENA_CAVA,
    Tissue.AORTA,
    Tissue.HEART,
    Tissue.STOMACH_WALL,
    Tissue.BOWEL_WALL,
    Tissue.GALLBLADDER,
    Tissue.KIDNEY_CORTEX,
    Tissue.SPLEEN,
    Tissue.PANCREAS,
)


VESSELS = (Tissue.PORTAL_VEIN, Tissue.HEPATIC_VEIN)


@cache
def planned(seed: int) -> tuple[Phantom, AblationPlan]:
    phantom = make_phantom(seed)
    ct = render_ct(phantom, Phase.PORTAL_VENOUS, np.random.default_rng(seed))
    series = Series(key="ct", modality=Modality.CT, volume=ct, phase=Phase.PORTAL_VENOUS)
    study = Study(case_id="phantom", series=(series,))
    segmentation = Segmentation(
        series_key="ct",
        liver=phantom.liver,
        lesions=phantom.lesions,
        provenance=ModelProvenance(backend="masks", name="truth"),
    )
    plan = planner().plan(study, segmentation, measure(study, segmentation), None)
    return phantom, plan


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 7])
def test_every_lesion_of_the_demo_is_reached(seed):
    phantom, plan = planned(seed)
    assert {a.lesion_id for a in plan.ablations} == {t.id for t in phantom.truth}
    assert plan.unplanned == ()


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 7])
def test_no_needle_crosses_bone_lung_gas_or_another_organ(seed):
    """Looked up every half millimetre in the true tissue map."""
    phantom, plan = planned(seed)
    for ablation in plan.ablations:
        index = np.rint(phantom.grid.to_index(points_of(ablation.probes[0]))).astype(int)
        met = {Tissue(int(t)) for t in np.unique(phantom.tissues.labels[tuple(index.T)])}
        assert met.isdisjoint(FORBIDDEN)
        assert Tissue.LIVER in met


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 7, 8])
def test_no_needle_crosses_a_vessel_that_fills_a_voxel(seed):
    """Voxels of 1.5 x 1.5 x 3 mm at least nine tenths full; the plan only guesses at vessels.

    What the lesion has grown over is lesion in the scan, though still vessel in the tissue map.
    """
    phantom, plan = planned(seed)
    share = sum(phantom.share[t].astype(float) for t in VESSELS) / 255
    for ablation in plan.ablations:
        index = np.rint(phantom.grid.to_index(points_of(ablation.probes[0]))).astype(int)
        outside = phantom.lesions.labels[tuple(index.T)] == 0
        assert share[tuple(index[outside].T)].max() < 0.9


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 7])
def test_needles_end_in_their_lesions_and_begin_at_the_skin(seed):
    phantom, plan = planned(seed)
    for ablation in plan.ablations:
        probe = ablation.probes[0]
        points = points_of(probe)
        index = np.rint(phantom.grid.to_index(points)).astype(int)
        lesions = np.unique(phantom.lesions.labels[tuple(index.T)])
        assert set(lesions) <= {0, ablation.lesion_id}
        assert ablation.lesion_id in lesions
        outwards = probe.entry_mm.as_array() + 5.0 * np.array(probe.direction)
        beyond = np.rint(phantom.grid.to_index(outwards)).astype(int)
        assert phantom.tissues.labels[tuple(beyond)] == Tissue.AIR
