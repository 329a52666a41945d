"""The demo's patient: readable by netseg itself, and every lesion within reach of a needle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from netseg.domain import Modality, Phase
from netseg.phantom import (
    DEMO_LESIONS,
    Phantom,
    Protocol,
    Tissue,
    make_phantom,
    series_of,
    write_dicom_study,
    write_nifti_study,
)
from netseg.phantom.lesions import sphere_points

if TYPE_CHECKING:
    from pathlib import Path

DEMO_SEED = 17  # of `netseg demo`
IN_THE_WAY = (
    Tissue.LUNG, Tissue.HEART, Tissue.SPONGY_BONE, Tissue.CORTICAL_BONE, Tissue.AORTA, Tissue.GAS,
    Tissue.INFERIOR_VENA_CAVA, Tissue.GALLBLADDER, Tissue.KIDNEY_CORTEX, Tissue.STOMACH_WALL,
    Tissue.BOWEL_WALL, Tissue.SPLEEN,
)  # fmt: skip


@pytest.fixture(scope="module")
def demo() -> Phantom:
    return make_phantom(DEMO_SEED, spacing_mm=(3.0, 3.0, 3.0))


def test_the_demo_is_a_curative_case(demo: Phantom) -> None:
    """Four lesions in V and VI: one lobe, two neighbouring segments; all between 1 and 3 cm."""
    assert {t.segment for t in demo.truth} == {"V", "VI"}
    assert [t.diameter_mm for t in demo.truth] == [22.0, 17.0, 14.0, 12.0]
    assert len(demo.truth) == len(DEMO_LESIONS)


def test_a_needle_reaches_every_demo_lesion(demo: Phantom) -> None:
    """Straight from the skin in under 15 cm, 5 mm or more away from bone, lung, bowel and vessels."""
    from scipy.ndimage import distance_transform_edt

    barred = np.isin(demo.tissues.labels, IN_THE_WAY)
    barred = np.asarray(distance_transform_edt(~barred, sampling=demo.grid.spacing_mm)) < 5.0
    outside = demo.tissues.labels == Tissue.AIR
    steps = np.arange(0.0, 150.0, 1.5)
    for truth in demo.truth:
        ways = truth.centre_mm.as_array() + sphere_points(800)[:, None] * steps[None, :, None]
        index = np.rint(demo.grid.to_index(ways)).astype(int)
        index = np.clip(index, 0, np.array(demo.grid.shape) - 1)
        at = tuple(np.moveaxis(index, -1, 0))
        blocked = np.logical_or.accumulate(barred[at], axis=1)
        free = (outside[at] & ~blocked).any(axis=1)
        assert free.sum() >= 20, f"lesion {truth.id}: {free.sum()} of 800 directions are free"


def test_netseg_reads_back_what_the_phantom_wrote(demo: Phantom, tmp_path: Path) -> None:
    """DICOM and NIfTI: HU to the unit, SUVbw to the storage step, frame, phase and tracer."""
    from netseg.study import read_study

    protocol = Protocol(ct_phases=(Phase.LATE_ARTERIAL, Phase.PORTAL_VENOUS))
    rendered = {s.key: s for s in series_of(demo, protocol)}
    for write in (write_dicom_study, write_nifti_study):
        study = read_study(write(demo, tmp_path / write.__name__, protocol=protocol).study)
        assert study.warnings == ()
        ct = study.first(Modality.CT, Phase.PORTAL_VENOUS)
        pet = study.first(Modality.PT)
        assert ct is not None
        assert pet is not None
        assert np.array_equal(ct.volume.values, rendered["ct_portal_venous"].volume.values)
        assert pet.tracer == "ga68_dotatate"
        expected = rendered["pt_ga68_dotatate"].volume.values
        assert pet.volume.values == pytest.approx(expected, abs=2e-3)
        assert ct.volume.grid.frame_uid == pet.volume.grid.frame_uid
        assert np.allclose(ct.volume.grid.affine_lps, demo.grid.affine_lps, atol=1e-4)


def test_given_masks_come_with_the_nifti_study_when_asked(demo: Phantom, tmp_path: Path) -> None:
    from netseg.study import read_study

    protocol = Protocol(ct_phases=(Phase.PORTAL_VENOUS,), pet=False)
    written = write_nifti_study(demo, tmp_path, protocol=protocol, with_masks=True)
    study = read_study(written.study)
    assert study.liver is not None
    assert study.lesions is not None
    assert np.array_equal(study.liver.inside, demo.liver.inside)
    assert np.array_equal(study.lesions.labels > 0, demo.lesions.labels > 0)
    assert len(study.lesions.values) == len(demo.truth)


def test_the_clinical_facts_are_a_findings_document(demo: Phantom, tmp_path: Path) -> None:
    allocate = pytest.importorskip("netseg.allocate")
    written = write_nifti_study(demo, tmp_path, protocol=Protocol(ct_phases=(), pet=True))
    findings = allocate.read_case(written.case)
    assert findings.primary == "small_intestine"
    assert findings.ki67 is not None
