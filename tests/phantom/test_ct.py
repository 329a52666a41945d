"""Hounsfield units by organ and phase."""

from __future__ import annotations

import numpy as np
import pytest

from netseg.domain import Phase, Quantity
from netseg.phantom import CtContrast, LesionKind, Phantom, Tissue, make_phantom, render_ct
from netseg.phantom.ct import HU, PHASES

QUIET = CtContrast(noise_hu=0.0, texture_hu=0.0, blur_mm=0.0)


def mean_hu(phantom: Phantom, phase: Phase, inside: np.ndarray) -> float:
    from scipy.ndimage import binary_erosion

    core = binary_erosion(inside, iterations=2)
    values = render_ct(phantom, phase, np.random.default_rng(1)).values
    return float(values[core].mean())


@pytest.mark.parametrize("phase", PHASES)
def test_the_organs_have_the_tables_attenuation(phantom: Phantom, phase: Phase) -> None:
    values = render_ct(phantom, phase, np.random.default_rng(1)).values
    from scipy.ndimage import binary_erosion

    for tissue in (Tissue.SPLEEN, Tissue.AORTA, Tissue.MUSCLE, Tissue.LUNG, Tissue.GALLBLADDER):
        core = binary_erosion(phantom.tissues.region(tissue).inside, iterations=2)
        assert values[core].mean() == pytest.approx(HU[tissue][PHASES.index(phase)], abs=9)


def test_parenchyma_enhances_most_in_the_portal_venous_phase(phantom: Phantom) -> None:
    parenchyma = phantom.tissues.region(Tissue.LIVER).inside & (phantom.lesions.labels == 0)
    parenchyma &= phantom.mimics.labels == 0
    native, arterial, portal, delayed = (mean_hu(phantom, p, parenchyma) for p in PHASES)
    assert native < arterial < delayed < portal
    assert portal == pytest.approx(112, abs=6)


def test_the_aorta_is_bright_in_the_arterial_phase_and_the_portal_vein_later(
    phantom: Phantom,
) -> None:
    arterial, portal = (
        render_ct(phantom, p, np.random.default_rng(1), contrast=QUIET).values
        for p in (Phase.LATE_ARTERIAL, Phase.PORTAL_VENOUS)
    )
    aorta = phantom.tissues.region(Tissue.AORTA).inside
    assert np.median(arterial[aorta]) > 280
    assert np.median(arterial[aorta]) > np.median(portal[aorta]) + 100
    vein = phantom.share[Tissue.PORTAL_VEIN] == 255
    assert np.median(portal[vein]) > np.median(arterial[vein]) + 30


def test_a_hypervascular_lesion_is_brighter_than_liver_in_the_arterial_phase_only(
    phantom: Phantom,
) -> None:
    first = phantom.truth[0]
    assert first.kind is LesionKind.HYPERVASCULAR
    lesion = phantom.lesions.region(first.id).inside
    liver = phantom.tissues.region(Tissue.LIVER).inside & (phantom.lesions.labels == 0)
    difference = [mean_hu(phantom, p, lesion) - mean_hu(phantom, p, liver) for p in PHASES]
    assert difference[1] > 35
    assert difference[2] < 0


def test_a_hypovascular_lesion_is_dark_in_the_portal_venous_phase(phantom: Phantom) -> None:
    lesion = phantom.lesions.region(2).inside
    liver = phantom.tissues.region(Tissue.LIVER).inside & (phantom.lesions.labels == 0)
    portal = Phase.PORTAL_VENOUS
    assert mean_hu(phantom, portal, lesion) < mean_hu(phantom, portal, liver) - 30


def test_a_cyst_is_water_in_every_phase(phantom: Phantom) -> None:
    cyst = phantom.mimics.region(1).inside
    for phase in PHASES:
        assert mean_hu(phantom, phase, cyst) == pytest.approx(6, abs=12)


def test_air_is_minus_a_thousand_and_the_noise_has_the_stated_width(phantom: Phantom) -> None:
    volume = render_ct(
        phantom, Phase.NATIVE, np.random.default_rng(1), contrast=CtContrast(noise_hu=12.0)
    )
    assert volume.quantity is Quantity.HU
    assert volume.values.dtype == np.int16
    air = phantom.tissues.labels[:8, :8] == Tissue.AIR
    assert volume.values[:8, :8][air].mean() == pytest.approx(-1000, abs=3)
    fluid = phantom.tissues.region(Tissue.SPLEEN).inside
    assert volume.values[fluid].std() == pytest.approx(12.4, abs=2.5)


def test_the_same_generator_gives_the_same_image() -> None:
    phantom = make_phantom(3, spacing_mm=(6.0, 6.0, 6.0))
    first, second = (
        render_ct(phantom, Phase.DELAYED, np.random.default_rng(4)).values.tobytes()
        for _ in range(2)
    )
    assert first == second


def test_a_hepatobiliary_ct_is_refused(phantom: Phantom) -> None:
    with pytest.raises(ValueError, match=r"one of the phases .* got hepatobiliary"):
        render_ct(phantom, Phase.HEPATOBILIARY, np.random.default_rng(0))
